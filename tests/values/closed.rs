//! A closed alarm about a transaction. The next check reads the transaction again, until it was
//! read completely or is found corrupt again.

use crate::support::value_scene::{ALL, DB, NONE, Scene, cycle, sweep};
use immuaudit::audit::{Auditor, Outcome, Verdict};
use immuaudit::clock;
use immuaudit::drill::{Lie, LieSchedule};
use immuaudit::trust::{Alarm, Store};
use immuaudit::wire::method;

/// Returns sixty transactions, after an auditor found the seventh corrupt and ended.
fn scene_with_alarm(lie: Lie) -> Scene {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    cycle(&mut auditor);
    scene.embedded.lie(LieSchedule::from(lie).about(7));
    let outcome = cycle(&mut auditor);
    assert!(outcome.verdict.is_tampering(), "{outcome:?}");
    scene
}

/// Closes every open alarm while the auditor runs, as an operator does.
fn close(scene: &Scene) {
    let store = Store::open_shared(&scene.location()).expect("a store");
    let closed = store.close_alarms_of(DB, "operator", clock::now());
    assert!(!closed.expect("files").is_empty());
}

fn scene_alarms(scene: &Scene) -> Vec<Alarm> {
    let store = Store::open_shared(&scene.location()).expect("a store");
    store.open_alarms(Some(DB)).expect("files")
}

fn is_open_again(outcome: &Outcome) {
    assert!(outcome.verdict.is_tampering(), "{outcome:?}");
    assert!(!outcome.opened.is_empty(), "{outcome:?}");
    assert!(outcome.open_alarms > 0, "{outcome:?}");
}

/// Runs a cycle and returns how many of its calls read a transaction.
fn reads(scene: &Scene, auditor: &mut Auditor) -> u64 {
    scene.embedded.reset_calls();
    let outcome = cycle(auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    let calls = scene.embedded.calls();
    calls.get(method::VERIFIABLE_TX_BY_ID).copied().unwrap_or(0)
}

#[test]
fn a_persistent_edit_reopens_its_closed_alarm_without_a_sample() {
    for lie in [Lie::EditedValue, Lie::EditedKey, Lie::CorruptValueReported] {
        let scene = scene_with_alarm(lie);
        let mut auditor = scene.auditor(NONE);
        assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
        for _ in 0..3 {
            close(&scene); // while the auditor runs
            is_open_again(&cycle(&mut auditor));
        }
        close(&scene);
        drop(auditor); // and while it does not
        is_open_again(&cycle(&mut scene.auditor(NONE)));
    }
}

/// Its neighbours are read by a scan, and the next one names its hash. Only its own proof is invalid.
#[test]
fn an_invalid_proof_of_the_transaction_itself_reopens_its_closed_alarm() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    cycle(&mut auditor);
    // once the transaction is due, it is read alone
    let withheld = LieSchedule::from(Lie::SilentTransaction).about(7);
    scene.embedded.lie(withheld);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Unread);
    drop(auditor);
    let flipped = LieSchedule::from(Lie::FlippedProof).about(7);
    scene
        .embedded
        .lie(flipped.in_call(method::VERIFIABLE_TX_BY_ID));
    let mut auditor = scene.auditor(NONE);
    is_open_again(&cycle(&mut auditor));
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
    drop(auditor); // the next ones begin with large scans
    for _ in 0..2 {
        close(&scene);
        is_open_again(&cycle(&mut scene.auditor(NONE)));
    }
}

#[test]
fn a_repaired_transaction_is_read_once_after_the_closing() {
    let scene = scene_with_alarm(Lie::EditedValue);
    scene.embedded.be_honest();
    let mut auditor = scene.auditor(NONE);
    assert_eq!(reads(&scene, &mut auditor), 0);
    close(&scene);
    assert!(reads(&scene, &mut auditor) > 0);
    assert_eq!(reads(&scene, &mut auditor), 0);
    drop(auditor);
    assert_eq!(reads(&scene, &mut scene.auditor(NONE)), 0);
}

#[test]
fn a_transaction_that_is_withheld_after_the_closing_stays_due_over_a_restart() {
    let scene = scene_with_alarm(Lie::EditedValue);
    close(&scene);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::WithheldTransaction).about(7));
    let mut auditor = scene.auditor(NONE);
    for _ in 0..2 {
        assert_eq!(cycle(&mut auditor).verdict, Verdict::Unread);
    }
    drop(auditor);
    let mut auditor = scene.auditor(NONE);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Unread);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::EditedValue).about(7));
    is_open_again(&cycle(&mut auditor));
}

#[test]
fn an_edit_in_a_scan_only_reopens_its_closed_alarm() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    let lie = LieSchedule::from(Lie::EditedValue).in_call(method::TX_SCAN);
    scene.embedded.lie(lie.about(7));
    sweep(&mut auditor);
    for _ in 0..2 {
        close(&scene);
        is_open_again(&cycle(&mut auditor));
    }
}

#[test]
fn a_flood_of_edits_opens_alarms_again_once_all_of_them_were_closed() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene.embedded.lie(Lie::EditedValue);
    sweep(&mut auditor);
    drop(auditor);
    let flood = |alarm: &Alarm| alarm.reason.starts_with("more transactions are corrupt");
    let mut auditor = scene.auditor(NONE);
    close(&scene);
    is_open_again(&cycle(&mut auditor));
    let open = scene_alarms(&scene);
    assert!(open.len() > 16 && open.iter().any(flood), "{open:?}");
    // only the alarm about all the others is closed
    let id = open.into_iter().find(flood).expect("one").id;
    let store = Store::open_shared(&scene.location()).expect("a store");
    let closed = store.close_alarm(&id, "operator", clock::now());
    assert!(closed.expect("files").awaits_reading);
    is_open_again(&cycle(&mut auditor));
    assert!(store.alarm(&id).expect("files").is_open());
    let wrong = store.close_alarm("wrong", "operator", clock::now());
    let wrong = wrong.expect_err("there is none").to_string();
    assert!(wrong.contains("more: immuaudit alarm list"), "{wrong}");
    assert!(wrong.len() < 500, "{wrong}");
    scene.embedded.be_honest();
    close(&scene);
    assert!(reads(&scene, &mut auditor) > 0);
    assert_eq!(reads(&scene, &mut auditor), 0);
}

#[test]
fn the_lost_progress_of_values_loses_no_reading_of_a_closed_alarm() {
    let scene = scene_with_alarm(Lie::EditedValue);
    close(&scene);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::WithheldTransaction).about(7));
    assert_eq!(cycle(&mut scene.auditor(NONE)).verdict, Verdict::Unread);
    let progress = scene.folder.join("trust").join("tested").join("values");
    std::fs::remove_file(progress).expect("a file");
    scene
        .embedded
        .lie(LieSchedule::from(Lie::EditedValue).about(7));
    is_open_again(&cycle(&mut scene.auditor(NONE)));
}
