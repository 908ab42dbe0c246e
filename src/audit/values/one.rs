//! Reads one transaction completely: its place in the history, its entries and its values, by the calls that the
//! server's version requires (protocol.md §6).

use super::contents::{Contents, Source, reported};
use super::finding::{CorruptEntry, Corruption, UnreadReason};
use super::judge::{Judged, judge};
use super::reader::{Ended, ReadInterrupted, Reader, TxReadResult};
use crate::ledger::TxHeader;
use crate::server::{ServerError, ServerErrorKind};
use crate::wire::{Entries, Tx};

/// A transaction as its responses show it.
enum Shown {
    /// Entries and values were judged; the header is proven.
    Judged(TxHeader, Contents),
    /// The server refuses the values; the header is proven.
    Refused(TxHeader, ServerError),
    /// The reading ended before the values, with the header if it is proven.
    Ended(Option<TxHeader>, Ended),
}

impl Reader<'_> {
    /// Reads one transaction. Findings are recorded immediately, but those of immudb 0.9.0 only if a second response
    /// shows one, too.
    pub fn read_one(&mut self, tx: u64) -> Result<TxReadResult, ReadInterrupted> {
        let mut shown = self.ask_for(tx);
        if self.mixes_up_answers() && shown.shows_tampering() {
            shown = self.ask_again(tx);
        }
        match shown {
            Shown::Judged(header, contents) => {
                let read = self.read_contents(&header, contents, Source::Alone);
                self.end(header, read)
            }
            Shown::Refused(header, failure) => {
                let read = self.without_values(&header, failure);
                self.end(header, read)
            }
            Shown::Ended(header, ended) => self.settle(tx, header, ended),
        }
    }

    /// Requests a transaction once.
    fn ask_for(&mut self, tx: u64) -> Shown {
        self.server.begin_transcript();
        let refused = match self.prove_membership(tx, Entries::Raw) {
            Ok(Ok(shown)) => {
                let header = shown.header.clone();
                self.truncation.note(&header);
                return match self.judge(shown) {
                    Ok(contents) => Shown::Judged(header, contents),
                    Err(ended) => Shown::Ended(Some(header), ended),
                };
            }
            Ok(Err(failure)) => failure,
            Err(ended) => return Shown::Ended(None, ended),
        };
        // without values, to find out whether only the values are refused
        match self.prove_membership(tx, Entries::Excluded) {
            Ok(Ok(shown)) => {
                self.truncation.note(&shown.header);
                Shown::Refused(shown.header, refused)
            }
            Ok(Err(failure)) => {
                let ended = match failure.kind {
                    ServerErrorKind::Corrupted | ServerErrorKind::MaybeCorrupted => {
                        Ended::Broken(CorruptEntry {
                            tx,
                            alh: (tx == self.trusted.tx).then_some(self.trusted.hash),
                            entry: None,
                            what: Corruption::Reported(failure),
                        })
                    }
                    _ => Ended::Unread(UnreadReason::of_failure(failure)),
                };
                Shown::Ended(None, ended)
            }
            Err(ended) => Shown::Ended(None, ended),
        }
    }

    /// Requests a transaction that accused the server again; the second response counts.
    fn ask_again(&mut self, tx: u64) -> Shown {
        let again = self.ask_for(tx);
        if again.shows_tampering() {
            return again;
        }
        let no_second = UnreadReason::malformed(&"there was no second response");
        match again {
            Shown::Judged(header, _) | Shown::Refused(header, _) => {
                Shown::Ended(Some(header), Ended::Unread(UnreadReason::not_shown_again()))
            }
            Shown::Ended(_, Ended::Interrupted(interrupted)) => {
                self.report.add_unread(tx, no_second);
                Shown::Ended(None, Ended::Interrupted(interrupted))
            }
            Shown::Ended(header, _) => Shown::Ended(header, Ended::Unread(no_second)),
        }
    }

    /// Verifies a transaction with values whose header is proven.
    pub(super) fn judge(&mut self, shown: Tx) -> Result<Contents, Ended> {
        let alh = shown.header.alh();
        match judge(&alh, &shown) {
            Judged::Complete(completed) => Ok(Contents::new(completed, shown.entries)),
            Judged::Incomplete => {
                let digests = self.digests(&shown.header)?;
                Contents::complete(&alh, digests, &shown.entries, self.unix_now())
            }
            Judged::Broken(broken) => Err(Ended::Broken(broken)),
            Judged::Malformed(why) => Err(Ended::Unread(why)),
        }
    }

    /// Requests all entries of a transaction, without values.
    pub(super) fn digests(&mut self, header: &TxHeader) -> Result<Tx, Ended> {
        let tx = header.id();
        match self.server.tx(self.database, tx, Entries::Digests) {
            Ok(digests) if digests.header.id() == tx => Ok(digests),
            Ok(_) => Err(Ended::Unread(UnreadReason::malformed(
                &"the response is about another transaction",
            ))),
            Err(failure) => {
                let failure = self.still_there(failure)?;
                Err(reported(header, None, failure))
            }
        }
    }
}

impl Shown {
    /// Returns whether the responses accuse the server.
    fn shows_tampering(&self) -> bool {
        match self {
            Shown::Judged(_, contents) => !contents.completed.broken.is_empty(),
            Shown::Refused(_, failure) => {
                matches!(
                    failure.kind,
                    ServerErrorKind::Corrupted | ServerErrorKind::MaybeCorrupted
                )
            }
            Shown::Ended(_, ended) => matches!(ended, Ended::Broken(_)),
        }
    }
}
