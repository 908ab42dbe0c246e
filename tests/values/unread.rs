//! Transactions that could not be read. Each is due until it is read, whatever the reason, and does
//! not prevent the reading of others.

use std::thread;
use std::time::Duration;

use crate::support::distorted;
use crate::support::proxy::Body;
use crate::support::value_scene::{ALL, DB, NONE, Scene, cycle, report, sweep};
use immuaudit::audit::{Overdue, Policy, UnreadReason, Verdict, Warning};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Lag, Lie, LieSchedule, Options};

fn unread(outcome: &immuaudit::audit::Outcome) -> Vec<u64> {
    report(outcome)
        .unread
        .iter()
        .map(|unread| unread.tx)
        .collect()
}

#[test]
fn a_silent_transaction_is_due_and_the_others_are_read() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    cycle(&mut auditor);
    let silent = LieSchedule::from(Lie::SilentTransaction).about(30);
    scene.embedded.lie(silent);
    for _ in 0..3 {
        let outcome = cycle(&mut auditor);
        assert_eq!(outcome.verdict, Verdict::Unread, "{outcome:?}");
        assert_eq!(outcome.of_state, Some(Verdict::Consistent));
        assert_eq!(unread(&outcome), [30]);
        assert!(matches!(
            report(&outcome).unread[0].why,
            UnreadReason::Silent(_)
        ));
        assert_eq!(report(&outcome).whole.count(), 59);
        assert_eq!(outcome.open_alarms, 0);
    }
    // it is still due in another run, which reads nothing else
    drop(auditor);
    let mut auditor = scene.auditor(NONE);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Unread);
    scene.embedded.be_honest();
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
}

#[test]
fn a_sweep_skips_a_silent_transaction_and_ends() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(LieSchedule::from(Lie::SilentTransaction).about(30));
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!((swept.read, swept.of), (59, 60));
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes[0].verdict, Verdict::Unread);
    assert_eq!(unread(&outcomes[0]), [30]);
    let progress = auditor.values_read(DB).expect("it was swept");
    let due: Vec<_> = progress
        .due
        .iter()
        .map(|(first, last, _)| (first, last))
        .collect();
    assert_eq!(due, [(30, 30)]);
}

#[test]
fn a_transaction_due_for_three_intervals_is_overdue() {
    let scene = Scene::of_sixty();
    let policy = Policy {
        values: ALL,
        interval: Duration::from_millis(10),
        ..Policy::of_consistency()
    };
    let mut auditor = scene.auditor_with(policy);
    cycle(&mut auditor);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::SilentTransaction).about(30));
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.values_overdue, None);
    thread::sleep(Duration::from_millis(1_100)); // times are kept in seconds
    let outcome = cycle(&mut auditor);
    let overdue = outcome.values_overdue;
    assert!(matches!(overdue, Some(Overdue::Unread(_))), "{outcome:?}");
    assert!(!outcome.is_complete());
    assert_eq!(outcome.exit().code(), 1);
    scene.embedded.be_honest();
    let outcome = cycle(&mut auditor);
    assert_eq!((outcome.values_overdue, outcome.exit().code()), (None, 0));
}

#[test]
fn an_outage_while_values_are_read_leaves_only_tried_ones_due() {
    let scene = distorted::Scene::grown(Lag::None);
    scene.cycle();
    // no response except for the list, once reading has begun
    let mut reading = false;
    scene.proxy.distort(move |call, _, reply| {
        reading |= call == "VerifiableTxById";
        if reading && call != "DatabaseList" {
            reply.body = Body::Error(14, "connection refused".into());
        }
    });
    let outcome = scene.cycle_reading_values();
    assert_eq!(outcome.verdict, Verdict::Unread, "{outcome:?}");
    assert!(report(&outcome).halted.is_some());
    assert!(
        outcome.why().contains("reading values ended early"),
        "{}",
        outcome.why()
    );
    scene.proxy.be_honest();
    assert_eq!(scene.cycle().verdict, Verdict::Consistent);
}

#[test]
fn unread_new_values_are_reported_and_become_overdue() {
    let scene = distorted::Scene::grown(Lag::None);
    let policy = || Policy {
        values: Values {
            new: NewValues::All,
            ..NONE
        },
        interval: Duration::from_millis(10),
        ..Policy::of_consistency()
    };
    let outcome = scene.cycle_with(policy());
    assert_eq!(outcome.exit().code(), 0, "{outcome:?}");
    scene.embedded.grow(DB, 5);
    // only the state and its proof are answered
    let mut proven = false;
    scene.proxy.distort(move |call, _, reply| {
        if proven {
            reply.body = Body::Error(14, "connection refused".into());
        }
        proven |= call == "VerifiableTxById";
    });
    let behind = |outcome: &immuaudit::audit::Outcome| {
        let warnings = outcome.warnings.iter();
        warnings
            .filter_map(|warning| match warning {
                Warning::Behind { transactions } => Some(*transactions),
                _ => None,
            })
            .next()
    };
    let outcome = scene.cycle_with(policy());
    assert_eq!(behind(&outcome), Some(5), "{outcome:?}");
    assert_eq!(outcome.values_overdue, None);
    thread::sleep(Duration::from_millis(1_100));
    let mut states = 0;
    scene.proxy.distort(move |call, _, reply| {
        states += u32::from(call == "CurrentState");
        if states > 0 && call.starts_with("Tx") || states > 1 {
            reply.body = Body::Error(14, "connection refused".into());
        }
    });
    let outcome = scene.cycle_with(policy());
    assert!(
        matches!(
            outcome.values_overdue,
            Some(Overdue::Behind {
                transactions: 5,
                ..
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(outcome.exit().code(), 1);
    scene.proxy.be_honest();
    let outcome = scene.cycle_with(policy());
    assert_eq!(
        (behind(&outcome), outcome.exit().code()),
        (None, 0),
        "{outcome:?}"
    );
}

/// Five small values and one over the receive limit, with an empty directory of states.
#[test]
fn a_first_use_is_reported_together_with_unread_transactions() {
    let mut scene = Scene::new(Options::default());
    scene.max_answer = 100_000;
    for key in 1..=5 {
        scene.embedded.set(DB, &format!("key{key}"), "small");
    }
    scene.embedded.set(DB, "large", &"x".repeat(150_000));
    let mut auditor = scene.auditor(ALL);
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Unread, "{outcome:?}");
    assert_eq!(outcome.of_state, Some(Verdict::FirstSeen));
    assert_eq!(unread(&outcome), [6], "named once");
    assert!(
        outcome.why().contains("--max-recv-msg-size"),
        "{}",
        outcome.why()
    );
    assert_eq!(report(&outcome).whole.count(), 5);
    // a transaction that is not sampled again stays due
    drop(auditor);
    let mut auditor = scene.auditor(NONE);
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Unread, "{outcome:?}");
    assert_eq!(outcome.of_state, Some(Verdict::Consistent));
}

/// The reported size is sufficient: no second transaction fails with the size for the first one.
#[test]
fn the_size_to_set_is_enough_for_the_largest_transaction() {
    for sizes in [&[5, 10, 7][..], &[30]] {
        let mut scene = Scene::new(Options::default());
        for (key, size) in sizes.iter().enumerate() {
            let value = "x".repeat(size * 1_000_000);
            scene.embedded.set(DB, &format!("large{key}"), &value);
        }
        let mut auditor = scene.auditor(ALL);
        let why = cycle(&mut auditor).why();
        drop(auditor);
        let advice: Vec<&str> = why.split("set it to ").skip(1).collect();
        assert_eq!(advice.len(), sizes.len(), "{why}");
        let size = |advice: &str| advice.split(' ').next().expect("a size").parse::<i32>();
        let size = size(advice[0]).expect("a number");
        assert!(advice.iter().all(|of| of.starts_with(&size.to_string())));
        assert!(why.contains("the memory limit to "), "{why}");
        scene.max_answer = size;
        let outcome = cycle(&mut scene.auditor(ALL));
        assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    }
}

#[test]
fn a_too_large_state_does_not_suggest_a_higher_limit() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene.embedded.lie(Lie::HugeReply);
    let why = cycle(&mut auditor).why();
    assert!(why.contains("do not raise --max-recv-msg-size"), "{why}");
    assert!(!why.contains("set it to"), "{why}");
}

#[test]
fn due_transactions_are_all_retried_as_long_as_that_succeeds() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    cycle(&mut auditor);
    scene.embedded.lie(Lie::ForgedTruncation);
    let outcome = cycle(&mut auditor);
    assert_eq!(report(&outcome).left.due, 60, "{outcome:?}");
    drop(auditor);
    scene.embedded.be_honest();
    let mut auditor = scene.auditor(NONE);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
}

/// More due transactions fail than are tried in one cycle, and they are the first ones.
#[test]
fn missing_due_transactions_delay_no_others() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    scene.embedded.drop_values_before(DB, 61);
    cycle(&mut auditor);
    drop(auditor);
    let mut auditor = scene.auditor(NONE);
    scene.embedded.drop_values_before(DB, 41);
    cycle(&mut auditor);
    let outcome = cycle(&mut auditor);
    assert_eq!(report(&outcome).left.due, 40, "{outcome:?}");
    assert_eq!(outcome.verdict, Verdict::Unread);
}
