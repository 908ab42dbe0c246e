//! Comparing a database with another one that should be the same: a replica, a restored backup, or another auditor's
//! mirror.

use crate::audit::auditor::Auditor;
use crate::audit::diff::differences::Differences;
use crate::audit::diff::history_pair::{Ended, HistoryPair, ServerHistory};
use crate::audit::locate::{answer, window};
use crate::config::ShownValues;
use crate::ledger::State;
use crate::locate::{Found, Probe, bisect, max_probes};
use crate::server::{Server, ServerError, ServerErrorKind};
use crate::text::Escaped;
use crate::trust::{Mirror, StoreError};

/// The differences between a mirror and another history.
#[derive(Debug)]
pub struct MirrorDifferences {
    /// The history that the mirror was compared with.
    pub against: DiffTarget,
    /// The number of transactions that could be compared.
    pub compared: u64,
    /// The differences, by transaction.
    pub found: Found,
}

/// The history that another auditor's mirror is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffTarget {
    /// This auditor's mirror, so no server is needed.
    OwnMirror,
    /// The history of the server's state, by its proofs.
    Server(State),
}

/// The error of a comparison that was not possible.
#[derive(Debug)]
pub enum DiffError {
    /// A call to the first or the second server failed.
    Failure(ServerError),
    /// The file of the mirror cannot be read.
    Local(StoreError),
    /// The mirror is of another database.
    OtherDatabase(Escaped),
}

impl std::error::Error for DiffError {}

impl std::fmt::Display for DiffError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DiffError::Failure(failure) => write!(f, "{failure}"),
            DiffError::Local(failure) => write!(f, "{failure}"),
            DiffError::OtherDatabase(name) => write!(f, "it is of database \"{name}\""),
        }
    }
}

/// The limit of probes if two files are compared. It is high, because such probes need no calls.
const MAX_OFFLINE_PROBES: u32 = 100_000;

impl Auditor {
    /// Compares this server's history of a database with a second server's; `None` if the program is asked to end.
    pub fn against_server(
        &mut self,
        database: &str,
        ours: State,
        other: &mut Server,
        values: ShownValues,
    ) -> Option<Result<Differences, DiffError>> {
        other.begin_cycle();
        other.begin_transcript();
        let theirs = match other.state(database) {
            Ok(claimed) => claimed.state,
            Err(failure) if failure.kind == ServerErrorKind::Stopped => return None,
            Err(failure) => return Some(Err(DiffError::Failure(failure))),
        };
        let range = self.policy.max_fetch;
        let until = self.now() + self.overdue_after();
        let line = self.line(database).unwrap_or_default();
        let holds = match (line.is_empty(), theirs.tx) {
            (true, _) | (_, 0) => None,
            _ => {
                let before = other.limit(until);
                let window = window(other, database, &line, None, theirs, range);
                other.restore(before);
                Some(window?)
            }
        };
        let common = ours.tx.min(theirs.tx);
        let mut sides = HistoryPair {
            ours: ServerHistory::new(&mut self.server, database, ours, range),
            theirs: ServerHistory::new(other, database, theirs, range),
        };
        let mut stopped = false;
        let found = bisect(1..common.saturating_add(1), max_probes(common), |tx| {
            let answer = sides.same(tx);
            stopped |= answer.is_none();
            answer.unwrap_or_else(|| Probe::Aborted(Escaped::default()))
        });
        if stopped {
            return None;
        }
        let mut differences = Differences {
            ours,
            theirs,
            holds,
            same: found.holds.unwrap_or(0),
            first: found.broken,
            differing: Vec::new(),
            more: 0,
            rechained: 0,
            moved: 0,
            compared: found.holds.unwrap_or(0),
            unproven: None,
        };
        // an empty common history has nothing to compare
        if common > 0 && found.holds != Some(common) {
            let last = common.min(differences.same.saturating_add(self.policy.max_fetch));
            let mut pairs = Vec::new();
            let done = sides
                .compare(&mut differences, last, &mut pairs)
                .and_then(|()| sides.read_on(&differences, self.policy.max_fetch, &mut pairs))
                .and_then(|()| sides.add_changes(&mut differences, pairs, values));
            match done {
                Ok(()) => {}
                Err(Ended::Stopped) => return None,
                Err(Ended::Unproven(why)) => differences.unproven = Some(why),
            }
        }
        Some(Ok(differences))
    }

    /// Compares another auditor's mirror with the local mirror, or with the server's history if there is no local
    /// mirror. Returns `None` if the program is asked to end.
    pub fn against_mirror(
        &mut self,
        database: &str,
        theirs: &Mirror,
    ) -> Option<Result<MirrorDifferences, DiffError>> {
        if theirs.database() != database {
            let other = Escaped::new(theirs.database());
            return Some(Err(DiffError::OtherDatabase(other)));
        }
        let trusted = self.store.load(database).ok().flatten();
        let own = trusted.and_then(|trusted| self.mirror_of(database, trusted.since));
        if let Some(own) = own {
            let compared = own.last().min(theirs.last());
            let found = bisect(
                1..compared.saturating_add(1),
                MAX_OFFLINE_PROBES,
                |tx| match (own.alh(tx), theirs.alh(tx)) {
                    (Some(ours), Some(theirs)) => Probe::of_hashes(&theirs, &ours),
                    _ => Probe::Unknown(Escaped::new("a mirror's block is damaged")),
                },
            );
            return Some(Ok(MirrorDifferences {
                against: DiffTarget::OwnMirror,
                compared,
                found,
            }));
        }
        self.server.begin_cycle();
        self.server.begin_transcript();
        let shown = match self.server.state(database) {
            Ok(claimed) => claimed.state,
            Err(failure) if failure.kind == ServerErrorKind::Stopped => return None,
            Err(failure) => return Some(Err(DiffError::Failure(failure))),
        };
        let range = self.policy.max_fetch;
        let before = self.server.limit(self.now() + self.overdue_after());
        let compared = shown.tx.min(theirs.last());
        let mut stopped = false;
        let server = &mut self.server;
        let found = bisect(1..compared.saturating_add(1), max_probes(compared), |tx| {
            let Some(hash) = theirs.alh(tx) else {
                return Probe::Unknown(Escaped::new("the mirror's block is damaged"));
            };
            if tx == shown.tx {
                return Probe::of_hashes(&hash, &shown.hash);
            }
            let answer = answer(server, database, &State { tx, hash }, &shown, range);
            stopped |= answer.is_none();
            answer.unwrap_or_else(|| Probe::Aborted(Escaped::default()))
        });
        self.server.restore(before);
        (!stopped).then_some(Ok(MirrorDifferences {
            against: DiffTarget::Server(shown),
            compared,
            found,
        }))
    }
}
