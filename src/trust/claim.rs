//! The claim of a finding about one transaction, in a form that evidence can be verified against.

use toml::Table;

use super::checksummed::{self, Writer};
use super::file_damage::FileDamage;
use crate::ledger::Digest;

/// A claim about one transaction, made while the history up to a trusted state was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The transaction.
    pub tx: u64,
    /// The kind of contradiction.
    pub what: Contradiction,
    /// The two hashes that differ, for kinds that are about two hashes.
    pub differ: Option<Differ>,
}

/// Two hashes that should be equal, as the auditor computed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differ {
    /// The hash that the history requires.
    pub due: Digest,
    /// The hash that was found.
    pub got: Digest,
}

/// Kinds of contradictions between one transaction and the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// A value does not hash to the hash in its entry.
    Value,
    /// The entries hash to another root than the header's.
    Entries,
    /// An entry was sent that is not among the transaction's entries.
    NoSuchEntry,
    /// The server itself reports damage.
    Reported,
    /// The server sent two headers for the same transaction.
    Header,
    /// The proof of the transaction's place is refused.
    Place,
    /// The transaction names another hash for the transaction before than that transaction has.
    Chain,
    /// The transaction was written over a main tree that contains other transactions than the chain.
    Tree,
}

const WORDS: [(Contradiction, &str); 8] = [
    (Contradiction::Value, "value"),
    (Contradiction::Entries, "entries"),
    (Contradiction::NoSuchEntry, "no-such-entry"),
    (Contradiction::Reported, "reported"),
    (Contradiction::Header, "header"),
    (Contradiction::Place, "place"),
    (Contradiction::Chain, "chain"),
    (Contradiction::Tree, "tree"),
];

impl Claim {
    /// Writes the claim's keys into the current table.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number("tx", self.tx);
        let word = WORDS.iter().find(|(what, _)| *what == self.what);
        writer.text("what", word.map_or("", |(_, word)| word));
        if let Some(Differ { due, got }) = &self.differ {
            writer.text("due", &due.to_string());
            writer.text("got", &got.to_string());
        }
    }

    /// Reads a claim from its table.
    pub(super) fn read(table: &Table) -> Result<Claim, FileDamage> {
        let word = checksummed::text(table, "what")?;
        let what = WORDS.iter().find(|(_, known)| *known == word);
        let digest = |key| match checksummed::optional(table, key)? {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| FileDamage::Value(key)),
        };
        let differ = match (digest("due")?, digest("got")?) {
            (Some(due), Some(got)) => Some(Differ { due, got }),
            (None, None) => None,
            _ => return Err(FileDamage::Value("due")),
        };
        Ok(Claim {
            tx: checksummed::number(table, "tx")?,
            what: what
                .map(|(what, _)| *what)
                .ok_or(FileDamage::Value("what"))?,
            differ,
        })
    }
}
