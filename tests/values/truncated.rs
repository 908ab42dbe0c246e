//! Values that were dropped by retention. Only a header that records the truncation explains them,
//! wherever it is.

use crate::support::value_scene::{ALL, DB, NONE, Scene, cycle, report, sweep, truncation};
use immuaudit::audit::{Policy, Verdict};
use immuaudit::config::Values;
use immuaudit::drill::{Lie, LieSchedule, Options};
use immuaudit::random::Random;
use immuaudit::wire::method;

#[test]
fn a_distant_truncation_is_found_and_explains_due_transactions() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 3_000);
    let policy = Policy {
        values: Values { sample: 8, ..NONE },
        max_fetch: 10,
        ..Policy::of_consistency()
    };
    let mut auditor = scene.auditor_with(policy.clone());
    assert_eq!(cycle(&mut auditor).verdict, Verdict::FirstSeen);
    scene.embedded.lie(Lie::ForgedTruncation);
    let outcome = cycle(&mut auditor);
    assert_eq!(
        outcome.verdict,
        Verdict::Unread,
        "no header records a truncation: {outcome:?}"
    );
    let due = report(&outcome).left.due;
    assert!(due >= 8, "{due}");
    // the truncation is recorded, and then the ledger grows by far more than --audit-max-fetch
    scene.embedded.write(DB, truncation(3_001));
    scene.embedded.grow(DB, 2_500);
    scene.embedded.be_honest();
    drop(auditor);
    let mut auditor = scene.auditor_with(Policy {
        values: NONE,
        ..policy.clone()
    });
    scene
        .embedded
        .lie(LieSchedule::from(Lie::ForgedTruncation).in_call(method::VERIFIABLE_TX_BY_ID));
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    let progress = auditor.values_read(DB).expect("it was read");
    assert!(progress.due.is_empty(), "{progress:?}");
    assert_eq!(progress.truncated_before, 3_001);
    // headers are searched only once
    scene.embedded.be_honest();
    scene.embedded.grow(DB, 1);
    scene.embedded.reset_calls();
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
    assert_eq!(scene.embedded.calls().get(method::TX_SCAN), None);
}

#[test]
fn a_search_without_a_result_runs_once() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 5_000);
    let auditor = scene.auditor(Values { sample: 8, ..NONE });
    // the second sample of this seed is after the first one, so that nothing is left to search
    let mut auditor = auditor.with_random(Random::of_seed(2));
    cycle(&mut auditor);
    scene.embedded.lie(Lie::ForgedTruncation);
    cycle(&mut auditor);
    scene.embedded.reset_calls();
    cycle(&mut auditor);
    // three scans for the window of the sample, which is halved down to single transactions
    let scans = scene.embedded.calls().get(method::TX_SCAN).copied();
    assert_eq!(scans, Some(3));
}

#[test]
fn a_recorded_truncation_explains_no_later_transaction() {
    let scene = Scene::of_sixty();
    scene.embedded.write(DB, truncation(u64::MAX));
    scene.embedded.grow(DB, 20);
    let mut auditor = scene.auditor(ALL);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::FirstSeen);
    for (tx, verdict) in [(30, Verdict::Consistent), (70, Verdict::Unread)] {
        scene
            .embedded
            .lie(LieSchedule::from(Lie::ForgedTruncation).about(tx));
        let outcome = cycle(&mut auditor);
        assert_eq!(outcome.verdict, verdict, "{tx}: {outcome:?}");
    }
}

#[test]
fn a_sweep_over_a_truncated_ledger_ends_in_one_pass_with_few_calls() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 2_000);
    scene.embedded.write(DB, truncation(1_501));
    scene.embedded.grow(DB, 100);
    let mut auditor = scene.trusting();
    scene.embedded.drop_values_before(DB, 1_501);
    scene.embedded.reset_calls();
    let (swept, outcomes) = sweep(&mut auditor);
    assert!(outcomes.is_empty(), "{outcomes:?}");
    assert_eq!((swept.read, swept.of), (2_101, 2_101));
    assert_eq!(swept.unavailable.truncated, 1_500);
    let calls: u64 = scene.embedded.calls().values().sum();
    assert!(calls < 600, "{calls}"); // one by one it takes 4,500
    // the digests of dropped values are still checked
    scene
        .embedded
        .lie(LieSchedule::from(Lie::EditedKey).about(700));
    let (_, outcomes) = sweep(&mut auditor);
    assert_eq!(outcomes.len(), 1, "an edited key of a dropped value");
    assert!(outcomes[0].verdict.is_tampering(), "{outcomes:?}");
}

/// A truncation drops values only. A transaction that is withheld completely, with its header and
/// digests, is not explained by it.
#[test]
fn a_recorded_truncation_explains_no_withheld_transaction() {
    for lie in [Lie::SilentTransaction, Lie::WithheldTransaction] {
        let scene = Scene::of_sixty();
        scene.embedded.write(DB, truncation(40));
        scene.embedded.grow(DB, 20);
        let mut auditor = scene.auditor(ALL);
        assert_eq!(cycle(&mut auditor).verdict, Verdict::FirstSeen);
        scene.embedded.lie(LieSchedule::from(lie).about(30));
        for _ in 0..2 {
            let outcome = cycle(&mut auditor);
            assert!(!outcome.is_complete(), "{lie:?}: {outcome:?}");
            assert_eq!(report(&outcome).left.due, 1, "{lie:?}: {outcome:?}");
        }
        let (swept, outcomes) = sweep(&mut auditor);
        assert_eq!((swept.read, swept.of), (80, 81), "{lie:?}");
        assert_eq!(outcomes.len(), 1, "{lie:?}: {outcomes:?}");
        let progress = auditor.values_read(DB).expect("it was read");
        assert_eq!(progress.due.count(), 1, "{lie:?}");
    }
}

#[test]
fn a_transaction_with_dropped_values_does_not_count_as_read() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 200);
    scene.embedded.write(DB, truncation(151));
    scene.embedded.drop_values_before(DB, 151);
    let mut auditor = scene.trusting();
    sweep(&mut auditor);
    let progress = auditor.values_read(DB).expect("it was swept");
    let whole: Vec<_> = progress.whole.iter().collect();
    assert_eq!(whole, [(151, 201, ())]);
}
