//! Compares the histories of two servers, each up to the state that the server proves.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::auditor::MIN_OVERDUE_TIME;
use crate::audit::check::membership::{self, AncestorCheck};
use crate::audit::diff::differences::{
    Change, Differences, Differing, KeyChange, MAX_LISTED_KEYS, MAX_LISTED_TXS,
};
use crate::config::ShownValues;
use crate::ledger::{Digest, State, TxEntry, verify_entries};
use crate::locate::Probe;
use crate::server::{Server, ServerError, ServerErrorKind};
use crate::text::Escaped;
use crate::wire::{Entries, Tx};

/// The number of transactions that one scan asks for.
const TXS_PER_SCAN: u32 = 100;

/// The reasons to end the reading of two servers.
pub(in crate::audit) enum Ended {
    Stopped,
    Unproven(Escaped),
}

impl From<ServerError> for Ended {
    fn from(failure: ServerError) -> Ended {
        match failure.kind {
            ServerErrorKind::Stopped => Ended::Stopped,
            _ => Ended::unproven(&failure.to_string()),
        }
    }
}

impl Ended {
    fn unproven(why: &str) -> Ended {
        Ended::Unproven(Escaped::new(why))
    }
}

/// Two servers that should have the same history.
pub(in crate::audit) struct HistoryPair<'a> {
    pub(super) ours: ServerHistory<'a>,
    pub(super) theirs: ServerHistory<'a>,
}

/// One of two servers, and the state to which all of its responses must lead.
pub(in crate::audit) struct ServerHistory<'a> {
    server: &'a mut Server,
    database: &'a str,
    shown: State,
    range: u64,
}

impl HistoryPair<'_> {
    /// Returns whether the transaction is the same in both histories.
    pub(in crate::audit) fn same(&mut self, tx: u64) -> Option<Probe> {
        let unknown = |ended| match ended {
            Ended::Stopped => None,
            Ended::Unproven(why) => Some(Probe::Unknown(why)),
        };
        let theirs = match self.theirs.hash_at(tx) {
            Ok(hash) => hash,
            Err(ended) => return unknown(ended),
        };
        match self.ours.hash_at(tx) {
            Ok(ours) => Some(Probe::of_hashes(&theirs, &ours)),
            Err(ended) => unknown(ended),
        }
    }

    /// Reads both histories from their last common transaction up to `last`. Each must chain from there to the hash
    /// that its server's state proves.
    pub(in crate::audit) fn compare(
        &mut self,
        differences: &mut Differences,
        last: u64,
        pairs: &mut Vec<Pair>,
    ) -> Result<(), Ended> {
        let before = match differences.same {
            0 => Digest::OF_NOTHING,
            same => self.ours.hash_at(same)?,
        };
        let (mut ours_before, mut theirs_before) = (before, before);
        let mut space = MAX_KEPT_BYTES;
        while differences.compared < last {
            let next = differences.compared + 1;
            let most = u32::try_from(last - differences.compared).unwrap_or(TXS_PER_SCAN);
            let ours = self.ours.read(next, most.min(TXS_PER_SCAN))?;
            let theirs = self.theirs.read(next, most.min(TXS_PER_SCAN))?;
            if ours.is_empty() || theirs.is_empty() {
                return Err(Ended::unproven("the server does not return a transaction"));
            }
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                ours_before = follows(&ours, differences.compared + 1, ours_before)?;
                theirs_before = follows(&theirs, differences.compared + 1, theirs_before)?;
                differences.compared += 1;
                let (here, there) = (&ours.header, &theirs.header);
                if here.eh() == there.eh() && here.metadata() == there.metadata() {
                    differences.rechained += u64::from(here.alh() != there.alh());
                } else {
                    space = spend(spend(space, &ours)?, &theirs)?;
                    pairs.push(Pair {
                        ours: Some(ours),
                        theirs: Some(theirs),
                    });
                }
            }
        }
        let proven = self.ours.hash_at(last)? == ours_before;
        match proven && self.theirs.hash_at(last)? == theirs_before {
            true => Ok(()),
            false => Err(Ended::unproven(
                "the transactions that were read do not lead to the states that the servers prove",
            )),
        }
    }

    /// Reads the transactions that only the longer history has, because an entry may have moved there. They must
    /// chain from the end of the shorter history to the hash that the longer one's state proves.
    pub(in crate::audit) fn read_on(
        &mut self,
        differences: &Differences,
        most: u64,
        pairs: &mut Vec<Pair>,
    ) -> Result<(), Ended> {
        let (ours, theirs) = (differences.ours.tx, differences.theirs.tx);
        let (side, is_ours) = match ours > theirs {
            true => (&mut self.ours, true),
            false => (&mut self.theirs, false),
        };
        let last = ours
            .max(theirs)
            .min(differences.compared.saturating_add(most));
        if differences.compared < ours.min(theirs) {
            return Ok(()); // the end of the shorter history is beyond the limit
        }
        let mut next = ours.min(theirs) + 1;
        let mut before = side.hash_at(next - 1)?;
        let mut space = MAX_KEPT_BYTES;
        while next <= last {
            let run = u32::try_from(last - next + 1)
                .unwrap_or(TXS_PER_SCAN)
                .min(TXS_PER_SCAN);
            let read = side.read(next, run)?;
            if read.is_empty() {
                return Err(Ended::unproven("the server does not return a transaction"));
            }
            for tx in read {
                before = follows(&tx, next, before)?;
                next = next.saturating_add(1);
                space = spend(space, &tx)?;
                pairs.push(match is_ours {
                    true => Pair {
                        ours: Some(tx),
                        theirs: None,
                    },
                    false => Pair {
                        ours: None,
                        theirs: Some(tx),
                    },
                });
            }
        }
        match side.hash_at(next - 1)? == before {
            true => Ok(()),
            false => Err(Ended::unproven(
                "the transactions that were read do not lead to the state that the server proves",
            )),
        }
    }

    /// Adds the changes of the pairs to the differences, except entries that only moved to another transaction.
    pub(in crate::audit) fn add_changes(
        &mut self,
        differences: &mut Differences,
        pairs: Vec<Pair>,
        values: ShownValues,
    ) -> Result<(), Ended> {
        let here = Entry::all(pairs.iter().filter_map(|pair| pair.ours.as_ref()));
        let there = Entry::all(pairs.iter().filter_map(|pair| pair.theirs.as_ref()));
        let whole = pairs
            .iter()
            .filter_map(|pair| Some((pair.ours.as_ref()?, pair.theirs.as_ref()?)));
        for (ours, theirs) in whole {
            let all = changed_keys(&ours.entries, &theirs.entries);
            let any = !all.is_empty();
            let keys: Vec<(&[u8], KeyChange)> = all
                .into_iter()
                .filter(|(key, how)| match how {
                    KeyChange::Added => !Entry::is_among(ours, key, &there),
                    KeyChange::Removed => !Entry::is_among(theirs, key, &here),
                    KeyChange::Changed => true,
                })
                .collect();
            if any && keys.is_empty() {
                differences.moved += 1;
                continue;
            }
            if differences.differing.len() == MAX_LISTED_TXS {
                differences.more += 1;
                continue;
            }
            let more = keys.len().saturating_sub(MAX_LISTED_KEYS);
            let (mut our_values, mut their_values) = (BTreeMap::new(), BTreeMap::new());
            if values == ShownValues::Yes {
                our_values = self.ours.values(ours)?;
                their_values = self.theirs.values(theirs)?;
            }
            let change = |(key, how): (&[u8], KeyChange)| Change {
                how,
                key: shown_key(key),
                theirs: their_values.get(key).cloned(),
                ours: our_values.get(key).cloned(),
            };
            differences.differing.push(Differing {
                tx: ours.header.id(),
                ours: ours.header.ts(),
                theirs: theirs.header.ts(),
                changes: keys.into_iter().take(MAX_LISTED_KEYS).map(change).collect(),
                more,
            });
        }
        Ok(())
    }
}

/// The limit of the different entries that one walk holds in memory, in bytes: an eighth of the service's default
/// memory limit.
const MAX_KEPT_BYTES: usize = 8 << 20;

/// Returns the memory that is left when this transaction is also stored.
fn spend(space: usize, tx: &Tx) -> Result<usize, Ended> {
    let entries = tx.entries.iter();
    let taken: usize = entries
        .map(|entry| size_of::<TxEntry>() + entry.key.len() + entry.value.len())
        .sum();
    space
        .checked_sub(taken)
        .ok_or_else(|| Ended::unproven("there are more differences than the memory limit allows"))
}

/// Transactions of the same id whose entries differ; only one if the other history ends before it.
pub(in crate::audit) struct Pair {
    ours: Option<Tx>,
    theirs: Option<Tx>,
}

/// An entry, in whichever transaction it is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry<'a>(&'a [u8], Digest);

impl<'a> Entry<'a> {
    fn all(txs: impl Iterator<Item = &'a Tx>) -> BTreeSet<Entry<'a>> {
        let entries = txs.flat_map(|tx| &tx.entries);
        entries
            .map(|entry| Entry(&entry.key, entry.h_value))
            .collect()
    }

    fn is_among(tx: &'a Tx, key: &[u8], among: &BTreeSet<Entry<'a>>) -> bool {
        let mut of_key = tx.entries.iter().filter(|entry| entry.key == key);
        of_key.all(|entry| among.contains(&Entry(&entry.key, entry.h_value)))
    }
}

impl<'a> ServerHistory<'a> {
    pub(in crate::audit) fn new(
        server: &'a mut Server,
        database: &'a str,
        shown: State,
        range: u64,
    ) -> ServerHistory<'a> {
        ServerHistory {
            server,
            database,
            shown,
            range,
        }
    }

    /// Returns the hash of a transaction in the history of the server's state.
    fn hash_at(&mut self, tx: u64) -> Result<Digest, Ended> {
        if tx == self.shown.tx {
            return Ok(self.shown.hash);
        }
        let any = State {
            tx,
            hash: Digest::ZERO,
        };
        let until = self.server.clock().instant() + MIN_OVERDUE_TIME;
        let before = self.server.limit(until);
        let standing =
            membership::check_ancestor(self.server, self.database, &any, &self.shown, self.range);
        self.server.restore(before);
        match standing {
            AncestorCheck::Proven(proven) => Ok(proven.source().hash),
            AncestorCheck::Chained(hash) => Ok(hash),
            AncestorCheck::Unknown(reason) => Err(Ended::unproven(&reason.to_string())),
            AncestorCheck::Stopped => Err(Ended::Stopped),
        }
    }

    /// Reads up to `most` transactions with the digests of their entries.
    fn read(&mut self, first: u64, most: u32) -> Result<Vec<Tx>, Ended> {
        let mut most = most;
        let read = self
            .server
            .run_of_txs(self.database, first, &mut most, Entries::Digests)?;
        Ok(read)
    }

    /// Returns the values of a transaction by key, except values that the server does not send or that do not match
    /// their hash.
    fn values(&mut self, of: &Tx) -> Result<BTreeMap<Vec<u8>, Escaped>, Ended> {
        let tx = match self.server.tx(self.database, of.header.id(), Entries::Raw) {
            Ok(tx) => tx,
            Err(failure) if failure.kind == ServerErrorKind::Stopped => return Err(Ended::Stopped),
            Err(_) => return Ok(BTreeMap::new()), // the keys are reported without values
        };
        let sent = tx.entries.into_iter().filter(|entry| {
            let same = |due: &&TxEntry| due.key == entry.key && due.h_value == entry.h_value;
            let is_due = of.entries.iter().any(|due| same(&due));
            is_due && Digest::of(&[&entry.value]) == entry.h_value
        });
        Ok(sent
            .map(|entry| (entry.key, shown_value(&entry.value)))
            .collect())
    }
}

/// Returns the hash of a transaction that follows the one before it and whose entries match its header.
fn follows(tx: &Tx, id: u64, before: Digest) -> Result<Digest, Ended> {
    if tx.header.id() != id || *tx.header.prev_alh() != before {
        return Err(Ended::unproven(&format!(
            "transaction {id} does not name the hash of the transaction before it"
        )));
    }
    verify_entries(&tx.header, &tx.entries)
        .map_err(|refusal| Ended::unproven(&refusal.to_string()))?;
    Ok(tx.header.alh())
}

fn changed_keys<'a>(ours: &'a [TxEntry], theirs: &'a [TxEntry]) -> Vec<(&'a [u8], KeyChange)> {
    let by_key = |entries: &'a [TxEntry]| -> BTreeMap<&'a [u8], &'a TxEntry> {
        let pair = |entry: &'a TxEntry| (entry.key.as_slice(), entry);
        entries.iter().map(pair).collect()
    };
    let (ours, theirs) = (by_key(ours), by_key(theirs));
    let here = ours
        .iter()
        .filter_map(|(key, entry)| match theirs.get(key) {
            None => Some((*key, KeyChange::Added)),
            Some(other) if other.h_value != entry.h_value || other.metadata != entry.metadata => {
                Some((*key, KeyChange::Changed))
            }
            Some(_) => None,
        });
    let there = theirs.keys().filter(|key| !ours.contains_key(*key));
    let there = there.map(|key| (*key, KeyChange::Removed));
    here.chain(there).collect()
}

/// Kind byte of plain keys, and first byte of plain values (protocol.md §2).
const PLAIN: u8 = 0;

fn shown_key(key: &[u8]) -> Escaped {
    Escaped::of_bytes(key.strip_prefix(&[PLAIN]).unwrap_or(key))
}

fn shown_value(value: &[u8]) -> Escaped {
    Escaped::of_bytes(value.strip_prefix(&[PLAIN]).unwrap_or(value))
}
