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
use super::verdict::{Outcome, Reason, Verdict};
use crate::clock::{self, Timestamp};
use crate::ledger::StateShape;
use crate::locate::Window;
use crate::server::{Failure, Server};
use crate::trust::{self, LocalFailure, Mirror, Progress, Store, Tampering, Trusted};

/// Audits one server.
pub struct Auditor {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) policy: Policy,
    pub(super) ages: Ages,
    /// The database that the last cycle began with.
    pub(super) first: Option<String>,
    /// Databases whose last check ran into a deadline: they go last.
    pub(super) slow: BTreeSet<String>,
    /// Pins held against the trusted state in this run.
    pub(super) pins_held: BTreeSet<usize>,
    /// The state's shape over all databases: a newer one is never left again.
    pub(super) shape: Option<StateShape>,
    /// Databases of which something was trusted when this run began.
    pub(super) audited_before: BTreeSet<String>,
    /// How far the values of each database were read.
    pub(super) progress: BTreeMap<String, Progress>,
    /// What each database's scans allow.
    pub(super) scans: BTreeMap<String, Scan>,
    /// Databases whose state was proven in the last check: a sweep goes on with these.
    pub(super) readable: BTreeSet<String>,
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
    /// What was said of those that could not be.
    pub(super) unmirrored: BTreeMap<String, String>,
}

impl Auditor {
    /// An auditor of `server` that believes what is in `store`.
    pub fn new(server: Server, store: Store, policy: Policy) -> Auditor {
        let mut ages = Ages::new(policy.interval, policy.expect_growth);
        let now = clock::now();
        let outcomes = store.load_outcomes();
        for record in &outcomes {
            let age = |at: Timestamp| Duration::from_secs(now.unix().saturating_sub(at.unix()));
            if let Some(proven) = record.proven {
                ages.remember(
                    &record.database,
                    age(proven),
                    age(record.grown.unwrap_or(proven)),
                );
            }
        }
        let audited_before = outcomes
            .iter()
            .filter(|record| ["first-seen", "consistent"].contains(&record.verdict.as_str()))
            .map(|record| record.database.clone())
            .collect();
        let progress = store.load_progress().into_iter();
        Auditor {
            progress: progress.map(|of| (of.database.clone(), of)).collect(),
            scans: BTreeMap::new(),
            kept: Kept::new(outcomes),
            audited_before,
            readable: BTreeSet::new(),
            saved: None,
            windows: BTreeMap::new(),
            locating: locate::A_CYCLE,
            mirror_most: None,
            mirrors: BTreeMap::new(),
            to_mirror: BTreeSet::new(),
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

    /// What was not as it should be with the files since the last call.
    pub fn store_warnings(&mut self) -> Vec<trust::Warning> {
        self.store.warnings()
    }

    /// A database that the server lists, from its state to its verdict; `None` where the program
    /// is asked to end.
    pub(super) fn check_listed(&mut self, database: &str) -> Option<Outcome> {
        self.server.begin_transcript();
        self.readable.remove(database);
        let trusted = match self.trusted(database) {
            Ok(trusted) => trusted,
            Err(failure) => return Some(self.local_failure(database, failure)),
        };
        let state = trusted.as_ref().map(|trusted| trusted.state);
        let demands = self.demands();
        let finding = check::check(&mut self.server, database, state, &demands);
        let conclusion = self.act(database, trusted.as_ref(), finding)?;
        let conclusion = self.with_pins(database, conclusion)?;
        let conclusion = self.with_values(database, trusted.as_ref(), conclusion)?;
        Some(self.conclude(database, trusted.as_ref(), conclusion))
    }

    /// A state that is proven is a state to read values against; what they show does not undo it.
    fn with_values(
        &mut self,
        database: &str,
        before: Option<&Trusted>,
        conclusion: Conclusion,
    ) -> Option<Conclusion> {
        let shown = match (conclusion.verdict, conclusion.shown) {
            (Verdict::FirstSeen | Verdict::Consistent, Some(shown)) => shown,
            _ => return Some(conclusion),
        };
        let since = match before {
            Some(before) => before.since,
            None => match self.store.load(database) {
                Ok(Some(trusted)) => trusted.since,
                _ => return Some(conclusion), // the next check tells what is wrong with it
            },
        };
        let before = before.map(|before| before.state);
        let report = self.read_values(database, shown, before, since)?;
        self.readable.insert(database.into());
        let Some(verdict) = report.verdict() else {
            return Some(conclusion);
        };
        self.ages.proven(
            database,
            conclusion.grew || conclusion.verdict == Verdict::FirstSeen,
        );
        Some(Conclusion {
            verdict,
            reason: Reason::Values(Box::new(report)),
            ..conclusion
        })
    }

    /// What is trusted of a database; a pin where nothing is yet.
    fn trusted(&self, database: &str) -> Result<Option<Trusted>, LocalFailure> {
        let pin = self.policy.pins.iter().find(|pin| pin.database == database);
        match (self.store.load(database), pin) {
            (Ok(Some(trusted)), _) => Ok(Some(trusted)),
            (Ok(None), None) if self.audited_before.contains(database) => {
                self.store.nothing_lost(database).map(|()| None)
            }
            (loaded, None) => loaded,
            // nothing there, or damaged: the operator says where to go on
            (_, Some(pin)) => self.store.pin(database, pin.state, clock::now()).map(Some),
        }
    }

    /// A database that the server does not list. Only one with a trusted state can vanish: is it
    /// gone, or hidden?
    pub(super) fn check_unlisted(&mut self, database: &str) -> Option<Outcome> {
        self.server.begin_transcript_with_list();
        let trusted = match self.trusted(database) {
            Ok(Some(trusted)) => trusted,
            Ok(None) => {
                let gone = Conclusion::new(Verdict::Empty, Reason::Unlisted);
                return Some(self.conclude(database, None, gone));
            }
            Err(failure) => return Some(self.local_failure(database, failure)),
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
        Some(self.conclude(database, Some(&trusted), conclusion))
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

    pub(super) fn demands(&self) -> Demands {
        Demands {
            signatures: self.policy.signatures.clone(),
            max_range: self.policy.max_range,
            patience: self.policy.interval.max(MIN_PATIENCE),
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

/// Fetching a proof's parts may take as long as an interval, but no less than this.
pub(super) const MIN_PATIENCE: Duration = Duration::from_secs(60);
