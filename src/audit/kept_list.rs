//! The list of databases, kept for some cycles that follow each other fast and find nothing: asking for it takes as much
//! as asking for a state.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::cycle::Cycle;
use super::verdict::Exit;
use crate::audit::check::listing::Listing;
use crate::server::Peeked;

/// How many further cycles go by a list. A new database is seen, and one that is listed no more is missed, after so many
/// intervals and one more.
const KEPT_CYCLES: u32 = 9;
/// How long a list is kept: from an interval of so long on it is asked for in each cycle.
const KEPT: Duration = Duration::from_secs(10);

/// A list that every database on it was proven by, and that names all that is known.
#[derive(Debug)]
pub(super) struct KeptList {
    names: Vec<String>,
    known: BTreeSet<String>,
    asked: Instant,
    /// Cycles that went by it.
    cycles: u32,
}

impl Auditor {
    /// Keeps the list of databases for some cycles, for who has cycle follow cycle.
    #[must_use]
    pub fn keeping_the_list(self) -> Auditor {
        Auditor {
            keeps_list: true,
            ..self
        }
    }

    /// Returns whether the list of an earlier cycle may do for this one.
    pub(super) fn has_kept_list(&self, known: &BTreeSet<String>) -> bool {
        let now = self.now();
        self.kept_list.as_ref().is_some_and(|kept| {
            kept.cycles < KEPT_CYCLES
                && now.saturating_duration_since(kept.asked) < KEPT
                && kept.known == *known
        })
    }

    /// Returns the list of an earlier cycle, if the server answers for its `first` database; otherwise what is wrong is found
    /// out by the list. Nothing is waited for past `until`.
    pub(super) fn kept_list(&mut self, first: Option<&str>, until: Instant) -> Option<Listing> {
        let state = self.server.peek_state(first?, until);
        let kept = self.kept_list.as_mut()?;
        if !matches!(state, Peeked::State(_)) {
            return None;
        }
        kept.cycles += 1;
        Some(Listing {
            listed: kept.names.clone(),
            ..Listing::default()
        })
    }

    /// Keeps a list that was asked for at this time, or goes on keeping one, if the cycle found nothing to say.
    pub(super) fn keep_list(
        &mut self,
        listing: Listing,
        asked: Option<Instant>,
        known: &BTreeSet<String>,
        cycle: &Cycle,
    ) {
        let is_good = self.keeps_list && cycle.is_complete() && cycle.exit() == Exit::Good;
        if !is_good {
            self.kept_list = None;
        } else if let Some(asked) = asked {
            let names_all = listing.missing.is_empty()
                && listing.listed.iter().all(|name| known.contains(name));
            self.kept_list = names_all.then(|| KeptList {
                names: listing.listed,
                known: known.clone(),
                asked,
                cycles: 0,
            });
        }
    }
}
