//! Checkpoints of peers, compared with the trusted history. They cause a comparison; a peer alone
//! can never cause an alarm.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::support::peers::{
    DATABASE, INTERVAL, Peering, is_well, note_by, other, signer, standing, witness,
};
use immuaudit::audit::{
    Auditor, EvidenceStrength, Exit, Outcome, Overdue, Rechecked, Standing, WordCompared, recheck,
};
use immuaudit::checkpoint::print_list;
use immuaudit::config::Pin;
use immuaudit::config::Signatures;
use immuaudit::drill::{Delivery, Emulated, Options, Sent, SigningKey};
use immuaudit::ledger::{PublicKey, State, StateShape};
use immuaudit::peer::{InProcess, PeerPoller, judge};
use immuaudit::trust::{Finding, Tampering, read_evidence};
use immuaudit::wire::method;

/// Checks that the file of a disagreement proves the statements of two auditors and nothing against
/// the server.
#[track_caller]
fn proves_only_statements_of_auditors(path: &Path) {
    let found = recheck(&read_evidence(path).expect("a file"), &[]);
    let is_due = matches!(
        &found,
        Rechecked::Shown {
            bearing: EvidenceStrength::Witnesses,
            ..
        }
    );
    assert!(is_due, "{found:?}");
}

#[test]
fn a_peer_in_the_trusted_history_agrees_without_further_calls() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    peering.confirms(peering.state(10));
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    peering.proofs();
    for _ in 0..5 {
        peering.confirms(peering.state(10));
        is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    }
    assert_eq!(peering.proofs(), 0, "an unchanged pair costs no call");
    peering.sim.embedded.grow(DATABASE, 10);
    peering.confirms(peering.state(10)); // a trusted state of this auditor: no proof needed
    is_well(&peering.cycle(&mut auditor), Standing::Behind);
    assert_eq!(peering.proofs(), 1, "the auditor's own");
    peering.confirms(peering.state(7)); // between two accepted states
    is_well(&peering.cycle(&mut auditor), Standing::Behind);
    peering.confirms(peering.state(7));
    is_well(&peering.cycle(&mut auditor), Standing::Behind);
    assert_eq!(peering.proofs(), 1);
    peering.sim.embedded.grow(DATABASE, 10);
    peering.confirms(peering.state(7));
    is_well(&peering.cycle(&mut auditor), Standing::Behind);
    assert_eq!(
        peering.proofs(),
        1,
        "the auditor's own: a confirmed state stays confirmed while the history grows"
    );
    peering.confirms(peering.state(15));
    is_well(&peering.cycle(&mut auditor), Standing::Behind);
    assert_eq!(peering.proofs(), 1);
}

#[test]
fn a_peer_that_is_ahead_is_proven_and_keeps_the_trusted_state() {
    let peering = Peering::unsigned();
    // the server has grown past the peer's state before it is asked for a proof
    let later = peering.fork(10, 12);
    let ahead = later.state_at(12).expect("a state");
    let grows = Rc::new(Cell::new(false));
    let (sim, should_grow, longer) = (peering.sim.clone(), grows.clone(), later.clone());
    let mut auditor = peering.auditor_over(move |sent| {
        if sent.call == method::VERIFIABLE_TX_BY_ID && should_grow.get() {
            sim.embedded.put_ledger(DATABASE, longer.clone());
        }
        Delivery::After(Duration::ZERO)
    });
    peering.is_down();
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    grows.set(true);
    peering.proofs();
    peering.confirms(ahead);
    is_well(&peering.cycle(&mut auditor), Standing::Ahead);
    assert_eq!(peering.proofs(), 1);
    let trusted = peering.sim.shared_store().load(DATABASE).expect("a store");
    assert_eq!(trusted.expect("trusted").state.tx, 10);
    peering.confirms(ahead);
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
}

#[test]
fn a_signed_other_hash_is_a_split_view_and_keeps_the_trusted_state() {
    for shown in [10, 7, 14] {
        let peering = Peering::signed();
        let mut auditor = peering.auditor();
        let fork = peering.fork(5, shown);
        let forked = peering.signed_state(fork);
        assert_eq!(peering.cycle(&mut auditor).exit(), Exit::Good);
        if shown > 10 {
            peering.sim.embedded.grow(DATABASE, 20);
        }
        peering.confirms_signed(forked);
        let outcome = peering.cycle(&mut auditor);
        assert_eq!(standing(&outcome), Standing::Split, "{shown}: {outcome:?}");
        assert_eq!(outcome.exit(), Exit::Tampered);
        assert_eq!(outcome.verdict.word(), "split-view");
        assert_eq!(outcome.state_verdict().word(), "consistent");
        let alarm = outcome.alarm.as_ref().expect("an alarm");
        assert_eq!(
            (alarm.kind, outcome.opened.len()),
            (Tampering::SplitView, 1)
        );
        assert!(
            outcome.why().contains("which the server signed"),
            "{}",
            outcome.why()
        );
        let evidence = read_evidence(&alarm.evidence).expect("a file");
        let keys = peering.policy.signatures.keys();
        for (keys, expected) in [
            (keys, EvidenceStrength::Proof),
            (&[][..], EvidenceStrength::Witnesses),
        ] {
            let found = recheck(&evidence, keys);
            let is_due = matches!(&found, Rechecked::Shown { bearing, .. } if *bearing == expected);
            assert!(is_due, "{shown}: {found:?}");
        }
        let trusted = peering.sim.shared_store().load(DATABASE).expect("a store");
        let last = peering.sim.embedded.state(DATABASE).expect("a state");
        assert_eq!(trusted.expect("trusted").state, last);
        // a longer fork adds no alarm; the alarm stays open after the split ended
        let mut longer = peering.fork(5, shown + 1);
        longer.truncate(shown + 1);
        let (state, signature) = peering.signed_state(longer);
        peering.confirms_signed((state, signature));
        assert_eq!(peering.cycle(&mut auditor).open_alarms, 1);
        peering.confirms(last);
        let healed = peering.cycle(&mut auditor);
        assert_eq!(healed.verdict.word(), "consistent", "{healed:?}");
        assert_eq!((healed.open_alarms, healed.exit()), (1, Exit::Tampered));
    }
}

/// immudb 0.9.0 signs states without the name of the database. Such a signature could be for the
/// state of another database, so it proves nothing against the server.
#[test]
fn a_signature_without_a_database_name_is_no_proof() {
    for (shape, expected) in [
        (StateShape::WithoutDatabase, Standing::Disagrees),
        (StateShape::WithDatabase, Standing::Split),
    ] {
        let key = SigningKey::generate().expect("a key");
        let mut peering = Peering::new(Options {
            key: Some(key.clone()),
            ..Options::default()
        });
        let keys = PublicKey::from_pem(&key.public_pem()).expect("a key");
        peering.policy.signatures = Signatures::By(keys);
        let mut auditor = peering.auditor();
        assert_eq!(peering.cycle(&mut auditor).exit(), Exit::Good);
        let forked = other(peering.state(10));
        let signature = key.sign(shape, DATABASE, &forked);
        peering.confirms_signed((forked, signature.expect("a signature")));
        let outcome = peering.cycle(&mut auditor);
        assert_eq!(standing(&outcome), expected, "{outcome:?}");
    }
}

/// The report names the last common transaction; if the peer contradicts a state that it confirmed
/// before, the report names none.
#[test]
fn a_contradiction_names_the_last_transaction_that_both_agreed_on() {
    for (common, shown, expected) in [(10, 14, true), (5, 7, false), (5, 10, false)] {
        for signs in [true, false] {
            let peering = if signs {
                Peering::signed()
            } else {
                Peering::unsigned()
            };
            let mut auditor = peering.auditor();
            let fork = peering.fork(common, shown);
            let forked = fork.state();
            peering.cycle(&mut auditor);
            peering.confirms(peering.state(10));
            is_well(&peering.cycle(&mut auditor), Standing::Agrees);
            peering.sim.embedded.grow(DATABASE, 20);
            match signs {
                true => peering.confirms_signed(peering.signed_state(fork)),
                false => peering.confirms(forked),
            }
            let outcome = peering.cycle(&mut auditor);
            let why = outcome.why();
            assert_ne!(outcome.exit(), Exit::Good, "{outcome:?}");
            let named = why.ends_with("; the last transaction on which both agreed is 10");
            assert_eq!(named, expected, "{common} {shown} {signs}: {why}");
            assert_eq!(why.contains("on which both agreed"), expected, "{why}");
        }
    }
}

#[test]
fn an_unsigned_contradiction_is_a_disagreement_until_acknowledged() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    assert_eq!(peering.cycle(&mut auditor).exit(), Exit::Good);
    peering.confirms(other(peering.state(10)));
    let disagrees = |outcome: &Outcome| {
        assert_eq!(standing(outcome), Standing::Disagrees, "{outcome:?}");
        assert_eq!(outcome.exit(), Exit::Incomplete);
        assert_eq!(
            (outcome.verdict.word(), outcome.open_alarms),
            ("consistent", 0)
        );
        assert!(!outcome.is_complete());
        assert!(
            outcome
                .why()
                .starts_with("disagreement: zone-b says that transaction 10"),
            "{}",
            outcome.why()
        );
    };
    disagrees(&peering.cycle(&mut auditor));
    peering.confirms(peering.state(10)); // the peer corrects itself
    disagrees(&peering.cycle(&mut auditor));
    peering.is_down();
    disagrees(&peering.cycle(&mut auditor));
    drop(auditor);
    let mut auditor = peering.auditor();
    disagrees(&peering.cycle(&mut auditor));
    let records = peering
        .sim
        .shared_store()
        .load_peers(peering.sim.clock.now());
    let kept = records[0].disagreement.as_ref().expect("a disagreement");
    assert_eq!(kept.here, peering.state(10));
    assert!(
        kept.note.starts_with("immudb/tested/defaultdb\n10\n"),
        "{}",
        kept.note
    );
    let path = peering
        .sim
        .shared_store()
        .disagreement_path(DATABASE, "zone-b");
    proves_only_statements_of_auditors(&path);
    peering.close_the_disagreement();
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    peering.confirms(peering.state(10));
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    // the same contradiction again is a new disagreement
    peering.confirms(other(peering.state(10)));
    disagrees(&peering.cycle(&mut auditor));
}

#[test]
fn a_signature_counts_only_with_a_configured_key_and_its_own_state() {
    let peering = Peering::signed();
    let forked = peering.signed_state(peering.fork(5, 10));
    let honest = peering.signed_state(peering.fork(10, 10)).1;
    let other_server = Peering::signed();
    let by_another_key = other_server.signed_state(other_server.fork(5, 10));
    for (state, signature) in [
        (forked.0, honest), // of another state
        by_another_key,     // by a key that only the peer names
    ] {
        let mut auditor = peering.auditor();
        peering.cycle(&mut auditor);
        peering.confirms_signed((state, signature));
        let outcome = peering.cycle(&mut auditor);
        assert_eq!(standing(&outcome), Standing::Disagrees, "{outcome:?}");
        assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Incomplete, 0));
    }
    // this auditor has no key of the server
    let mut unconfigured = Peering::new(Options::default().signed());
    unconfigured.policy.signatures = Signatures::NotRequired;
    let forked = unconfigured.signed_state(unconfigured.fork(5, 10));
    let mut auditor = unconfigured.auditor();
    unconfigured.cycle(&mut auditor);
    unconfigured.confirms_signed(forked);
    let outcome = unconfigured.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Disagrees, "{outcome:?}");
}

#[test]
fn invalid_or_misdated_checkpoints_are_ignored() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    peering.is_down();
    peering.cycle(&mut auditor);
    let wrong = other(peering.state(10));
    let key = signer("zone-b");
    type Note<'a> = Box<dyn Fn(u64) -> String + 'a>;
    let by = |server: &'static str, database: &'static str, key: &str| {
        let key = signer(key);
        move |now| note_by(&key, (server, database), wrong, None, now)
    };
    let cases: Vec<(&str, Note<'_>)> = vec![
        (
            "replayed",
            Box::new(|now| peering.note(wrong, None, now - 181)),
        ),
        (
            "from the future",
            Box::new(|now| peering.note(wrong, None, now + 301)),
        ),
        (
            "of the end of time",
            Box::new(|_| peering.note(wrong, None, u64::MAX >> 1)),
        ),
        (
            "of another server",
            Box::new(by("other", DATABASE, "zone-b")),
        ),
        (
            "of another database",
            Box::new(by("tested", "other", "zone-b")),
        ),
        (
            "by another key",
            Box::new(by("tested", DATABASE, "stranger")),
        ),
        (
            "changed",
            Box::new(|now| {
                peering
                    .note(wrong, None, now)
                    .replacen("\n10\n", "\n9\n", 1)
            }),
        ),
        ("no checkpoint", Box::new(|_| "<html>".to_owned())),
        ("nothing", Box::new(|_| String::new())),
        (
            "huge",
            Box::new(|now| note_by(&key, ("tested", &"x".repeat(70_000)), wrong, None, now)),
        ),
    ];
    for (what, note) in cases {
        // the time of the next cycle
        peering.serves(note(peering.now() + INTERVAL.as_secs()));
        let outcome = peering.cycle(&mut auditor);
        assert_eq!(standing(&outcome), Standing::Silent, "{what}: {outcome:?}");
        assert_eq!(
            (outcome.exit(), outcome.open_alarms),
            (Exit::Good, 0),
            "{what}"
        );
        let why = outcome.peers[0].why.as_deref().unwrap_or_default();
        assert!(!why.is_empty(), "{what}");
    }
}

#[test]
fn a_state_ahead_of_the_server_waits_until_it_can_be_compared() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    let early = peering.fork(10, 10);
    peering.sim.embedded.grow(DATABASE, 10);
    let late = peering.sim.embedded.ledger(DATABASE).expect("a ledger");
    let ahead = peering.state(20);
    // a replica that lags
    peering.sim.embedded.put_ledger(DATABASE, early);
    peering.confirms(ahead);
    let outcome = peering.cycle(&mut auditor);
    is_well(&outcome, Standing::Pending);
    assert!(outcome.peers[0].waiting.is_some());
    peering.sim.embedded.put_ledger(DATABASE, late);
    peering.is_down(); // its checkpoint is stored
    let outcome = peering.cycle(&mut auditor);
    assert!(outcome.peers[0].waiting.is_none(), "{outcome:?}");
    assert_eq!(outcome.peers[0].agreed.expect("agreed").state, ahead);
}

#[test]
fn a_split_that_healed_is_found_later_and_after_a_restart() {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    let forked = peering.signed_state(peering.fork(10, 15));
    peering.cycle(&mut auditor);
    peering.confirms_signed(forked);
    is_well(&peering.cycle(&mut auditor), Standing::Pending);
    drop(auditor);
    let mut auditor = peering.auditor();
    peering.sim.embedded.grow(DATABASE, 10);
    peering.confirms(peering.state(20)); // an honest state of this history
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(outcome.verdict.word(), "split-view", "{outcome:?}");
}

#[test]
fn a_checkpoint_not_compared_for_three_intervals_is_overdue() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    peering.cycle(&mut auditor);
    for cycle in 0..6 {
        // a transaction that this server never gets
        peering.confirms(other(State {
            tx: 1_000 + cycle,
            ..peering.state(10)
        }));
        let outcome = peering.cycle(&mut auditor);
        let late = cycle > 3;
        let overdue = outcome.peers_overdue;
        assert_eq!(
            matches!(overdue, Some(Overdue::Uncompared(_))),
            late,
            "{cycle}: {overdue:?}"
        );
        assert_eq!(outcome.exit() == Exit::Incomplete, late, "{cycle}");
    }
}

#[test]
fn a_server_that_presents_the_peers_history_shows_a_split_view() {
    let peering = Peering::unsigned();
    let fork = peering.fork(5, 10);
    let forked = fork.state_at(8).expect("a state");
    let honest = peering.sim.embedded.ledger(DATABASE).expect("a ledger");
    let is_asked = Rc::new(Cell::new(false));
    let (sim, asked) = (peering.sim.clone(), is_asked.clone());
    let mut auditor = peering.auditor_over(move |sent| {
        // the server presents the other history only in a proof
        let shown = match sent.call == method::VERIFIABLE_TX_BY_ID && asked.get() {
            true => &fork,
            false => &honest,
        };
        sim.embedded.put_ledger(DATABASE, shown.clone());
        Delivery::After(Duration::ZERO)
    });
    assert_eq!(peering.cycle(&mut auditor).exit(), Exit::Good);
    is_asked.set(true);
    peering.confirms(forked);
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Split, "{outcome:?}");
    assert_eq!(outcome.verdict.word(), "split-view");
    assert!(
        outcome.why().contains("the server shows it here too"),
        "{}",
        outcome.why()
    );
    let evidence = read_evidence(&outcome.alarm.expect("an alarm").evidence).expect("a file");
    let found = recheck(&evidence, &[]);
    let is_due = matches!(
        &found,
        Rechecked::Shown {
            bearing: EvidenceStrength::AuditorsWord,
            ..
        }
    );
    assert!(is_due, "{found:?}");
    // a hash that no server presented is no proof against the server
    let unpresented = other(forked);
    let another = Peering::unsigned();
    let mut auditor = another.auditor();
    another.cycle(&mut auditor);
    another.confirms(unpresented);
    assert_eq!(standing(&another.cycle(&mut auditor)), Standing::Disagrees);
}

#[test]
fn a_checkpoint_older_than_the_trusted_history_contradicts_nothing() {
    let peering = Peering::signed();
    let forked = peering.signed_state(peering.fork(5, 10));
    peering.confirms_signed(forked); // made before the first check here
    peering.sim.time.advance(Duration::from_secs(60));
    let mut auditor = peering.auditor();
    let outcome = peering.cycle(&mut auditor);
    is_well(&outcome, Standing::Pending);
    assert!(outcome.peers[0].waiting.is_none());
}

#[test]
fn a_database_that_too_few_peers_confirmed_within_three_intervals_is_overdue() {
    let mut peering = Peering::unsigned();
    peering.required = 1;
    let mut auditor = peering.auditor();
    peering.is_down();
    let overdue =
        |outcome: &Outcome| matches!(outcome.peers_overdue, Some(Overdue::Unconfirmed { .. }));
    for cycle in 0..6 {
        assert_eq!(overdue(&peering.cycle(&mut auditor)), cycle > 3, "{cycle}");
    }
    peering.confirms(peering.state(10));
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    // the time of the last confirmation survives a restart
    peering.is_down();
    drop(auditor);
    let mut auditor = peering.auditor();
    for cycle in 0..5 {
        assert_eq!(overdue(&peering.cycle(&mut auditor)), cycle > 1, "{cycle}");
    }
    // a repeated old state confirms none of the newer transactions
    peering.confirms(peering.state(10));
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    for cycle in 0..6 {
        peering.sim.embedded.grow(DATABASE, 1);
        peering.confirms(peering.state(10));
        assert_eq!(overdue(&peering.cycle(&mut auditor)), cycle > 3, "{cycle}");
    }
    // a peer that is always one transaction behind confirms in time
    let mut last = peering.state(10);
    for _ in 0..8 {
        peering.confirms(last);
        last = peering.sim.embedded.state(DATABASE).expect("a state");
        peering.sim.embedded.grow(DATABASE, 1);
        peering.cycle(&mut auditor);
    }
    peering.confirms(last);
    assert!(!overdue(&peering.cycle(&mut auditor)));
}

#[test]
fn a_first_run_compares_every_database_that_it_trusts() {
    let names = ["defaultdb", "shop", "wiki"];
    let peering = Peering::new(Options::default().with_databases(&names[1..]));
    let notes = names.map(|name| {
        peering.sim.embedded.grow(name, 1);
        let state = peering.sim.embedded.state(name).expect("a state");
        note_by(
            &signer("zone-b"),
            ("tested", name),
            state,
            None,
            peering.now(),
        )
    });
    peering.serves(print_list(notes.iter().map(String::as_str)));
    let cycle = peering.auditor().cycle(|_| {});
    let standings = cycle.outcomes.iter().map(standing);
    assert!(standings.eq([Standing::Agrees; 3]), "{:?}", cycle.outcomes);
}

#[test]
fn a_damaged_file_of_peers_is_kept_and_replaced() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    peering.confirms(peering.state(10));
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    drop(auditor);
    let store = peering.sim.shared_store();
    let path = store.directory().join("peers");
    let mut damaged = std::fs::read(&path).expect("a file");
    damaged[0] ^= 1;
    std::fs::write(&path, &damaged).expect("a file");
    // reading the records does not change the file
    assert!(store.load_peers(peering.sim.clock.now()).is_empty());
    assert_eq!(std::fs::read(&path).expect("a file"), damaged);
    let mut auditor = peering.auditor();
    peering.confirms(peering.state(10));
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    assert_eq!(store.load_peers(peering.sim.clock.now()).len(), 1);
    let kept = std::fs::read(path.with_extension("damaged"));
    assert_eq!(kept.expect("a file"), damaged);
}

/// Compares a checkpoint of the peer from a file, as a separate process does.
pub fn compared(peering: &Peering, note: &str) -> WordCompared {
    compared_of(peering, "zone-b", note)
}

fn compared_of(peering: &Peering, peer: &str, note: &str) -> WordCompared {
    let server = peering.sim.server(|_| Delivery::After(Duration::ZERO));
    let store = peering.sim.shared_store();
    let mut auditor = Auditor::new(server, store, peering.policy.clone());
    let peer = witness(peer);
    let heard = judge(note.as_bytes(), &peer, "tested");
    let compared = auditor.compare_word(&peer.name, DATABASE, &heard.words[DATABASE]);
    compared.expect("an end").expect("files").expect("trusted")
}

#[test]
fn a_checkpoint_from_a_file_waits_until_the_trusted_state_is_proven() {
    let mut peering = Peering::signed();
    let fork = peering.fork(5, 12);
    let (honest, signature) = peering.signed_state(peering.fork(10, 10));
    let pinned = fork.state_at(10).expect("a state");
    peering.policy.pins = vec![Pin {
        database: DATABASE.into(),
        state: pinned,
    }];
    let mut auditor = peering.auditor();
    peering.is_down();
    assert_eq!(peering.cycle(&mut auditor).verdict.word(), "inconsistent");
    let note = peering.note(honest, Some(signature), peering.now() + 1);
    let of = compared(&peering, &note);
    assert_eq!(of.report.standing, Standing::Pending, "{of:?}");
    assert!(of.split.is_none());
    let why = of.report.why.as_deref().unwrap_or_default();
    assert!(why.contains("was not proven by the last check"), "{why}");
    // once the server proves the pinned state, it has shown both histories
    peering.sim.embedded.put_ledger(DATABASE, fork);
    let of = compared(&peering, &note);
    assert_eq!(of.report.standing, Standing::Split, "{of:?}");
    // a state that a check proved needs no further proof
    let peering = Peering::signed();
    let forked = peering.signed_state(peering.fork(5, 10));
    let mut auditor = peering.auditor();
    peering.cycle(&mut auditor);
    peering.proofs();
    let note = peering.note(forked.0, Some(forked.1), peering.now() + 1);
    assert_eq!(compared(&peering, &note).report.standing, Standing::Split);
    assert_eq!(peering.proofs(), 0);
}

#[test]
fn a_checkpoint_from_a_file_is_compared_if_the_clock_was_ahead_at_first_use() {
    let peering = Peering::signed();
    let (state, signature) = peering.signed_state(peering.fork(5, 10));
    let ahead = 365 * 86_400;
    peering.sim.time.step_wall_clock(ahead);
    let mut auditor = peering.auditor();
    peering.is_down();
    peering.cycle(&mut auditor);
    peering.sim.time.step_wall_clock(-ahead);
    peering.sim.time.advance(INTERVAL);
    let note = |time| peering.note(state, Some(signature.clone()), time);
    let of = compared(&peering, &note(peering.now() - 10));
    assert_eq!(of.report.standing, Standing::Pending, "{of:?}");
    let why = of.report.why.as_deref().unwrap_or_default();
    assert!(why.contains("which begins at 2028-01-15T"), "{why}");
    // the next trusted state has a correct date
    peering.sim.embedded.grow(DATABASE, 1);
    peering.cycle(&mut auditor);
    let later = note(peering.now() + 1);
    peering.sim.time.advance(INTERVAL);
    let of = compared(&peering, &later);
    assert_eq!(of.report.standing, Standing::Split, "{of:?}");
}

#[test]
fn a_checkpoint_from_a_file_is_compared_twice_with_a_0_9_0() {
    for (server, expected) in [(Emulated::V0_9_0, 2), (Emulated::V1_11_1, 1)] {
        let peering = Peering::new(Options {
            server,
            ..Options::default()
        });
        let mut auditor = peering.auditor();
        peering.is_down();
        assert_eq!(peering.cycle(&mut auditor).exit(), Exit::Good);
        peering.proofs();
        let note = peering.note(other(peering.state(7)), None, peering.now() + 1);
        let of = compared(&peering, &note);
        assert_eq!(of.report.standing, Standing::Disagrees, "{of:?}");
        assert_eq!(peering.proofs(), expected, "{server:?}");
    }
}

/// The shape of a pinned state is unknown until a check proves it.
#[test]
fn a_checkpoint_from_a_file_is_compared_twice_with_an_unknown_version() {
    let mut peering = Peering::new(Options {
        server: Emulated::V0_9_0,
        ..Options::default()
    });
    let mut fork = peering.fork(5, 12);
    peering.policy.pins = vec![Pin {
        database: DATABASE.into(),
        state: fork.state_at(10).expect("a state"),
    }];
    let mut auditor = peering.auditor();
    peering.is_down();
    assert_eq!(peering.cycle(&mut auditor).verdict.word(), "inconsistent");
    fork.truncate(10);
    peering.sim.embedded.put_ledger(DATABASE, fork);
    peering.proofs();
    let note = peering.note(other(peering.state(7)), None, peering.now() + 1);
    let of = compared(&peering, &note);
    assert_eq!(of.report.standing, Standing::Disagrees, "{of:?}");
    // twice before the pinned state is proven, and twice after
    assert_eq!(peering.proofs(), 4);
}

#[test]
fn another_peer_or_stronger_evidence_raises_a_further_alarm() {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    assert_eq!(peering.cycle(&mut auditor).exit(), Exit::Good);
    // an alarm with weak evidence, as a pin raises it
    let shown = other(peering.state(3));
    let store = peering.sim.shared_store();
    let finding = Finding {
        database: DATABASE.into(),
        kind: Tampering::SplitView,
        reason: "another hash for transaction 3".into(),
        trusted: None,
        claim: None,
        shown: Some(shown),
        uuid: None,
        identity_changed: false,
        answers: Vec::new(),
    };
    store
        .raise(&finding, peering.sim.clock.now())
        .expect("an alarm");
    for length in 10..13 {
        peering.confirms_signed(peering.signed_state(peering.fork(5, length)));
        peering.sim.embedded.grow(DATABASE, 1);
        let outcome = peering.cycle(&mut auditor);
        assert_eq!(standing(&outcome), Standing::Split, "{outcome:?}");
        // another fork of the same peer opens no further alarm
        assert_eq!(outcome.open_alarms, 2, "{length}");
    }
    let (state, signature) = peering.signed_state(peering.fork(4, 9));
    let time = peering.now() + 1;
    for _ in 0..2 {
        let of = ("tested", DATABASE);
        let note = note_by(&signer("zone-cc"), of, state, Some(signature.clone()), time);
        let of = compared_of(&peering, "zone-cc", &note);
        assert_eq!(of.report.standing, Standing::Split, "{of:?}");
        let open = store.open_alarms(Some(DATABASE)).expect("alarms");
        assert_eq!(open.len(), 3);
    }
}

#[test]
fn a_disagreement_is_stored_before_its_report_and_evidence_follows() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    assert_eq!(peering.cycle(&mut auditor).exit(), Exit::Good);
    let store = peering.sim.shared_store();
    let blocked = store.directory().join("disagreements");
    std::fs::write(&blocked, "").expect("a file");
    peering.confirms(other(peering.state(10)));
    peering.sim.time.advance(INTERVAL);
    let mut count = 0;
    auditor.cycle(|outcome| {
        let kept = store.load_peers(peering.sim.clock.now());
        count += usize::from(outcome.is_contradicted() && kept[0].disagreement.is_some());
    });
    assert_eq!(count, 1);
    let path = store.disagreement_path(DATABASE, "zone-b");
    assert!(!path.exists());
    std::fs::remove_file(&blocked).expect("a file");
    peering.is_down();
    peering.cycle(&mut auditor);
    proves_only_statements_of_auditors(&path);
}

#[test]
fn a_disagreement_with_a_removed_peer_is_kept_until_acknowledged() {
    let peering = Peering::unsigned();
    let mut auditor = peering.disagreeing(0);
    let another = || {
        let peers = [witness("zone-cc")];
        let source = InProcess::new(&peers, "tested", |_| Err("no connection".to_owned()));
        PeerPoller::new(&peers, 0, Box::new(source))
    };
    let store = peering.sim.shared_store();
    let disagreeing = || {
        let records = store.load_peers(peering.sim.clock.now()).into_iter();
        let open = records.filter(|of| of.disagreement.is_some());
        open.map(|of| of.peer).collect::<Vec<_>>()
    };
    auditor.change_peers(another());
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    assert_eq!(disagreeing(), ["zone-b"], "after a reload");
    drop(auditor);
    let network = |_: &Sent<'_>| Delivery::After(Duration::ZERO);
    let auditor = peering.sim.auditor(peering.policy.clone(), network);
    let mut auditor = auditor.with_peers_of(another());
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    assert_eq!(disagreeing(), ["zone-b"], "after a restart");
    auditor.change_peers(peering.peer_poller());
    peering.is_down();
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Disagrees, "it is named again");
    auditor.change_peers(another());
    peering.close_the_disagreement();
    peering.cycle(&mut auditor);
    assert!(disagreeing().is_empty());
}

#[test]
fn an_acknowledged_disagreement_holds_until_the_peer_agrees_again() {
    let peering = Peering::unsigned();
    let mut auditor = peering.auditor();
    peering.cycle(&mut auditor);
    peering.confirms(other(peering.state(10)));
    assert_eq!(standing(&peering.cycle(&mut auditor)), Standing::Disagrees);
    peering.close_the_disagreement();
    // the peer repeats the contradiction, and then confirms later states of its own history
    for length in [10, 10, 12, 15] {
        peering.confirms(peering.fork(5, length).state_at(length).expect("a state"));
        while peering.sim.embedded.state(DATABASE).expect("a state").tx < length {
            peering.sim.embedded.grow(DATABASE, 1);
        }
        let outcome = peering.cycle(&mut auditor);
        is_well(&outcome, Standing::Pending);
        let why = outcome.peers[0].why.as_deref().unwrap_or_default();
        assert!(why.contains("an operator acknowledged"), "{why}");
        // also after a restart
        drop(auditor);
        auditor = peering.auditor();
    }
    peering.confirms(peering.state(15));
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    peering.confirms(other(peering.state(15)));
    assert_eq!(standing(&peering.cycle(&mut auditor)), Standing::Disagrees);
}

#[test]
fn an_acknowledged_disagreement_hides_no_state_that_the_server_signed() {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    let (state, signature) = peering.signed_state(peering.fork(5, 10));
    peering.cycle(&mut auditor);
    peering.confirms(other(peering.state(10)));
    assert_eq!(standing(&peering.cycle(&mut auditor)), Standing::Disagrees);
    peering.close_the_disagreement();
    peering.confirms(state);
    is_well(&peering.cycle(&mut auditor), Standing::Pending);
    peering.confirms_signed((state, signature));
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(outcome.exit(), Exit::Tampered, "{outcome:?}");
    assert_eq!(standing(&outcome), Standing::Split);
}
