//! The result of a check: exactly one verdict, never a bare boolean.

use std::fmt;

use crate::checkpoint::KeyName;
use crate::ledger::{BadSignature, Digest, Refusal, State, Unprovable};
use crate::server::{ServerError, ServerErrorKind};
use crate::text::Escaped;
use crate::trust::{HIDDEN, IMPORTED, StoreError, Tampering, VANISHED};

/// The verdict on one database in one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The database had no trusted state. Its state is trusted on first use.
    FirstSeen,
    /// The proof is valid, or nothing is new.
    Consistent,
    /// The database has no transactions, and never had any.
    Empty,
    /// The state is proven, but due transactions or values could not be read.
    Unread,
    /// History was rewritten.
    Tampered(Tampering),
    /// The server sent an invalid response.
    Malformed,
    /// The server cannot be reached, or exceeded a deadline.
    Unreachable,
    /// The server refused the login or the call.
    Refused,
    /// Not provable yet: an old honest server cannot prove this pair and shows the reason, or a pinned state is newer
    /// than the server's state.
    Unprovable,
    /// The auditor's own files are damaged, locked or not writable.
    LocalFailure,
}

impl Verdict {
    /// All words of verdicts in reports.
    pub const WORDS: [&'static str; 14] = [
        "first-seen",
        "consistent",
        "empty",
        "unread",
        "inconsistent",
        "rolled-back",
        "bad-signature",
        "bad-value",
        "split-view",
        "malformed",
        "refused",
        "unreachable",
        "unprovable",
        "local-failure",
    ];

    /// Returns the word of the verdict, one of [`Verdict::WORDS`].
    pub fn word(self) -> &'static str {
        match self {
            Verdict::FirstSeen => "first-seen",
            Verdict::Consistent => "consistent",
            Verdict::Empty => "empty",
            Verdict::Unread => "unread",
            Verdict::Tampered(tampering) => tampering.word(),
            Verdict::Malformed => "malformed",
            Verdict::Unreachable => "unreachable",
            Verdict::Refused => "refused",
            Verdict::Unprovable => "unprovable",
            Verdict::LocalFailure => "local-failure",
        }
    }

    /// Returns the verdict of a failed call; `None` if the program is asked to end. Only a database with a trusted
    /// state can vanish.
    pub(super) fn of_failure(failure: &ServerError, trusted: bool) -> Option<Verdict> {
        Some(match failure.kind {
            ServerErrorKind::Stopped => return None,
            ServerErrorKind::Unreachable
            | ServerErrorKind::Deadline(_)
            | ServerErrorKind::CutShort
            | ServerErrorKind::TooLarge
            | ServerErrorKind::HeadersTooLarge
            | ServerErrorKind::RateLimited => Verdict::Unreachable,
            ServerErrorKind::NoSuchDatabase if trusted => Verdict::Tampered(Tampering::RolledBack),
            // the server itself reports corruption
            ServerErrorKind::Corrupted => Verdict::Tampered(Tampering::BadValue),
            ServerErrorKind::Malformed(_)
            | ServerErrorKind::NotOneMessage
            | ServerErrorKind::Compressed
            | ServerErrorKind::CannotProve
            | ServerErrorKind::MaybeCorrupted => Verdict::Malformed,
            _ => Verdict::Refused,
        })
    }

    /// Returns whether the state has been proven, as far as there is anything to prove.
    pub fn is_proven(self) -> bool {
        matches!(
            self,
            Verdict::FirstSeen | Verdict::Consistent | Verdict::Empty
        )
    }

    /// Returns whether the verdict accuses the server.
    pub fn is_tampering(self) -> bool {
        matches!(self, Verdict::Tampered(_))
    }

    /// Returns the exit code of a run that ends with this verdict.
    pub fn exit(self) -> Exit {
        match self {
            Verdict::FirstSeen | Verdict::Consistent | Verdict::Empty => Exit::Good,
            Verdict::Tampered(_) => Exit::Tampered,
            Verdict::LocalFailure => Exit::Local,
            _ => Exit::Incomplete,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The exit codes of the program; the worst counts, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// 0: everything is proven.
    Good,
    /// 1: a check was not completed.
    Incomplete,
    /// 3: a usage error, or a local failure.
    Local,
    /// 2: tampering.
    Tampered,
}

impl Exit {
    /// Returns the exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Exit::Good => 0,
            Exit::Incomplete => 1,
            Exit::Tampered => 2,
            Exit::Local => 3,
        }
    }

    /// Returns the exit with this code, if there is one.
    pub fn of_code(code: u8) -> Option<Exit> {
        let all = [Exit::Good, Exit::Incomplete, Exit::Local, Exit::Tampered];
        all.into_iter().find(|exit| exit.code() == code)
    }
}

/// The reason of a verdict, if the verdict alone is not enough.
#[derive(Debug)]
pub enum Reason {
    /// The verdict needs no reason.
    None,
    /// The same transaction with another hash.
    OtherHash {
        /// The transaction.
        tx: u64,
    },
    /// Fewer transactions than before.
    Fewer,
    /// No transactions left.
    Emptied,
    /// The database is gone.
    Vanished,
    /// Not listed, and nothing is trusted of it: the operator gave up its trusted state.
    Unlisted,
    /// Not listed any more, but it still opens.
    Hidden,
    /// A proof that is invalid or missing.
    Refusal(Refusal),
    /// A call that failed.
    Failure(ServerError),
    /// The signature of the state is missing or wrong.
    Signature(BadSignature),
    /// The server shows a pair that nothing can prove.
    Unprovable(Unprovable),
    /// More transactions lie between than may be fetched one by one.
    RangeTooLong {
        /// The number of transactions between the two states.
        length: u64,
        /// The limit of `--audit-max-fetch`.
        limit: u64,
    },
    /// The check took longer than its time.
    TookTooLong,
    /// The cycle's time was over before the database's turn.
    NotReached,
    /// The server names another database for the state.
    OtherDatabase(Escaped),
    /// A message shape that signs less than the one seen before.
    OlderShape,
    /// The server contradicts its own state: it does not have the state's transaction.
    Unbacked(ServerError),
    /// The transaction that the state names is not there, or hashes to something else.
    UnbackedHash,
    /// The response is about another transaction, or about none.
    NoTransaction,
    /// No trusted state, and `--no-first-use`.
    FirstUseRefused,
    /// The server has not come as far as the pinned state yet.
    PinAhead {
        /// The pinned state.
        pin: State,
        /// The last transaction that the server shows.
        shown: u64,
    },
    /// The pinned state and the trusted one do not prove each other.
    PinContradicts {
        /// The pinned state.
        pin: State,
        /// The reason.
        why: Box<Reason>,
    },
    /// The server's history does not have another auditor's trusted state.
    NotExtended {
        /// The other auditor's trusted state.
        imported: State,
        /// The reason.
        why: Box<Reason>,
    },
    /// Another auditor was shown another history.
    SplitView {
        /// The other auditor, if its signature names it.
        peer: Option<KeyName>,
        /// The other auditor's state.
        theirs: State,
        /// The proof.
        by: SplitBy,
        /// The last transaction before that on which both agreed.
        agreed: Option<u64>,
    },
    /// The auditor's own files failed.
    Local(StoreError),
}

/// Returns the name of the other auditor.
pub(super) fn name_of(peer: Option<&KeyName>) -> Escaped {
    Escaped::new(peer.map_or("the other auditor", KeyName::as_str))
}

/// Writes the last transaction on which two auditors agreed.
fn last_agreement(f: &mut fmt::Formatter<'_>, agreed: Option<u64>) -> fmt::Result {
    match agreed {
        Some(tx) => write!(f, "; the last transaction on which both agreed is {tx}"),
        None => Ok(()),
    }
}

/// The begin of the reason of a split view that the server's signature proves, before the peer's name.
pub(super) const SPLIT_SIGNED: &str =
    "another auditor was shown another history, which the server signed";
/// The begin of the reason of a split view that the server's response proves, before the peer's name.
pub(super) const SPLIT_SHOWN: &str =
    "another auditor was shown another history, and the server shows it here too";

/// The proof that the server showed two histories.
#[derive(Debug)]
pub enum SplitBy {
    /// The server signed the other auditor's state.
    Signature {
        /// The hash that the transaction has here.
        here: Digest,
    },
    /// The server also showed that state to this auditor, and it does not extend the trusted state.
    Answer(Box<Reason>),
}

impl Reason {
    /// Returns the reason for a verdict after a failed call. A call that was cut short says nothing about the server.
    pub(super) fn of_failure(failure: ServerError) -> Reason {
        match failure.kind {
            ServerErrorKind::CutShort => Reason::TookTooLong,
            _ => Reason::Failure(failure),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::None => Ok(()),
            Reason::OtherHash { tx } => write!(f, "another hash for transaction {tx}"),
            Reason::Fewer => f.write_str("fewer transactions than shown before"),
            Reason::Emptied => f.write_str("emptied"),
            Reason::Vanished => f.write_str(VANISHED),
            Reason::Unlisted => f.write_str("not listed, and it has no trusted state"),
            Reason::Hidden => f.write_str(HIDDEN),
            Reason::Refusal(refusal) => write!(f, "{refusal}"),
            Reason::Failure(failure) => write!(f, "{failure}"),
            Reason::Signature(bad) => write!(f, "{bad}"),
            Reason::Unprovable(pair) => write!(
                f,
                "this server's version cannot prove the step from a tree of {} to one of {}; it can after the next transactions",
                pair.source_tree, pair.target_tree
            ),
            Reason::RangeTooLong { length, limit } => write!(
                f,
                "the proof requires {length} single transactions, but --audit-max-fetch allows {limit}"
            ),
            Reason::TookTooLong => f.write_str(
                "the check took longer than the time limit for one database: the server or the network is slow",
            ),
            Reason::NotReached => f.write_str(
                "not checked in this cycle: the time of the cycle ended before this database",
            ),
            Reason::OtherDatabase(name) => write!(f, "the state is of database \"{name}\""),
            Reason::OlderShape => {
                f.write_str("the state has the format of 0.9.0, although this server sent the newer format before")
            }
            Reason::Unbacked(failure) => write!(f, "the transaction of the state could not be read: {failure}"),
            Reason::UnbackedHash => {
                f.write_str("the transaction of the state is missing, or has another hash")
            }
            Reason::NoTransaction => f.write_str("the response does not have the requested transaction"),
            Reason::FirstUseRefused => {
                f.write_str("no trusted state, and --no-first-use is set: give --pin")
            }
            Reason::PinContradicts { pin, why } => write!(
                f,
                "the pinned state {pin} and the trusted state do not extend each other: {why} (or the pin is mistyped)"
            ),
            Reason::PinAhead { pin, shown } => write!(
                f,
                "the server shows {shown} transactions, but the pinned state {pin} is newer: not comparable yet (a \
                 replica that lags behind, or a pin of another ledger)"
            ),
            Reason::NotExtended { imported, why } => {
                write!(f, "{IMPORTED} {imported} is not extended: {why}")
            }
            Reason::SplitView {
                peer,
                theirs,
                by: SplitBy::Signature { here },
                agreed,
            } => {
                write!(
                    f,
                    "{SPLIT_SIGNED}: {} has transaction {} with hash {}, but here it has {here}",
                    name_of(peer.as_ref()),
                    theirs.tx,
                    theirs.hash
                )?;
                last_agreement(f, *agreed)
            }
            Reason::SplitView {
                peer,
                theirs,
                by: SplitBy::Answer(why),
                agreed,
            } => {
                write!(
                    f,
                    "{SPLIT_SHOWN}: {} has transaction {} with hash {}, which contradicts the trusted state here: {why}",
                    name_of(peer.as_ref()),
                    theirs.tx,
                    theirs.hash
                )?;
                last_agreement(f, *agreed)
            }
            Reason::Local(failure) => write!(f, "{failure}"),
        }
    }
}
