//! The verdict over everything, for people: the worst counts.

use super::board::Snapshot;
use super::metrics::patience;

/// How things stand, the later the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overall {
    /// Everything is proven.
    Good,
    /// Nothing was checked yet.
    Starting,
    /// Something could not be proven.
    Unproven,
    /// The audit itself stands still.
    Stalled,
    /// History was rewritten.
    Tampered,
}

impl Overall {
    /// One word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Overall::Good => "good",
            Overall::Starting => "starting",
            Overall::Unproven => "unproven",
            Overall::Stalled => "stalled",
            Overall::Tampered => "tampered",
        }
    }
}

/// How things stand.
pub fn overall(snapshot: &Snapshot) -> Overall {
    let rows = || snapshot.rows.values();
    if rows().any(|row| row.is_alarming()) || snapshot.whole.untrusted.is_tampering() {
        Overall::Tampered
    } else if snapshot.stalled > patience(snapshot) {
        Overall::Stalled
    } else if snapshot.whole.cycles == 0 {
        Overall::Starting
    } else if !snapshot.whole.last_complete || rows().any(|row| !row.is_well()) {
        Overall::Unproven
    } else {
        Overall::Good
    }
}
