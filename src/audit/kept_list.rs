//! The stored list of databases, which several fast cycles use while they find nothing. A request for the list takes
//! as long as one for a state.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::audit::check::listing::Listing;

/// The number of further cycles that use one list. A new or missing database is therefore noticed after at most one
/// interval more than this number.
const MAX_CYCLES: u32 = 9;
/// The age at which a list is no longer used. With an interval of this or more, each cycle requests a list.
const MAX_AGE: Duration = Duration::from_secs(10);

/// A list that has exactly the known databases.
#[derive(Debug)]
pub(super) struct KeptList {
    names: Vec<String>,
    known: BTreeSet<String>,
    asked: Instant,
    /// The number of further cycles that have used the list.
    cycles: u32,
}

impl KeptList {
    /// Stores a list that was requested at this time; `None` if it has a database that is not known, or lacks a known
    /// one.
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

    /// Returns whether one more cycle may use the list.
    pub fn is_usable(&self, known: &BTreeSet<String>, now: Instant) -> bool {
        self.cycles < MAX_CYCLES
            && now.saturating_duration_since(self.asked) < MAX_AGE
            && self.known == *known
    }

    /// Returns the list for one more cycle.
    pub fn listing(&mut self) -> Listing {
        self.cycles = self.cycles.saturating_add(1);
        Listing {
            listed: self.names.clone(),
            ..Listing::default()
        }
    }
}
