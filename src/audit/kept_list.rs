//! The list of databases, kept for some cycles that follow each other fast and find nothing: asking for it takes as much
//! as asking for a state.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::audit::check::listing::Listing;

/// How many further cycles go by a list. A new database is seen, and one that is listed no more is missed, after so many
/// intervals and one more.
const MAX_CYCLES: u32 = 9;
/// The age up to which a list is used: with an interval of as much or more, each cycle requests a list.
const MAX_AGE: Duration = Duration::from_secs(10);

/// A list that names all that is known and nothing else.
#[derive(Debug)]
pub(super) struct KeptList {
    names: Vec<String>,
    known: BTreeSet<String>,
    asked: Instant,
    /// Cycles that went by it.
    cycles: u32,
}

impl KeptList {
    /// Keeps a list that was asked for at this time; `None` where it names a database that is not known, or leaves out one
    /// that is.
    pub fn of(listing: Listing, known: &BTreeSet<String>, asked: Instant) -> Option<KeptList> {
        let is_known = |name: &String| known.contains(name);
        let names_all = listing.missing.is_empty() && listing.listed.iter().all(is_known);
        names_all.then(|| KeptList {
            names: listing.listed,
            known: known.clone(),
            asked,
            cycles: 0,
        })
    }

    /// Returns whether one more cycle may go by it.
    pub fn stands(&self, known: &BTreeSet<String>, now: Instant) -> bool {
        self.cycles < MAX_CYCLES
            && now.saturating_duration_since(self.asked) < MAX_AGE
            && self.known == *known
    }

    /// Returns it for one more cycle.
    pub fn listing(&mut self) -> Listing {
        self.cycles = self.cycles.saturating_add(1);
        Listing {
            listed: self.names.clone(),
            ..Listing::default()
        }
    }
}
