//! The import of another auditor's states, in the test's own process: the evidence of a contradiction.

use crate::support::in_process;
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{
    Auditor, EvidenceStrength, Import, ImportedState, OnRefusal, Policy, Rechecked, Verdict,
    recheck,
};
use immuaudit::config::{Pin, Signatures};
use immuaudit::drill::{Embedded, Emulated, Ledger, Lie, LieSchedule, NewEntry, Options};
use immuaudit::ledger::{ClaimedState, Digest, PublicKey, Signature, State, StateShape};
use immuaudit::trust::{Alarm, Tampering, read_evidence};
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";

/// Returns a server with a ledger of ten transactions.
fn started(options: Options) -> Embedded {
    let embedded = Embedded::start(options).expect("a server");
    embedded.grow(DATABASE, 10);
    embedded
}

fn auditor(embedded: &Embedded, folder: &TempDir, policy: Policy) -> Auditor {
    let server = in_process::server_on(embedded.port());
    Auditor::new(server, in_process::store(folder.path()), policy)
}

fn imported(state: State, shape: StateShape, signature: Option<Signature>) -> ImportedState {
    let database = match shape {
        StateShape::WithDatabase => DATABASE.into(),
        StateShape::WithoutDatabase => Vec::new(),
    };
    ImportedState {
        database: DATABASE.into(),
        claimed: ClaimedState {
            shape,
            database,
            state,
            signature,
        },
    }
}

/// Returns a state that the server never had.
fn other(embedded: &Embedded, tx: u64) -> ImportedState {
    let state = State {
        hash: Digest::of(&[b"another history"]),
        ..embedded.state_at(DATABASE, tx).expect("a state")
    };
    imported(state, StateShape::WithDatabase, None)
}

/// Returns the ledger with only its first transactions.
fn truncated(embedded: &Embedded, last: u64) -> Ledger {
    let mut ledger = embedded.ledger(DATABASE).expect("a ledger");
    ledger.truncate(last);
    ledger
}

/// Imports a state that the server contradicts, and returns its alarm.
#[track_caller]
fn alarm(auditor: &mut Auditor, carried: &ImportedState, expected: Tampering) -> Alarm {
    let import = auditor.import(carried, OnRefusal::Alarm).expect("an end");
    let Import::Raised {
        verdict, raised, ..
    } = import
    else {
        panic!("{import:?}");
    };
    assert_eq!(verdict, Verdict::Tampered(expected));
    assert_eq!(raised.unwritten, None);
    raised.listed().cloned().expect("a listed alarm")
}

#[track_caller]
fn is_verified(alarm: &Alarm, keys: &[PublicKey], expected: EvidenceStrength) {
    let found = recheck(&read_evidence(&alarm.evidence).expect("a file"), keys);
    let is_due = matches!(&found, Rechecked::Shown { bearing, .. } if *bearing == expected);
    assert!(is_due, "{found:?}");
}

#[test]
fn the_evidence_of_an_imported_state_that_the_server_contradicts_is_verified() {
    for is_trusted in [false, true] {
        for tx in [10, 7] {
            let (embedded, folder) = (started(Options::default()), TempDir::new());
            let mut auditor = auditor(&embedded, &folder, Policy::of_consistency());
            if is_trusted {
                auditor.cycle(|_| {});
            }
            let carried = other(&embedded, tx);
            let alarm = alarm(&mut auditor, &carried, Tampering::Inconsistent);
            is_verified(&alarm, &[], EvidenceStrength::AuditorsWord);
            // the alarm is neither about a transaction that was read, nor about a state that this auditor trusted
            assert!(!alarm.is_about_transactions(), "{alarm:?}");
            assert_eq!(alarm.read_again(), None);
            assert!(!alarm.can_be_adopted(), "{alarm:?}");
            assert!(!alarm.may_be_shown_again(), "{alarm:?}");
            let cycle = auditor.cycle(|_| {});
            assert_eq!(cycle.outcomes[0].open_alarms, 1, "{cycle:?}");
            assert!(cycle.outcomes[0].verdict.is_proven(), "{cycle:?}");
        }
    }
}

#[test]
fn the_evidence_of_an_imported_state_that_the_server_lost_is_verified() {
    let (embedded, folder) = (started(Options::default()), TempDir::new());
    let newest = embedded.state(DATABASE).expect("a state");
    embedded.put_ledger(DATABASE, truncated(&embedded, 6));
    let mut auditor = auditor(&embedded, &folder, Policy::of_consistency());
    let carried = imported(newest, StateShape::WithDatabase, None);
    let alarm = alarm(&mut auditor, &carried, Tampering::RolledBack);
    is_verified(&alarm, &[], EvidenceStrength::AuditorsWord);
    assert!(!alarm.can_be_adopted(), "{alarm:?}");
}

#[test]
fn an_imported_state_that_the_server_signed_is_proof_against_it() {
    let (embedded, folder) = (started(Options::default().signed()), TempDir::new());
    let pem = embedded.public_pem().expect("a key");
    let keys = PublicKey::from_pem(&pem).expect("a key");
    let honest = embedded.ledger(DATABASE).expect("a ledger");
    let mut fork = truncated(&embedded, 9);
    fork.commit(vec![NewEntry::set("another", "value")]);
    embedded.put_ledger(DATABASE, fork);
    let mut server = in_process::server_on(embedded.port());
    let claimed = server.state(DATABASE).expect("a state");
    embedded.put_ledger(DATABASE, honest);
    let policy = Policy {
        signatures: Signatures::By(keys.clone()),
        ..Policy::of_consistency()
    };
    let mut auditor = auditor(&embedded, &folder, policy);
    let carried = ImportedState {
        database: DATABASE.into(),
        claimed,
    };
    let alarm = alarm(&mut auditor, &carried, Tampering::Inconsistent);
    is_verified(&alarm, &keys, EvidenceStrength::Proof);
}

/// The server lost the trusted state, and still has the imported one.
#[test]
fn an_import_and_the_next_check_raise_the_same_alarm() {
    let (embedded, folder) = (started(Options::default()), TempDir::new());
    let mut auditor = auditor(&embedded, &folder, Policy::of_consistency());
    auditor.cycle(|_| {});
    let older = embedded.state_at(DATABASE, 5).expect("a state");
    embedded.put_ledger(DATABASE, truncated(&embedded, 7));
    let carried = imported(older, StateShape::WithDatabase, None);
    let alarm = alarm(&mut auditor, &carried, Tampering::RolledBack);
    is_verified(&alarm, &[], EvidenceStrength::AuditorsWord);
    assert!(alarm.can_be_adopted(), "{alarm:?}");
    let cycle = auditor.cycle(|_| {});
    let outcome = &cycle.outcomes[0];
    assert_eq!(outcome.open_alarms, 1, "{cycle:?}");
    let again = outcome.alarm.as_ref().expect("an alarm");
    assert_eq!((&again.id, again.times), (&alarm.id, 2));
}

/// The trusted state is a pin that a lagging replica has not reached yet.
#[test]
fn an_import_opens_no_alarm_about_a_replica_that_lags_behind_a_pin() {
    let (embedded, folder) = (started(Options::default()), TempDir::new());
    let policy = Policy {
        pins: vec![Pin {
            database: DATABASE.into(),
            state: embedded.state(DATABASE).expect("a state"),
        }],
        ..Policy::of_consistency()
    };
    let older = embedded.state_at(DATABASE, 5).expect("a state");
    embedded.put_ledger(DATABASE, truncated(&embedded, 7));
    let mut auditor = auditor(&embedded, &folder, policy);
    let cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.outcomes[0].verdict, Verdict::Unprovable, "{cycle:?}");
    let carried = imported(older, StateShape::WithDatabase, None);
    let import = auditor.import(&carried, OnRefusal::Alarm).expect("an end");
    let is_due = matches!(
        import,
        Import::Refused {
            verdict: Verdict::Unprovable,
            ..
        }
    );
    assert!(is_due, "{import:?}");
    let cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.outcomes[0].open_alarms, 0, "{cycle:?}");
}

/// immudb 0.9.0 mixes up the responses to concurrent clients, so the proof is requested again. With any other server
/// the import is refused as malformed.
#[test]
fn one_refused_proof_during_an_import_opens_no_alarm() {
    for server in [Emulated::V0_9_0, Emulated::V1_11_1] {
        let embedded = started(Options {
            server,
            ..Options::default()
        });
        let folder = TempDir::new();
        let older = embedded.state(DATABASE).expect("a state");
        embedded.grow(DATABASE, 10);
        let mut auditor = auditor(&embedded, &folder, Policy::of_consistency());
        auditor.cycle(|_| {});
        let lie = LieSchedule::from(Lie::FlippedProof).in_call(method::VERIFIABLE_TX_BY_ID);
        embedded.lie(lie.times(1));
        let carried = imported(older, server.state_shape(), None);
        let import = auditor.import(&carried, OnRefusal::Alarm).expect("an end");
        let is_due = match server {
            Emulated::V0_9_0 => matches!(import, Import::Ancestor { .. }),
            _ => matches!(
                import,
                Import::Refused {
                    verdict: Verdict::Malformed,
                    ..
                }
            ),
        };
        assert!(is_due, "{server:?}: {import:?}");
        let cycle = auditor.cycle(|_| {});
        assert_eq!(cycle.outcomes[0].open_alarms, 0, "{cycle:?}");
    }
}
