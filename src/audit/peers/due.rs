//! The reports on a check's peers, and the overdue comparisons with them.

use std::time::Duration;

use super::relation::Relation;
use super::report::PeerReport;
use crate::audit::auditor::Auditor;
use crate::audit::outcome::Overdue;
use crate::audit::overdue::{WallAges, late_after};

impl Auditor {
    /// Returns the reports on the peers of a database, and the overdue comparison, if there is one.
    pub(in crate::audit) fn peer_reports(
        &self,
        database: &str,
    ) -> (Vec<PeerReport>, Option<Overdue>) {
        let Some(record) = self
            .databases
            .get(database)
            .filter(|_| !self.peers.is_empty())
        else {
            return (Vec::new(), None);
        };
        let named = self.peers.names();
        let named = named.filter_map(|peer| Some((peer, record.peers.get(peer)?)));
        let reports: Vec<PeerReport> = named
            .clone()
            .map(|(peer, relation)| PeerReport::of(peer, relation))
            .collect();
        if reports.is_empty() {
            return (reports, None); // the database has no trusted state yet
        }
        let allowed = late_after(self.policy.interval);
        let (required, ages) = (self.peers.required(), self.wall_ages());
        let late = overdue(named.map(|(_, of)| &**of), required, allowed, ages);
        (reports, late)
    }
}

/// Returns the overdue comparison of a database, if there is one. A checkpoint could not be compared for longer than
/// `allowed`, or fewer than `required` peers confirmed the trusted state within that time.
fn overdue<'a>(
    relations: impl Iterator<Item = &'a Relation> + Clone,
    required: usize,
    allowed: Duration,
    ages: WallAges,
) -> Option<Overdue> {
    let waiting = relations.clone().filter_map(|relation| {
        let waiting = relation.record.waiting.as_ref()?;
        Some(ages.of(waiting.since))
    });
    if let Some(time) = waiting.max().filter(|time| *time > allowed) {
        return Some(Overdue::Uncompared(time));
    }
    let unconfirmed = relations.map(|relation| {
        let record = &relation.record;
        let agreed = record.agreed.map(|agreed| agreed.time);
        let last = ages.of(agreed.map_or(record.since, |time| time.max(record.since)));
        let behind = record.behind.map(|behind| ages.of(behind.since));
        // a peer that repeats an old state does not confirm newer transactions
        last.max(behind.unwrap_or_default())
    });
    let mut times: Vec<Duration> = unconfirmed.collect();
    times.sort_unstable();
    let confirmed = times.iter().filter(|time| **time <= allowed).count();
    let time = times.get(required.checked_sub(1)?).copied();
    (confirmed < required).then(|| Overdue::Unconfirmed {
        confirmed,
        required,
        time: time.unwrap_or(allowed),
    })
}
