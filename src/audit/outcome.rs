//! The outcome of a database in a cycle: the verdict and the facts reported with it.

use std::fmt;
use std::time::Duration;

use super::peers::PeerReport;
use super::values::Report;
use super::verdict::{Exit, Reason, Verdict};
use crate::ledger::{Signature, State};
use crate::locate::Window;
use crate::text::{Escaped, counted, counted_with};
use crate::trust::{Alarm, StoreError};

/// A fact that is reported with the verdict but does not change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The server sends another identity, and its state extends the trusted state.
    IdentityChanged {
        /// The recorded identity.
        from: Escaped,
        /// The identity that the server sends now.
        to: Escaped,
    },
    /// The server's identity was audited under another name.
    KnownElsewhere {
        /// The identity.
        identity: Escaped,
        /// The name it is filed under.
        server: String,
    },
    /// A state was signed once and this one is not; no key is configured.
    SignatureDropped,
    /// The server does not have values of these transactions, and the ledger does not explain why.
    ValuesAbsent {
        /// The number of transactions, as far as it is known.
        transactions: u64,
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
        /// The number of them that had been read whole before.
        dropped: u64,
    },
    /// There was no time to read the whole sample of this cycle.
    SampleCut {
        /// The number of its transactions that were not read.
        transactions: u64,
    },
    /// New transactions are not read yet, although all new ones are due.
    Behind {
        /// The number of these transactions.
        transactions: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::IdentityChanged { from, to } => write!(
                f,
                "the server's identity changed from \"{from}\" to \"{to}\"; the identity does not change the verdict, which depends on the trusted state"
            ),
            Warning::KnownElsewhere { identity, server } => write!(
                f,
                "the identity \"{identity}\" is already audited under the name \"{server}\": give --server-label to continue with its trusted states"
            ),
            Warning::SignatureDropped => f.write_str(
                "the state was signed before and is not signed now: give the server its signing key again, or, if it stopped signing on purpose, run immuaudit acknowledge DATABASE --unsigned",
            ),
            Warning::ValuesAbsent {
                transactions,
                first,
                last,
                dropped,
            } => {
                let of = match transactions {
                    1 => format!("transaction {first}"),
                    _ => format!("{transactions} transactions from {first} to {last}"),
                };
                write!(
                    f,
                    "the server does not have the values of {of}, although the ledger records no truncation of them"
                )?;
                match dropped {
                    0 => f.write_str(
                        "; a replica of a truncated server does not have them either, so this proves no tampering",
                    ),
                    _ => write!(f, "; all values of {dropped} of them had been read before"),
                }
            }
            Warning::SampleCut { transactions } => write!(
                f,
                "there was no time to read {} of this cycle's sample: the server or the network is slow",
                counted(*transactions, "transaction")
            ),
            Warning::Behind { transactions } => write!(
                f,
                "{} not read yet: the ledger grows faster than its values are read",
                counted_with(*transactions, "new transaction", ["is", "are"])
            ),
        }
    }
}

/// A check or a reading that has been missing for too long, for whatever reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Not proven for three intervals; the time since.
    Unproven(Duration),
    /// Proven, but no new transaction for longer than `--audit-max-idle`.
    Frozen(Duration),
    /// A transaction could not be read for three intervals; the time since.
    Unread(Duration),
    /// New transactions have waited to be read for three intervals (`--audit-verify-values`).
    Behind {
        /// The number of these transactions.
        transactions: u64,
        /// The time since.
        time: Duration,
    },
    /// There was no time for the whole sample for three intervals; the time since.
    Cut(Duration),
    /// The sweep takes more than twice the time that `--audit-sweep` gives it; the time since the last
    /// one ended.
    Unswept(Duration),
    /// A peer's checkpoint could not be compared for three intervals; the time since.
    Uncompared(Duration),
    /// Fewer peers confirmed the trusted state within three intervals than `--audit-peers-required` requires.
    Unconfirmed {
        /// The number of peers that confirmed.
        confirmed: usize,
        /// The required number.
        required: usize,
        /// The time since enough peers confirmed.
        time: Duration,
    },
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Overdue::Unproven(time) => write!(f, "overdue: not proven for {}s", time.as_secs()),
            Overdue::Frozen(time) => {
                write!(f, "overdue: no new transaction for {}s", time.as_secs())
            }
            Overdue::Unread(time) => write!(
                f,
                "overdue: a transaction could not be read for {}s",
                time.as_secs()
            ),
            Overdue::Behind { transactions, time } => write!(
                f,
                "overdue: {} waited to be read for {}s",
                counted_with(*transactions, "new transaction", ["has", "have"]),
                time.as_secs()
            ),
            Overdue::Cut(time) => write!(
                f,
                "overdue: the whole sample has not been read in time for {}s",
                time.as_secs()
            ),
            Overdue::Unswept(time) => {
                write!(f, "overdue: no sweep has ended for {}s", time.as_secs())
            }
            Overdue::Uncompared(time) => write!(
                f,
                "overdue: another auditor's checkpoint could not be compared for {}s",
                time.as_secs()
            ),
            Overdue::Unconfirmed {
                confirmed,
                required,
                time,
            } => write!(
                f,
                "overdue: confirmed by only {confirmed} of {required} required auditors for {}s",
                time.as_secs()
            ),
        }
    }
}

/// The outcome of a database in a cycle.
#[derive(Debug)]
pub struct Outcome {
    /// The database's name.
    pub database: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict on the state, if `verdict` is about transactions or values that were read.
    pub of_state: Option<Verdict>,
    /// The reason of the verdict.
    pub reason: Reason,
    /// The result of reading transactions and values, if it is the verdict.
    pub values: Option<Box<Report>>,
    /// The range in which the history was rewritten, as far as it was found.
    pub window: Option<Window>,
    /// The state that the server showed.
    pub shown: Option<State>,
    /// The trusted state before the check.
    pub previous: Option<State>,
    /// The signature of the shown state, whether or not it counts.
    pub signature: Option<Signature>,
    /// The signature of the trusted state before the check.
    pub previous_signature: Option<Signature>,
    /// The alarm opened or repeated by this check; one that it opened, if there are several.
    pub alarm: Option<Alarm>,
    /// The alarms that this check opened, 17 at most: new ones, and ones that were closed. An alarm that could not be
    /// stored is among them in every check.
    pub opened: Vec<Alarm>,
    /// The reason why the alarm could not be written, if it could not.
    pub unwritten: Option<StoreError>,
    /// The reason why the list of alarms cannot be read, if it cannot.
    pub unreadable_alarms: Option<StoreError>,
    /// Open alarms of this database, this one included. A damaged list counts as one.
    pub open_alarms: usize,
    /// The overdue proof or growth, if there is one.
    pub overdue: Option<Overdue>,
    /// The overdue reading of values, if there is one.
    pub values_overdue: Option<Overdue>,
    /// The reports on the peers.
    pub peers: Vec<PeerReport>,
    /// The overdue comparison with peers, or confirmation by them, if there is one.
    pub peers_overdue: Option<Overdue>,
    /// Warnings that are reported with the verdict.
    pub warnings: Vec<Warning>,
    /// The duration of the check.
    pub duration: Duration,
    /// Whether it had no trusted state before, was not trusted on first use, and has no alarm in the store.
    pub is_untrusted: bool,
    /// Whether the server's state was requested. A slice of a sweep reads only transactions of the trusted state.
    pub asked: bool,
}

impl Outcome {
    /// Returns the verdict on the state alone.
    pub fn state_verdict(&self) -> Verdict {
        self.of_state.unwrap_or(self.verdict)
    }

    /// Returns whether the state was proven; values may be unread or differ.
    pub fn is_proven(&self) -> bool {
        self.state_verdict().is_proven()
    }

    /// Returns whether an alarm of the database is open. A list of alarms that cannot be read leaves this as it was before,
    /// because it closes no alarm.
    pub fn open_after(&self, before: bool) -> bool {
        self.open_alarms > 0 || (before && self.unreadable_alarms.is_some())
    }

    /// Returns whether the server lacks values for no reason that is known; a check that does not prove the state
    /// leaves this as it was before.
    pub fn absent_after(&self, before: bool) -> bool {
        let absent = |warning: &Warning| matches!(warning, Warning::ValuesAbsent { .. });
        match self.is_proven() {
            true => self.warnings.iter().any(absent),
            false => before,
        }
    }

    /// Returns whether neither the server nor the files have the database any more, because its trusted state was
    /// given up.
    pub fn is_gone(&self) -> bool {
        matches!(self.reason, Reason::Unlisted) && self.open_alarms == 0
    }

    /// Returns whether everything due was proven and read in time.
    pub fn is_complete(&self) -> bool {
        let in_time = self.overdue().next().is_none();
        let is_stored = self.own_failures().next().is_none();
        self.verdict.is_proven() && in_time && is_stored && !self.is_contradicted()
    }

    /// Returns the failures of the auditor's own files that are not the verdict.
    pub fn own_failures(&self) -> impl Iterator<Item = &StoreError> {
        self.unreadable_alarms.iter().chain(&self.unwritten)
    }

    /// Returns whether a peer's checkpoint contradicts the local server's state.
    pub fn is_contradicted(&self) -> bool {
        self.peers.iter().any(|peer| peer.disagreement.is_some())
    }

    /// Returns everything that is overdue.
    pub(super) fn overdue(&self) -> impl Iterator<Item = &Overdue> {
        let values = self.overdue.iter().chain(&self.values_overdue);
        values.chain(&self.peers_overdue)
    }

    /// Returns the exit code for this database alone.
    pub fn exit(&self) -> Exit {
        let alarm = if self.open_alarms > 0 {
            Exit::Tampered
        } else {
            Exit::Good
        };
        let is_late = self.overdue().next().is_some();
        let overdue = match is_late || self.is_contradicted() {
            true => Exit::Incomplete,
            false => Exit::Good,
        };
        let local = match self.own_failures().next() {
            Some(_) => Exit::Local,
            None => Exit::Good,
        };
        self.verdict.exit().max(alarm).max(overdue).max(local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Outcome {
        /// Returns an outcome of a database without a trusted state.
        pub(in crate::audit) fn sample(database: &str, verdict: Verdict) -> Outcome {
            Outcome {
                database: database.into(),
                verdict,
                of_state: None,
                reason: Reason::None,
                values: None,
                window: None,
                shown: None,
                previous: None,
                signature: None,
                previous_signature: None,
                alarm: None,
                opened: Vec::new(),
                unwritten: None,
                unreadable_alarms: None,
                open_alarms: 0,
                overdue: None,
                values_overdue: None,
                peers: Vec::new(),
                peers_overdue: None,
                warnings: Vec::new(),
                duration: Duration::ZERO,
                is_untrusted: true,
                asked: true,
            }
        }
    }

    #[test]
    fn a_list_of_alarms_that_the_system_does_not_give_closes_no_alarm() {
        let refused = || StoreError::System {
            doing: "open",
            path: "db.alarms".into(),
            kind: std::io::ErrorKind::PermissionDenied,
            error: "Permission denied".into(),
        };
        for (open_alarms, unreadable_alarms, before, after) in [
            (0, None, true, false),
            (0, Some(refused()), true, true),
            (0, Some(refused()), false, false),
            (1, None, false, true),
        ] {
            let outcome = Outcome {
                open_alarms,
                unreadable_alarms,
                ..Outcome::sample("db", Verdict::Consistent)
            };
            assert_eq!(outcome.open_after(before), after);
        }
    }
}
