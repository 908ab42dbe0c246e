//! Alarms and their evidence. An alarm stays open until an operator closes or adopts it. If the
//! list of alarms is lost, the evidence keeps the alarm open. The size of evidence is limited.

use std::fs;

use crate::support::chain::Chain;
use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{
    at, changes, file, finding, grown, grown_store, open, second_store,
};
use immuaudit::ledger::{Digest, State};
use immuaudit::trust::{
    Adoption, Alarm, Change, Evidence, Finding, Limits, Shortened, StoreError, Tampering,
    TrustOrigin, TrustedState,
};

#[test]
fn a_finding_is_an_open_alarm_with_evidence_until_it_is_adopted() {
    let (folder, store, _, trusted) = grown_store();
    let fork = Chain::new(9, 2);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let alarm = store.raise(&found, at(6)).unwrap();
    assert_eq!(alarm.id.len(), 12);
    assert_eq!(store.open_alarms(None), Ok(vec![alarm.clone()]));
    drop(store);
    let store = open(&folder);
    assert_eq!(store.open_alarms(Some("db")), Ok(vec![alarm.clone()]));
    let evidence = read_evidence(&alarm);
    assert_eq!(evidence.server, "127.0.0.1:3322");
    assert_eq!((evidence.found, evidence.alarm), (at(6), alarm.id.clone()));
    assert_eq!(evidence.finding.trusted, Some(trusted));
    assert_eq!(evidence.answers[0], found.answers[0]);
    let adopted = second_store(&folder)
        .adopt(&alarm.id, "kim", at(7))
        .unwrap();
    let adopted = adopted.trusted.expect("a trusted state");
    assert_eq!(adopted.state, fork.state(6));
    assert_eq!(
        adopted.how,
        TrustOrigin::Adopted {
            alarm: alarm.id.clone()
        }
    );
    assert_eq!(store.load("db"), Ok(Some(adopted)));
    assert_eq!(store.open_alarms(None), Ok(vec![]));
    let closed = store.all_alarms("db").unwrap()[0].closed.clone().unwrap();
    assert_eq!((closed.who.as_str(), closed.when), ("kim", at(7)));
    let again = store.adopt(&alarm.id, "kim", at(8)).unwrap_err();
    assert!(again.to_string().contains("is closed already"), "{again}");
}

fn read_evidence(alarm: &Alarm) -> Evidence {
    Evidence::parse(&fs::read(&alarm.evidence).unwrap()).unwrap()
}

#[test]
fn a_repeated_finding_only_increases_the_count() {
    let (_folder, store, _, trusted) = grown_store();
    let fork = Chain::new(9, 2);
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
fn an_open_alarm_does_not_block_the_trusted_state() {
    let (_folder, store, chain, trusted) = grown_store();
    let fork = Chain::new(9, 2);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let alarm = store.raise(&found, at(6)).unwrap();
    let after = store
        .advance(&trusted, &chain.prove(5, 6), &chain.seen(6), at(7))
        .unwrap();
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
    // a proven state that replaced the trusted one is not given up because of an earlier lie
    let expected = Adoption::Overtaken {
        trusted: Some(after.state),
    };
    assert_eq!(store.adoption(&alarm), Ok(expected));
    let refused = store.adopt(&alarm.id, "kim", at(8)).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("was replaced") && text.contains("is transaction 6 now"),
        "{text}"
    );
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
    store.close_alarm(&alarm.id, "kim", at(9)).unwrap();
    assert_eq!(store.load("db"), Ok(Some(after)));
    assert_eq!(store.open_alarms(None), Ok(vec![]));
}

#[test]
fn adopting_a_rewritten_history_closes_the_other_alarms_about_it() {
    let (_folder, store, _, trusted) = grown_store();
    let fork = Chain::new(9, 2);
    let raise = |kind, tx, trusted| {
        let found = finding(Some(trusted), kind, Some(fork.state(tx)));
        store.raise(&found, at(6)).unwrap()
    };
    let first = raise(Tampering::Inconsistent, 6, &trusted);
    let last = raise(Tampering::Inconsistent, 8, &trusted);
    let value = raise(Tampering::BadValue, 7, &trusted);
    let adopted = store.adopt(&last.id, "kim", at(7)).unwrap();
    assert_eq!(adopted.also_closed, std::slice::from_ref(&first.id));
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
fn adopting_leaves_an_alarm_about_another_trusted_state_open() {
    let folder = TempDir::new();
    let (store, chain, fork) = (open(&folder), Chain::new(9, 1), Chain::new(9, 2));
    let before = grown(&store, &chain);
    let raise = |trusted: &TrustedState, tx| {
        let found = finding(Some(trusted), Tampering::Inconsistent, Some(fork.state(tx)));
        store.raise(&found, at(6)).unwrap()
    };
    let first = raise(&before, 7);
    let after = store
        .advance(&before, &chain.prove(5, 6), &chain.seen(6), at(7))
        .unwrap();
    let second = raise(&after, 8);
    let adopted = store.adopt(&second.id, "kim", at(8)).unwrap();
    assert_eq!(adopted.also_closed, Vec::<String>::new());
    assert_eq!(store.open_alarms(None), Ok(vec![first]));
}

#[test]
fn adopting_an_emptied_or_vanished_database_trusts_no_state_of_it() {
    for shown in [None, Some(State::EMPTY)] {
        let (_folder, store, chain, trusted) = grown_store();
        let mut found = finding(Some(&trusted), Tampering::RolledBack, shown);
        found.reason = if shown.is_none() {
            "vanished"
        } else {
            "emptied"
        }
        .into();
        let alarm = store.raise(&found, at(6)).unwrap();
        assert_eq!(alarm.given_up(), Some(1..=5));
        let expected = Adoption::Forget {
            given_up: Box::new(trusted),
        };
        assert_eq!(store.adoption(&alarm), Ok(expected));
        let adopted = store.adopt(&alarm.id, "kim", at(7)).unwrap();
        assert_eq!(adopted.trusted, None);
        assert_eq!(store.load("db"), Ok(None));
        let last = store.history("db").unwrap().pop().unwrap();
        assert_eq!(last.change, Change::Forgotten { alarm: alarm.id });
        let seen = store
            .first_use("db", &chain.seen(2), TrustOrigin::FirstSeen, at(8))
            .unwrap();
        assert_eq!(store.load("db"), Ok(Some(seen)));
        assert_eq!(store.history("db").unwrap().len(), 5);
    }
}

#[test]
fn an_alarm_that_names_no_other_state_can_only_be_closed() {
    for kind in [
        Tampering::BadSignature,
        Tampering::BadValue,
        Tampering::SplitView,
    ] {
        let (_folder, store, _, trusted) = grown_store();
        let fork = Chain::new(9, 2);
        let found = finding(Some(&trusted), kind, Some(fork.state(6)));
        let alarm = store.raise(&found, at(6)).unwrap();
        assert_eq!(alarm.given_up(), None);
        let refused = store.adopt(&alarm.id, "kim", at(7)).unwrap_err();
        assert!(
            matches!(refused, StoreError::NothingToAdopt { .. }),
            "{refused}"
        );
        assert_eq!(store.open_alarms(None), Ok(vec![alarm.clone()]));
        store.close_alarm(&alarm.id, "kim", at(7)).unwrap();
        assert_eq!(store.load("db"), Ok(Some(trusted)));
        assert_eq!(store.open_alarms(None), Ok(vec![]));
        // found again later, the alarm is open again
        let again = store.raise(&found, at(8)).unwrap();
        assert_eq!(store.open_alarms(None), Ok(vec![again]));
    }
}

#[test]
fn closing_keeps_the_trusted_state_and_every_other_alarm() {
    for (kind, shown_tx) in [(Tampering::Inconsistent, 6), (Tampering::RolledBack, 4)] {
        let (_folder, store, _, trusted) = grown_store();
        let fork = Chain::new(9, 2);
        let found = |tx| finding(Some(&trusted), kind, Some(fork.state(tx)));
        let alarm = store.raise(&found(shown_tx), at(6)).unwrap();
        let other = store.raise(&found(shown_tx - 1), at(6)).unwrap();
        let closed = store.close_alarm(&alarm.id, "kim", at(7)).unwrap();
        assert_eq!(
            closed.closed.as_ref().map(|closed| closed.when),
            Some(at(7))
        );
        assert_eq!(store.load("db"), Ok(Some(trusted.clone())));
        assert_eq!(store.open_alarms(None), Ok(vec![other]));
        // closing it again changes nothing; if the server shows the state again, the alarm opens
        // again
        let again = store.close_alarm(&alarm.id, "lee", at(8)).unwrap();
        assert_eq!(again, closed);
        let again = store.raise(&found(shown_tx), at(9)).unwrap();
        assert!(again.is_open());
        assert_eq!(store.open_alarms(None).unwrap().len(), 2);
    }
}

/// `compare` raises alarms with an older state of the trusted history, which a later one extends.
#[test]
fn a_closed_finding_about_an_older_state_reopens_if_repeated() {
    let (_folder, store, chain, trusted) = grown_store();
    let fork = Chain::new(9, 2);
    let older = TrustedState {
        state: chain.state(4),
        ..trusted
    };
    let found = finding(Some(&older), Tampering::SplitView, Some(fork.state(4)));
    let alarm = store.raise(&found, at(6)).unwrap();
    store.close_alarm(&alarm.id, "kim", at(7)).unwrap();
    assert!(store.raise(&found, at(8)).unwrap().is_open());
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
}

/// The check that made the finding began before the operator gave up the trusted state.
#[test]
fn a_finding_about_a_given_up_state_opens_no_alarm() {
    let fork = Chain::new(9, 2);
    for forgotten in [false, true] {
        let (_folder, store, _, trusted) = grown_store();
        let found = |tx| {
            finding(
                Some(&trusted),
                Tampering::Inconsistent,
                Some(fork.state(tx)),
            )
        };
        let alarm = store.raise(&found(6), at(6)).unwrap();
        match forgotten {
            true => {
                store.close_alarm(&alarm.id, "kim", at(7)).unwrap();
                store.distrust("db", at(7)).unwrap();
            }
            false => drop(store.adopt(&alarm.id, "kim", at(7)).unwrap()),
        }
        // the same state, and a state after the next transactions of a rewritten history
        for tx in [6, 8] {
            let raised = store.record_finding(&found(tx), at(7));
            let changed = StoreError::Changed {
                database: "db".into(),
            };
            assert_eq!(raised.unwritten, Some(changed), "{forgotten} {tx}");
            assert!(!raised.opened && !raised.is_listed, "{raised:?}");
            assert!(store.raise(&found(tx), at(7)).is_err());
            assert_eq!(store.open_alarms(None), Ok(vec![]));
            assert_eq!(store.all_alarms("db").unwrap().len(), 1);
            assert_eq!(raised.alarm.evidence.exists(), tx == 6);
        }
    }
}

#[test]
fn a_finding_about_a_forgotten_or_unknown_state_opens_its_alarm() {
    let fork = Chain::new(9, 2);
    let (_folder, store, chain, trusted) = grown_store();
    store.distrust("db", at(7)).unwrap();
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let early = store.record_finding(&found, at(6));
    assert!(early.opened && early.unwritten.is_none(), "{early:?}");
    // the history no longer has this state
    let unknown = TrustedState {
        state: chain.state(2),
        ..trusted
    };
    let found = finding(Some(&unknown), Tampering::Inconsistent, Some(fork.state(8)));
    let raised = store.record_finding(&found, at(8));
    assert!(raised.opened && raised.is_listed, "{raised:?}");
}

/// An earlier version raised such an alarm when it imported another auditor's states. It names no state of the server.
#[test]
fn an_alarm_without_a_shown_state_gives_up_nothing_unless_the_database_vanished() {
    for kind in [Tampering::Inconsistent, Tampering::RolledBack] {
        let (_folder, store, _, trusted) = grown_store();
        let mut found = finding(Some(&trusted), kind, None);
        found.reason = "the imported state 7:00 is not extended: vanished".into();
        let alarm = store.raise(&found, at(6)).unwrap();
        assert_eq!(store.adoption(&alarm), Ok(Adoption::Nothing));
        assert!(store.adopt(&alarm.id, "kim", at(7)).is_err());
        assert_eq!(store.load("db"), Ok(Some(trusted)));
    }
}

#[test]
fn adopting_gives_up_the_transactions_after_the_last_shared_state() {
    let (_folder, store, chain, trusted) = grown_store();
    let fork = Chain::new(9, 2);
    let raise = |kind, shown| {
        let found = finding(Some(&trusted), kind, Some(shown));
        store.raise(&found, at(6)).unwrap().given_up()
    };
    assert_eq!(raise(Tampering::RolledBack, chain.state(4)), Some(5..=5));
    assert_eq!(raise(Tampering::RolledBack, chain.state(3)), Some(4..=5));
    assert_eq!(raise(Tampering::RolledBack, chain.state(2)), Some(1..=5)); // never a trusted state
    assert_eq!(raise(Tampering::RolledBack, fork.state(4)), Some(1..=5));
    assert_eq!(raise(Tampering::Inconsistent, fork.state(8)), Some(1..=5));
    // a hidden database shows the trusted state, or one that extends it
    assert_eq!(raise(Tampering::RolledBack, chain.state(5)), None);
    assert_eq!(raise(Tampering::RolledBack, chain.state(6)), None);
}

/// 0.1.0 has other words for two kinds of tampering, in files and in the IDs of findings.
#[test]
fn an_alarm_of_the_first_version_is_read_and_stays_the_same_alarm() {
    let folder = TempDir::new();
    let store = open(&folder);
    for (kind, former, now) in [
        (Tampering::BadValue, "value", "bad-value"),
        (Tampering::BadSignature, "signature", "bad-signature"),
    ] {
        let mut found = finding(None, kind, None);
        found.database = former.into();
        found.reason = "corrupt".into();
        let alarm = store.raise(&found, at(6)).unwrap();
        let distinct = format!("{former}\n{former}\nnone\nnone\ncorrupt");
        let id = Digest::of(&[distinct.as_bytes()]).to_string();
        assert_eq!(alarm.id, id[..12]);
        for path in [
            file(&folder, &format!("{former}.alarms")),
            alarm.evidence.clone(),
        ] {
            let text = fs::read_to_string(&path).unwrap();
            let (content, _) = text.split_once("# sha256: ").unwrap();
            let (now, former) = (format!("\"{now}\""), format!("\"{former}\""));
            assert!(content.contains(&now), "{content}");
            let content = content.replace(&now, &former);
            let checksum = Digest::of(&[content.as_bytes()]);
            fs::write(&path, format!("{content}# sha256: {checksum}\n")).unwrap();
        }
        assert_eq!(read_evidence(&alarm).finding.kind, kind);
        assert_eq!(store.alarm(&alarm.id), Ok(alarm.clone()));
        let again = store.raise(&found, at(7)).unwrap();
        assert_eq!((again.id, again.times), (alarm.id, 2));
    }
}

#[test]
fn an_alarm_is_found_by_its_id_alone_and_a_wrong_id_lists_the_open_ones() {
    let (folder, store, _, trusted) = grown_store();
    let mut other = finding(None, Tampering::BadValue, None);
    other.database = "other".into();
    let other = store.raise(&other, at(6)).unwrap();
    let found = finding(Some(&trusted), Tampering::BadValue, None);
    let alarm = store.raise(&found, at(6)).unwrap();
    assert_eq!(store.alarm(&other.id), Ok(other.clone()));
    assert_eq!(store.alarm(&alarm.id), Ok(alarm.clone()));
    let refused = store.alarm("0123456789ab").unwrap_err().to_string();
    let expected = format!(
        "{} (bad-value, db), {} (bad-value, other)",
        alarm.id, other.id
    );
    assert!(refused.contains(&expected), "{refused}");
    store.close_alarm(&other.id, "kim", at(7)).unwrap();
    assert_eq!(store.alarm(&other.id).unwrap().closed.unwrap().who, "kim");
    // a damaged list hides no alarm of another database
    fs::write(file(&folder, "other.alarms"), "x").unwrap();
    assert_eq!(store.alarm(&alarm.id), Ok(alarm));
    assert!(matches!(
        store.alarm("0123456789ab"),
        Err(StoreError::DamagedRecord { .. })
    ));
}

#[test]
fn an_alarm_whose_list_is_lost_is_open_by_its_evidence() {
    let (folder, store, _, trusted) = grown_store();
    let alarm = store
        .raise(&finding(Some(&trusted), Tampering::BadValue, None), at(6))
        .unwrap();
    fs::remove_file(file(&folder, "db.alarms")).unwrap();
    assert_eq!(store.open_alarms(None), Ok(vec![alarm]));
}

#[test]
fn a_damaged_list_of_alarms_still_lets_evidence_be_written() {
    let (folder, store, _, trusted) = grown_store();
    let alarm = store
        .raise(&finding(Some(&trusted), Tampering::BadValue, None), at(6))
        .unwrap();
    let path = file(&folder, "db.alarms");
    let whole = fs::read(&path).unwrap();
    for (change, bytes) in changes(&whole) {
        fs::write(&path, bytes).unwrap();
        let failure = store.open_alarms(Some("db")).expect_err(&change);
        assert!(
            matches!(failure, StoreError::DamagedRecord { .. }),
            "{change}: {failure}"
        );
    }
    let other = finding(Some(&trusted), Tampering::BadSignature, None);
    assert!(store.raise(&other, at(7)).is_err());
    let evidence = alarm
        .evidence
        .with_file_name(format!("{}.toml", other.id()));
    assert!(Evidence::parse(&fs::read(evidence).unwrap()).is_ok());
}

#[test]
fn evidence_is_limited_and_keeps_the_first_and_the_last() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = open(&folder).with_limits(Limits {
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
fn long_answers_are_cut_and_further_ones_counted() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let limits = Limits {
        answer: 1_000,
        answers: 5_000,
        ..Limits::default()
    };
    let store = open(&folder).with_limits(limits);
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
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = open(&folder).with_limits(Limits {
        files: 0,
        ..Limits::default()
    });
    let trusted = grown(&store, &chain);
    let refused = store.raise(&finding(Some(&trusted), Tampering::BadValue, None), at(6));
    assert!(matches!(refused, Err(StoreError::EvidenceFull { .. })));
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
}

#[test]
fn a_reopened_alarm_keeps_its_first_time_and_its_last_closings() {
    let (_folder, store, chain, trusted) = grown_store();
    let found = finding(Some(&trusted), Tampering::RolledBack, Some(chain.state(4)));
    let alarm = store.raise(&found, at(6)).unwrap();
    for number in 1..=20 {
        let who = format!("kim-{number}");
        store.close_alarm(&alarm.id, &who, at(10 * number)).unwrap();
        let again = store.raise(&found, at(10 * number + 5)).unwrap();
        assert_eq!(again.raised, at(6));
        assert!(again.is_open());
    }
    let kept = store.open_alarms(None).unwrap().remove(0);
    assert_eq!(kept.times, 21);
    let past: Vec<_> = kept
        .past
        .iter()
        .map(|past| past.closed.who.as_str())
        .collect();
    assert_eq!(past.len(), 8);
    assert_eq!((past[0], past[7]), ("kim-13", "kim-20"));
    assert_eq!(kept.past[7].reopened, at(205));
    assert_eq!(kept.opened(), at(205));
}

#[test]
fn a_trusted_history_that_is_shown_again_is_recorded() {
    let (_folder, store, _, trusted) = grown_store();
    let fork = Chain::new(9, 2);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let shown_again = |id: &str| store.shown_again(&store.alarm(id).unwrap());
    let id = store.raise(&found, at(100)).unwrap().id;
    assert_eq!(shown_again(&id), None);
    // a state outside of the trusted history is not recorded
    store.note_shown_again("db", fork.state(6), at(50)).unwrap();
    assert_eq!(shown_again(&id), None);
    store.note_shown_again("db", trusted.state, at(50)).unwrap(); // the clock was set back
    assert_eq!(shown_again(&id), Some(at(50)));
    store.note_shown_again("db", trusted.state, at(60)).unwrap();
    assert_eq!(shown_again(&id), Some(at(50)));
    // the finding is newer than the recorded time, so the record is removed
    store.raise(&found, at(70)).unwrap();
    assert_eq!(shown_again(&id), None);
    store.note_shown_again("db", trusted.state, at(80)).unwrap();
    store.adopt(&id, "kim", at(90)).unwrap();
    assert_eq!(shown_again(&id), None);
    store.note_shown_again("db", fork.state(6), at(95)).unwrap();
    assert_eq!(shown_again(&id), None);
}

#[test]
fn a_finding_without_evidence_still_reports_a_new_alarm() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    for files in [0, 100] {
        let store = open(&folder).with_limits(Limits {
            files,
            ..Limits::default()
        });
        let database = format!("db-{files}");
        let trusted = store
            .first_use(&database, &chain.seen(3), TrustOrigin::FirstSeen, at(3))
            .unwrap();
        let found = Finding {
            database,
            ..finding(Some(&trusted), Tampering::BadValue, None)
        };
        let opened = |when| {
            let raised = store.record_finding(&found, at(when));
            assert!(raised.is_listed);
            assert_eq!(raised.unwritten.is_some(), files == 0);
            (raised.opened, raised.alarm.id)
        };
        let (first, id) = opened(4);
        assert!(first && !opened(5).0);
        store.close_alarm(&id, "kim", at(6)).unwrap();
        assert!(opened(7).0 && !opened(8).0);
    }
}

#[test]
fn a_finding_with_a_damaged_list_is_new_until_its_evidence_exists() {
    let (folder, store, chain, trusted) = grown_store();
    let found = finding(Some(&trusted), Tampering::RolledBack, Some(chain.state(4)));
    fs::write(file(&folder, "db.alarms"), "damaged").unwrap();
    for new in [true, false] {
        let raised = store.record_finding(&found, at(6));
        assert!(raised.unwritten.is_some() && !raised.is_listed);
        assert_eq!(raised.opened, new);
    }
}

#[test]
fn temporary_files_next_to_evidence_are_removed() {
    let folder = TempDir::new();
    drop(open(&folder));
    let left: Vec<_> = ["evidence", "located"]
        .iter()
        .map(|kind| file(&folder, kind).join("db/0123456789ab.toml.new"))
        .collect();
    for left in &left {
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(left, "half").unwrap();
    }
    drop(open(&folder));
    assert_eq!(left.iter().filter(|left| left.exists()).count(), 0);
}
