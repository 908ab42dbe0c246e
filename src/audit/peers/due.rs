//! The overdue comparisons with peers.

use std::time::Duration;

use super::relation::Relation;
use crate::audit::outcome::Overdue;
use crate::audit::overdue::WallAges;

/// Returns the overdue comparison of a database, if there is one. A checkpoint could not be compared for longer than
/// `allowed`, or fewer than `required` peers confirmed the trusted state within that time.
pub(super) fn overdue<'a>(
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
