//! The verified contents of one transaction, and the values that are still missing.

use super::finding::{CorruptEntry, Corruption, Entry, UnreadReason};
use super::judge::{Completed, Judged, complete};
use super::reader::Ended;
use crate::ledger::{Digest, TxEntry, TxHeader};
use crate::server::{ServerError, ServerErrorKind};
use crate::wire::Tx;

/// The verified entries of a transaction, and the values that came.
pub(super) struct Contents {
    pub completed: Completed,
    /// The entries whose values did not come, with their index.
    pub missing: Vec<(usize, TxEntry)>,
}

/// The call that brought a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A call for this transaction alone: findings are recorded.
    Alone,
    /// A scan. A corrupt value ends the reading of the transaction, because the responses to reading it alone are
    /// shorter evidence.
    Scan,
}

impl Contents {
    /// Collects the entries whose values did not come, and frees the values that came.
    pub fn new(mut completed: Completed, entries: Vec<TxEntry>) -> Contents {
        let mut missing = std::mem::take(&mut completed.missing)
            .into_iter()
            .peekable();
        let entries = entries.into_iter().enumerate();
        Contents {
            missing: entries
                .filter(|(index, _)| missing.next_if_eq(index).is_some())
                .collect(),
            completed,
        }
    }

    /// Verifies the entries `raw` by all entries of the transaction without values.
    pub fn complete(
        alh: &Digest,
        digests: Tx,
        raw: &[TxEntry],
        now: i64,
    ) -> Result<Contents, Ended> {
        let completed = complete(alh, &digests, raw, now).map_err(unfit)?;
        Ok(Contents::new(completed, digests.entries))
    }
}

/// Returns the end of a reading whose digests do not match the ledger or are incomplete.
pub(super) fn unfit(judged: Judged) -> Ended {
    match judged {
        Judged::Broken(broken) => Ended::Broken(broken),
        Judged::Malformed(why) => Ended::Unread(why),
        Judged::Complete(_) | Judged::Incomplete => Ended::Unread(UnreadReason::Withheld),
    }
}

/// Returns the end of a reading after a failed call about one transaction: the server itself reports corruption, or
/// the transaction stays due.
pub(super) fn reported(header: &TxHeader, entry: Option<Entry>, failure: ServerError) -> Ended {
    match failure.kind {
        ServerErrorKind::Corrupted | ServerErrorKind::MaybeCorrupted => {
            Ended::Broken(CorruptEntry {
                tx: header.id(),
                alh: Some(header.alh()),
                entry,
                what: Corruption::Reported(failure),
            })
        }
        _ => Ended::Unread(UnreadReason::of_failure(failure)),
    }
}
