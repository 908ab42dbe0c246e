//! Values that did not come with their transaction: asked for by key, as servers before 1.2 have it,
//! or gone for a reason that the ledger itself shows (protocol.md §6).

use super::finding::{Broken, Entry, Shows, What, Why};
use super::judge::{Completed, Judged, complete, judge_by_key};
use super::reader::{Ended, Reader};
use super::truncation::{Recorded, Search};
use crate::clock;
use crate::ledger::{Digest, HeaderVersion, KEY_VALUE, StateShape, TxEntry, TxHeader};
use crate::server::{Failure, Kind};
use crate::wire::{Entries, Tx};

impl Reader<'_> {
    /// All entries of a transaction, without values.
    pub(super) fn digests(&mut self, header: &TxHeader) -> Result<Tx, Ended> {
        let tx = header.id();
        match self.server.tx(self.database, tx, Entries::Digests) {
            Ok(digests) if digests.header.id() == tx => Ok(digests),
            Ok(_) => Err(Ended::Unread(Why::malformed(
                &"the answer is of another transaction",
            ))),
            Err(failure) => {
                let failure = self.still_there(failure)?;
                Err(reported(header, None, failure))
            }
        }
    }

    pub(super) fn complete(
        &mut self,
        alh: &Digest,
        digests: &Tx,
        raw: &[TxEntry],
    ) -> Result<(), Ended> {
        let completed = complete(alh, digests, raw, unix_now()).map_err(unfit)?;
        self.finish(&digests.header, &digests.entries, completed)
    }

    /// What is left once entries and the values that came are judged: values that did not come.
    pub(super) fn finish(
        &mut self,
        header: &TxHeader,
        entries: &[TxEntry],
        completed: Completed,
    ) -> Result<(), Ended> {
        self.report.unavailable.add(completed.unavailable);
        let mut last = None;
        let mut withheld = None;
        // one answer showed them all, so they share it
        let answers = match completed.broken.len() {
            0 | 1 => Vec::new(),
            _ => self.answers(),
        };
        for broken in completed.broken {
            if let Some(broken) = last.replace(broken) {
                let answers = answers.clone();
                self.report.found(Shows { broken, answers });
            }
        }
        let (mut absent, mut missing) = (completed.absent, completed.missing);
        if self.truncation.covers(header.id()) {
            let gone = absent.saturating_add(u64::try_from(missing.len()).unwrap_or(u64::MAX));
            self.report.unavailable.truncated += gone;
            absent = 0;
            missing.clear();
        }
        for index in missing {
            let Some(entry) = entries.get(index) else {
                continue;
            };
            if !self.in_time() {
                withheld = Some(Why::Slow);
                break;
            }
            match self.value_by_key(header, index, entry) {
                Ok(()) => {}
                Err(Ended::Halt(halt)) => return Err(halt.into()),
                Err(Ended::Broken(broken)) => {
                    last.replace(broken).into_iter().for_each(|b| self.found(b));
                }
                Err(Ended::Unread(why)) => withheld = Some(why),
                Err(Ended::Absent(values)) => absent = absent.saturating_add(values),
            }
        }
        match (last, withheld) {
            (Some(broken), _) => Err(Ended::Broken(broken)),
            (None, Some(why)) => Err(Ended::Unread(why)),
            (None, None) if absent > 0 => self.absent(header.id(), absent),
            (None, None) => Ok(()),
        }
    }

    /// Decides on values that the server does not have: a truncation that the ledger records explains
    /// them, else they are absent.
    fn absent(&mut self, tx: u64, values: u64) -> Result<(), Ended> {
        match self.is_truncated(tx, Search::Whole)? {
            Recorded::Yes => {
                self.report.unavailable.truncated += values;
                Ok(())
            }
            Recorded::No => Err(Ended::Absent(values)),
            Recorded::Unknown => Err(Ended::Unread(Why::Searching(None))),
        }
    }

    /// Servers before 1.2 send a value by its key alone; a newer one that left it out is given the
    /// same chance (protocol.md §6).
    fn value_by_key(
        &mut self,
        header: &TxHeader,
        index: usize,
        entry: &TxEntry,
    ) -> Result<(), Ended> {
        let old = header.version() == HeaderVersion::V0;
        let Some(key) = entry.key.strip_prefix(&[KEY_VALUE]) else {
            if old {
                self.report.unavailable.unreadable += 1;
                return Ok(());
            }
            return Err(Ended::Unread(Why::Withheld));
        };
        let got = match self.server.get(self.database, key, header.id()) {
            Ok(got) => got,
            Err(failure) => {
                let failure = self.still_there(failure)?;
                if failure.kind == Kind::ValueAbsent {
                    return Err(Ended::Absent(1));
                }
                let entry = Entry::new(index, &entry.key);
                return Err(reported(header, Some(entry), failure));
            }
        };
        if got.stored_in() != header.id() {
            // 0.9.0 alone does not know of atTx and answers the latest
            if self.shape == Some(StateShape::WithoutDatabase) {
                self.report.unavailable.unreadable += 1;
                return Ok(());
            }
            return Err(Ended::Unread(Why::Withheld));
        }
        judge_by_key(header, index, entry, &got).map_or(Ok(()), |broken| Err(Ended::Broken(broken)))
    }

    /// A proven transaction whose values the server refuses to send: its digests count all the
    /// same, and the refusal counts only with its proof.
    pub(super) fn without_values(
        &mut self,
        header: &TxHeader,
        refused: Failure,
    ) -> Result<(), Ended> {
        let digests = self.digests(header)?;
        let alh = header.alh();
        complete(&alh, &digests, &[], unix_now()).map_err(unfit)?;
        if matches!(
            refused.kind,
            Kind::TooLarge | Kind::Unreachable | Kind::Deadline(_)
        ) {
            return Err(Ended::Unread(Why::of_failure(refused)));
        }
        let accuses = matches!(refused.kind, Kind::Corrupted | Kind::MaybeCorrupted);
        let search = if accuses {
            Search::Short
        } else {
            Search::Whole
        };
        match self.is_truncated(header.id(), search)? {
            Recorded::Yes => {
                let entries = u64::try_from(digests.entries.len()).unwrap_or(u64::MAX);
                self.report.unavailable.truncated += entries;
                return Ok(());
            }
            Recorded::No | Recorded::Unknown if accuses => {}
            Recorded::No => return Err(Ended::Unread(Why::ValuesRefused(refused))),
            Recorded::Unknown => return Err(Ended::Unread(Why::Searching(Some(refused)))),
        }
        // the server's word against itself; which entry is it?
        let mut named = None;
        for (index, entry) in digests.entries.iter().enumerate().take(NAMED) {
            if entry.h_value == Digest::OF_NOTHING {
                continue;
            }
            if !self.in_time() {
                break;
            }
            match self.value_by_key(header, index, entry) {
                Ok(()) | Err(Ended::Unread(_) | Ended::Absent(_)) => {}
                Err(Ended::Halt(halt)) => return Err(halt.into()),
                Err(Ended::Broken(broken)) => {
                    named
                        .replace(broken)
                        .into_iter()
                        .for_each(|b| self.found(b));
                }
            }
        }
        Err(match named {
            Some(broken) => Ended::Broken(broken),
            None => reported(header, None, refused),
        })
    }
}
/// Entries asked for one by one to find the damaged ones.
const NAMED: usize = 1_000;

/// Digests that are not the ledger's, or none at all.
fn unfit(judged: Judged) -> Ended {
    match judged {
        Judged::Broken(broken) => Ended::Broken(broken),
        Judged::Malformed(why) => Ended::Unread(why),
        Judged::Whole(_) | Judged::Incomplete => Ended::Unread(Why::Withheld),
    }
}

/// A call that failed about one transaction: the server's word against itself, or it stays due.
fn reported(header: &TxHeader, entry: Option<Entry>, failure: Failure) -> Ended {
    match failure.kind {
        Kind::Corrupted | Kind::MaybeCorrupted => Ended::Broken(Broken {
            tx: header.id(),
            alh: Some(header.alh()),
            entry,
            what: What::Reported(failure),
        }),
        _ => Ended::Unread(Why::of_failure(failure)),
    }
}

fn unix_now() -> i64 {
    i64::try_from(clock::now().unix()).unwrap_or(i64::MAX)
}
