//! The lies of the embedded ledger: each has the effect that it describes, only in the given
//! database and for the given number of calls. A small auditor in this file checks the lies, so
//! that the result does not depend on `audit`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::caller::{Answer, Caller};
use immuaudit::drill::{AuditorSetup, Embedded, Lie, LieSchedule, NewEntry, Options};
use immuaudit::ledger::{
    Fault, Parts, PublicKey, Reason, Refusal, State, StateShape, Step, TxEntry, excuse, verify,
    verify_entries,
};
use immuaudit::wire::{self, Entries, Malformed, method};

/// A small auditor: one check of one database, whose error is the name of a verdict.
struct Check<'a> {
    caller: Caller,
    database: &'a str,
    trusted: Option<State>,
    keys: Vec<PublicKey>,
    reading: bool,
    /// The refusal of a dual proof.
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
            return Err("bad-signature");
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
                    // the raw response leaves out some kinds of entries and expired ones, which
                    // have only digests
                    for entry in tx.entries.iter().filter(|entry| !entry.value.is_empty()) {
                        entry.verify_value(&tx.header).map_err(|_| "bad-value")?;
                    }
                    let all =
                        self.call(method::TX_BY_ID, wire::tx_by_id(next, Entries::Digests))?;
                    let raw: Vec<Vec<u8>> = tx.entries.into_iter().map(|e| e.key).collect();
                    tx = wire::tx(&all).map_err(|_| "malformed")?;
                    let expected = |entry: &&TxEntry| {
                        entry.key.first() != Some(&3)
                            && entry
                                .metadata
                                .as_ref()
                                .is_none_or(|m| m.expires_at.is_none())
                    };
                    if !tx
                        .entries
                        .iter()
                        .filter(expected)
                        .all(|e| raw.contains(&e.key))
                    {
                        return Err("malformed");
                    }
                    verify_entries(&tx.header, &tx.entries).map_err(|_| "bad-value")?;
                } else {
                    verify_entries(&tx.header, &tx.entries).map_err(|_| "bad-value")?;
                    // a value that the server reports as missing is absent, not corrupt
                    let absent =
                        |entry: &&TxEntry| entry.value.is_empty() && entry.claimed_length == 0;
                    for entry in tx.entries.iter().filter(|entry| !absent(entry)) {
                        entry.verify_value(&tx.header).map_err(|_| "bad-value")?;
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
        failed if failed.message().contains("corrupted") => "bad-value",
        failed if failed.message().contains("does not exist") => "rolled-back",
        failed if failed.message().contains("user name") => "refused",
        _ => "malformed",
    }
}

#[test]
fn every_lie_has_its_verdict_and_affects_one_database() {
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
            if lie.auditor() == AuditorSetup::WithKey {
                check.keys = keys.clone().unwrap();
            }
            check.reading = lie.auditor() == AuditorSetup::ReadingValues;
            check
        };
        let word_for_lie = |trusted| {
            let mut check = check("defaultdb", trusted);
            if lie == Lie::NeverAnswers {
                check.caller.timeout = Duration::from_millis(500);
            }
            check.run().map_or_else(|word| word, |_| "consistent")
        };
        let trusted = check("defaultdb", None).run().expect("an honest first use");
        let other = check("other", None).run().expect("an honest first use");
        if !lie.forges() {
            server.grow("defaultdb", 3);
            server.grow("other", 3);
        }
        server.lie(LieSchedule::from(lie).of("defaultdb"));
        if lie == Lie::FrozenView {
            server.grow("defaultdb", 3);
        }
        let trusted = (lie.auditor() != AuditorSetup::New).then_some(trusted);
        let word = word_for_lie(trusted);
        if lie.is_server_wide() {
            server.lie(lie);
            check_verdict(lie, word_for_lie(trusted));
            server.be_honest();
        } else {
            check_verdict(lie, word);
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

#[track_caller]
fn check_verdict(lie: Lie, verdict: &str) {
    let (name, expected) = (lie.name(), lie.due().verdicts);
    let hint = match verdict {
        "consistent" if lie.forges() => {
            "; the server may have responded honestly: see src/drill/forge.rs"
        }
        "consistent" => {
            "; the server may have responded honestly: src/drill/lie.rs declares if the lie forges a ledger, requires a \
             key, a lagging tree or another auditor"
        }
        _ => "",
    };
    assert!(
        expected.contains(&verdict),
        "{name}: the verdict is {verdict}, expected {expected:?}{hint}"
    );
}

/// For each attack on the tree, only one step of the proof fails. Without this step the attack
/// would succeed.
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

#[test]
fn names_of_lies_are_valid_and_unique() {
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
fn every_lie_is_implemented() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/drill");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files = files.filter(|path| !path.ends_with("lie.rs"));
    let sources: String = files
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let words: BTreeSet<&str> = sources.split(|c: char| !is_part(c)).collect();
    for lie in Lie::ALL {
        let variant = format!("Lie::{lie:?}");
        assert!(
            words.contains(variant.as_str()),
            "{}: no file in src/drill/ except lie.rs has {variant}, so the server responds honestly: implement the lie \
             (CONTRIBUTING.md, Adding a lie)",
            lie.name()
        );
    }
}

#[test]
fn a_lie_starts_after_the_given_number_of_calls() {
    let server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 5);
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.lie(
        LieSchedule::from(Lie::Garbage)
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
fn fresh_names_differ_in_each_list_of_databases() {
    let server = Embedded::start(Options::default()).unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.lie(Lie::FreshNames);
    let [first, second] = [(); 2].map(|()| -> BTreeSet<Vec<u8>> {
        let list = caller.call(method::DATABASE_LIST, wire::empty()).bytes();
        let names = wire::database_list(&list).unwrap();
        names.iter().map(<[u8]>::to_vec).collect()
    });
    assert_eq!((first.len(), second.len()), (10_001, 10_001));
    let both: Vec<&Vec<u8>> = first.intersection(&second).collect();
    assert_eq!(both, [b"defaultdb"]);
}

#[test]
fn the_server_sends_the_identity_of_the_lie() {
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
fn a_lie_ends_after_the_given_number_of_times() {
    let server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 5);
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.lie(LieSchedule::from(Lie::Fork).times(1));
    let mut honest = || {
        let answer = caller.call(method::CURRENT_STATE, Vec::new()).bytes();
        Some(wire::state(&answer).unwrap().state) == server.state("defaultdb")
    };
    assert_eq!([honest(), honest(), honest()], [false, true, true]);
}

#[test]
fn a_gzip_bomb_is_compressed() {
    let server = Embedded::start(Options::default()).unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.lie(Lie::GzipBomb);
    let answer = caller.call(method::CURRENT_STATE, Vec::new());
    assert!(answer.message().contains("gzip"), "{answer:?}");
}
