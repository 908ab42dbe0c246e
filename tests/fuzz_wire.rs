//! Recorded answers, changed at random, from bytes to verdict: nothing panics, nothing false is
//! called consistent, and no input costs more hashes or memory than it may.
//!
//! `IMMUAUDIT_TEST_START` sets where the random numbers begin, `IMMUAUDIT_FUZZ_RUNS` how many
//! inputs there are. With `IMMUAUDIT_FUZZ_KEEP=FILE` the shortest input of each outcome is written there,
//! as `tests/vectors/fuzz.toml` holds them. Hashes are counted under the feature `fault-points`.

#![allow(clippy::result_large_err)] // the errors are the program's own

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;
use std::{env, fs, thread};

use immuaudit::ledger::{
    ClaimedState, Digest, DualProof, Parts, PublicKey, Reason, Refusal, State, Step, Term,
    TxHeader, verify, verify_entries,
};
use immuaudit::wire::{self, Malformed};
use support::meter::{self, Meter};
use support::mutate::mutate;
use support::random::Random;
use support::vectors::{Case, Vectors, read, read_all, unhex};

#[global_allocator]
static METER: Meter = Meter;

const RUNS: usize = 500_000;

/// Bytes that one input may take at once, itself apart.
const MEMORY_BUDGET: usize = 16 << 20;

/// A recorded answer, and what the auditor holds it against.
struct Seed {
    /// File and place in it.
    name: String,
    reply: Vec<u8>,
    question: Question,
}

enum Question {
    /// `VerifiableTxById`: does it prove target from source?
    Proof {
        source: State,
        target: State,
        headers: BTreeMap<u64, Vec<u8>>,
        parts: BTreeMap<u64, Vec<u8>>,
        /// Is the transaction asked for in the answer?
        with_tx: bool,
    },
    /// `CurrentState`: is it the trusted state, signed by the key?
    State { database: String, state: State },
    /// `TxById`: is it this transaction, its entries and values?
    Tx { alh: Digest, entries: Entries },
    /// `TxScan`: a run of transactions, the last one of this hash.
    List {
        first: u64,
        last: Digest,
        entries: Entries,
    },
    /// `VerifiableGet`: an entry of a transaction, proven against a trusted state.
    Entry { tx: State, trusted: State },
}

/// Which entries the recorded answer has.
#[derive(Clone, Copy)]
enum Entries {
    All,
    /// Some were left out, as was asked: nothing is to be checked of them.
    NotAll,
}

impl Entries {
    fn of<'a>(txs: impl IntoIterator<Item = &'a wire::Tx>) -> Entries {
        let all = |tx: &wire::Tx| tx.entries.len() == tx.header.nentries() as usize;
        if txs.into_iter().all(all) {
            Entries::All
        } else {
            Entries::NotAll
        }
    }
}

/// Everything that was consulted to come to *consistent*: the same for every accepted answer to
/// the same question, unless SHA-256 is broken.
type Consulted = Vec<Vec<u8>>;

fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for vectors in read_all("real") {
        add(&mut seeds, &vectors, None);
    }
    for vectors in read_all("gets") {
        let trusted = Case(&vectors.file).state("state_");
        add(&mut seeds, &vectors, Some(trusted));
    }
    add(&mut seeds, &read("mutated.toml"), None);
    add(&mut seeds, &read("two-histories.toml"), None);
    add(&mut seeds, &read("signatures.toml"), None);
    seeds
}

fn add(seeds: &mut Vec<Seed>, vectors: &Vectors, trusted: Option<State>) {
    for (index, case) in vectors.cases().enumerate() {
        let Some(question) = question(case, trusted) else {
            continue;
        };
        seeds.push(Seed {
            name: format!("{} {index}", vectors.name),
            reply: case.bytes("reply"),
            question,
        });
    }
}

fn question(case: Case, trusted: Option<State>) -> Option<Question> {
    Some(match case.text("call") {
        "VerifiableTxById" if case.has("source_tx") && case.has("reply") => {
            let headers = case.list("header").map(|header| {
                let bytes = header.bytes("reply");
                (wire::tx(&bytes).expect("a header").header.id(), bytes)
            });
            let parts = case.list("part").map(|part| {
                let bytes = part.bytes("reply");
                let answer = wire::verifiable_tx(&bytes).expect("a part");
                (answer.proof.source.expect("its source").id(), bytes)
            });
            let answer = wire::verifiable_tx(&case.bytes("reply"));
            Question::Proof {
                source: case.state("source_"),
                target: case.state("target_"),
                headers: headers.collect(),
                parts: parts.collect(),
                with_tx: answer.is_ok_and(|answer| answer.tx.is_some()),
            }
        }
        "CurrentState" if case.has("database") => Question::State {
            database: case.text("database").into(),
            state: case.state(""),
        },
        "TxById" if case.has("reply") && case.has("alh") => Question::Tx {
            alh: case.digest("alh"),
            entries: Entries::of([&wire::tx(&case.bytes("reply")).ok()?]),
        },
        "TxScan" if case.has("reply") => {
            let list = wire::tx_list(&case.bytes("reply")).ok()?;
            let list: Vec<wire::Tx> = list.into_iter().collect::<Result<_, _>>().ok()?;
            Question::List {
                first: list.first()?.header.id(),
                last: list.last()?.header.alh(),
                entries: Entries::of(&list),
            }
        }
        "VerifiableGet" if case.has("reply") => Question::Entry {
            tx: case.state(""),
            trusted: trusted?,
        },
        _ => return None,
    })
}

impl Seed {
    /// The verdict on `reply` instead of the recorded answer; `changed` stands for one of the parts
    /// that were fetched beside it.
    fn judge(
        &self,
        reply: &[u8],
        changed: Option<(u64, &[u8])>,
        keys: &[PublicKey],
    ) -> Result<Consulted, Malformed> {
        match &self.question {
            Question::Proof {
                source,
                target,
                headers,
                parts,
                with_tx,
            } => {
                let answer = wire::verifiable_tx(reply)?;
                let bytes = |id: u64, bytes: &Vec<u8>| match changed {
                    Some((other, changed)) if other == id => changed.to_vec(),
                    _ => bytes.clone(),
                };
                let mut fetched = Parts::default();
                for (id, header) in headers {
                    let tx = wire::tx(&bytes(*id, header))?;
                    fetched.headers.insert(*id, tx.header);
                }
                for (id, part) in parts {
                    let part = wire::verifiable_tx(&bytes(*id, part))?;
                    fetched.inclusions.insert(*id, part.proof.inclusion);
                }
                verify(source, target, &answer.proof, &fetched)?;
                let mut consulted = consulted(&answer.proof, &fetched);
                if *with_tx {
                    let absent = Refusal {
                        step: Step::Answer,
                        tx: target.tx,
                        reason: Reason::Absent("transaction in the answer"),
                    };
                    let tx = answer.tx.ok_or(absent)?;
                    let asked = tx_asked(reply).unwrap_or(target.tx);
                    answer.proof.verify_answer(asked, &tx.header)?;
                    consulted.push(digest(&tx.header.alh()));
                }
                Ok(consulted)
            }
            Question::State { database, state } => {
                let claimed: ClaimedState = wire::state(reply)?;
                let differs = |what, step| Refusal {
                    step,
                    tx: state.tx,
                    reason: Reason::Absent(what),
                };
                if claimed.state != *state {
                    return Err(differs("trusted state", Step::Answer).into());
                }
                claimed
                    .verify_signature(database, keys)
                    .map_err(|_| differs("signature", Step::Signature))?;
                Ok(vec![])
            }
            Question::Tx { alh, entries } => {
                let tx = wire::tx(reply)?;
                Ok(transaction(&tx, alh, *entries)?)
            }
            Question::List {
                first,
                last,
                entries,
            } => {
                let list = wire::tx_list(reply)?;
                let list: Vec<wire::Tx> = list.into_iter().collect::<Result<_, _>>()?;
                let mut due = *last;
                let mut consulted = Vec::new();
                for tx in list.iter().rev() {
                    consulted.extend(transaction(tx, &due, *entries)?);
                    due = *tx.header.prev_alh();
                }
                if list.first().map(|tx| tx.header.id()) != Some(*first) {
                    let reason = Reason::Absent("transaction at the list's begin");
                    let (step, tx) = (Step::Answer, *first);
                    return Err(Refusal { step, tx, reason }.into());
                }
                Ok(consulted)
            }
            Question::Entry { tx, trusted } => {
                let answer = wire::verifiable_entry(reply)?;
                answer.entry.verify(&answer.header, &answer.inclusion)?;
                answer.proof.verify_answer(tx.tx, &answer.header)?;
                verify(tx, trusted, &answer.proof, &Parts::default())?;
                Ok(vec![
                    answer.entry.stored_key(),
                    digest(&answer.entry.stored_value_hash()),
                    digest(&answer.header.alh()),
                ])
            }
        }
    }

    fn parts(&self) -> Vec<(u64, &Vec<u8>)> {
        match &self.question {
            Question::Proof { headers, parts, .. } => {
                let all = headers.iter().chain(parts);
                all.map(|(id, bytes)| (*id, bytes)).collect()
            }
            _ => vec![],
        }
    }

    /// Seeds with the same key ask the same question.
    fn key(&self) -> String {
        match &self.question {
            Question::Proof {
                source,
                target,
                with_tx,
                ..
            } => format!("{source} {target} {with_tx}"),
            _ => self.name.clone(),
        }
    }
}

/// The transaction that a recorded answer brings: the one asked for.
fn tx_asked(reply: &[u8]) -> Option<u64> {
    wire::verifiable_tx(reply).ok()?.tx.map(|tx| tx.header.id())
}

fn digest(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

/// A transaction that hashes to `alh`, its entries and what values came along.
fn transaction(tx: &wire::Tx, alh: &Digest, entries: Entries) -> Result<Consulted, Refusal> {
    let got = tx.header.alh();
    if got != *alh {
        return Err(Refusal {
            step: Step::Alh,
            tx: tx.header.id(),
            reason: Reason::Differs {
                what: "the transaction's hash",
                due: *alh,
                got,
            },
        });
    }
    let mut consulted = vec![digest(&got)];
    if let Entries::NotAll = entries {
        return Ok(consulted);
    }
    verify_entries(&tx.header, &tx.entries)?;
    for entry in &tx.entries {
        if !entry.value.is_empty() {
            entry.verify_value(&tx.header)?;
        }
        consulted.push(entry.key.clone());
        consulted.push(digest(&entry.h_value));
    }
    Ok(consulted)
}

/// What the steps of protocol.md §4 look at, in one form whichever way it came.
fn consulted(proof: &DualProof, parts: &Parts) -> Consulted {
    let (Some(source), Some(target)) = (&proof.source, &proof.target) else {
        panic!("a proof without headers was accepted");
    };
    let mut consulted = vec![digest(&source.alh()), digest(&target.alh())];
    let mut add = |terms: &[Term]| {
        consulted.extend(
            terms
                .iter()
                .map(|term| digest(&term.digest().expect("an accepted term is a digest"))),
        );
    };
    let (start, size) = (source.bl_tx_id(), target.bl_tx_id());
    let covered = source.id() < size;
    if covered {
        add(&proof.inclusion);
    }
    if start > 0 {
        add(&proof.consistency);
    }
    if size > 0 {
        add(&[proof.target_bl_tx_alh]);
        add(&proof.last_inclusion);
    }
    let linear = proof.linear.as_ref().expect("an accepted linear proof");
    add(&linear.terms);
    let end = if covered { source.id() } else { size };
    if end > start + 1 {
        match &proof.linear_advance {
            Some(advance) => {
                add(&chain_of(start + 1, &advance.linear));
                advance.inclusions.iter().for_each(|terms| add(terms));
            }
            None => {
                let of = |id| Term::from(parts.headers[&id].alh());
                let chain: Vec<Term> = (start + 1..=end).map(of).collect();
                add(&chain);
                for id in start + 1..end {
                    add(&parts.inclusions[&id]);
                }
            }
        }
    }
    consulted
}

/// Every Alh of a chain that is given by its first one and what is its own of each further.
fn chain_of(first: u64, terms: &[Term]) -> Vec<Term> {
    let digests = terms.iter().map(|term| term.digest().expect("a digest"));
    let mut alh: Option<Digest> = None;
    (first..)
        .zip(digests)
        .map(|(id, term)| {
            let next = match alh {
                None => term,
                Some(alh) => Digest::of(&[&id.to_be_bytes(), alh.as_bytes(), term.as_bytes()]),
            };
            alh = Some(next);
            Term::from(next)
        })
        .collect()
}

/// An outcome's class: its words without figures and names.
fn class(outcome: &Result<Consulted, Malformed>) -> String {
    match outcome {
        Ok(_) => "holds".into(),
        Err(malformed) => {
            let words = malformed.to_string();
            let words = words.split(|c: char| !c.is_ascii_alphabetic());
            let hex = |word: &str| word.len() < 3 || word.bytes().all(|c| c.is_ascii_hexdigit());
            let words: Vec<&str> = words.filter(|word| !hex(word)).collect();
            words.join(" ")
        }
    }
}

fn keys() -> Vec<PublicKey> {
    let pem = read("signatures.toml");
    PublicKey::from_pem(pem.file["public_key"].as_str().expect("a key")).expect("a key")
}

/// What is due of each question: `None` where no answer may be accepted.
fn honest(seeds: &[Seed], keys: &[PublicKey]) -> BTreeMap<String, Consulted> {
    let mut honest: BTreeMap<String, Consulted> = BTreeMap::new();
    for seed in seeds {
        if let Ok(consulted) = seed.judge(&seed.reply, None, keys) {
            let before = honest.insert(seed.key(), consulted.clone());
            assert!(before.is_none_or(|b| b == consulted), "{}", seed.name);
        }
    }
    honest
}

#[derive(Default)]
struct Tally {
    classes: BTreeMap<String, (usize, usize, Vec<u8>)>,
    most_memory: (usize, usize),
    most_hashes: (u64, usize),
}

/// Hashes computed by this thread so far; `None` where they are not counted.
fn hashes() -> Option<u64> {
    #[cfg(feature = "fault-points")]
    return Some(immuaudit::ledger::digests_computed());
    #[cfg(not(feature = "fault-points"))]
    return None;
}

/// The hashes that an input may cost: for a digest on the wire, which takes 34 bytes, an inner node twice
/// (a consistency proof leads to two roots) or, of an entry, leaf, node and digest; and a few for headers.
fn hash_budget(bytes: usize) -> u64 {
    64 + 4 * (bytes as u64 / 34)
}

fn run(seeds: &[Seed], from: u64, runs: usize) -> Tally {
    let keys = keys();
    let honest = honest(seeds, &keys);
    let replies: Vec<&[u8]> = seeds.iter().map(|seed| &seed.reply[..]).collect();
    let mut random = Random::starting_at(from);
    let mut tally = Tally::default();
    for _ in 0..runs {
        let index = random.index(seeds.len());
        let seed = &seeds[index];
        let parts = seed.parts();
        let part =
            (!parts.is_empty() && random.below(2) == 0).then(|| parts[random.index(parts.len())]);
        let input = mutate(
            part.map_or(&seed.reply[..], |(_, bytes)| bytes),
            &replies,
            &mut random,
        );
        let beside: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
        let length = input.len() + seed.reply.len() + beside;
        let before = hashes();
        let (outcome, memory) = meter::most(|| match part {
            Some((id, _)) => seed.judge(&seed.reply, Some((id, &input)), &keys),
            None => seed.judge(&input, None, &keys),
        });
        if let (Some(before), Some(now)) = (before, hashes()) {
            let spent = now - before;
            tally.most_hashes = tally.most_hashes.max((spent, length));
            assert!(
                spent <= hash_budget(length),
                "{}: {spent} hashes for {length} bytes",
                seed.name
            );
        }
        if let Ok(consulted) = &outcome {
            assert_eq!(
                Some(consulted),
                honest.get(&seed.key()),
                "{}: accepted, and it says something else: {input:02x?}",
                seed.name
            );
        }
        tally.most_memory = tally.most_memory.max((memory, input.len()));
        assert!(
            memory <= MEMORY_BUDGET,
            "{}: {memory} bytes for {}",
            seed.name,
            input.len()
        );
        let kept = tally.classes.entry(class(&outcome)).or_default();
        kept.0 += 1;
        // of the parts no context would be kept
        if part.is_none() && (kept.2.is_empty() || input.len() < kept.2.len()) {
            (kept.1, kept.2) = (index, input);
        }
    }
    tally
}

#[test]
fn no_changed_answer_panics_costs_too_much_or_says_what_is_not_so() {
    let runs = env::var("IMMUAUDIT_FUZZ_RUNS").ok();
    let runs = runs.map_or(RUNS, |runs| runs.parse().expect("a number of runs"));
    let start = Random::new(20_261_122).u64();
    let seeds = seeds();
    let begin = Instant::now();
    let threads = 2;
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let seeds = &seeds;
        let workers: Vec<_> = (0..threads)
            .map(|worker| scope.spawn(move || run(seeds, start ^ worker, runs / 2)))
            .collect();
        workers
            .into_iter()
            .map(|w| w.join().expect("no panic"))
            .collect()
    });
    let took = begin.elapsed();
    let mut classes = BTreeMap::new();
    let (mut memory, mut hashes) = ((0, 0), (0, 0));
    for tally in tallies {
        memory = memory.max(tally.most_memory);
        hashes = hashes.max(tally.most_hashes);
        for (class, (count, index, input)) in tally.classes {
            let kept: &mut (usize, usize, Vec<u8>) = classes.entry(class).or_default();
            kept.0 += count;
            if !input.is_empty() && (kept.2.is_empty() || input.len() < kept.2.len()) {
                (kept.1, kept.2) = (index, input);
            }
        }
    }
    let held = classes.get("holds").map_or(0, |(count, ..)| *count);
    println!(
        "{runs} inputs from {} recorded answers, {:.0} a second; {held} hold, {} ways to be refused",
        seeds.len(),
        runs as f64 / took.as_secs_f64(),
        classes.len() - 1
    );
    println!(
        "at most {} KiB of memory (for {} bytes), {} hashes (for {} bytes)",
        memory.0 >> 10,
        memory.1,
        hashes.0,
        hashes.1
    );
    assert!(
        held > 0 && (runs < 10_000 || classes.len() > 50),
        "{}",
        classes.len()
    );
    if let Some(path) = env::var_os("IMMUAUDIT_FUZZ_KEEP") {
        fs::write(path, corpus(&seeds, &classes)).expect("the corpus is written");
    }
}

fn corpus(seeds: &[Seed], classes: &BTreeMap<String, (usize, usize, Vec<u8>)>) -> String {
    let mut text = String::from(
        "# The shortest changed answer that each outcome was seen with: instead of the reply of the\n\
         # recorded case that is named. Written by tests/fuzz_wire.rs.\n",
    );
    let short = classes
        .iter()
        .filter(|(_, kept)| !kept.2.is_empty() && kept.2.len() < 4096);
    for (class, (_, index, input)) in short {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = &seeds[*index].name;
        write!(
            text,
            "\n[[case]]\nof = \"{name}\"\noutcome = \"{class}\"\nreply = \"{hex}\"\n"
        )
        .expect("a String");
    }
    text
}

#[test]
fn what_was_interesting_once_ends_as_it_did() {
    let (seeds, keys) = (seeds(), keys());
    let by_name: BTreeMap<&str, &Seed> = seeds.iter().map(|s| (&*s.name, s)).collect();
    let vectors = read("fuzz.toml");
    for case in vectors.cases() {
        let seed = by_name[case.text("of")];
        let outcome = seed.judge(&unhex(case.text("reply")), None, &keys);
        assert_eq!(class(&outcome), case.text("outcome"), "{}", seed.name);
    }
    assert!(vectors.cases().count() > 50);
}

/// The default of `--max-recv-msg-size`.
const LONGEST: usize = 4 << 20;

/// `part` again and again, so often that the whole is as long as an answer may be.
fn repeated(part: &[u8]) -> Vec<u8> {
    part.repeat((LONGEST - 64) / part.len())
}

/// `bytes` as the field that `tag` begins, in the field of the next tag, and so on.
fn inside(tags: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    for tag in tags {
        let mut length = bytes.len();
        let mut outer = vec![*tag];
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(bytes);
        bytes = outer;
    }
    bytes
}

/// A message of type `VerifiableTx`, and the read of it.
fn reads(bytes: &[u8]) -> bool {
    wire::verifiable_tx(bytes).is_ok()
}

/// The dearest answers that can be thought of, each as long as an answer may be.
#[test]
fn an_answer_of_many_small_parts_is_refused_before_it_is_decoded() {
    let dear = [
        ("empty entries", inside(&[0x0a], repeated(&[0x12, 0x00]))),
        (
            "empty terms",
            inside(&[0x3a, 0x12], repeated(&[0x1a, 0x00])),
        ),
        (
            "empty inclusion proofs",
            inside(&[0x42, 0x12], repeated(&[0x12, 0x00])),
        ),
        ("unknown fields", repeated(&[0x78, 0x00])),
        (
            "headers over headers",
            inside(&[0x12], repeated(&[0x0a, 0x00])),
        ),
        (
            "metadata",
            inside(&[0x0a], repeated(&[0x12, 0x02, 0x22, 0x00])),
        ),
    ];
    for (what, bytes) in dear {
        let (read, memory) = meter::most(|| reads(&bytes));
        println!("{what}: {} KiB for {} KiB", memory >> 10, bytes.len() >> 10);
        assert!(!read, "{what}");
        assert!(memory < 2 << 20, "{what}: {memory} bytes");
    }
    let header: Result<TxHeader, _> = wire::tx(&[]).map(|tx| tx.header);
    assert!(header.is_err());
}

/// Whatever is read of it, and whether it is refused in the end or not.
#[test]
fn no_answer_of_any_kind_takes_more_than_16_mib() {
    let digest = |tag: u8| [&[tag, 32][..], &[7; 32]].concat();
    let header = [digest(0x12), digest(0x2a), digest(0x3a)].concat();
    let header = inside(&[0x0a], header);
    let entry = |fields: &[&[u8]]| inside(&[0x12], fields.concat());
    let key: &[u8] = &[0x0a, 2, 0, b'k'];
    let (h_value, deletion) = (digest(0x12), [0x22, 2, 8, 1]);
    let honest = entry(&[key, &h_value]);
    let deleted = entry(&[key, &h_value, &deletion]);
    // before 1.2 field 4 is the value's length
    let old = entry(&[key, &h_value, &[0x18, 9, 0x20, 9]]);
    let bare = entry(&[&h_value]);
    let mixed = [&honest[..], &entry(&[key, &h_value, &[0x78, 1]])].concat();
    let tx = |entries: &[u8]| [&header[..], &repeated(entries)[..LONGEST - 256]].concat();
    let cut = |bytes: Vec<u8>, part: usize| {
        let whole = (bytes.len() - header.len()) / part * part;
        bytes[..header.len() + whole].to_vec()
    };
    let small_tx = inside(&[0x0a], [&header[..], &honest].concat());
    let no_tx = inside(&[0x0a], header.clone());
    let term = digest(0x1a);
    let proofs = inside(&[0x12], digest(0x1a));
    let name = |name: &[u8]| inside(&[0x0a], inside(&[0x0a], name.to_vec()));
    let read = |kind: &str, bytes: &[u8]| match kind {
        "Tx" => wire::tx(bytes)
            .map(|tx| verify_entries(&tx.header, &tx.entries).is_ok())
            .is_ok(),
        "TxList" => wire::tx_list(bytes).is_ok(),
        "VerifiableTx" => reads(bytes),
        "DatabaseList" => wire::database_list(bytes).is_ok(),
        "Entry" => wire::get_entry(bytes).is_ok(),
        _ => wire::state(bytes).is_ok(),
    };
    let (read_whole, refused) = (true, false);
    let narrow = cfg!(target_pointer_width = "32");
    let dear = [
        ("Tx", "entries", cut(tx(&honest), honest.len()), read_whole),
        (
            "Tx",
            "deletions",
            cut(tx(&deleted), deleted.len()),
            read_whole,
        ),
        ("Tx", "entries of 0.9", cut(tx(&old), old.len()), read_whole),
        (
            "Tx",
            "entries without key",
            cut(tx(&bare), bare.len()),
            read_whole,
        ),
        (
            "Tx",
            "unknown fields",
            cut(tx(&mixed), mixed.len()),
            read_whole,
        ),
        ("Tx", "empty entries", tx(&[0x12, 0]), refused),
        (
            "Tx",
            "one value",
            [
                header.clone(),
                inside(&[0x2a, 0x12], vec![7; LONGEST - 256]),
            ]
            .concat(),
            refused,
        ),
        ("TxList", "transactions", repeated(&small_tx), read_whole),
        (
            "TxList",
            "transactions without entries",
            repeated(&no_tx),
            read_whole,
        ),
        (
            "DatabaseList",
            "no databases",
            repeated(&[0x0a, 0]),
            narrow, // where each one ends is a word: on 64 bits four times what it came in
        ),
        (
            "TxList",
            "empty transactions",
            repeated(&[0x0a, 0]),
            refused,
        ),
        (
            "TxList",
            "one of many entries",
            inside(&[0x0a], cut(tx(&honest), honest.len())),
            read_whole,
        ),
        (
            "VerifiableTx",
            "terms",
            inside(&[0x3a, 0x12], repeated(&term)),
            read_whole,
        ),
        (
            "VerifiableTx",
            "inclusion proofs",
            inside(&[0x42, 0x12], repeated(&proofs)),
            read_whole,
        ),
        (
            "DatabaseList",
            "names",
            repeated(&name(b"database1")),
            read_whole,
        ),
        (
            "DatabaseList",
            "short names",
            repeated(&name(b"a")),
            read_whole,
        ),
        ("DatabaseList", "no names", repeated(&name(b"")), read_whole),
        (
            "Entry",
            "a value",
            inside(&[0x1a], vec![7; LONGEST - 64]),
            read_whole,
        ),
        (
            "ImmutableState",
            "a name",
            [
                &[0x10, 1][..],
                &digest(0x1a),
                &inside(&[0x0a], vec![7; LONGEST - 64]),
            ]
            .concat(),
            read_whole,
        ),
    ];
    for (kind, what, bytes, due) in dear {
        assert!(
            bytes.len() <= LONGEST && bytes.len() > LONGEST - 1024,
            "{kind}, {what}: {}",
            bytes.len()
        );
        let (whole, memory) = meter::most(|| read(kind, &bytes));
        println!(
            "{kind}, {what}: {} KiB for {} KiB",
            memory >> 10,
            bytes.len() >> 10
        );
        assert_eq!(whole, due, "{kind}, {what}");
        assert!(memory <= MEMORY_BUDGET, "{kind}, {what}: {memory} bytes");
    }
}
