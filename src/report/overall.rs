//! The overall condition: of all databases, of the auditor and of the notifications together.

use std::collections::BTreeMap;
use std::time::Duration;

use super::condition::Condition;
use super::metrics::max_stall;
use super::receiver_stats::ReceiverStatsSnapshot;
use super::status_registry::Snapshot;
use crate::text::counted;

/// The age from which on a notification counts as undelivered. It is longer than a first try of a webhook that times
/// out and a second try, so a notification in delivery does not count.
pub const MAX_DELIVERY_DELAY: Duration = Duration::from_secs(60);

/// The condition of everything; the later the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overall {
    /// Everything is proven and read, and all notifications were delivered.
    Good,
    /// No database was checked yet.
    Starting,
    /// Every state is proven, but something else needs attention.
    Attention,
    /// A state could not be proven, or a value could not be read.
    Unproven,
    /// The audit makes no progress.
    Stalled,
    /// An alarm is open.
    Tampered,
}

impl Overall {
    /// Returns one word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Overall::Good => Condition::Good.word(),
            Overall::Starting => "starting",
            Overall::Attention => Condition::Attention.word(),
            Overall::Unproven => Condition::Unproven.word(),
            Overall::Stalled => "stalled",
            Overall::Tampered => Condition::Tampered.word(),
        }
    }

    /// Returns the headline for people.
    pub fn title(self) -> &'static str {
        match self {
            Overall::Good => "All is well",
            Overall::Starting => "Starting",
            Overall::Attention => "Needs attention",
            Overall::Unproven => "Not everything could be checked",
            Overall::Stalled => "The audit makes no progress",
            Overall::Tampered => "Tampering",
        }
    }
}

impl From<Condition> for Overall {
    fn from(condition: Condition) -> Overall {
        match condition {
            Condition::Good => Overall::Good,
            Condition::Attention => Overall::Attention,
            Condition::Unproven => Overall::Unproven,
            Condition::Tampered => Overall::Tampered,
        }
    }
}

/// Returns the condition of everything that a running auditor knows.
pub fn overall(snapshot: &Snapshot) -> Overall {
    let conditions = snapshot
        .databases
        .values()
        .map(|row| row.facts().condition());
    let worst = conditions.max().unwrap_or(Condition::Good);
    let whole = &snapshot.server;
    if worst == Condition::Tampered || whole.untrusted.is_tampering() {
        Overall::Tampered
    } else if snapshot.stalled > max_stall(snapshot) {
        Overall::Stalled
    } else if whole.cycles == 0 {
        Overall::Starting
    } else if !whole.last_complete {
        Overall::Unproven
    } else if snapshot.notifications.iter().any(is_undelivered) {
        Overall::Attention.max(worst.into())
    } else {
        worst.into()
    }
}

/// Returns one line about everything: the headline, the number of databases in each condition, and the end of the last
/// cycle.
pub fn status_line(snapshot: &Snapshot) -> String {
    let mut counts: BTreeMap<Condition, u64> = BTreeMap::new();
    for row in snapshot.databases.values() {
        *counts.entry(row.facts().condition()).or_default() += 1;
    }
    let mut line = overall(snapshot).title().to_owned();
    for (index, (condition, count)) in counts.iter().rev().enumerate() {
        let (separator, counted) = match index {
            0 => (": ", counted(*count, "database")),
            _ => (", ", count.to_string()),
        };
        line.push_str(&format!("{separator}{counted} {}", condition.word()));
    }
    if let Some(ended) = &snapshot.server.ended {
        line.push_str(&format!("; the last cycle ended at {ended}"));
    }
    line
}

/// Returns whether a receiver was not notified in time.
pub fn is_undelivered(counts: &ReceiverStatsSnapshot) -> bool {
    counts.pending > 0 && counts.oldest > MAX_DELIVERY_DELAY
}
