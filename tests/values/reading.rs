//! Reading values. An edit anywhere is found and named, an honest ledger causes no alarm, and a
//! missing value is due or, if that is proven, unavailable.

use crate::support::value_scene::{
    ALL, DB, NONE, Scene, VALUE, broken, cycle, report, sweep, truncation,
};
use immuaudit::audit::{Outcome, UnreadReason, Verdict};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Emulated, Lie, LieSchedule, NewEntry, Options, fill};
use immuaudit::ledger::KvMetadata;
use immuaudit::wire::method;

#[test]
fn a_sweep_finds_and_names_an_edit_of_any_transaction() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    for lie in [Lie::EditedValue, Lie::EditedKey, Lie::ValueWithMatchingHash] {
        for tx in 1..=60 {
            scene.embedded.lie(LieSchedule::from(lie).about(tx));
            let (swept, outcomes) = sweep(&mut auditor);
            assert_eq!(outcomes.len(), 1, "{lie:?} {tx}");
            assert_eq!(outcomes[0].verdict, VALUE, "{lie:?} {tx}");
            assert_eq!(broken(&outcomes[0]), [tx], "{lie:?}");
            assert_eq!((swept.read, swept.of), (59, 60), "{lie:?} {tx}");
            let why = outcomes[0].why();
            let key = format!("transaction {tx}, entry 1, key \"\\u{{0}}key/{}", tx - 1);
            let key = if lie == Lie::EditedKey {
                &key[..key.len() - 1]
            } else {
                &key[..]
            };
            assert!(why.contains(key), "{why} lacks {key}");
        }
    }
}

#[test]
fn every_corrupt_transaction_is_an_alarm_and_a_flood_is_one() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene.embedded.lie(Lie::CorruptValueReported);
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(swept.read, 0);
    let total: u64 = outcomes
        .iter()
        .map(|outcome| report(outcome).broken.len() as u64 + report(outcome).more_broken)
        .sum();
    assert_eq!(total, 60);
    let last = outcomes.last().expect("findings");
    assert!(last.open_alarms >= 17, "{}", last.open_alarms);
    assert!(outcomes[0].why().contains("more corrupt ones"));
}

#[test]
fn a_repeated_finding_is_no_new_alarm_and_trust_advances() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::FirstSeen);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::EditedValue).about(7));
    let first = cycle(&mut auditor);
    scene.embedded.grow(DB, 5);
    let second = cycle(&mut auditor);
    let third = cycle(&mut auditor);
    for outcome in [&first, &second, &third] {
        assert_eq!(outcome.verdict, VALUE);
        assert_eq!(outcome.open_alarms, 1);
        assert_eq!(outcome.overdue, None);
    }
    assert_eq!(third.previous, scene.embedded.state(DB));
    assert_eq!(third.alarm.as_ref().map(|alarm| alarm.times), Some(3));
    scene.embedded.be_honest();
    let honest = cycle(&mut auditor);
    assert_eq!(
        (honest.verdict, honest.open_alarms),
        (Verdict::Consistent, 1)
    );
}

/// Returns the verdict on a server that shows an edited key once, and the number of open alarms.
fn edited_once(server: Emulated, call: &'static str) -> (Verdict, usize) {
    let scene = Scene::new(Options {
        server,
        ..Options::default()
    });
    scene.embedded.grow(DB, 60);
    let values = Values { sample: 59, ..NONE };
    let mut auditor = scene.auditor(values);
    cycle(&mut auditor);
    let lie = LieSchedule::from(Lie::EditedKey).in_call(call);
    scene.embedded.lie(lie.times(1));
    let outcome = cycle(&mut auditor);
    scene.embedded.be_honest();
    let honest = cycle(&mut auditor);
    assert_eq!(honest.verdict, Verdict::Consistent, "{honest:?}");
    (outcome.verdict, outcome.open_alarms)
}

/// A server of 0.9.0 mixes up its answers to concurrent calls, so a single answer is no tampering
/// there.
#[test]
fn a_finding_in_one_answer_is_an_alarm_except_for_0_9_0() {
    let (alone, scan) = (method::VERIFIABLE_TX_BY_ID, method::TX_SCAN);
    let earliest = edited_once(Emulated::V0_9_0, alone);
    assert_eq!(earliest, (Verdict::Malformed, 0));
    // one finding for each transaction of the scan
    let (verdict, alarms) = edited_once(Emulated::V1_11_1, scan);
    assert!(verdict == VALUE && alarms > 0, "{verdict:?} {alarms}");
}

#[test]
fn a_cycle_samples_with_one_scan_and_one_proof_for_each_window() {
    let scene = Scene::of_sixty();
    let values = Values { sample: 20, ..NONE };
    let mut auditor = scene.auditor(values);
    cycle(&mut auditor);
    scene.embedded.reset_calls();
    cycle(&mut auditor);
    let calls = scene.embedded.calls();
    let of = |call| calls.get(call).copied().unwrap_or(0);
    // two windows of 10; one of them may continue at the first transaction
    assert!((2..=3).contains(&of(method::TX_SCAN)), "{calls:?}");
    assert!(
        (1..=3).contains(&of(method::VERIFIABLE_TX_BY_ID)),
        "{calls:?}"
    );
    assert_eq!(auditor.values_read(DB).map(|values| values.read), Some(40));
}

#[test]
fn all_new_transactions_are_read_if_configured() {
    let scene = Scene::of_sixty();
    let values = Values {
        new: NewValues::All,
        ..NONE
    };
    let mut auditor = scene.auditor(values);
    cycle(&mut auditor);
    scene.embedded.grow(DB, 90);
    for tx in [61, 100, 150] {
        scene
            .embedded
            .lie(LieSchedule::from(Lie::EditedValue).about(tx));
        scene.embedded.grow(DB, 1);
    }
    let outcome = cycle(&mut auditor);
    assert_eq!(broken(&outcome), [150]);
    assert_eq!(auditor.values_read(DB).map(|values| values.read), Some(92));
    scene.embedded.grow(DB, 3);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
}

#[test]
fn a_hole_in_a_scan_is_malformed_and_its_transaction_is_read() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    for (lie, tx) in [
        (Lie::ScanWithHoles, 30),
        (Lie::ScanWithHoles, 1),
        (Lie::ScanWithHoles, 60),
    ] {
        scene.embedded.lie(LieSchedule::from(lie).about(tx));
        let (swept, outcomes) = sweep(&mut auditor);
        assert_eq!(swept.read, 60, "{tx}");
        assert_eq!(outcomes[0].verdict, Verdict::Malformed);
        let unread: Vec<u64> = report(&outcomes[0]).unread.iter().map(|u| u.tx).collect();
        assert_eq!(unread, [tx]);
    }
}

#[test]
fn a_withheld_transaction_stays_due_until_it_is_shown() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(LieSchedule::from(Lie::WithheldTransaction).about(30));
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(swept.read, 59);
    assert_eq!(outcomes[0].verdict, Verdict::Unread);
    let withheld = |outcome: &Outcome| {
        let unread = &report(outcome).unread;
        unread
            .iter()
            .any(|unread| unread.tx == 30 && matches!(unread.why, UnreadReason::Withheld))
    };
    assert!(withheld(&outcomes[0]));
    drop(auditor);
    let mut auditor = scene.auditor(NONE);
    let still = cycle(&mut auditor);
    assert_eq!(still.verdict, Verdict::Unread);
    assert!(withheld(&still));
    scene.embedded.be_honest();
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::WithheldTransaction).about(30));
    assert_eq!(
        cycle(&mut auditor).verdict,
        Verdict::Consistent,
        "it is no longer due"
    );
}

#[test]
fn dropped_values_are_unavailable_only_if_a_proven_header_records_it() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(LieSchedule::from(Lie::ForgedTruncation).about(20));
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(swept.read, 59);
    assert_eq!(outcomes[0].verdict, Verdict::Unread);
    assert!(matches!(
        report(&outcomes[0]).unread[0].why,
        UnreadReason::ValuesRefused(_)
    ));
    // a truncation before transaction 20 does not include 20 itself
    for (before, clean) in [(20, false), (21, true)] {
        scene.embedded.write(DB, truncation(before));
        cycle(&mut auditor);
        let (swept, outcomes) = sweep(&mut auditor);
        assert_eq!(outcomes.is_empty(), clean, "{outcomes:?}");
        assert_eq!(swept.read == swept.of, clean);
        assert_eq!(swept.unavailable.truncated, u64::from(clean), "counted");
    }
}

#[test]
fn expired_and_document_entries_come_without_values_and_others_do_not() {
    let scene = Scene::new(Options::default());
    let expiring = |at| KvMetadata {
        expires_at: Some(at),
        ..KvMetadata::default()
    };
    scene.embedded.commit(
        DB,
        vec![
            NewEntry::set("a", "there"),
            NewEntry::set("b", "gone").with(expiring(1_600_000_000)), // in 2020
            NewEntry::of_kind(3, "document", "never comes"),
            NewEntry::set("c", "still there").with(expiring(4_102_444_800)),
        ],
    );
    let mut auditor = scene.trusting();
    let (swept, outcomes) = sweep(&mut auditor);
    assert!(outcomes.is_empty(), "{outcomes:?}");
    assert_eq!(swept.read, 1);
    let text = swept.unavailable.to_string();
    assert_eq!(text, "1 expired, 1 of documents, which no server sends");
    // the digests of missing values are still checked
    scene.embedded.lie(Lie::EditedKey);
    let (_, outcomes) = sweep(&mut auditor);
    assert_eq!(outcomes[0].verdict, VALUE);
    // only expired entries may be left out
    scene.embedded.lie(Lie::ForgedExpiry);
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(
        (swept.read, outcomes.len()),
        (1, 0),
        "Get answers what the scan left out"
    );
}

#[test]
fn an_edited_value_among_a_thousand_is_found_and_named() {
    let scene = Scene::new(Options::default());
    let entries = (0..1_000).map(|i| NewEntry::set(format!("key{i}"), format!("value {i}")));
    scene.embedded.commit(DB, entries.collect());
    let mut auditor = scene.trusting();
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!((swept.read, outcomes.len()), (1, 0));
    scene.embedded.lie(Lie::EditedValue);
    let (_, outcomes) = sweep(&mut auditor);
    assert!(
        outcomes[0].why().contains("entry 1, key \"\\u{0}key0\""),
        "{}",
        outcomes[0].why()
    );
}

#[test]
fn a_transaction_over_the_receive_limit_is_named_with_the_size_to_set() {
    let mut scene = Scene::new(Options::default());
    scene.max_answer = 100_000;
    for tx in 1..=40u32 {
        let size = if tx == 17 { 150_000 } else { 9_000 };
        scene
            .embedded
            .set(DB, &format!("key{tx}"), &"x".repeat(size));
    }
    let mut auditor = scene.trusting();
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(swept.read, 39);
    assert_eq!(outcomes[0].verdict, Verdict::Unread);
    let unread = &report(&outcomes[0]).unread;
    assert_eq!(unread.len(), 1);
    assert_eq!(unread[0].tx, 17);
    let UnreadReason::TooLarge { bytes: Some(bytes) } = unread[0].why else {
        panic!("{unread:?}");
    };
    drop(auditor);
    scene.max_answer = i32::try_from(bytes).expect("a size");
    let mut auditor = scene.trusting();
    assert_eq!(
        sweep(&mut auditor).0.read,
        40,
        "the size that was named is enough"
    );
}

#[test]
fn every_kind_of_entry_is_read() {
    let scene = Scene::new(Options::default());
    fill(&scene.embedded, DB);
    let mut auditor = scene.trusting();
    let (swept, outcomes) = sweep(&mut auditor);
    assert!(outcomes.is_empty(), "{outcomes:?}");
    assert_eq!(swept.read, swept.of);
}
