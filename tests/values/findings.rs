//! Findings about values: evidence and alarm are stored before the next request, and few findings
//! are in memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::distorted::{INCONSISTENT, Scene};
use crate::support::in_process;
use crate::support::loud::loud;
use crate::support::program::Program;
use crate::support::proxy::Body;
use crate::support::value_scene::{ALL, DB, NONE, VALUE, broken, report};
use immuaudit::audit::{Auditor, Outcome, Policy, Verdict};
use immuaudit::config::Values;
use immuaudit::drill::{Emulated, Lie, LieSchedule, NewEntry};
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::wire::proto;
use protobuf::Message;

impl Scene {
    fn auditor_until(&self, values: Values, stop: &Stop) -> Auditor {
        let endpoint = Endpoint::on_loopback(self.proxy.port);
        let server = in_process::server(endpoint, Duration::from_secs(10), stop);
        let policy = Policy {
            values,
            ..Policy::of_consistency()
        };
        Auditor::new(server, in_process::store(self.folder.join("trust")), policy)
    }

    /// Runs one cycle that reads these values.
    fn cycle_reading(&self, values: Values) -> Outcome {
        let mut cycle = self.auditor_until(values, &Stop::new()).cycle(|_| {});
        assert_eq!(cycle.outcomes.len(), 1, "{cycle:?}");
        cycle.outcomes.remove(0)
    }

    fn files(&self) -> Files {
        Files::of(&self.folder.join("trust/tested"))
    }

    /// Trusts the ledger, and then makes the server show edited values.
    fn edit(&self) {
        assert_eq!(self.cycle_reading(NONE).verdict, Verdict::FirstSeen);
        self.embedded.lie(Lie::EditedValue);
    }
}

/// The findings on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Files {
    evidence: usize,
    alarms: usize,
}

impl Files {
    fn of(home: &Path) -> Files {
        let evidence = fs::read_dir(home.join("evidence").join(DB));
        let alarms = fs::read_to_string(home.join(format!("{DB}.alarms")));
        Files {
            evidence: evidence.map_or(0, Iterator::count),
            alarms: alarms.map_or(0, |text| text.matches("[[alarm]]").count()),
        }
    }
}

/// Returns the transaction that a call reads, completely or one value of it.
fn asked(call: &str, request: &[u8]) -> Option<u64> {
    Some(match call {
        "VerifiableTxById" => {
            proto::VerifiableTxRequest::parse_from_bytes(request)
                .ok()?
                .tx
        }
        "TxById" => proto::TxRequest::parse_from_bytes(request).ok()?.tx,
        "Get" => proto::KeyRequest::parse_from_bytes(request).ok()?.at_tx,
        _ => return None,
    })
}

#[test]
fn a_finding_is_on_disk_before_the_next_transaction_is_requested() {
    for server in [Emulated::V0_9_0, Emulated::V1_1_0, Emulated::V1_11_1] {
        let scene = Scene::of_version(server);
        scene.embedded.grow(DB, 12);
        scene.edit();
        let home = scene.folder.join("trust/tested");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (mut before, noted) = (BTreeSet::new(), log.clone());
        scene.proxy.distort(move |call, request, _| {
            if let Some(tx) = asked(call, request) {
                if before.insert(tx) && before.len() > 1 {
                    let found = Files::of(&home);
                    noted.lock().expect("no panic").push((tx, found));
                }
            }
        });
        let values = Values { sample: 12, ..NONE };
        let outcome = scene.cycle_reading(values);
        assert_eq!(outcome.verdict, VALUE, "{server:?}: {outcome:?}");
        assert_eq!(broken(&outcome), (1..=12).collect::<Vec<u64>>());
        let log = log.lock().expect("no panic");
        for (tx, files) in log.iter() {
            let expected = usize::try_from(*tx).expect("a small one") - 1;
            let expected = Files {
                evidence: expected,
                alarms: expected,
            };
            assert_eq!(*files, expected, "{server:?}, transaction {tx}");
        }
        assert_eq!(log.len(), 11, "{server:?}");
    }
}

/// A server of 0.9.0 mixes up its answers to concurrent calls.
#[test]
fn a_value_by_key_of_a_0_9_0_must_differ_twice_for_an_alarm() {
    for (times, verdict) in [(1, Verdict::Malformed), (u32::MAX, VALUE)] {
        let scene = Scene::of_version(Emulated::V0_9_0);
        scene.embedded.grow(DB, 3);
        assert_eq!(scene.cycle_reading(NONE).verdict, Verdict::FirstSeen);
        let mut edited = 0;
        scene.proxy.distort(move |call, _, reply| {
            if call == "Get" && edited < times {
                edited += 1;
                reply.message(|entry: &mut proto::Entry| entry.value = b"edited".to_vec());
            }
        });
        let outcome = scene.cycle_reading(ALL);
        assert_eq!(outcome.verdict, verdict, "{outcome:?}");
        let alarms = if times == 1 { 0 } else { 3 };
        assert_eq!(scene.files().alarms, alarms);
        scene.proxy.be_honest();
        assert_eq!(scene.cycle_reading(ALL).verdict, Verdict::Consistent);
    }
}

#[test]
fn the_reported_alarm_is_a_new_one_of_the_first_transaction() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    scene.embedded.grow(DB, 5);
    assert_eq!(scene.cycle_reading(NONE).verdict, Verdict::FirstSeen);
    let reported = || {
        let outcome = scene.cycle_reading(ALL);
        let alarm = outcome.alarm.expect("an alarm");
        (
            alarm.shown.map(|shown| shown.tx),
            !outcome.opened.is_empty(),
        )
    };
    let edited = LieSchedule::from(Lie::EditedValue);
    scene.embedded.lie(edited.clone().about(1));
    assert_eq!(reported(), (Some(1), true));
    assert_eq!(reported(), (Some(1), false));
    scene.embedded.lie(edited);
    assert_eq!(reported(), (Some(2), true));
    assert_eq!(reported(), (Some(1), false));
}

/// A scan alone shows the edit: no answer to a call for a single transaction does.
#[test]
fn an_edit_in_a_scan_only_is_a_finding_with_its_answer() {
    for (edits_header, expected) in [(false, VALUE), (true, INCONSISTENT)] {
        let scene = Scene::of_version(Emulated::V1_11_1);
        scene.embedded.grow(DB, 5);
        assert_eq!(scene.cycle_reading(NONE).verdict, Verdict::FirstSeen);
        scene.proxy.distort(move |call, _, reply| {
            if call == "TxScan" {
                reply.message(|list: &mut proto::TxList| match edits_header {
                    true => list.txs[2].header.mut_or_insert_default().ts += 1,
                    false => list.txs[2].entries[0].value = b"edited".to_vec(),
                });
            }
        });
        let outcome = scene.cycle_reading(ALL);
        assert_eq!((outcome.verdict, broken(&outcome)), (expected, vec![3]));
        let evidence = outcome.alarm.expect("an alarm").evidence;
        let evidence = fs::read_to_string(evidence).expect("evidence");
        assert!(evidence.contains("call = \"TxScan\""), "{evidence}");
    }
}

/// One value is edited, and another one is withheld.
#[test]
fn a_corrupt_transaction_with_a_missing_value_is_an_alarm_and_due() {
    let scene = Scene::of_version(Emulated::V1_1_0);
    let entries = (0..3).map(|entry| NewEntry::set(format!("key{entry}"), "value"));
    scene.embedded.commit(DB, entries.collect());
    assert_eq!(scene.cycle_reading(NONE).verdict, Verdict::FirstSeen);
    let mut asked = 0;
    scene.proxy.distort(move |call, _, reply| {
        if call == "Get" {
            asked += 1;
            match asked {
                1 => reply.message(|entry: &mut proto::Entry| entry.value = b"edited".to_vec()),
                2 => reply.body = Body::Error(2, "key not found".into()),
                _ => {}
            }
        }
    });
    let outcome = scene.cycle_reading(ALL);
    assert_eq!(outcome.verdict, VALUE, "{outcome:?}");
    assert_eq!(report(&outcome).left.due, 1);
    let honest = scene.cycle_reading(NONE);
    assert_eq!(
        (honest.verdict, honest.open_alarms),
        (Verdict::Consistent, 1)
    );
}

#[test]
fn a_stop_request_after_a_finding_loses_neither_evidence_nor_verdict() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    scene.embedded.grow(DB, 12);
    scene.edit();
    let stop = Stop::new();
    let asked_to_stop = stop.clone();
    scene.proxy.distort(move |call, request, _| {
        if asked(call, request) == Some(4) {
            asked_to_stop.request();
        }
    });
    let mut verdicts = Vec::new();
    let mut auditor = scene.auditor_until(ALL, &stop);
    auditor.cycle(|outcome| verdicts.push((outcome.verdict, outcome.alarm.is_some())));
    assert_eq!(verdicts, [(VALUE, true)]);
    assert!(scene.files().evidence >= 3, "{:?}", scene.files());
    assert_eq!(scene.files().evidence, scene.files().alarms);
}

#[test]
fn ten_thousand_edited_entries_are_one_alarm_and_one_of_a_flood() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    let entries = (0..10_000).map(|entry| NewEntry::set(format!("key{entry}"), "value"));
    scene.embedded.commit(DB, entries.collect());
    assert_eq!(scene.cycle_reading(NONE).verdict, Verdict::FirstSeen);
    scene.proxy.distort(|call, _, reply| {
        if call == "VerifiableTxById" {
            reply.message(|answer: &mut proto::VerifiableTx| {
                let tx = answer.tx.mut_or_insert_default();
                let values = tx.entries.iter_mut().map(|entry| &mut entry.value);
                let sent = values.filter(|value| !value.is_empty());
                sent.for_each(|value| value[0] ^= 1);
            });
        }
    });
    let begin = Instant::now();
    let outcome = scene.cycle_reading(Values { sample: 1, ..NONE });
    assert_eq!(outcome.verdict, VALUE, "{outcome:?}");
    let found = report(&outcome);
    assert_eq!((found.broken.len(), found.more_broken), (16, 9_984));
    let files = scene.files();
    assert_eq!(
        (outcome.open_alarms, files.evidence, files.alarms),
        (2, 2, 2)
    );
    loud(format!("10,000 edited entries: {:?}\n", begin.elapsed()));
}

/// The most memory in KiB, whatever the findings are about.
const MAX_KIB: u64 = 48 << 10;

#[test]
fn twenty_edited_values_of_4_mb_take_less_than_48_mib() {
    for server in [Emulated::V1_1_0, Emulated::V1_11_1] {
        for args in [&["--once", "--audit-sample", "20"][..], &["sweep"]] {
            let scene = Scene::of_version(server);
            for tx in 0..20 {
                let value = "x".repeat(3_900_000);
                scene.embedded.set(DB, &format!("key{tx}"), &value);
            }
            let port = scene.embedded.port();
            let program = Program::new(port, &scene.folder.join("trust"));
            program.once().is(0, DB, "first-seen");
            scene.embedded.lie(Lie::EditedValue);
            let (run, most) = program.run_measured(args);
            run.ends_with(2);
            loud(format!("{server:?} {args:?}: {most} KiB\n"));
            assert!(most < MAX_KIB, "{server:?} {args:?}: {most} KiB");
            let files = scene.files();
            assert!(files.evidence >= 17, "{server:?} {args:?}: {files:?}");
        }
    }
}
