//! Due transactions. Transactions that could not be read are retried in turn, reading continues
//! where the time ended, and they delay nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::distorted::{INCONSISTENT, Scene};
use crate::support::in_process;
use crate::support::value_scene::{DB, NONE, cycle};
use immuaudit::audit::{Auditor, Outcome, Overdue, Policy, SweepStatus, Verdict};
use immuaudit::clock::{self, Timestamp};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Emulated, Lie, LieSchedule, NewEntry};
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::trust::{Due, Tampering, ValueProgress};
use immuaudit::wire::proto;
use protobuf::Message;

impl Scene {
    /// Returns an auditor with this timeout of a call and this time for a cycle, in milliseconds.
    fn auditor(&self, values: Values, timeout: u64, cycle: u64) -> Auditor {
        let endpoint = Endpoint::on_loopback(self.proxy.port);
        let timeout = Duration::from_millis(timeout);
        let server = in_process::server(endpoint, timeout, &Stop::new());
        let policy = Policy {
            values,
            interval: Duration::from_millis(10),
            ..Policy::of_consistency()
        };
        let store = in_process::store(self.folder.join("trust"));
        Auditor::new(server, store, policy).with_shortest_cycle(Duration::from_millis(cycle))
    }

    /// Trusts the ledger, and makes transactions due: (first, last, age in seconds).
    fn make_due(&self, due: &[(u64, u64, u64)]) {
        let outcome = cycle(&mut self.auditor(NONE, 10_000, 10_000));
        assert!(outcome.verdict.is_proven(), "{outcome:?}");
        let store = in_process::store(self.folder.join("trust"));
        let trusted = store.load(DB).expect("no failure").expect("a state");
        let mut progress = ValueProgress::new(DB, trusted.since);
        for (first, last, age) in due {
            let due = Due {
                since: Timestamp::from_unix(clock::now().unix() - age),
                values_only: false,
            };
            progress.due.insert(*first, *last, due);
        }
        store.save_progress([&progress]).expect("it is written");
    }

    /// Makes each call for a value by key take this many milliseconds, and returns a counter of
    /// these calls.
    fn slow_values(&self, millis: u64) -> Arc<AtomicU64> {
        let count = Arc::new(AtomicU64::new(0));
        let counted = count.clone();
        self.proxy.distort(move |call, _, _| {
            if call == "Get" {
                counted.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(millis));
            }
        });
        count
    }
}

fn due(outcome: &Outcome) -> u64 {
    outcome.values.as_ref().map_or(0, |report| report.left.due)
}

#[test]
fn a_silent_transaction_does_not_delay_two_thousand_others() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    scene.embedded.grow(DB, 2_000);
    // the silent transaction has been due longest, and the others are not adjacent to each other
    let even: Vec<(u64, u64, u64)> = (1..=1_000).map(|of| (2 * of, 2 * of, of)).collect();
    scene.make_due(&[&[(999, 999, 5_000)], &even[..]].concat());
    let silent = LieSchedule::from(Lie::SilentTransaction).about(999);
    scene.embedded.lie(silent);
    let mut auditor = scene.auditor(NONE, 200, 10_000);
    let mut left = u64::MAX;
    for _ in 0..4 {
        left = due(&cycle(&mut auditor));
    }
    assert_eq!(left, 1);
    let progress = auditor.values_read(DB).expect("it was read");
    assert!(progress.due.contains(999));
}

#[test]
fn many_due_neighbours_are_read_by_scans() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    scene.embedded.grow(DB, 20_000);
    scene.make_due(&[(1, 19_999, 10)]);
    scene.embedded.reset_calls();
    let outcome = cycle(&mut scene.auditor(NONE, 10_000, 60_000));
    assert_eq!((outcome.verdict, due(&outcome)), (Verdict::Consistent, 0));
    let calls: u64 = scene.embedded.calls().values().sum();
    assert!(calls < 200, "{:?}", scene.embedded.calls());
}

/// More transactions are due than may fail in a cycle, and all of them are refused.
#[test]
fn due_transactions_are_retried_in_order_of_age() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    scene.embedded.grow(DB, 100);
    scene.make_due(&[(1, 10, 100), (11, 50, 300), (51, 100, 200)]);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let asked = order.clone();
    scene.proxy.distort(move |call, request, reply| {
        if call == "VerifiableTxById" {
            let request = proto::VerifiableTxRequest::parse_from_bytes(request);
            let tx = request.expect("a request").tx;
            let mut order = asked.lock().expect("no panic");
            if order.last() != Some(&tx) {
                order.push(tx);
            }
            reply.body = crate::support::proxy::Body::Error(2, "tx not found".into());
        }
    });
    for _ in 0..4 {
        let mut auditor = scene.auditor(NONE, 10_000, 10_000); // as under cron
        assert_eq!(due(&cycle(&mut auditor)), 100);
    }
    let order = order.lock().expect("no panic").clone();
    let expected: Vec<u64> = (11..=100).chain(1..=10).collect();
    assert_eq!(order[..100], expected);
    assert_eq!(order.len(), 4 * 32);
    assert_eq!(order[100..], (11..=38).collect::<Vec<u64>>());
    // each of them once, also those before the one that was retried last
    scene.proxy.be_honest();
    let mut auditor = scene.auditor(NONE, 10_000, 10_000);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
    assert_eq!(auditor.values_read(DB).map(|of| of.read), Some(100));
}

/// In every cycle more become due than may fail in one.
#[test]
fn the_oldest_is_retried_again_although_more_and_more_become_due() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    scene.embedded.grow(DB, 400);
    scene.make_due(&[(1, 10, 300)]);
    let oldest = Arc::new(AtomicU64::new(0));
    let retried = oldest.clone();
    scene.proxy.distort(move |call, request, reply| {
        if call == "VerifiableTxById" {
            let request = proto::VerifiableTxRequest::parse_from_bytes(request);
            let is_oldest = request.expect("a request").tx == 1;
            retried.fetch_add(u64::from(is_oldest), Ordering::Relaxed);
            reply.body = crate::support::proxy::Body::Error(2, "tx not found".into());
        }
    });
    for number in 0..7 {
        let mut auditor = scene.auditor(NONE, 10_000, 10_000); // as under cron
        assert_eq!(due(&cycle(&mut auditor)), 10 + number * 40);
        drop(auditor);
        let store = in_process::store(scene.folder.join("trust"));
        let mut all = store.load_progress(clock::now());
        let progress = all.first_mut().expect("one database");
        let due = Due {
            since: clock::now(),
            values_only: false,
        };
        let first = 11 + number * 40;
        progress.due.insert(first, first + 39, due);
        store.save_progress(all.iter()).expect("it is written");
        thread::sleep(Duration::from_millis(1_100)); // times are kept in whole seconds
    }
    let retried = oldest.load(Ordering::Relaxed);
    assert!(retried >= 3, "{retried}");
}

#[test]
fn a_due_transaction_leaves_time_for_the_sample() {
    let scene = Scene::of_version(Emulated::V1_1_0);
    let entries = (0..120).map(|entry| NewEntry::set(format!("key{entry}"), "value"));
    scene.embedded.commit(DB, entries.collect());
    scene.embedded.grow(DB, 1_000);
    scene.make_due(&[(1, 1, 0)]);
    scene.slow_values(20);
    let sample = Values { sample: 3, ..NONE };
    let mut auditor = scene.auditor(sample, 10_000, 1_000);
    let outcome = cycle(&mut auditor);
    assert_eq!(due(&outcome), 1);
    assert!(outcome.warnings.is_empty(), "{outcome:?}");
    assert_eq!(auditor.values_read(DB).map(|of| of.read), Some(3));
}

/// A scan shows headers that differ from the proven ones, so each transaction is read alone.
#[test]
fn many_transactions_of_one_scan_that_are_read_alone_do_not_outlast_the_cycle() {
    let scene = Scene::of_version(Emulated::V1_11_1);
    scene.embedded.grow(DB, 1);
    scene.make_due(&[]);
    scene.embedded.grow(DB, 100);
    let alone = Arc::new(AtomicU64::new(0));
    let counted = alone.clone();
    scene.proxy.distort(move |call, _, reply| match call {
        "VerifiableTxById" => {
            counted.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(10));
        }
        "TxScan" => reply.message(|list: &mut proto::TxList| {
            for tx in list.txs.iter_mut().rev().skip(1) {
                tx.header.mut_or_insert_default().ts += 1;
            }
        }),
        _ => {}
    });
    let all = Values {
        new: NewValues::All,
        ..NONE
    };
    let mut auditor = scene.auditor(all, 10_000, 300);
    let mut behind = u64::MAX;
    while behind > 0 {
        let before = alone.load(Ordering::Relaxed);
        let outcome = cycle(&mut auditor);
        let asked = alone.load(Ordering::Relaxed) - before;
        assert!(asked < 45, "{asked}");
        assert_eq!(outcome.verdict, INCONSISTENT, "{outcome:?}");
        let left = outcome
            .values
            .as_ref()
            .map_or(0, |report| report.left.behind);
        assert!(left < behind, "{left}");
        behind = left;
    }
}

#[test]
fn the_reading_of_many_slow_values_continues_in_the_next_cycle() {
    let scene = Scene::of_version(Emulated::V1_1_0);
    let entries = (0..120).map(|entry| NewEntry::set(format!("key{entry}"), "value"));
    scene.embedded.commit(DB, entries.collect());
    scene.embedded.grow(DB, 3);
    scene.make_due(&[(1, 1, 0)]);
    let values = scene.slow_values(20);
    let mut auditor = scene.auditor(NONE, 10_000, 400);
    let (mut cycles, mut overdue) = (0, false);
    loop {
        let before = values.load(Ordering::Relaxed);
        let outcome = cycle(&mut auditor);
        cycles += 1;
        assert!(cycles < 100, "{outcome:?}");
        let read = values.load(Ordering::Relaxed) - before;
        assert!((1..60).contains(&read), "{read} values in one cycle");
        if outcome.verdict == Verdict::Consistent {
            break;
        }
        assert_eq!(outcome.verdict, Verdict::Unread, "{outcome:?}");
        assert_eq!(due(&outcome), 1);
        overdue |= matches!(outcome.values_overdue, Some(Overdue::Unread(_)));
    }
    assert!(cycles > 3 && overdue, "{cycles} cycles, {overdue}");
    assert_eq!(values.load(Ordering::Relaxed), 120);
    let progress = auditor.values_read(DB).expect("it was read");
    assert!(progress.due.is_empty());
    assert_eq!(progress.read, 1);
}

#[test]
fn a_sweep_reads_a_slow_transaction_in_parts_before_it_ends() {
    let scene = Scene::of_version(Emulated::V1_1_0);
    scene.embedded.grow(DB, 3);
    let entries = (0..60).map(|entry| NewEntry::set(format!("key{entry}"), "value"));
    scene.embedded.commit(DB, entries.collect());
    scene.embedded.grow(DB, 3);
    scene.make_due(&[]);
    let values = scene.slow_values(20);
    let mut auditor = scene.auditor(NONE, 10_000, 10_000);
    let swept = loop {
        match auditor.sweep(DB).status {
            SweepStatus::Completed(swept) => break swept,
            SweepStatus::InProgress { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((swept.read, swept.of), (7, 7));
    assert_eq!(values.load(Ordering::Relaxed), 66, "each value once");
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    assert_eq!(values.load(Ordering::Relaxed), 66);
}

/// The time ends before the transactions that a scan shows as corrupt can be read alone, and no
/// later scan shows that again.
#[test]
fn a_finding_of_a_scan_counts_although_the_time_ends() {
    for (slow, edits_header) in [("Get", false), ("TxScan", true)] {
        let scene = Scene::of_version(Emulated::V1_11_1);
        scene.embedded.grow(DB, 1);
        scene.make_due(&[]);
        scene.embedded.grow(DB, 40);
        let mut scans = 0;
        scene.proxy.distort(move |call, _, reply| {
            if call == "TxScan" {
                scans += 1;
                reply.message(|list: &mut proto::TxList| {
                    for tx in &mut list.txs[..5] {
                        tx.entries[0].value.clear(); // the auditor has to request it by key
                    }
                    if scans == 1 {
                        match edits_header {
                            true => list.txs[20].header.mut_or_insert_default().ts += 1,
                            false => list.txs[20].entries[0].value = b"edited".to_vec(),
                        }
                    }
                });
            }
            if call == slow {
                thread::sleep(Duration::from_millis(350));
            }
        });
        let all = Values {
            new: NewValues::All,
            ..NONE
        };
        let mut auditor = scene.auditor(all, 10_000, 300);
        let outcome = cycle(&mut auditor);
        let expected = match edits_header {
            true => INCONSISTENT,
            false => Verdict::Tampered(Tampering::BadValue),
        };
        assert_eq!(outcome.verdict, expected, "{outcome:?}");
        assert!(outcome.alarm.is_some());
    }
}

/// A scan returns more than there is time for: the rest waits for the next cycle and is not due.
#[test]
fn slow_values_of_a_scan_are_read_in_order_over_several_cycles() {
    let scene = Scene::of_version(Emulated::V1_1_0);
    scene.embedded.grow(DB, 1);
    scene.make_due(&[]);
    scene.embedded.grow(DB, 120);
    let values = scene.slow_values(10);
    let all = Values {
        new: NewValues::All,
        ..NONE
    };
    let mut auditor = scene.auditor(all, 10_000, 300);
    let mut cycles = 0;
    while values.load(Ordering::Relaxed) < 120 {
        let outcome = cycle(&mut auditor);
        assert_eq!(due(&outcome), 0, "{outcome:?}");
        cycles += 1;
        assert!(cycles < 100, "{outcome:?}");
    }
    assert!(cycles > 2, "{cycles} cycles");
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    assert!(outcome.warnings.is_empty(), "{outcome:?}");
    assert_eq!(values.load(Ordering::Relaxed), 120);
}
