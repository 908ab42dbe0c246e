//! The same questions to `ledger` and to the formal definitions of docs/proof, and a comparison of
//! both answers.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::fs::{self, File};
use std::process::Command;

use immuaudit::ledger::{
    Digest, DualProof, EntryInclusion, GetEntry, HeaderFields, KvMetadata, Reason, Refusal, State,
    Term, TxEntry, TxHeader, excuse, verify, verify_entries,
};

use super::loud::not_shown;
use super::question::Question;
use super::temp_dir::TempDir;

/// Questions to both, with the answers of the ledger.
#[derive(Default)]
pub struct Questions {
    pub lines: Vec<String>,
    expected: Vec<String>,
}

impl Questions {
    fn ask(&mut self, line: Words, expected: impl Display) {
        self.lines.push(line.0);
        self.expected.push(expected.to_string());
    }

    pub fn verify(&mut self, q: &Question) {
        let mut line = Words::new("verify");
        line.state(&q.source).state(&q.target).proof(&q.proof);
        line.headers(&q.parts.headers)
            .number(q.parts.inclusions.len() as u64);
        for (id, terms) in &q.parts.inclusions {
            line.number(*id).terms(terms);
        }
        let result = verify(&q.source, &q.target, &q.proof, &q.parts);
        self.ask(line, verdict(result.err()));
    }

    pub fn excuse(&mut self, source: &State, target: &State, headers: &BTreeMap<u64, TxHeader>) {
        let mut line = Words::new("excuse");
        line.state(source).state(target).headers(headers);
        self.ask(line, verdict(excuse(source, target, headers).err()));
    }

    pub fn header(&mut self, fields: &HeaderFields) {
        let mut line = Words::new("header");
        line.fields(fields);
        let expected = TxHeader::new(fields.clone());
        self.ask(
            line,
            expected.map_or("Malformed".into(), |header| header.alh().to_string()),
        );
    }

    pub fn entries(&mut self, header: &TxHeader, entries: &[TxEntry]) {
        let mut line = Words::new("entries");
        line.header(header).number(entries.len() as u64);
        for entry in entries {
            line.entry(entry);
        }
        self.ask(line, check(verify_entries(header, entries)));
    }

    pub fn value(&mut self, header: &TxHeader, entry: &TxEntry) {
        let mut line = Words::new("value");
        line.entry(entry).bytes(&entry.value);
        self.ask(line, check(entry.verify_value(header)));
    }

    pub fn get(&mut self, header: &TxHeader, entry: &GetEntry, proof: &EntryInclusion) {
        let mut line = Words::new("get");
        line.header(header).number(entry.tx).bytes(&entry.key);
        line.bytes(&entry.value).metadata(entry.metadata.as_ref());
        line.option(entry.referenced_by.as_ref(), |words, reference| {
            words.number(reference.tx).bytes(&reference.key);
            words
                .number(reference.at_tx)
                .metadata(reference.metadata.as_ref());
        });
        line.number(proof.leaf)
            .number(proof.width)
            .terms(&proof.terms);
        self.ask(line, check(entry.verify(header, proof)));
    }

    pub fn answer(&mut self, proof: &DualProof, asked: u64, header: &TxHeader) {
        let mut line = Words::new("answer");
        line.proof(proof).number(asked).header(header);
        self.ask(line, check(proof.verify_answer(asked, header)));
    }

    /// Returns how often each verdict is expected.
    pub fn verdicts(&self) -> BTreeMap<&str, usize> {
        let mut verdicts = BTreeMap::new();
        for expected in self.expected.iter().filter(|expected| expected.len() != 64) {
            *verdicts.entry(expected.as_str()).or_default() += 1;
        }
        verdicts
    }

    /// Asks the formal definitions the same questions and compares the answers.
    pub fn compare(&self) {
        let Ok(checker) = std::env::var("IMMUAUDIT_PROOF_CHECKER") else {
            not_shown(
                "no comparison with the formal definitions: ./dev proof compiles them and compares",
            );
            return;
        };
        let folder = TempDir::new();
        let questions = folder.join("questions");
        fs::write(&questions, self.lines.join("\n") + "\n").expect("the questions");
        let output = Command::new(checker)
            .stdin(File::open(&questions).expect("the questions"))
            .output()
            .expect("the checker runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(printed.lines().count(), self.lines.len(), "{stderr}");
        for ((line, expected), answer) in self.lines.iter().zip(&self.expected).zip(printed.lines())
        {
            assert_eq!(
                answer, expected,
                "the formal definitions (left) and the ledger differ on: {line}"
            );
        }
        println!("{} questions, {:#?}", self.lines.len(), self.verdicts());
    }
}

fn fault(refusal: Refusal) -> &'static str {
    match refusal.reason {
        Reason::Differs { .. } => "Inconsistent",
        Reason::TreeShrinks { .. } => "TreeShrinks",
        Reason::PartsNeeded(_) => "PartsNeeded",
        _ => "Malformed",
    }
}

fn check(result: Result<(), Refusal>) -> &'static str {
    result.err().map_or("accepted", fault)
}

fn verdict(refused: Option<Refusal>) -> String {
    refused.map_or("accepted".into(), |refusal| {
        format!("{:?} {}", refusal.step, fault(refusal.clone()))
    })
}

/// A question as words, which docs/proof/checker.ml reads.
struct Words(String);

impl Words {
    fn new(question: &str) -> Words {
        Words(question.into())
    }

    fn number(&mut self, number: u64) -> &mut Words {
        write!(self.0, " {number:x}").unwrap();
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Words {
        self.0.push_str(" .");
        for byte in bytes {
            write!(self.0, "{byte:02x}").unwrap();
        }
        self
    }

    fn digest(&mut self, digest: &Digest) -> &mut Words {
        self.bytes(digest.as_bytes())
    }

    fn state(&mut self, state: &State) -> &mut Words {
        self.number(state.tx).digest(&state.hash)
    }

    fn term(&mut self, term: &Term) -> &mut Words {
        match term.digest() {
            Ok(digest) => self.digest(&digest),
            Err(other) => self.bytes(&vec![7; other.0]),
        }
    }

    fn terms(&mut self, terms: &[Term]) -> &mut Words {
        self.number(terms.len() as u64);
        terms.iter().fold(self, |words, term| words.term(term))
    }

    fn fields(&mut self, of: &HeaderFields) -> &mut Words {
        let metadata = of.metadata.clone().unwrap_or_default();
        self.number(of.id).digest(&of.prev_alh);
        self.number(of.ts as u64)
            .number(u64::from(of.nentries as u32));
        self.digest(&of.eh).number(of.bl_tx_id).digest(&of.bl_root);
        self.number(u64::from(of.version as u32));
        self.number(metadata.truncated_tx_id).bytes(&metadata.extra)
    }

    fn header(&mut self, header: &TxHeader) -> &mut Words {
        self.fields(header.fields())
    }

    fn headers(&mut self, headers: &BTreeMap<u64, TxHeader>) -> &mut Words {
        self.number(headers.len() as u64);
        headers
            .iter()
            .fold(self, |words, (id, header)| words.number(*id).header(header))
    }

    fn option<T>(&mut self, of: Option<&T>, write: impl Fn(&mut Words, &T)) -> &mut Words {
        self.number(u64::from(of.is_some()));
        if let Some(of) = of {
            write(self, of);
        }
        self
    }

    fn proof(&mut self, proof: &DualProof) -> &mut Words {
        for header in [&proof.source, &proof.target] {
            self.option(header.as_ref(), |words, header| {
                words.header(header);
            });
        }
        self.terms(&proof.inclusion).terms(&proof.consistency);
        self.term(&proof.target_bl_tx_alh)
            .terms(&proof.last_inclusion);
        self.option(proof.linear.as_ref(), |words, linear| {
            words.number(linear.source_tx).number(linear.target_tx);
            words.terms(&linear.terms);
        });
        self.option(proof.linear_advance.as_ref(), |words, advance| {
            words
                .terms(&advance.linear)
                .number(advance.inclusions.len() as u64);
            for terms in &advance.inclusions {
                words.terms(terms);
            }
        })
    }

    fn metadata(&mut self, metadata: Option<&KvMetadata>) -> &mut Words {
        let metadata = metadata.cloned().unwrap_or_default();
        self.number(u64::from(metadata.deleted));
        self.option(metadata.expires_at.as_ref(), |words, at| {
            words.number(*at as u64);
        });
        self.number(u64::from(metadata.non_indexable))
    }

    fn entry(&mut self, entry: &TxEntry) -> &mut Words {
        self.bytes(&entry.key).metadata(entry.metadata.as_ref());
        self.digest(&entry.h_value)
    }
}
