//! Facts about the space for evidence that are remembered between findings.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The place of a database in the order of arrival.
pub(super) type Place = u64;

/// The place of a database of which no state was ever trusted.
pub(super) const NEVER_TRUSTED: Place = Place::MAX;

/// The place of each database, by directory name.
pub(super) type Places = BTreeMap<String, Place>;

pub(super) fn place_in(places: &Places, directory: &str) -> Place {
    places.get(directory).copied().unwrap_or(NEVER_TRUSTED)
}

/// Facts about the space for evidence that are remembered between findings.
#[derive(Debug, Default)]
pub(super) struct Memory(pub(super) Mutex<Remembered>);

#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Places by directory name, and the length that the file of arrivals had when it was read.
    pub(super) places: Option<(Option<u64>, Arc<Places>)>,
    /// Time at which there was no space for a database in this place, or a later one.
    pub(super) refused: Option<(Instant, Place)>,
}
