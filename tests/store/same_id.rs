//! Two findings whose hashes begin with the same twelve digits: a server that chooses the shown hash can find two such
//! hashes.

use std::fs;

use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{at, file, finding, open};
use immuaudit::ledger::State;
use immuaudit::trust::{Alarm, Evidence, Finding, Store, Tampering};

/// Two numbers of shown hashes, whose findings about the same trusted state have the same ID.
const COLLIDING: [u64; 2] = [32_010_771, 35_916_653];

fn shown(number: u64) -> State {
    State {
        tx: 6,
        hash: format!("{number:064x}").parse().unwrap(),
    }
}

/// Returns a store with a trusted state, and two findings about it with the same ID.
fn colliding(folder: &TempDir) -> (Store, [Finding; 2]) {
    let store = open(folder);
    let trusted = State {
        tx: 5,
        hash: "aa".repeat(32).parse().unwrap(),
    };
    let trusted = store.pin("db", trusted, at(3)).unwrap();
    let of = |number| finding(Some(&trusted), Tampering::Inconsistent, Some(shown(number)));
    let findings = COLLIDING.map(of);
    assert_ne!(findings[0].shown, findings[1].shown);
    assert_eq!(findings[0].id(), findings[1].id());
    (store, findings)
}

fn evidence(alarm: &Alarm) -> Evidence {
    Evidence::parse(&fs::read(&alarm.evidence).unwrap()).unwrap()
}

#[test]
fn two_findings_with_the_same_id_are_two_alarms_with_evidence_of_their_own() {
    let folder = TempDir::new();
    let (store, findings) = colliding(&folder);
    let alarms = [0, 1].map(|at_| store.raise(&findings[at_], at(6)).unwrap());
    assert_eq!(alarms[0].id, findings[0].id());
    assert_ne!(alarms[0].id, alarms[1].id);
    for (alarm, finding) in alarms.iter().zip(&findings) {
        let evidence = evidence(alarm);
        assert_eq!(evidence.finding.shown, finding.shown);
        assert_eq!(evidence.alarm, alarm.id);
        assert_eq!((alarm.times, alarm.shown), (1, finding.shown));
    }
    assert_eq!(store.open_alarms(None), Ok(alarms.to_vec()));
    // each finding again is the same alarm again, also after a restart and in the other order
    drop(store);
    let store = open(&folder);
    for number in [1, 0] {
        let again = store.raise(&findings[number], at(7)).unwrap();
        assert_eq!((&again.id, again.times), (&alarms[number].id, 2));
    }
    let adopted = store.adopt(&alarms[1].id, "kim", at(8)).unwrap();
    assert_eq!(adopted.trusted.map(|it| it.state), findings[1].shown);
    assert_eq!(adopted.also_closed, [alarms[0].id.clone()]);
}

#[test]
fn a_closed_alarm_is_not_opened_by_another_finding_with_its_id() {
    let folder = TempDir::new();
    let (store, findings) = colliding(&folder);
    let first = store.raise(&findings[0], at(6)).unwrap();
    store.close_alarm(&first.id, "kim", at(7)).unwrap();
    let second = store.raise(&findings[1], at(8)).unwrap();
    assert_ne!(second.id, first.id);
    assert!(!store.alarm(&first.id).unwrap().is_open());
    assert_eq!(store.open_alarms(None), Ok(vec![second]));
}

#[test]
fn evidence_is_not_overwritten_if_the_list_of_alarms_is_lost_or_damaged() {
    for is_damaged in [true, false] {
        let folder = TempDir::new();
        let (store, findings) = colliding(&folder);
        let first = store.raise(&findings[0], at(6)).unwrap();
        let list = file(&folder, "db.alarms");
        match is_damaged {
            true => fs::write(&list, "damaged").unwrap(),
            false => fs::remove_file(&list).unwrap(),
        }
        let second = store.record_finding(&findings[1], at(7));
        assert_ne!(second.alarm.id, first.id);
        assert!(second.opened);
        for (alarm, finding) in [&first, &second.alarm].into_iter().zip(&findings) {
            assert_eq!(evidence(alarm).finding.shown, finding.shown);
        }
        let again = store.record_finding(&findings[1], at(8));
        assert_eq!(again.alarm.id, second.alarm.id);
        assert!(!again.opened);
    }
}
