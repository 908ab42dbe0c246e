//! Values that the server says it does not have. They are counted and reported as a warning, and
//! are no tampering (protocol.md §6).

use crate::support::value_scene::{ALL, DB, NONE, Scene, VALUE, broken, cycle, sweep};
use immuaudit::audit::{Outcome, Verdict, Warning};
use immuaudit::clock;
use immuaudit::drill::{Lie, LieSchedule};
use immuaudit::trust::{Acknowledgement, Store};

/// Returns the number of transactions with absent values, the first, the last, and how many were
/// read before.
fn absent(outcome: &Outcome) -> Option<(u64, u64, u64, u64)> {
    let mut warnings = outcome.warnings.iter();
    warnings.find_map(|warning| match warning {
        Warning::ValuesAbsent {
            transactions,
            first,
            last,
            dropped,
        } => Some((*transactions, *first, *last, *dropped)),
        _ => None,
    })
}

#[test]
fn absent_values_are_a_warning_and_no_alarm() {
    let scene = Scene::of_sixty();
    scene.embedded.lie(Lie::AbsentValues);
    let mut auditor = scene.auditor(ALL);
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::FirstSeen, "{outcome:?}");
    assert_eq!(absent(&outcome), Some((60, 1, 60, 0)));
    assert_eq!(outcome.open_alarms, 0);
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    assert_eq!(absent(&outcome), Some((60, 1, 60, 0)));
    // no call is made for a value that the server says it does not have
    assert_eq!(
        scene.embedded.calls().get("/immudb.schema.ImmuService/Get"),
        None
    );
    // another run reads nothing and still reports the absent values
    drop(auditor);
    let mut auditor = scene.auditor(NONE);
    assert_eq!(absent(&cycle(&mut auditor)), Some((60, 1, 60, 0)));
    // a value that is sent again is no longer absent
    drop(auditor);
    scene.embedded.be_honest();
    let mut auditor = scene.auditor(ALL);
    assert_eq!(absent(&cycle(&mut auditor)), None);
}

#[test]
fn an_edited_value_is_found_among_absent_ones() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    scene.embedded.lie(Lie::AbsentValues);
    cycle(&mut auditor);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::EditedValue).about(7));
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, VALUE, "{outcome:?}");
    assert_eq!(broken(&outcome), [7]);
}

#[test]
fn a_value_that_becomes_absent_is_reported_as_read_before() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    sweep(&mut auditor);
    drop(auditor);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::AbsentValues).about(7));
    let mut auditor = scene.auditor(ALL);
    let outcome = cycle(&mut auditor);
    assert_eq!(absent(&outcome), Some((1, 7, 7, 1)), "{outcome:?}");
    let message = outcome.warnings[0].to_string();
    assert!(message.contains("had been read before"), "{message}");
}

#[test]
fn a_sweep_counts_absent_values_as_not_read() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(LieSchedule::from(Lie::AbsentValues).about(7));
    let (swept, outcomes) = sweep(&mut auditor);
    assert!(outcomes.is_empty(), "{outcomes:?}");
    assert_eq!((swept.read, swept.of), (59, 60));
    let progress = auditor.values_read(DB).expect("it was swept");
    assert_eq!(progress.absent.iter().collect::<Vec<_>>(), [(7, 7, ())]);
}

#[test]
fn acknowledged_absent_values_are_silent_and_later_ones_are_not() {
    let scene = Scene::of_sixty();
    scene.embedded.lie(Lie::AbsentValues);
    let mut auditor = scene.auditor(ALL);
    cycle(&mut auditor);
    let store = Store::open_shared(&scene.location()).expect("a directory");
    let change = Acknowledgement {
        absent_to: Some(40),
        ..Acknowledgement::default()
    };
    let acknowledged = store.acknowledge(DB, change, "somebody", clock::now());
    acknowledged.expect("it is written");
    // the running auditor uses the acknowledgement in its next cycle
    assert_eq!(absent(&cycle(&mut auditor)), Some((20, 41, 60, 0)));
    let change = Acknowledgement {
        absent_to: Some(60),
        ..Acknowledgement::default()
    };
    let acknowledged = store.acknowledge(DB, change, "somebody", clock::now());
    acknowledged.expect("it is written");
    let outcome = cycle(&mut auditor);
    assert_eq!((absent(&outcome), outcome.exit().code()), (None, 0));
    scene.embedded.grow(DB, 1);
    assert_eq!(absent(&cycle(&mut auditor)), Some((1, 61, 61, 0)));
}

/// A value that was read before and becomes absent later is reported, whatever was acknowledged.
#[test]
fn an_acknowledgement_does_not_cover_later_absent_values() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    sweep(&mut auditor);
    drop(auditor);
    let mut auditor = scene.auditor(ALL);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::AbsentValues).about(40));
    assert_eq!(absent(&cycle(&mut auditor)), Some((1, 40, 40, 1)));
    let store = Store::open_shared(&scene.location()).expect("a directory");
    let up_to = |tx| Acknowledgement {
        absent_to: Some(tx),
        ..Acknowledgement::default()
    };
    // the auditor stores its progress, so that the acknowledgement can include it
    drop(auditor);
    let refused = store.acknowledge(DB, up_to(61), "somebody", clock::now());
    let refused = refused
        .expect_err("past the trusted transaction")
        .to_string();
    assert!(refused.contains("give at most 60"), "{refused}");
    let acknowledged = store.acknowledge(DB, up_to(60), "somebody", clock::now());
    acknowledged.expect("it is written");
    let mut auditor = scene.auditor(ALL);
    assert_eq!(absent(&cycle(&mut auditor)), None);
    scene
        .embedded
        .lie(LieSchedule::from(Lie::AbsentValues).about(7));
    assert_eq!(absent(&cycle(&mut auditor)), Some((1, 7, 7, 1)));
}
