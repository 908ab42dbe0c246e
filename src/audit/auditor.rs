//! One database from its name to its verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::check::{self, Demands};
use super::conclude::Conclusion;
use super::due::Ages;
use super::keep::Kept;
use super::locate;
use super::policy::Policy;
use super::values::Scan;
use super::verdict::{Outcome, Reason, Verdict, Warning};
use crate::clock::{self, Timestamp};
use crate::config::NewValues;
use crate::ledger::{State, StateShape};
use crate::locate::Window;
use crate::ranges::Ranges;
use crate::server::{Failure, Server};
use crate::trust::{
    self, LocalFailure, Mirror, OutcomeRecord, Progress, Store, Tampering, Trusted,
};

/// Audits one server.
pub struct Auditor {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) policy: Policy,
    pub(super) ages: Ages,
    /// How long a cycle may take at least, and fetching a proof's parts.
    pub(super) shortest_cycle: Duration,
    /// When this run began.
    pub(super) started: Timestamp,
    /// Cycles begun.
    pub(super) cycles: u64,
    /// The database that the last cycle began with.
    pub(super) first: Option<String>,
    /// Databases whose last check ran into a deadline: they go last.
    pub(super) slow: BTreeSet<String>,
    /// In which cycle each database had its turn last.
    pub(super) turns: BTreeMap<String, Turn>,
    /// The last listed database without a trusted state that had its turn.
    pub(super) last_untrusted: Option<String>,
    /// Databases of which files are kept, as they were last listed.
    pub(super) known: Vec<String>,
    /// Databases that are audited though the server never listed them.
    pub(super) unlisted: BTreeSet<String>,
    /// Pins held against the trusted state in this run.
    pub(super) pins_held: BTreeSet<usize>,
    /// The state's shape over all databases: a newer one is never left again.
    pub(super) shape: Option<StateShape>,
    /// Databases of which something was trusted when this run began.
    pub(super) trusted_before: BTreeSet<String>,
    /// How far the values of each database were read.
    pub(super) progress: BTreeMap<String, Progress>,
    /// The due transaction of each database that is tried again first.
    pub(super) retry_from: BTreeMap<String, u64>,
    /// What each database's scans allow.
    pub(super) scans: BTreeMap<String, Scan>,
    /// Databases whose state was proven in the last check: a sweep goes on with these.
    pub(super) readable: BTreeSet<String>,
    /// Those of them whose sweep waits for the next cycle.
    pub(super) not_now: BTreeSet<String>,
    /// The database that a paced sweep went on with last.
    pub(super) swept_last: Option<String>,
    /// What is on disk of the last verdicts and of the progress.
    pub(super) kept: Kept,
    /// When the progress of a sweep was last written down.
    pub(super) saved: Option<Instant>,
    /// Where each database was found to be rewritten last.
    pub(super) windows: BTreeMap<String, Window>,
    /// What is left to this cycle for finding that.
    pub(super) locating: Duration,
    /// Bytes that mirrors may take; `None`: none is kept.
    pub(super) mirror_most: Option<u64>,
    /// Mirrors that are being added to.
    pub(super) mirrors: BTreeMap<String, Mirror>,
    /// Databases whose mirror is to be looked after before the next cycle.
    pub(super) to_mirror: BTreeSet<String>,
    /// The database whose mirror was added to last.
    pub(super) mirrored_last: Option<String>,
    /// What was said of those that could not be.
    pub(super) unmirrored: BTreeMap<String, String>,
}

/// In which cycle a database had its turn last; 0: in none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// Its state was checked.
    pub checked: u64,
    /// There was time to read of it.
    pub read: u64,
}

impl Auditor {
    /// An auditor of `server` that believes what is in `store`.
    pub fn new(server: Server, store: Store, policy: Policy) -> Auditor {
        let mut ages = Ages::new(policy.interval, policy.expect_growth);
        let now = clock::now();
        let mut outcomes = store.load_outcomes();
        for record in &mut outcomes {
            record.clamp_to(now);
            let age = |at: Timestamp| Duration::from_secs(now.unix().saturating_sub(at.unix()));
            if let Some(proven) = record.proven {
                ages.remember(
                    &record.database,
                    age(proven),
                    age(record.grown.unwrap_or(proven)),
                );
            }
        }
        let names = |select: fn(&OutcomeRecord) -> bool| {
            let selected = outcomes.iter().filter(|record| select(record));
            selected.map(|record| record.database.clone()).collect()
        };
        let trusted_before = names(OutcomeRecord::was_trusted);
        let unlisted = names(|record| !record.listed);
        let progress = store.load_progress(now).into_iter();
        Auditor {
            progress: progress.map(|of| (of.database.clone(), of)).collect(),
            retry_from: BTreeMap::new(),
            scans: BTreeMap::new(),
            kept: Kept::new(outcomes),
            shortest_cycle: MIN_PATIENCE,
            started: now,
            cycles: 0,
            turns: BTreeMap::new(),
            last_untrusted: None,
            known: Vec::new(),
            unlisted,
            trusted_before,
            readable: BTreeSet::new(),
            not_now: BTreeSet::new(),
            swept_last: None,
            saved: None,
            windows: BTreeMap::new(),
            locating: locate::A_CYCLE,
            mirror_most: None,
            mirrors: BTreeMap::new(),
            to_mirror: BTreeSet::new(),
            mirrored_last: None,
            unmirrored: BTreeMap::new(),
            server,
            store,
            policy,
            ages,
            first: None,
            slow: BTreeSet::new(),
            pins_held: BTreeSet::new(),
            shape: None,
        }
    }

    /// Gives a cycle at least this time in place of a minute, however short the interval is.
    #[must_use]
    pub fn with_shortest_cycle(self, shortest_cycle: Duration) -> Auditor {
        Auditor {
            shortest_cycle,
            ..self
        }
    }

    /// What was not as it should be with the files since the last call.
    pub fn store_warnings(&mut self) -> Vec<trust::Warning> {
        self.store.warnings()
    }

    /// Checks the state of a database that the server lists, as far as its proof; `None` where the program
    /// is asked to end.
    pub(super) fn check_listed(&mut self, database: &str) -> Option<Checked> {
        self.server.begin_transcript();
        self.readable.remove(database);
        let trusted = match self.trusted(database) {
            Ok(trusted) => trusted,
            Err(failure) => return Some(self.local_failure(database, failure).into()),
        };
        let state = trusted.as_ref().map(|trusted| trusted.state);
        let demands = self.demands();
        let finding = check::check(&mut self.server, database, state, &demands);
        let finding = self.excuse_lag_behind_a_pin(database, trusted.as_ref(), finding);
        let conclusion = self.act(database, trusted.as_ref(), finding)?;
        let conclusion = self.with_pins(database, conclusion)?;
        let to_read = self.to_read(database, trusted.as_ref(), &conclusion);
        let Some((state, since)) = to_read else {
            let outcome = self.conclude(database, trusted.as_ref(), conclusion);
            return Some(outcome.into());
        };
        if !self.wants_values(database) {
            self.readable.insert(database.into());
            let outcome = self.conclude(database, trusted.as_ref(), conclusion);
            return Some(outcome.into());
        }
        Some(Checked::Proven(Box::new(Proven {
            database: database.into(),
            trusted,
            conclusion,
            state,
            since,
            took: Duration::ZERO,
        })))
    }

    /// The state against which values are read, and since when its line of proofs is unbroken: a state
    /// that is proven.
    fn to_read(
        &self,
        database: &str,
        before: Option<&Trusted>,
        conclusion: &Conclusion,
    ) -> Option<(State, Timestamp)> {
        let shown = match (conclusion.verdict, conclusion.shown) {
            (Verdict::FirstSeen | Verdict::Consistent, Some(shown)) => shown,
            _ => return None,
        };
        let since = match before {
            Some(before) => before.since,
            None => self.store.load(database).ok()??.since, // the next check tells what is wrong with it
        };
        Some((shown, since))
    }

    /// Returns whether anything of a database is to be read, or told of earlier readings.
    fn wants_values(&self, database: &str) -> bool {
        let values = &self.policy.values;
        let left = |progress: &Progress| !progress.due.is_empty() || !progress.absent.is_empty();
        values.sample > 0
            || values.new == NewValues::All
            || self.progress.get(database).is_some_and(left)
    }

    /// Reads values of a database whose state is proven, until then; what they show does not undo the
    /// proof.
    pub(super) fn read_beside(&mut self, proven: Proven, until: Instant) -> Option<Outcome> {
        let Proven {
            database,
            trusted,
            conclusion,
            state,
            since,
            took: _,
        } = proven;
        let before = trusted.as_ref().map(|before| before.state);
        let report = self.read_values(&database, state, before, since, until)?;
        self.readable.insert(database.clone());
        let mut conclusion = conclusion;
        conclusion.warnings.extend(self.absent_values(&database));
        if report.left.behind > 0 {
            conclusion.warnings.push(Warning::Behind {
                transactions: report.left.behind,
            });
        }
        if let Some(verdict) = report.verdict() {
            conclusion = Conclusion {
                of_state: Some(conclusion.verdict),
                verdict,
                reason: Reason::Values(Box::new(report)),
                ..conclusion
            };
        }
        Some(self.conclude(&database, trusted.as_ref(), conclusion))
    }

    /// Warns of values that the server does not have, for no reason that the ledger shows or the operator
    /// acknowledged.
    fn absent_values(&self, database: &str) -> Option<Warning> {
        let (absent, dropped) = self.unexplained(database)?;
        Some(Warning::ValuesAbsent {
            transactions: absent.count(),
            first: absent.first()?,
            last: absent.last()?,
            dropped: dropped.count(),
        })
    }

    /// Returns the transactions with absent values that nothing explains, and those of them that had been read
    /// whole before. An acknowledgement that cannot be read is none.
    pub fn unexplained(&self, database: &str) -> Option<(Ranges, Ranges)> {
        let progress = self.progress.get(database)?;
        let acknowledged = self.store.acknowledged(database);
        Some(progress.absent_after(acknowledged.map_or(0, |of| of.absent_to)))
    }

    /// What is trusted of a database; a pin where nothing is yet.
    fn trusted(&self, database: &str) -> Result<Option<Trusted>, LocalFailure> {
        let pin = self.policy.pins.iter().find(|pin| pin.database == database);
        match (self.store.load(database), pin) {
            (Ok(Some(trusted)), _) => Ok(Some(trusted)),
            (Ok(None), None) if self.trusted_before.contains(database) => {
                self.store.nothing_lost(database).map(|()| None)
            }
            (loaded, None) => loaded,
            // nothing there, or damaged: the operator says where to go on
            (_, Some(pin)) => self.store.pin(database, pin.state, clock::now()).map(Some),
        }
    }

    /// A database that the server does not list. Only one with a trusted state can vanish: is it
    /// gone, or hidden?
    pub(super) fn check_unlisted(&mut self, database: &str) -> Option<Checked> {
        self.server.begin_transcript_with_list();
        let trusted = match self.trusted(database) {
            Ok(Some(trusted)) => trusted,
            Ok(None) => {
                let gone = Conclusion::new(Verdict::Empty, Reason::Unlisted);
                return Some(self.conclude(database, None, gone).into());
            }
            Err(failure) => return Some(self.local_failure(database, failure).into()),
        };
        let rolled_back = Verdict::Tampered(Tampering::RolledBack);
        let conclusion = match self.server.open(database) {
            Ok(()) => match self.server.databases() {
                // given back, or restored, since the list was read
                Ok(names) if names.iter().any(|name| name == database.as_bytes()) => {
                    return self.check_listed(database);
                }
                Ok(_) => self.check_hidden(database, &trusted)?,
                Err(failure) => {
                    let verdict = check::sort(&failure, false)?;
                    Conclusion::new(verdict, Reason::Failure(failure))
                }
            },
            Err(failure) => match check::sort(&failure, true)? {
                verdict if verdict == rolled_back => Conclusion::new(verdict, Reason::Vanished),
                verdict => Conclusion::new(verdict, Reason::Failure(failure)),
            },
        };
        Some(self.conclude(database, Some(&trusted), conclusion).into())
    }

    /// A hidden database is checked like any other; what is found there counts if it is worse.
    fn check_hidden(&mut self, database: &str, trusted: &Trusted) -> Option<Conclusion> {
        let demands = self.demands();
        let finding = check::check(&mut self.server, database, Some(trusted.state), &demands);
        let conclusion = self.act(database, Some(trusted), finding)?;
        Some(if conclusion.verdict.is_tampering() {
            conclusion
        } else {
            Conclusion {
                verdict: Verdict::Tampered(Tampering::RolledBack),
                reason: Reason::Hidden,
                // it shows something: there is no state to adopt
                shown: conclusion.shown.or(Some(trusted.state)),
                ..conclusion
            }
        })
    }

    /// A database that need not be asked for: the server lets nobody in, or is away.
    pub(super) fn not_tried(&mut self, database: &str, away: Failure) -> Option<Outcome> {
        let verdict = check::sort(&away, false)?;
        let trusted = self.store.load(database).ok().flatten();
        let conclusion = Conclusion::new(verdict, Reason::Failure(away));
        Some(self.conclude(database, trusted.as_ref(), conclusion))
    }

    /// A database whose turn did not come before the cycle's time was over.
    pub(super) fn not_reached(&mut self, database: &str) -> Outcome {
        let trusted = self.store.load(database).ok().flatten();
        let conclusion = Conclusion::new(Verdict::Unreachable, Reason::NotReached);
        self.conclude(database, trusted.as_ref(), conclusion)
    }

    pub(super) fn demands(&self) -> Demands {
        Demands {
            signatures: self.policy.signatures.clone(),
            max_range: self.policy.max_range,
            patience: self.policy.interval.max(self.shortest_cycle),
            shape: self.shape,
        }
    }

    pub(super) fn recall_shape(&mut self, known: &[String]) {
        if self.shape.is_none() {
            for database in known {
                if let Ok(Some(shape)) = self.store.load(database).map(|t| t.and_then(|t| t.shape))
                {
                    self.see_shape(shape);
                }
            }
        }
    }

    pub(super) fn see_shape(&mut self, shape: StateShape) {
        self.shape = self.shape.max(Some(shape));
    }
}

/// A cycle, and fetching a proof's parts, may take as long as an interval, but no less than this.
pub(super) const MIN_PATIENCE: Duration = Duration::from_secs(60);

/// What the check of a state came to.
pub(super) enum Checked {
    /// All of it is told.
    Done(Box<Outcome>),
    /// It is proven: values can be read.
    Proven(Box<Proven>),
}

impl From<Outcome> for Checked {
    fn from(outcome: Outcome) -> Checked {
        Checked::Done(Box::new(outcome))
    }
}

/// A database whose state was proven, before its values are read.
pub(super) struct Proven {
    pub database: String,
    /// What was trusted before the check.
    trusted: Option<Trusted>,
    conclusion: Conclusion,
    /// The proven state.
    state: State,
    /// Since when the line of proofs is unbroken.
    since: Timestamp,
    /// How long the check took.
    pub took: Duration,
}
