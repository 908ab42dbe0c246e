//! Reading values: an edit anywhere is found and named, and nothing honest is accused.

mod support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use immuaudit::audit::{Auditor, Outcome, Policy, Reason, Report, Verdict, Walk, Went, Why};
use immuaudit::clock;
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{
    Draft, Embedded, Emulated, Lag, Ledger, Lie, NewEntry, Options, Telling, fill,
};
use immuaudit::ledger::{Digest, HeaderFields, HeaderVersion, KvMetadata, TxHeader, TxMetadata};
use immuaudit::server::{Endpoint, Kind};
use immuaudit::stop::Stop;
use immuaudit::trust::{Location, Store, Swept, Tampering};
use immuaudit::wire::method;
use support::in_process;
use support::loud::loud;
use support::place::Place;
use support::program::Program;

const DB: &str = "defaultdb";
const VALUE: Verdict = Verdict::Tampered(Tampering::Value);

/// Nothing but what a test asks for.
const NONE: Values = Values::NONE;

struct Scene {
    embedded: Embedded,
    place: Place,
    max_answer: i32,
}

impl Scene {
    fn new(options: Options) -> Scene {
        Scene {
            embedded: Embedded::start(options).expect("the embedded ledger"),
            place: Place::new(),
            max_answer: 4 << 20,
        }
    }

    /// Sixty transactions of one entry.
    fn of_sixty() -> Scene {
        let scene = Scene::new(Options::default());
        scene.embedded.grow(DB, 60);
        scene
    }

    fn location(&self) -> Location {
        in_process::location(self.place.join("trust"))
    }

    fn auditor(&self, values: Values) -> Auditor {
        let endpoint = Endpoint {
            max_answer: self.max_answer,
            ..Endpoint::on_loopback(self.embedded.port())
        };
        let server = in_process::server(endpoint, Duration::from_secs(10), &Stop::new());
        let store = Store::open(&self.location(), clock::now()).expect("a store");
        let policy = Policy {
            values,
            ..Policy::of_consistency()
        };
        Auditor::new(server, store, policy)
    }

    /// An auditor that trusts the ledger as it is.
    fn trusting(&self) -> Auditor {
        let mut auditor = self.auditor(NONE);
        let outcome = cycle(&mut auditor);
        assert!(outcome.verdict.is_proven(), "{outcome:?}");
        auditor
    }
}

fn cycle(auditor: &mut Auditor) -> Outcome {
    let mut cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.outcomes.len(), 1, "{cycle:?}");
    cycle.outcomes.remove(0)
}

/// A whole sweep: what it read, and what it told.
fn sweep(auditor: &mut Auditor) -> (Swept, Vec<Outcome>) {
    let mut outcomes = Vec::new();
    loop {
        let slice = auditor.sweep(DB);
        outcomes.extend(slice.outcome);
        match slice.went {
            Went::Ended(swept) => return (swept, outcomes),
            Went::On { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn report(outcome: &Outcome) -> &Report {
    match &outcome.reason {
        Reason::Values(report) => report,
        other => panic!("{other:?}"),
    }
}

fn broken(outcome: &Outcome) -> Vec<u64> {
    let broken = &report(outcome).broken;
    broken.iter().map(|shows| shows.broken.tx).collect()
}

#[test]
fn an_edit_of_any_transaction_is_found_by_a_sweep_and_named_and_the_rest_is_read() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    for lie in [Lie::EditedValue, Lie::EditedKey, Lie::ValueWithMatchingHash] {
        for tx in 1..=60 {
            scene.embedded.lie(Telling::from(lie).about(tx));
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
fn every_broken_transaction_is_an_alarm_of_its_own_and_a_flood_is_summed_up() {
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
    assert!(outcomes[0].why().contains("more that are broken"));
}

#[test]
fn finding_it_again_is_no_new_alarm_and_no_alarm_keeps_trust_from_growing() {
    let scene = Scene::of_sixty();
    let values = Values {
        sample: u64::MAX,
        ..NONE
    };
    let mut auditor = scene.auditor(values);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::FirstSeen);
    scene.embedded.lie(Telling::from(Lie::EditedValue).about(7));
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

/// A 0.9.0 that is asked by several at once mixes up what it answers, and is not to be accused.
#[test]
fn what_a_second_answer_does_not_show_is_due_and_no_alarm() {
    let scene = Scene::of_sixty();
    let values = Values { sample: 59, ..NONE };
    let mut auditor = scene.auditor(values);
    cycle(&mut auditor);
    let lie = Telling::from(Lie::EditedValue).in_call(method::VERIFIABLE_TX_BY_ID);
    scene.embedded.lie(lie.times(1));
    let outcome = cycle(&mut auditor);
    assert_eq!(
        (outcome.verdict, outcome.open_alarms),
        (Verdict::Malformed, 0)
    );
    scene.embedded.be_honest();
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
}

#[test]
fn a_cycle_draws_as_many_transactions_as_it_was_told() {
    let scene = Scene::of_sixty();
    let values = Values { sample: 20, ..NONE };
    let mut auditor = scene.auditor(values);
    cycle(&mut auditor);
    scene.embedded.reset_calls();
    cycle(&mut auditor);
    let calls = scene.embedded.calls();
    // the last transaction needs a proof like any other
    assert_eq!(calls.get(method::VERIFIABLE_TX_BY_ID), Some(&20));
    assert_eq!(auditor.values_read(DB).map(|values| values.read), Some(40));
}

#[test]
fn new_transactions_are_all_read_where_that_is_asked_for() {
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
            .lie(Telling::from(Lie::EditedValue).about(tx));
        scene.embedded.grow(DB, 1);
    }
    let outcome = cycle(&mut auditor);
    assert_eq!(broken(&outcome), [150]);
    assert_eq!(auditor.values_read(DB).map(|values| values.read), Some(92));
    scene.embedded.grow(DB, 3);
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
}

#[test]
fn a_sweep_goes_on_where_it_was_killed() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 1_000);
    let mut auditor = scene.trusting();
    scene.embedded.lie(Lie::Slow);
    let Went::On { at, of } = auditor.sweep(DB).went else {
        panic!("it is not over yet");
    };
    assert!(0 < at && at < of);
    drop(auditor);
    scene.embedded.be_honest();
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(Telling::from(Lie::EditedValue).about(at));
    let (swept, outcomes) = sweep(&mut auditor);
    assert!(outcomes.is_empty(), "what was passed is not read again");
    assert_eq!((swept.read, swept.of), (1_000, 1_000));
    // and the next one begins anew
    assert_eq!(broken(&sweep(&mut auditor).1[0]), [at]);
}

#[test]
fn progress_that_is_damaged_or_gone_begins_anew() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 1_000);
    for damage in [&b"nonsense"[..], b""] {
        let mut auditor = scene.trusting();
        scene.embedded.lie(Lie::Slow);
        assert!(matches!(auditor.sweep(DB).went, Went::On { .. }));
        scene.embedded.be_honest();
        drop(auditor);
        let file = scene.place.path().join("trust/tested/values");
        match damage {
            b"" => std::fs::remove_file(file).expect("a file"),
            damage => std::fs::write(file, damage).expect("a file"),
        }
        let mut auditor = scene.trusting();
        let (swept, outcomes) = sweep(&mut auditor);
        assert!(outcomes.is_empty());
        assert_eq!((swept.read, swept.of), (1_000, 1_000));
    }
}

#[test]
fn a_paced_sweep_is_spread_over_its_time_and_ends() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 300);
    let sweeping = |period| Values {
        sweep: Some(Duration::from_secs(period)),
        ..NONE
    };
    let next = Instant::now() + Duration::from_secs(60);
    let mut auditor = scene.auditor(sweeping(100_000));
    assert_eq!(
        auditor.sweep_at_pace(next).went,
        Went::Idle,
        "nothing is proven yet"
    );
    cycle(&mut auditor);
    let Went::On { at, of: 300 } = auditor.sweep_at_pace(next).went else {
        panic!("a first scan is due at once");
    };
    assert!(at < 300);
    assert_eq!(auditor.sweep_at_pace(next).went, Went::Idle, "it is ahead");
    drop(auditor);
    let mut auditor = scene.auditor(sweeping(1));
    cycle(&mut auditor);
    let end = loop {
        match auditor.sweep_at_pace(next).went {
            Went::On { .. } => {}
            other => break other,
        }
    };
    assert!(
        matches!(
            end,
            Went::Ended(Swept {
                read: 300,
                of: 300,
                ..
            })
        ),
        "{end:?}"
    );
}

#[test]
fn no_call_of_a_paced_sweep_may_last_until_a_second_after_the_next_check_is_due() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(Values {
        sweep: Some(Duration::from_secs(1)),
        ..NONE
    });
    cycle(&mut auditor);
    scene.embedded.lie(Lie::NeverAnswers);
    let due = Instant::now() + Duration::from_millis(100);
    let went = auditor.sweep_at_pace(due).went;
    let Went::Away(failure) = went else {
        panic!("{went:?}");
    };
    let Kind::Deadline(deadline) = failure.kind else {
        panic!("{failure:?}");
    };
    assert!(deadline < Duration::from_millis(1_100), "{deadline:?}");
    scene.embedded.be_honest();
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
}

#[test]
fn a_sweep_beside_an_audit_wants_nothing_of_its_port() {
    let scene = Scene::of_sixty();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let sweep = ["--audit-monitoring-host", "127.0.0.1"];
    let program = Program::new(scene.embedded.port(), &scene.place.path().join("trust"));
    let program = program
        .with(&sweep)
        .with(&["--audit-monitoring-port", &port]);
    let run = program.run(&["sweep"]);
    run.ends_with(0);
    assert!(
        run.stdout.contains("60 of 60 transactions read whole"),
        "{run:#?}"
    );
}

/// KiB that a sweep of the program takes at most, with default settings.
fn memory_of_a_sweep(scene: &Scene) -> u64 {
    let transactions = scene.embedded.state(DB).expect("a database").tx;
    let program = Program::new(scene.embedded.port(), &scene.place.path().join("trust"));
    let (run, most) = program.run_measured(&["sweep"]);
    run.ends_with(0);
    let all = format!("{transactions} of {transactions} transactions read whole");
    assert!(run.stdout.contains(&all), "{run:#?}");
    loud(format!(
        "a sweep of {transactions} transactions: {most} KiB\n"
    ));
    most
}

/// What a sweep may take with default settings.
const MOST: u64 = 48 << 10;

#[test]
fn a_sweep_takes_less_than_48_mib() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 20_000);
    assert!(memory_of_a_sweep(&scene) < MOST);
    // values of which few fit an answer, and such as nearly fill one
    for (transactions, size) in [(300, 60_000), (10, 3_500_000)] {
        let scene = Scene::new(Options::default());
        for tx in 0..transactions {
            scene
                .embedded
                .set(DB, &format!("key{tx}"), &"x".repeat(size));
        }
        assert!(memory_of_a_sweep(&scene) < MOST);
    }
}

#[test]
fn a_sweep_of_a_million_transactions_takes_less_than_48_mib() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 1_000_000);
    assert!(memory_of_a_sweep(&scene) < MOST);
}

#[test]
fn a_hole_in_a_scan_is_malformed_and_what_it_hides_is_read_alone() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    for (lie, tx) in [
        (Lie::ScanWithHoles, 30),
        (Lie::ScanWithHoles, 1),
        (Lie::ScanWithHoles, 60),
    ] {
        scene.embedded.lie(Telling::from(lie).about(tx));
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
        .lie(Telling::from(Lie::WithheldTransaction).about(30));
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(swept.read, 59);
    assert_eq!(outcomes[0].verdict, Verdict::Malformed);
    let withheld = |outcome: &Outcome| {
        let unread = &report(outcome).unread;
        unread
            .iter()
            .any(|unread| unread.tx == 30 && matches!(unread.why, Why::Withheld))
    };
    assert!(withheld(&outcomes[0]));
    drop(auditor);
    let mut auditor = scene.auditor(NONE);
    let still = cycle(&mut auditor);
    assert_eq!(still.verdict, Verdict::Malformed);
    assert!(withheld(&still));
    scene.embedded.be_honest();
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
    scene
        .embedded
        .lie(Telling::from(Lie::WithheldTransaction).about(30));
    assert_eq!(
        cycle(&mut auditor).verdict,
        Verdict::Consistent,
        "it is due no more"
    );
}

#[test]
fn dropped_values_are_unavailable_only_where_a_proven_header_says_so() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(Telling::from(Lie::ForgedTruncation).about(20));
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(swept.read, 59);
    assert_eq!(outcomes[0].verdict, Verdict::Malformed);
    assert!(matches!(
        report(&outcomes[0]).unread[0].why,
        Why::Refused(_)
    ));
    // a truncation before transaction 20 says nothing of 20 itself
    for (before, clean) in [(20, false), (21, true)] {
        let draft = Draft {
            entries: vec![NewEntry::set("truncated", "")],
            metadata: Some(TxMetadata {
                truncated_tx_id: before,
                extra: Vec::new(),
            }),
            ..Draft::default()
        };
        scene.embedded.write(DB, draft);
        cycle(&mut auditor);
        let (swept, outcomes) = sweep(&mut auditor);
        assert_eq!(outcomes.is_empty(), clean, "{outcomes:?}");
        assert_eq!(swept.read == swept.of, clean);
        assert_eq!(swept.unavailable.truncated, u64::from(clean), "it is said");
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
    let said = swept.unavailable.to_string();
    assert_eq!(said, "1 expired, 1 of documents, sent by no server");
    // the digests of what did not come count all the same
    scene.embedded.lie(Lie::EditedKey);
    let (_, outcomes) = sweep(&mut auditor);
    assert_eq!(outcomes[0].verdict, VALUE);
    // what is left out must have expired
    scene.embedded.lie(Lie::ForgedExpiry);
    let (swept, outcomes) = sweep(&mut auditor);
    assert_eq!(
        (swept.read, outcomes.len()),
        (1, 0),
        "Get answers what the scan left out"
    );
}

#[test]
fn a_value_in_a_thousand_is_found_and_its_place_is_named() {
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
    assert_eq!(outcomes[0].verdict, Verdict::Unreachable);
    let unread = &report(&outcomes[0]).unread;
    assert_eq!(unread.len(), 1);
    assert_eq!(unread[0].tx, 17);
    let Why::TooLarge { bytes: Some(bytes) } = unread[0].why else {
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
fn every_version_is_swept_whatever_its_tree_lags_and_its_edits_are_found() {
    for server in Emulated::ALL {
        let lags = match server {
            Emulated::V1_11_1 => vec![Lag::None, Lag::By(7)],
            _ => vec![Lag::None, Lag::Unsteady, Lag::Batches(9)],
        };
        for lag in lags {
            let scene = Scene::new(Options {
                server,
                lag: lag.clone(),
                ..Options::default()
            });
            scene.embedded.grow(DB, 40);
            scene
                .embedded
                .commit(DB, vec![NewEntry::reference("ref", "key/3", 4)]);
            let several = |n| NewEntry::set(format!("several/{n}"), "value");
            scene.embedded.commit(DB, (0..5).map(several).collect());
            let mut auditor = scene.trusting();
            let (swept, outcomes) = sweep(&mut auditor);
            assert!(outcomes.is_empty(), "{server:?} {lag:?}: {outcomes:?}");
            assert_eq!((swept.read, swept.of), (42, 42), "{server:?} {lag:?}");
            scene
                .embedded
                .lie(Telling::from(Lie::EditedValue).about(11));
            let (_, outcomes) = sweep(&mut auditor);
            assert_eq!(outcomes[0].verdict, VALUE, "{server:?} {lag:?}");
            assert_eq!(broken(&outcomes[0]), [11], "{server:?} {lag:?}");
        }
    }
}

/// Before 1.2 values come by their keys alone, and only those of plain keys; 0.9.0 gives the latest.
#[test]
fn what_an_old_server_cannot_send_is_counted_and_not_withheld() {
    for (server, unreadable) in [
        (Emulated::V1_1_0, 1),
        (Emulated::V0_9_2, 1),
        (Emulated::V0_9_0, 2),
    ] {
        let scene = Scene::new(Options {
            server,
            ..Options::default()
        });
        let entries = vec![
            NewEntry::set("twice", "first"),
            NewEntry::of_kind(1, "set", "of a set"),
        ];
        scene.embedded.commit(DB, entries);
        scene.embedded.set(DB, "twice", "second");
        let mut auditor = scene.trusting();
        let (swept, outcomes) = sweep(&mut auditor);
        assert!(outcomes.is_empty(), "{server:?}: {outcomes:?}");
        let unavailable = swept.unavailable.unreadable;
        assert_eq!((swept.read, unavailable), (2, unreadable), "{server:?}");
    }
}

/// No tree proof of the later pairs can exist; the chain of headers shows where each belongs.
#[test]
fn an_old_server_whose_last_tree_is_a_small_one_is_read_one_by_one() {
    let mut sizes: Vec<u64> = (0..11).collect();
    sizes.push(3);
    let scene = Scene::new(Options {
        server: Emulated::V1_1_0,
        lag: Lag::Table(sizes),
        ..Options::default()
    });
    scene.embedded.grow(DB, 12);
    // nearly all of them, each by itself
    let mut auditor = scene.auditor(Values { sample: 11, ..NONE });
    cycle(&mut auditor);
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    assert_eq!(auditor.values_read(DB).map(|values| values.read), Some(22));
}

/// Each transaction is in the tree, so its proof holds; but one names another before it.
#[test]
fn a_chain_that_the_tree_does_not_have_is_found_by_a_sweep_one_by_one_or_by_scans() {
    for server in [Emulated::V0_9_0, Emulated::V1_11_1] {
        let scene = Scene::new(Options {
            server,
            ..Options::default()
        });
        scene.embedded.grow(DB, 20);
        let draft = Draft {
            entries: vec![NewEntry::set("another", "chain")],
            prev_alh: Some(Digest::of(&[b"another"])),
            ..Draft::default()
        };
        scene.embedded.write(DB, draft);
        scene.embedded.grow(DB, 5);
        let mut auditor = scene.trusting();
        let (_, outcomes) = sweep(&mut auditor);
        let due = Verdict::Tampered(Tampering::Inconsistent);
        let verdicts: Vec<Verdict> = outcomes.iter().map(|found| found.verdict).collect();
        assert_eq!(verdicts, [due], "{server:?}: {outcomes:?}");
    }
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

fn ledger(lag: Lag, size: u64) -> Ledger {
    let mut ledger = Ledger::new(HeaderVersion::V1, lag);
    for number in 1..=size {
        ledger.commit(vec![NewEntry::set(format!("{number}"), "value")]);
    }
    ledger
}

/// A header with another field, as a server may write it that keeps two histories.
fn changed(header: &TxHeader, change: impl Fn(&mut HeaderFields)) -> TxHeader {
    let mut fields = HeaderFields {
        id: header.id(),
        prev_alh: *header.prev_alh(),
        ts: header.ts(),
        nentries: i32::try_from(header.nentries()).expect("few"),
        eh: *header.eh(),
        bl_tx_id: header.bl_tx_id(),
        bl_root: *header.bl_root(),
        version: 1,
        metadata: None,
    };
    change(&mut fields);
    TxHeader::new(fields).expect("a header")
}

#[test]
fn the_walk_follows_chain_and_tree_and_no_other() {
    use immuaudit::audit::{Step, What};
    let other = Digest::of(&[b"other"]);
    for lag in [Lag::None, Lag::By(5), Lag::Unsteady] {
        let ledger = ledger(lag.clone(), 50);
        for wrong in 2..=50u64 {
            let mut walk = Walk::default();
            for stored in ledger.txs() {
                let header = &stored.header;
                let id = header.id();
                // restored from what is kept of it, it goes on as if nothing had been
                if lag == Lag::None && id % 10 == 3 {
                    walk = Walk::restore(walk.at(), walk.hash(), walk.peaks());
                }
                if id == wrong {
                    let tree = changed(header, |fields| fields.bl_root = other);
                    let step = walk.clone().pass(&tree);
                    assert!(
                        matches!(step, Step::Broken(What::Tree { .. })),
                        "{id}: {step:?}"
                    );
                    let chain = changed(header, |fields| fields.prev_alh = other);
                    let step = walk.clone().pass(&chain);
                    assert!(
                        matches!(step, Step::Broken(What::Chain { .. })),
                        "{id}: {step:?}"
                    );
                }
                assert_eq!(walk.pass(header), Step::Follows, "{id}");
            }
        }
    }
}

#[test]
fn the_walk_learns_a_skipped_hash_from_the_next_header() {
    use immuaudit::audit::Step;
    let ledger = ledger(Lag::None, 50);
    let mut walk = Walk::default();
    for stored in ledger.txs() {
        if stored.header.id() == 1 {
            walk.skip();
        } else if stored.header.id() % 7 == 0 {
            walk.skip();
            walk = Walk::restore(walk.at(), walk.hash(), walk.peaks());
        } else {
            assert_eq!(
                walk.pass(&stored.header),
                Step::Follows,
                "{:?}",
                stored.header
            );
        }
    }
}
