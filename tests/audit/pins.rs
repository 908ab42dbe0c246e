//! Pins that the server has not reached, or shows another history for, in the test's own process.

use crate::support::in_process;
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Cycle, Policy, Verdict};
use immuaudit::config::Pin;
use immuaudit::drill::{Embedded, Emulated, Lie, LieSchedule, Options};
use immuaudit::wire::method;

fn auditor(embedded: &Embedded, folder: &TempDir, policy: Policy) -> Auditor {
    let server = in_process::server_on(embedded.port());
    Auditor::new(server, in_process::store(folder.path()), policy)
}

/// Returns a policy with the server's present state as a pin.
fn pinned_now(embedded: &Embedded) -> Policy {
    Policy {
        pins: vec![Pin {
            database: "defaultdb".into(),
            state: embedded.state("defaultdb").expect("a state"),
        }],
        ..Policy::of_consistency()
    }
}

fn verdicts(cycle: &Cycle) -> Vec<Verdict> {
    cycle
        .outcomes
        .iter()
        .map(|outcome| outcome.verdict)
        .collect()
}

/// The pin is newer than the state of a lagging replica, which never had that transaction.
#[test]
fn a_server_behind_a_pin_is_tampering_only_after_a_rollback() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    embedded.grow("defaultdb", 10);
    let pinned = pinned_now(&embedded);
    embedded.lie(Lie::ClaimsOlder);
    for _ in 0..2 {
        let cycle = auditor(&embedded, &folder, pinned.clone()).cycle(|_| {});
        assert_eq!(verdicts(&cycle), [Verdict::Unprovable], "{cycle:?}");
        assert_eq!((cycle.exit().code(), cycle.outcomes[0].open_alarms), (1, 0));
    }
    // it catches up, and then it loses transactions
    embedded.be_honest();
    let cycle = auditor(&embedded, &folder, pinned.clone()).cycle(|_| {});
    assert_eq!(verdicts(&cycle), [Verdict::Consistent]);
    embedded.lie(Lie::ClaimsOlder);
    let cycle = auditor(&embedded, &folder, pinned.clone()).cycle(|_| {});
    assert_eq!(cycle.exit().code(), 2, "{cycle:?}");
}

#[test]
fn a_pin_that_replaces_damaged_files_excuses_no_rollback() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    embedded.grow("defaultdb", 10);
    auditor(&embedded, &folder, Policy::of_consistency()).cycle(|_| {});
    let pinned = pinned_now(&embedded);
    let file = folder.join("tested").join("defaultdb.state");
    std::fs::write(&file, "damaged").expect("a file");
    embedded.lie(Lie::ClaimsOlder);
    let cycle = auditor(&embedded, &folder, pinned).cycle(|_| {});
    assert_eq!(cycle.exit().code(), 2, "{cycle:?}");
}

/// The shape of a pinned state is stored once the server has shown that state, so that the other files decide nothing.
#[test]
fn a_rollback_behind_a_pin_is_found_without_the_last_outcomes() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default().signed()).expect("a server");
    embedded.grow("defaultdb", 10);
    let pinned = pinned_now(&embedded);
    let cycle = auditor(&embedded, &folder, pinned.clone()).cycle(|_| {});
    assert_eq!(verdicts(&cycle), [Verdict::Consistent]);
    let tested = folder.join("tested");
    let state = std::fs::read_to_string(tested.join("defaultdb.state")).expect("a file");
    for key in ["shape = ", "signature = ", "uuid = ", "\"pinned\""] {
        assert!(state.contains(key), "{key}: {state}");
    }
    std::fs::remove_file(tested.join("outcomes")).expect("a file");
    embedded.lie(Lie::ClaimsOlder);
    let cycle = auditor(&embedded, &folder, pinned).cycle(|_| {});
    assert_eq!(cycle.exit().code(), 2, "{cycle:?}");
}

/// immudb 0.9.0 mixes up the responses to concurrent clients, so a single response is no evidence against it.
#[test]
fn a_contradiction_of_a_pin_counts_once_it_is_shown_twice_by_a_0_9_0() {
    for (server, expected) in [(Emulated::V0_9_0, 0), (Emulated::V1_11_1, 2)] {
        let embedded = Embedded::start(Options {
            server,
            ..Options::default()
        });
        let embedded = embedded.expect("a server");
        embedded.grow("defaultdb", 10);
        let pinned = pinned_now(&embedded);
        // the first state of a server whose version is not known yet
        let folder = TempDir::new();
        embedded.lie(
            LieSchedule::from(Lie::OtherHash)
                .in_call(method::CURRENT_STATE)
                .times(1),
        );
        let cycle = auditor(&embedded, &folder, pinned.clone()).cycle(|_| {});
        assert_eq!(cycle.exit().code(), expected, "{server:?}: {cycle:?}");
        embedded.be_honest();
        // a pin that is compared with a trusted state
        let folder = TempDir::new();
        embedded.grow("defaultdb", 10);
        auditor(&embedded, &folder, Policy::of_consistency()).cycle(|_| {});
        let lie = LieSchedule::from(Lie::FlippedProof).in_call(method::VERIFIABLE_TX_BY_ID);
        embedded.lie(lie.clone().times(1));
        let cycle = auditor(&embedded, &folder, pinned.clone()).cycle(|_| {});
        assert_eq!(cycle.exit().code(), expected, "{server:?}: {cycle:?}");
        embedded.lie(lie);
        let cycle = auditor(&embedded, &TempDir::new(), pinned).cycle(|_| {});
        assert_eq!(cycle.exit().code(), 2, "{server:?}: {cycle:?}");
        embedded.be_honest();
    }
}
