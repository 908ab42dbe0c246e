//! Alarms and their evidence: an alarm stays open until somebody accepts it, stands by its evidence where
//! its list is lost, and evidence is bounded.

mod support;

use std::fs;

use immuaudit::ledger::State;
use immuaudit::trust::{
    Acceptance, Alarm, Change, Evidence, How, Limits, LocalFailure, Shortened, Tampering,
};
use support::chain::Chain;
use support::place::Place;
use support::trust_files::{at, beside, changes, file, finding, grown, open};

#[test]
fn a_finding_is_an_open_alarm_with_evidence_until_it_is_accepted() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let alarm = store.raise(&found, at(6)).unwrap();
    assert_eq!(alarm.id.len(), 12);
    assert_eq!(store.open_alarms(None), Ok(vec![alarm.clone()]));
    drop(store);
    let store = open(&place);
    assert_eq!(store.open_alarms(Some("db")), Ok(vec![alarm.clone()]));
    let evidence = read_evidence(&alarm);
    assert_eq!(evidence.server, "127.0.0.1:3322");
    assert_eq!((evidence.found, evidence.alarm), (at(6), alarm.id.clone()));
    assert_eq!(evidence.finding.trusted, Some(trusted));
    assert_eq!(evidence.answers[0], found.answers[0]);
    let accepted = beside(&place).accept("db", &alarm.id, "kim", at(7));
    let adopted = match accepted.unwrap().acceptance {
        Acceptance::Adopted(adopted) => adopted,
        other => panic!("{other:?}"),
    };
    assert_eq!(adopted.state, fork.state(6));
    assert_eq!(
        adopted.how,
        How::Adopted {
            alarm: alarm.id.clone()
        }
    );
    assert_eq!(store.load("db"), Ok(Some(adopted)));
    assert_eq!(store.open_alarms(None), Ok(vec![]));
    let closed = store.all_alarms("db").unwrap()[0].closed.clone().unwrap();
    assert_eq!((closed.who.as_str(), closed.when), ("kim", at(7)));
    let again = store.accept("db", &alarm.id, "kim", at(8));
    assert!(matches!(again, Err(LocalFailure::NoAlarm { .. })));
}

fn read_evidence(alarm: &Alarm) -> Evidence {
    Evidence::parse(&fs::read(&alarm.evidence).unwrap()).unwrap()
}

#[test]
fn the_same_finding_again_only_counts_up() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let mut found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let first = store.raise(&found, at(6)).unwrap();
    let evidence = fs::read(&first.evidence).unwrap();
    found.reason = "linear proof at transaction 77: another detail".into();
    found.answers.clear();
    let second = store.raise(&found, at(7)).unwrap();
    assert_eq!((second.id.as_str(), second.times), (first.id.as_str(), 2));
    assert_eq!((second.raised, second.last_seen), (at(6), at(7)));
    assert_eq!(fs::read(&first.evidence).unwrap(), evidence);
    assert_eq!(store.open_alarms(None), Ok(vec![second]));
}

#[test]
fn an_open_alarm_does_not_freeze_the_trust() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let alarm = store.raise(&found, at(6)).unwrap();
    let after = store
        .advance(&trusted, &chain.prove(5, 6), &chain.seen(6), at(7))
        .unwrap();
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
    // what replaced the trusted state by proof is not given up for a lie of then
    let accepted = store.accept("db", &alarm.id, "kim", at(8)).unwrap();
    assert_eq!(accepted.acceptance, Acceptance::Overtaken);
    assert_eq!(store.load("db"), Ok(Some(after)));
    assert_eq!(store.open_alarms(None), Ok(vec![]));
}

#[test]
fn accepting_one_of_many_states_of_a_rewritten_history_closes_the_others_with_it() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let raise = |kind, tx, trusted| {
        let found = finding(Some(trusted), kind, Some(fork.state(tx)));
        store.raise(&found, at(6)).unwrap()
    };
    let first = raise(Tampering::Inconsistent, 6, &trusted);
    let last = raise(Tampering::Inconsistent, 8, &trusted);
    let value = raise(Tampering::Value, 7, &trusted);
    let accepted = store.accept("db", &last.id, "kim", at(7)).unwrap();
    assert_eq!(accepted.closed_with_it, std::slice::from_ref(&first.id));
    let open: Vec<String> = store
        .open_alarms(None)
        .unwrap()
        .into_iter()
        .map(|a| a.id)
        .collect();
    assert_eq!(open, [value.id]);
    assert_eq!(store.load("db").unwrap().unwrap().state, fork.state(8));
}

#[test]
fn accepting_an_emptied_or_vanished_database_forgets_it() {
    for shown in [None, Some(State::EMPTY)] {
        let place = Place::new();
        let (store, chain) = (open(&place), Chain::new(9, 1));
        let trusted = grown(&store, &chain);
        let alarm = store
            .raise(
                &finding(Some(&trusted), Tampering::RolledBack, shown),
                at(6),
            )
            .unwrap();
        let accepted = store.accept("db", &alarm.id, "kim", at(7)).unwrap();
        assert_eq!(accepted.acceptance, Acceptance::Forgotten(trusted.state));
        assert_eq!(store.load("db"), Ok(None));
        let last = store.history("db").unwrap().pop().unwrap();
        assert_eq!(last.change, Change::Forgotten { alarm: alarm.id });
        let seen = store
            .first_sight("db", &chain.seen(2), How::FirstSeen, at(8))
            .unwrap();
        assert_eq!(store.load("db"), Ok(Some(seen)));
        assert_eq!(store.history("db").unwrap().len(), 5);
    }
}

#[test]
fn accepting_what_says_nothing_about_the_state_only_closes_it() {
    for kind in [Tampering::Signature, Tampering::Value, Tampering::SplitView] {
        let place = Place::new();
        let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
        let trusted = grown(&store, &chain);
        let found = finding(Some(&trusted), kind, Some(fork.state(6)));
        let alarm = store.raise(&found, at(6)).unwrap();
        let accepted = store.accept("db", &alarm.id, "kim", at(7)).unwrap();
        assert_eq!(accepted.acceptance, Acceptance::Closed);
        assert_eq!(store.load("db"), Ok(Some(trusted)));
        assert_eq!(store.open_alarms(None), Ok(vec![]));
        // found again after that, it is open again
        let again = store.raise(&found, at(8)).unwrap();
        assert_eq!(store.open_alarms(None), Ok(vec![again]));
    }
}

#[test]
fn an_alarm_whose_list_is_lost_is_open_by_its_evidence() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let alarm = store
        .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
        .unwrap();
    fs::remove_file(file(&place, "db.alarms")).unwrap();
    assert_eq!(store.open_alarms(None), Ok(vec![alarm]));
}

#[test]
fn a_damaged_list_of_alarms_is_a_local_failure_and_the_evidence_is_written_all_the_same() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let alarm = store
        .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
        .unwrap();
    let path = file(&place, "db.alarms");
    let whole = fs::read(&path).unwrap();
    for (change, bytes) in changes(&whole) {
        fs::write(&path, bytes).unwrap();
        let failure = store.open_alarms(Some("db")).expect_err(&change);
        assert!(
            matches!(failure, LocalFailure::DamagedRecord { .. }),
            "{change}: {failure}"
        );
    }
    let other = finding(Some(&trusted), Tampering::Signature, None);
    assert!(store.raise(&other, at(7)).is_err());
    let evidence = alarm
        .evidence
        .with_file_name(format!("{}.toml", other.id()));
    assert!(Evidence::parse(&fs::read(evidence).unwrap()).is_ok());
}

#[test]
fn evidence_is_bounded_and_keeps_the_first_and_the_last() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = open(&place).with_limits(Limits {
        files_of_a_database: 5,
        ..Limits::default()
    });
    let trusted = grown(&store, &chain);
    let shown = |tx| {
        Some(State {
            tx,
            hash: trusted.state.hash,
        })
    };
    let found = |tx| finding(Some(&trusted), Tampering::Inconsistent, shown(tx));
    let alarms: Vec<Alarm> = (10..30)
        .map(|tx| store.raise(&found(tx), at(tx)).unwrap())
        .collect();
    let open = store.open_alarms(None).unwrap();
    assert_eq!(open.len(), 5);
    assert_eq!(open.first(), alarms.first());
    assert_eq!(open.last(), alarms.last());
    assert_eq!(open.last().unwrap().displaced, 15);
    for alarm in &open {
        read_evidence(alarm);
    }
    let kept = fs::read_dir(open[0].evidence.parent().unwrap())
        .unwrap()
        .count();
    assert_eq!(kept, 5);
}

#[test]
fn answers_too_long_are_cut_and_those_too_many_counted() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let limits = Limits {
        answer: 1_000,
        answers: 5_000,
        ..Limits::default()
    };
    let store = open(&place).with_limits(limits);
    let trusted = grown(&store, &chain);
    let mut found = finding(Some(&trusted), Tampering::Inconsistent, None);
    let mut answer = found.answers[0].clone();
    answer.reply = Ok(vec![9; 100_000].into());
    found.answers = vec![answer; 20];
    let evidence = read_evidence(&store.raise(&found, at(6)).unwrap());
    assert!(evidence.answers.len() >= 3);
    assert_eq!(
        evidence.left_out,
        20 - u64::try_from(evidence.answers.len()).unwrap()
    );
    let cut = Some(Shortened::Cut(100_000));
    assert_eq!(evidence.answers[0].shortened, cut);
    assert_eq!(evidence.answers[0].reply, Ok(vec![9; 1_000].into()));
}

#[test]
fn a_full_evidence_directory_still_leaves_the_alarm_open() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = open(&place).with_limits(Limits {
        files: 0,
        ..Limits::default()
    });
    let trusted = grown(&store, &chain);
    let refused = store.raise(&finding(Some(&trusted), Tampering::Value, None), at(6));
    assert!(matches!(refused, Err(LocalFailure::EvidenceFull { .. })));
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
}
