//! The embedded ledger: its honest proofs hold, and each lie is the one that it says.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use immuaudit::drill::{
    Access, Auditor, Draft, Embedded, Emulated, Lag, Ledger, Lie, NewEntry, Options, Telling,
    dual_proof_message, fill,
};
use immuaudit::ledger::{
    Fault, HeaderVersion, KvMetadata, Parts, PublicKey, Reason, Refusal, State, StateShape, Step,
    TxEntry, TxHeader, TxMetadata, excuse, verify, verify_entries,
};
use immuaudit::wire::{self, Entries, Malformed, method, proto};
use protobuf::{Message, MessageField};
use support::caller::{Answer, Caller};

fn ledger(version: HeaderVersion, lag: Lag, size: u64) -> Ledger {
    let mut ledger = Ledger::new(version, lag);
    for number in 1..=size {
        let entry = |i| NewEntry::set(format!("{number}/{i}"), format!("value {i}"));
        let mut draft = Draft {
            entries: (0..number % 4).map(entry).collect(),
            ..Draft::default()
        };
        if version == HeaderVersion::V1 && number % 5 == 0 {
            draft.entries.push(NewEntry::set("e", "").with(KvMetadata {
                expires_at: Some(7),
                ..KvMetadata::default()
            }));
            draft.metadata = Some(TxMetadata {
                truncated_tx_id: number - 1,
                extra: b"extra".to_vec(),
            });
        }
        ledger.write(draft);
    }
    ledger
}

fn all_headers(ledger: &Ledger) -> BTreeMap<u64, TxHeader> {
    let headers = ledger.txs().iter().map(|stored| stored.header.clone());
    headers.map(|header| (header.id(), header)).collect()
}

/// The proof as the wire carries it and reads it back.
fn through_the_wire(proof: &immuaudit::ledger::DualProof) -> immuaudit::ledger::DualProof {
    let message = proto::VerifiableTx {
        dual_proof: MessageField::some(dual_proof_message(proof)),
        ..Default::default()
    };
    wire::verifiable_tx(&message.write_to_bytes().unwrap())
        .unwrap()
        .proof
}

#[test]
fn honest_proofs_hold_between_all_pairs_whatever_the_tree_lags() {
    let lags = [
        Lag::None,
        Lag::By(1),
        Lag::By(7),
        Lag::Batches(9),
        Lag::Unsteady,
        Lag::Table(
            (0..60)
                .map(|id| if id % 13 < 6 { id / 2 } else { id })
                .collect(),
        ),
    ];
    let (mut proven, mut unprovable) = (0, 0);
    for (lag, version) in lags
        .into_iter()
        .zip([HeaderVersion::V1, HeaderVersion::V0].into_iter().cycle())
    {
        let ledger = ledger(version, lag.clone(), 60);
        let headers = all_headers(&ledger);
        for source in 1..=60 {
            for target in source..=60 {
                let (old, new) = (
                    ledger.state_at(source).unwrap(),
                    ledger.state_at(target).unwrap(),
                );
                let Ok(proof) = ledger.dual_proof(source, target).unwrap() else {
                    excuse(&old, &new, &headers).expect("a true excuse");
                    unprovable += 1;
                    continue;
                };
                let proof = through_the_wire(&proof);
                let parts = Parts {
                    headers: headers.clone(),
                    inclusions: BTreeMap::new(),
                };
                verify(&old, &new, &proof, &parts)
                    .unwrap_or_else(|refusal| panic!("{lag:?} {source} to {target}: {refusal}"));
                proven += 1;
                // as from a server before 1.4, which sends the parts one by one
                let mut early = proof.clone();
                early.linear_advance = None;
                let inclusions = (1..target)
                    .filter_map(|id| Some((id, ledger.dual_proof(id, target)?.ok()?.inclusion)))
                    .collect();
                let parts = Parts {
                    headers: headers.clone(),
                    inclusions,
                };
                match verify(&old, &new, &early, &parts) {
                    Ok(_) => {}
                    Err(Refusal {
                        reason: Reason::PartsNeeded(_),
                        ..
                    }) => {}
                    Err(refusal) => panic!("{lag:?} {source} to {target} by parts: {refusal}"),
                }
            }
        }
        for stored in ledger.txs() {
            verify_entries(&stored.header, &stored.entries).expect("its own entries");
        }
    }
    assert!(proven > 8000 && unprovable > 200, "{proven} {unprovable}");
}

/// A small auditor: one check of one database, ending in the word that issue and drill know.
struct Check<'a> {
    caller: Caller,
    database: &'a str,
    trusted: Option<State>,
    keys: Vec<PublicKey>,
    reading: bool,
    /// What refused the proof.
    refused: Option<Refusal>,
}

type Verdict = Result<State, &'static str>;

impl<'a> Check<'a> {
    fn new(server: &Embedded, database: &'a str, trusted: Option<State>) -> Check<'a> {
        let mut caller = Caller::new(server.port());
        caller.timeout = Duration::from_secs(5);
        Check {
            caller,
            database,
            trusted,
            keys: Vec::new(),
            reading: false,
            refused: None,
        }
    }

    fn run(&mut self) -> Verdict {
        let opened = self.caller.log_in(self.database);
        opened.map_err(|answer| sort(&answer))?;
        let listed = self.call(method::DATABASE_LIST, wire::empty())?;
        let listed = wire::database_list(&listed).map_err(|_| "malformed")?;
        if !listed.iter().any(|name| name == self.database.as_bytes()) {
            return Err("rolled-back");
        }
        let claimed = self.call(method::CURRENT_STATE, wire::empty())?;
        let claimed = wire::state(&claimed).map_err(|_| "malformed")?;
        if !self.keys.is_empty() && claimed.verify_signature(self.database, &self.keys).is_err() {
            return Err("signature");
        }
        if claimed.shape == StateShape::WithoutDatabase
            || claimed.database != self.database.as_bytes()
        {
            return Err("malformed");
        }
        let state = claimed.state;
        match self.trusted {
            Some(trusted) if state.tx < trusted.tx => return Err("rolled-back"),
            Some(trusted) if state.tx == trusted.tx && state != trusted => {
                return Err("inconsistent");
            }
            Some(trusted) if state.tx == trusted.tx => {}
            Some(trusted) => self.prove(trusted, state)?,
            None => self.prove(state, state)?,
        }
        if self.reading {
            self.read(state)?;
        }
        Ok(state)
    }

    fn prove(&mut self, trusted: State, state: State) -> Result<(), &'static str> {
        let request = wire::verifiable_tx_by_id(state.tx, trusted.tx, Entries::Excluded);
        let answer = self.caller.call(method::VERIFIABLE_TX_BY_ID, request);
        let mut parts = Parts::default();
        if answer.message().contains("binary linking mismatch") {
            self.headers(trusted.tx..=state.tx, &mut parts)?;
            return match excuse(&trusted, &state, &parts.headers) {
                Ok(_) => Err("unprovable"),
                Err(refusal) => Err(fault(&refusal)),
            };
        }
        let Answer::Message(bytes) = answer else {
            return Err(sort(&answer));
        };
        let answered = wire::verifiable_tx(&bytes).map_err(|malformed| match &malformed {
            Malformed::Refused(refusal) => fault(refusal),
            _ => "malformed",
        })?;
        let shown = answered.tx.ok_or("malformed")?.header;
        if shown.alh() != state.hash {
            return Err("inconsistent");
        }
        for _ in 0..3 {
            match verify(&trusted, &state, &answered.proof, &parts) {
                Ok(_) => return Ok(()),
                Err(Refusal {
                    reason: Reason::PartsNeeded(wanted),
                    ..
                }) => {
                    self.headers(wanted.headers, &mut parts)?;
                    for id in wanted.inclusions {
                        let request = wire::verifiable_tx_by_id(state.tx, id, Entries::Excluded);
                        let bytes = self.call(method::VERIFIABLE_TX_BY_ID, request)?;
                        let part = wire::verifiable_tx(&bytes).map_err(|_| "malformed")?;
                        parts.inclusions.insert(id, part.proof.inclusion);
                    }
                }
                Err(refusal) => {
                    let word = fault(&refusal);
                    self.refused = Some(refusal);
                    return Err(word);
                }
            }
        }
        Err("malformed")
    }

    fn headers(
        &mut self,
        ids: std::ops::RangeInclusive<u64>,
        parts: &mut Parts,
    ) -> Result<(), &'static str> {
        for id in ids {
            let bytes = self.call(method::TX_BY_ID, wire::tx_by_id(id, Entries::Excluded))?;
            let tx = wire::tx(&bytes).map_err(|_| "malformed")?;
            parts.headers.insert(id, tx.header);
        }
        Ok(())
    }

    fn read(&mut self, state: State) -> Result<(), &'static str> {
        let (mut next, mut alh) = (1, immuaudit::ledger::Digest::OF_NOTHING);
        while next <= state.tx {
            let raw = self.call(method::TX_SCAN, wire::tx_scan(next, 30, Entries::Raw))?;
            let list = wire::tx_list(&raw).map_err(|_| "malformed")?;
            if list.is_empty() {
                return Err("malformed");
            }
            for tx in list {
                let mut tx = tx.map_err(|_| "malformed")?;
                if tx.header.id() != next || *tx.header.prev_alh() != alh {
                    return Err("malformed");
                }
                if tx.entries.len() as u64 != u64::from(tx.header.nentries()) {
                    // some kinds and expired ones come as digests alone
                    for entry in tx.entries.iter().filter(|entry| !entry.value.is_empty()) {
                        entry.verify_value(&tx.header).map_err(|_| "value")?;
                    }
                    let all =
                        self.call(method::TX_BY_ID, wire::tx_by_id(next, Entries::Digests))?;
                    let raw: Vec<Vec<u8>> = tx.entries.into_iter().map(|e| e.key).collect();
                    tx = wire::tx(&all).map_err(|_| "malformed")?;
                    let due = |entry: &&TxEntry| {
                        entry.key.first() != Some(&3)
                            && entry
                                .metadata
                                .as_ref()
                                .is_none_or(|m| m.expires_at.is_none())
                    };
                    if !tx.entries.iter().filter(due).all(|e| raw.contains(&e.key)) {
                        return Err("malformed");
                    }
                    verify_entries(&tx.header, &tx.entries).map_err(|_| "value")?;
                } else {
                    verify_entries(&tx.header, &tx.entries).map_err(|_| "value")?;
                    for entry in &tx.entries {
                        entry.verify_value(&tx.header).map_err(|_| "value")?;
                    }
                }
                alh = tx.header.alh();
                next += 1;
            }
        }
        if alh == state.hash {
            Ok(())
        } else {
            Err("inconsistent")
        }
    }

    fn call(&mut self, name: &'static str, request: Vec<u8>) -> Result<Vec<u8>, &'static str> {
        match self.caller.call(name, request) {
            Answer::Message(bytes) => Ok(bytes),
            other => Err(sort(&other)),
        }
    }
}

fn fault(refusal: &Refusal) -> &'static str {
    match refusal.fault() {
        Fault::Malformed => "malformed",
        Fault::Inconsistent => "inconsistent",
    }
}

fn sort(answer: &Answer) -> &'static str {
    match answer {
        Answer::Failed {
            code: 4 | 8 | 14, ..
        } => "unreachable",
        Answer::Failed { code: 5, .. } => "rolled-back",
        Answer::Failed {
            code: 7 | 13 | 16, ..
        } => "refused",
        failed if failed.message().contains("corrupted") => "value",
        failed if failed.message().contains("does not exist") => "rolled-back",
        failed if failed.message().contains("user name") => "refused",
        _ => "malformed",
    }
}

#[test]
fn every_lie_is_the_one_it_says_and_is_told_of_one_database_alone() {
    for lie in Lie::ALL.iter().copied() {
        let mut options = lie.options();
        options.databases.push("other".into());
        let server = Embedded::start(options).unwrap();
        for database in ["defaultdb", "other"] {
            server.grow(database, 40);
        }
        server.commit(
            "defaultdb",
            vec![NewEntry::set("a", "1"), NewEntry::set("b", "2")],
        );
        let keys = server
            .public_pem()
            .map(|pem| PublicKey::from_pem(&pem).unwrap());
        let check = |database, trusted| {
            let mut check = Check::new(&server, database, trusted);
            if lie.auditor() == Auditor::WithKey {
                check.keys = keys.clone().unwrap();
            }
            check.reading = lie.auditor() == Auditor::ReadingValues;
            if lie == Lie::NeverAnswers {
                check.caller.timeout = Duration::from_millis(500);
            }
            check
        };
        let trusted = check("defaultdb", None)
            .run()
            .expect("an honest first sight");
        let other = check("other", None).run().expect("an honest first sight");
        if !lie.forges() {
            server.grow("defaultdb", 3);
            server.grow("other", 3);
        }
        server.lie(Telling::from(lie).of("defaultdb"));
        if lie == Lie::FrozenView {
            server.grow("defaultdb", 3);
        }
        let trusted = (lie.auditor() != Auditor::New).then_some(trusted);
        let word = check("defaultdb", trusted)
            .run()
            .map_or_else(|word| word, |_| "consistent");
        if server_wide(lie) {
            server.lie(lie);
            let word = check("defaultdb", trusted)
                .run()
                .map_or_else(|word| word, |_| "consistent");
            assert!(lie.due().verdicts.contains(&word), "{}: {word}", lie.name());
            server.be_honest();
        } else {
            assert!(lie.due().verdicts.contains(&word), "{}: {word}", lie.name());
        }
        check("other", Some(other))
            .run()
            .unwrap_or_else(|word| panic!("{}: {word}", lie.name()));
        server.be_honest();
        let honest = check("defaultdb", trusted).run();
        assert_eq!(
            honest,
            Ok(server.state("defaultdb").unwrap()),
            "{}",
            lie.name()
        );
    }
}

/// The attacks on the tree that only one step sees each: were it left out, they would pass.
#[test]
fn each_attack_on_the_tree_is_refused_by_its_own_step() {
    for (lie, step) in [
        (Lie::ForkBehindTheSource, Step::Consistency),
        (Lie::SwappedInTree, Step::LastInclusion),
        (Lie::TwoHistoriesLinear, Step::LinearAdvance),
        (Lie::SwappedBeforeTheSource, Step::OnwardLink),
        (Lie::BrokenChain, Step::OnwardLink),
        (Lie::SwappedLater, Step::Inclusion),
        (Lie::WrittenBehindAnother, Step::LinearProof),
    ] {
        let server = Embedded::start(lie.options()).unwrap();
        server.grow("defaultdb", 40);
        let trusted = server.state("defaultdb");
        if !lie.forges() {
            server.grow("defaultdb", 3);
        }
        server.lie(lie);
        let mut check = Check::new(&server, "defaultdb", trusted);
        assert_eq!(check.run(), Err("inconsistent"), "{}", lie.name());
        let refused = check.refused.expect("a refused proof");
        assert_eq!(refused.step, step, "{}: {refused}", lie.name());
    }
}

/// Lies in calls that are of no database, so not told of one alone.
fn server_wide(lie: Lie) -> bool {
    matches!(lie.group(), "login" | "databases")
}

#[test]
fn names_of_lies_are_their_own() {
    for lie in Lie::ALL {
        assert_eq!(Lie::named(lie.name()), Some(*lie));
        assert!(
            lie.name()
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        );
        assert!(!lie.due().verdicts.is_empty() && !lie.describe().is_empty());
    }
    assert!(Lie::ALL.len() >= 60, "{}", Lie::ALL.len());
}

#[test]
fn an_honest_server_of_any_version_is_consistent_as_it_grows() {
    for server in Emulated::ALL {
        let lag = if server < Emulated::V1_11_1 {
            Lag::Unsteady
        } else {
            Lag::None
        };
        let embedded = Embedded::start(Options {
            server,
            lag,
            ..Options::default()
        })
        .unwrap();
        embedded.grow("defaultdb", 30);
        let mut caller = Caller::new(embedded.port());
        caller.log_in("defaultdb").unwrap();
        let mut states = Vec::new();
        for _ in 0..20 {
            embedded.grow("defaultdb", 1);
            let claimed =
                wire::state(&caller.call(method::CURRENT_STATE, Vec::new()).bytes()).unwrap();
            assert_eq!(claimed.shape, server.state_shape());
            assert_eq!(Some(claimed.state), embedded.state("defaultdb"));
            states.push(claimed.state);
        }
        let headers = all_headers(&embedded.ledger("defaultdb").unwrap());
        let (mut proven, mut unprovable) = (0, 0);
        for (source, target) in states.iter().zip(&states[1..]) {
            let request = wire::verifiable_tx_by_id(target.tx, source.tx, Entries::Excluded);
            match caller.call(method::VERIFIABLE_TX_BY_ID, request) {
                Answer::Message(bytes) => {
                    let answered = wire::verifiable_tx(&bytes).unwrap();
                    let mut parts = Parts {
                        headers: headers.clone(),
                        ..Parts::default()
                    };
                    for id in 1..target.tx {
                        let request = wire::verifiable_tx_by_id(target.tx, id, Entries::Excluded);
                        if let Answer::Message(part) =
                            caller.call(method::VERIFIABLE_TX_BY_ID, request)
                        {
                            let part = wire::verifiable_tx(&part).unwrap();
                            parts.inclusions.insert(id, part.proof.inclusion);
                        }
                    }
                    verify(source, target, &answered.proof, &parts).unwrap();
                    proven += 1;
                }
                failed => {
                    assert!(
                        failed.message().starts_with("tx data is corrupted"),
                        "{failed:?}"
                    );
                    excuse(source, target, &headers).unwrap();
                    unprovable += 1;
                }
            }
        }
        assert!(
            proven > 5 && (unprovable > 0) == (server < Emulated::V1_11_1),
            "{server:?}: {proven} {unprovable}"
        );
        let entries = if server < Emulated::V1_2_4 { 1 } else { 0 };
        let tx = wire::tx(
            &caller
                .call(method::TX_BY_ID, wire::tx_by_id(3, Entries::Excluded))
                .bytes(),
        );
        assert_eq!(tx.unwrap().entries.len(), entries, "{server:?}");
        let scan = caller.call(method::TX_SCAN, wire::tx_scan(1, 10, Entries::Digests));
        match scan {
            Answer::Message(bytes) => assert_eq!(wire::tx_list(&bytes).unwrap().len(), 10),
            Answer::Failed { code, .. } => assert_eq!((code, server), (12, Emulated::V0_9_0)),
            Answer::NoMessage => panic!("no message"),
        }
    }
}

#[test]
fn entries_are_proven_by_key_references_included() {
    let server = Embedded::start(Options::default()).unwrap();
    fill(&server, "defaultdb");
    let state = server.state("defaultdb").unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    for key in [
        "many/31/7",
        "large/3",
        "key/98",
        "reference/5",
        "expiring/6",
        "hidden/9",
        "key/100",
    ] {
        let request = wire::verifiable_get(key.as_bytes(), 0, state.tx);
        let answer = caller.call(method::VERIFIABLE_GET, request).bytes();
        let answer = wire::verifiable_entry(&answer).unwrap();
        answer
            .entry
            .verify(&answer.header, &answer.inclusion)
            .unwrap_or_else(|e| panic!("{key}: {e}"));
        let stored = server
            .ledger("defaultdb")
            .unwrap()
            .state_at(answer.header.id())
            .unwrap();
        verify(&stored, &state, &answer.proof, &Parts::default()).unwrap();
    }
    let gone = caller.call(method::GET, wire::get(b"empty/2", 0));
    assert_eq!(gone.message(), "tbtree: key not found");
}

#[test]
fn errors_are_those_of_a_1_11_1() {
    let server = Embedded::start(Options::default().with_databases(&["closed", "denied"])).unwrap();
    server.grow("defaultdb", 40);
    server.set_access("closed", Access::Unloaded);
    server.set_access("denied", Access::Denied);
    let mut caller = Caller::new(server.port());
    let failed = |code, message: &str| Answer::Failed {
        code,
        message: message.into(),
    };
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(2, "not logged in")
    );
    assert_eq!(
        caller.call(method::DATABASE_LIST, Vec::new()),
        failed(2, "please login")
    );
    let wrong = caller.call(method::LOGIN, wire::login("immudb", "no"));
    assert_eq!(wrong, failed(2, "invalid user name or password"));
    caller.log_in("defaultdb").unwrap();
    let cases = [
        (
            40,
            140,
            failed(
                2,
                "illegal state: latest txID=40 is lower than specified as initial tx=140",
            ),
        ),
        (41, 1, failed(2, "tx not found")),
        (0, 1, failed(3, "illegal arguments")),
    ];
    for (tx, since, due) in cases {
        let request = wire::verifiable_tx_by_id(tx, since, Entries::Excluded);
        assert_eq!(caller.call(method::VERIFIABLE_TX_BY_ID, request), due);
    }
    let scan = caller.call(
        method::TX_SCAN,
        wire::tx_scan(1, 100_000, Entries::Excluded),
    );
    assert_eq!(
        scan.message(),
        "result size limit exceeded: the specified limit (100000) is larger than the maximum allowed one (2500)"
    );
    assert_eq!(
        caller.call(method::USE_DATABASE, wire::database("nosuch")),
        failed(5, "'nosuch' does not exist")
    );
    assert_eq!(
        caller.call(method::USE_DATABASE, wire::database("closed")),
        failed(2, "already closed")
    );
    assert!(matches!(
        caller.call(method::USE_DATABASE, wire::database("denied")),
        Answer::Failed { code: 7, .. }
    ));
    server.forget_tokens();
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(13, "invalid token")
    );
    caller.log_in("defaultdb").unwrap();
    server.drop_database("defaultdb");
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(2, "database does not exist")
    );
}

#[test]
fn it_stops_restarts_counts_calls_and_serves_sessions() {
    let mut server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 2);
    let mut caller = Caller::new(server.port());
    let session = wire::open_session("immudb", "immudb", "defaultdb");
    let session = wire::session_id(&caller.call(method::OPEN_SESSION, session).bytes()).unwrap();
    caller.token = Some(("sessionid", session));
    let state = wire::state(&caller.call(method::CURRENT_STATE, Vec::new()).bytes()).unwrap();
    assert_eq!(Some(state.state), server.state("defaultdb"));
    assert_eq!(caller.uuid, Some(server.uuid()));
    assert_eq!(server.calls().get(method::CURRENT_STATE), Some(&1));
    server.restart().unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.stop();
    assert!(matches!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        Answer::Failed { code: 14, .. }
    ));
}

/// gRPC's core ends the whole process where a call reaches a queue that was shut down.
#[test]
fn it_restarts_under_callers_as_often_as_it_is_told() {
    let mut server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 2);
    let port = server.port();
    let done = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let mut caller = Caller::new(port);
                    while !done.load(Ordering::SeqCst)
                        && matches!(caller.call(method::HEALTH, Vec::new()), Answer::Message(_))
                    {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        for _ in 0..100 {
            let before = answered.load(Ordering::SeqCst);
            while answered.load(Ordering::SeqCst) < before + 20 {
                thread::yield_now();
            }
            server.restart().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_lie_starts_after_as_many_calls_as_it_is_told() {
    let server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 5);
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.lie(
        Telling::from(Lie::Garbage)
            .in_call(method::CURRENT_STATE)
            .after(2),
    );
    for good in [true, true, false, false] {
        let answer = caller.call(method::CURRENT_STATE, Vec::new()).bytes();
        assert_eq!(wire::state(&answer).is_ok(), good);
    }
    assert_eq!(server.lying(), Some(Lie::Garbage));
}

#[test]
fn identities_are_as_the_lie_says() {
    let server = Embedded::start(Options::default()).unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    let mut ask = |lie: Lie| {
        server.lie(lie);
        let _ = caller.call(method::CURRENT_STATE, Vec::new());
        caller.uuid.clone()
    };
    assert_eq!(ask(Lie::NoUuid), None);
    assert_eq!(ask(Lie::UuidPath).as_deref(), Some("../../../../etc/x"));
    assert_ne!(ask(Lie::UuidEveryAnswer), ask(Lie::UuidEveryAnswer));
    assert_eq!(ask(Lie::LongUuid).map(|uuid| uuid.len()), Some(4000));
}

#[test]
fn a_lie_ends_after_as_many_times_as_it_is_told() {
    let server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 5);
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.lie(Telling::from(Lie::Fork).times(1));
    let mut honest = || {
        let answer = caller.call(method::CURRENT_STATE, Vec::new()).bytes();
        Some(wire::state(&answer).unwrap().state) == server.state("defaultdb")
    };
    assert_eq!([honest(), honest(), honest()], [false, true, true]);
}

#[test]
fn a_bomb_comes_compressed() {
    let server = Embedded::start(Options::default()).unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.lie(Lie::GzipBomb);
    let answer = caller.call(method::CURRENT_STATE, Vec::new());
    assert!(answer.message().contains("gzip"), "{answer:?}");
}
