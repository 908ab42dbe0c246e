//! The recorded responses that tests change at random, and the verdict on a changed response.

#![allow(clippy::result_large_err)] // the errors are the program's own

use std::collections::BTreeMap;

use immuaudit::ledger::{
    ClaimedState, Digest, DualProof, Parts, PublicKey, Reason, Refusal, State, Step, Term, verify,
    verify_entries,
};
use immuaudit::wire::{self, Malformed};

use super::vectors::{Case, Vectors, read, read_all};

/// A recorded response, and the state or hash to compare it with.
pub struct Seed {
    /// The file and the index in it.
    pub name: String,
    pub reply: Vec<u8>,
    question: Question,
}

enum Question {
    /// `VerifiableTxById`: a proof of the target from the source.
    Proof {
        source: State,
        target: State,
        headers: BTreeMap<u64, Vec<u8>>,
        parts: BTreeMap<u64, Vec<u8>>,
        /// Whether the response has the requested transaction.
        with_tx: bool,
    },
    /// `CurrentState`: the trusted state, signed by the key.
    State { database: String, state: State },
    /// `TxById`: this transaction with its entries and values.
    Tx { alh: Digest, entries: Entries },
    /// `TxScan`: a run of transactions whose last one has this hash.
    List {
        first: u64,
        last: Digest,
        entries: Entries,
    },
    /// `VerifiableGet`: an entry of a transaction, proven against a trusted state.
    Entry { tx: State, trusted: State },
}

/// The entries in the recorded response.
#[derive(Clone, Copy)]
enum Entries {
    All,
    /// Some entries are missing, as requested, so the entries are not checked.
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

/// Every digest and key that the verdict *consistent* depends on. They are equal for all accepted
/// responses to the same question, unless SHA-256 is broken.
pub type Consulted = Vec<Vec<u8>>;

pub fn seeds() -> Vec<Seed> {
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
    /// Returns the verdict on `reply` in place of the recorded response; `changed` replaces one of
    /// the additional parts.
    pub fn judge(
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
                        reason: Reason::Absent("transaction in the response"),
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

    pub fn parts(&self) -> Vec<(u64, &Vec<u8>)> {
        match &self.question {
            Question::Proof { headers, parts, .. } => {
                let all = headers.iter().chain(parts);
                all.map(|(id, bytes)| (*id, bytes)).collect()
            }
            _ => vec![],
        }
    }

    /// Returns a key; seeds with the same key have the same question.
    pub fn key(&self) -> String {
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

/// Returns the transaction in a response.
fn tx_asked(reply: &[u8]) -> Option<u64> {
    wire::verifiable_tx(reply).ok()?.tx.map(|tx| tx.header.id())
}

fn digest(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

/// Checks that a transaction hashes to `alh`, and checks its entries and the values in the
/// response.
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

/// Returns the digests that the steps of protocol.md §4 use, in one form for both ways to prove a
/// linear advance.
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

/// Returns every Alh of a chain that is given by its first Alh and by the inner hash of each
/// further transaction.
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
