//! The stamp of a database's alarms changes with each change by another command, and with no other.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::chain::Chain;
use crate::support::trust_files::{at, file, finding, grown_store, second_store};
use immuaudit::trust::Tampering;

#[test]
fn the_stamp_of_alarms_changes_with_them_only() {
    let (folder, store, chain, trusted) = grown_store();
    let other = second_store(&folder);
    let mut last = store.alarms_stamp("db");
    let mut has_changed = || {
        let before = std::mem::replace(&mut last, store.alarms_stamp("db"));
        before != last
    };
    assert!(!has_changed(), "there are no alarms");
    let seen = chain.seen(6);
    store
        .advance(&trusted, &chain.prove(5, 6), &seen, at(6))
        .unwrap();
    assert!(!has_changed(), "another file");
    let fork = Chain::new(9, 2);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let alarm = other.raise(&found, at(7)).unwrap();
    assert!(has_changed(), "an alarm was opened");
    assert_eq!(store.open_alarms(Some("db")).unwrap().len(), 1);
    assert!(!has_changed(), "the alarms were read");
    other.close_alarm(&alarm.id, "kim", at(8)).unwrap();
    assert!(has_changed(), "the alarm was closed");
    fs::remove_file(file(&folder, "db.alarms")).unwrap();
    assert!(has_changed(), "the list was lost");
    thread::sleep(Duration::from_millis(20)); // the system's times of files advance by some milliseconds
    fs::remove_file(&alarm.evidence).unwrap();
    assert!(has_changed(), "the evidence was lost");
    assert!(!has_changed());
}
