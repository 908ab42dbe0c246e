//! Values that did not come with their transaction. They are requested by key, as servers before 1.2 require, or the
//! ledger itself shows why they are gone (protocol.md §6).

use super::contents::{Contents, Source, reported, unfit};
use super::finding::{Entry, UnreadReason};
use super::judge::{complete, judge_by_key};
use super::partial::Partial;
use super::reader::{Ended, ReadInterrupted, Reader};
use super::retention::{Recorded, Search};
use crate::ledger::{Digest, HeaderVersion, KEY_VALUE, StateShape, TxEntry, TxHeader};
use crate::server::{ServerError, ServerErrorKind};
use crate::trust::Unavailable;

/// The result of requesting a value by key, if the value is not corrupt.
enum ByKey {
    Held,
    /// The server's version has no call for it.
    Unreadable,
}

impl Reader<'_> {
    /// Completes the reading of a transaction whose entries and received values are verified. Records corruption, and
    /// reads the values that did not come. Returns the values that cannot be read any more.
    pub(super) fn read_contents(
        &mut self,
        header: &TxHeader,
        contents: Contents,
        source: Source,
    ) -> Result<Unavailable, Ended> {
        let Contents { completed, missing } = contents;
        let mut broken = !completed.broken.is_empty();
        for broken in completed.broken {
            self.found(broken);
        }
        self.report.more_broken += completed.more_broken;
        let (mut unavailable, mut absent) = (completed.unavailable, completed.absent);
        if self.truncation.covers(header.id()) {
            let missing = u64::try_from(missing.len()).unwrap_or(u64::MAX);
            unavailable.truncated += absent.saturating_add(missing);
            absent = 0;
        } else {
            let by_key = self.values_by_key(header, &missing, source)?;
            if let Some(why) = by_key.withheld {
                return Err(Ended::Unread(why));
            }
            unavailable.add(by_key.unavailable);
            absent = absent.saturating_add(by_key.absent);
            if by_key.broken {
                // found in this reading or in an earlier part of it
                self.report.found_in.insert(header.id(), header.id(), ());
                broken = true;
            }
        }
        if !broken && absent > 0 {
            match self.is_truncated(header.id(), Search::Unlimited)? {
                Recorded::Yes => unavailable.truncated += absent,
                Recorded::No => {
                    self.report.unavailable.add(unavailable);
                    return Err(Ended::Absent(absent));
                }
                Recorded::Unknown => return Err(Ended::Unread(UnreadReason::Searching(None))),
            }
        }
        self.report.unavailable.add(unavailable);
        match broken {
            true => Err(Ended::Recorded),
            false => Ok(unavailable),
        }
    }

    /// Requests values by key, from the entry that an earlier reading reached. If the time ends before the last one,
    /// the transaction is due, and a later reading continues.
    fn values_by_key(
        &mut self,
        header: &TxHeader,
        missing: &[(usize, TxEntry)],
        source: Source,
    ) -> Result<Partial, Ended> {
        let mut partial = self.partials.take(header);
        let from = partial.next;
        for (index, entry) in missing.iter().filter(|(index, _)| *index >= from) {
            if !self.in_time() {
                self.partials.keep(partial);
                return Err(Ended::Unread(UnreadReason::Slow));
            }
            partial.next = *index;
            match self.value_by_key(header, *index, entry) {
                Ok(ByKey::Held) => {}
                Ok(ByKey::Unreadable) => partial.unavailable.unreadable += 1,
                Err(Ended::Broken(broken)) if source == Source::Alone => {
                    self.found(broken);
                    partial.broken = true;
                }
                Err(Ended::Unread(why)) => partial.withheld = Some(why),
                Err(Ended::Absent(values)) => {
                    partial.absent = partial.absent.saturating_add(values);
                }
                Err(ended) => {
                    self.partials.keep(partial);
                    return Err(match ended {
                        // this auditor's own deadline interrupted the call
                        Ended::Interrupted(ReadInterrupted::Late) => {
                            Ended::Unread(UnreadReason::Slow)
                        }
                        ended => ended,
                    });
                }
            }
            partial.next = index.saturating_add(1);
        }
        Ok(partial)
    }

    /// Requests a value by key. If the response accuses immudb 0.9.0, the value is requested again.
    fn value_by_key(
        &mut self,
        header: &TxHeader,
        index: usize,
        entry: &TxEntry,
    ) -> Result<ByKey, Ended> {
        match self.ask_for_value(header, index, entry) {
            Err(Ended::Broken(_)) if self.mixes_up_answers() => {
                match self.ask_for_value(header, index, entry) {
                    Err(ended @ (Ended::Broken(_) | Ended::Interrupted(_))) => Err(ended),
                    _ => Err(Ended::Unread(UnreadReason::not_shown_again())),
                }
            }
            value => value,
        }
    }

    /// Requests a value by its key, because servers before 1.2 send values only by key. A newer server that omitted the
    /// value gets the same chance (protocol.md §6).
    fn ask_for_value(
        &mut self,
        header: &TxHeader,
        index: usize,
        entry: &TxEntry,
    ) -> Result<ByKey, Ended> {
        let Some(key) = entry.key.strip_prefix(&[KEY_VALUE]) else {
            return match header.version() {
                HeaderVersion::V0 => Ok(ByKey::Unreadable),
                _ => Err(Ended::Unread(UnreadReason::Withheld)),
            };
        };
        let got = match self.server.get(self.database, key, header.id()) {
            Ok(got) => got,
            Err(failure) => {
                let failure = self.still_there(failure)?;
                if failure.kind == ServerErrorKind::ValueAbsent {
                    return Err(Ended::Absent(1));
                }
                let entry = Entry::new(index, &entry.key);
                return Err(reported(header, Some(entry), failure));
            }
        };
        if got.stored_in() != header.id() {
            // only immudb 0.9.0 ignores atTx and sends the latest value
            return match self.shape == Some(StateShape::WithoutDatabase) {
                true => Ok(ByKey::Unreadable),
                false => Err(Ended::Unread(UnreadReason::Withheld)),
            };
        }
        match judge_by_key(header, index, entry, &got) {
            None => Ok(ByKey::Held),
            Some(broken) => Err(Ended::Broken(broken)),
        }
    }

    /// Verifies a proven transaction whose values the server refuses to send. Its digests are verified like any
    /// other's; the refusal counts only with the proof.
    pub(super) fn without_values(
        &mut self,
        header: &TxHeader,
        refused: ServerError,
    ) -> Result<Unavailable, Ended> {
        let digests = self.digests(header)?;
        let alh = header.alh();
        complete(&alh, &digests, &[], self.unix_now()).map_err(unfit)?;
        if matches!(
            refused.kind,
            ServerErrorKind::TooLarge | ServerErrorKind::Unreachable | ServerErrorKind::Deadline(_)
        ) {
            return Err(Ended::Unread(UnreadReason::of_failure(refused)));
        }
        let accuses = matches!(
            refused.kind,
            ServerErrorKind::Corrupted | ServerErrorKind::MaybeCorrupted
        );
        let search = if accuses {
            Search::Short
        } else {
            Search::Unlimited
        };
        match self.is_truncated(header.id(), search)? {
            Recorded::Yes => {
                let unavailable = Unavailable {
                    truncated: u64::try_from(digests.entries.len()).unwrap_or(u64::MAX),
                    ..Unavailable::default()
                };
                self.report.unavailable.add(unavailable);
                return Ok(unavailable);
            }
            Recorded::No | Recorded::Unknown if accuses => {}
            Recorded::No => return Err(Ended::Unread(UnreadReason::ValuesRefused(refused))),
            Recorded::Unknown => return Err(Ended::Unread(UnreadReason::Searching(Some(refused)))),
        }
        // the server itself reports corruption; find the entry
        let mut named = false;
        for (index, entry) in digests
            .entries
            .iter()
            .enumerate()
            .take(MAX_ENTRIES_READ_ALONE)
        {
            if entry.h_value == Digest::OF_NOTHING {
                continue;
            }
            if !self.in_time() {
                break;
            }
            match self.value_by_key(header, index, entry) {
                Err(Ended::Broken(broken)) => {
                    self.found(broken);
                    named = true;
                }
                Err(Ended::Interrupted(ReadInterrupted::Late)) => break,
                Err(Ended::Interrupted(interrupted)) => return Err(interrupted.into()),
                Ok(_) | Err(_) => {}
            }
        }
        Err(match named {
            true => Ended::Recorded,
            false => reported(header, None, refused),
        })
    }
}

/// The limit of entries that are read one by one to find the damaged ones, because each takes a call.
const MAX_ENTRIES_READ_ALONE: usize = 1_000;
