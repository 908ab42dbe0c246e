//! The last 24 hours of one database's verdicts, a quarter of an hour each: the worst counts.

use std::collections::VecDeque;

use crate::audit::Verdict;
use crate::clock::Timestamp;

/// Seconds of one slot.
const SLOT: u64 = 15 * 60;
/// The number of slots of a day.
pub const SLOTS: u64 = 96;

/// The colour of a slot; a later one is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shade {
    /// The state was proven.
    Good,
    /// The state was not proven, but there is no accusation.
    Unclear,
    /// Tampering was found, or an alarm is open.
    Bad,
}

/// Slots with a check in them, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Timeline(VecDeque<(u64, Shade)>);

impl Timeline {
    /// Records a check.
    pub fn note(&mut self, now: Timestamp, alarmed: bool, verdict: Verdict) {
        let shade = if alarmed || verdict.is_tampering() {
            Shade::Bad
        } else if verdict.is_proven() {
            Shade::Good
        } else {
            Shade::Unclear
        };
        let slot = now.unix() / SLOT;
        match self.0.back_mut() {
            Some((last, worst)) if *last == slot => *worst = shade.max(*worst),
            _ => self.0.push_back((slot, shade)),
        }
        while self.0.len() as u64 > SLOTS {
            self.0.pop_front();
        }
    }

    /// Returns the slots with a check in the 24 hours up to `now`, each with its distance in slots from the begin of
    /// these 24 hours.
    pub fn day(&self, now: Timestamp) -> impl Iterator<Item = (u64, Shade)> + '_ {
        let first = (now.unix() / SLOT + 1).saturating_sub(SLOTS);
        let shown = move |(slot, shade): &(u64, Shade)| {
            let at = slot.checked_sub(first).filter(|at| *at < SLOTS)?;
            Some((at, *shade))
        };
        self.0.iter().filter_map(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Tampering;

    #[test]
    fn a_slot_shows_its_worst_and_a_day_is_all_there_is() {
        let at = |slot: u64| Timestamp::from_unix(slot * SLOT);
        let mut timeline = Timeline::default();
        timeline.note(at(1), false, Verdict::Consistent);
        timeline.note(at(100), false, Verdict::Consistent);
        timeline.note(at(100), false, Verdict::Unreachable);
        timeline.note(at(100), false, Verdict::Consistent);
        timeline.note(at(101), false, Verdict::Tampered(Tampering::BadValue));
        let day: Vec<_> = timeline.day(at(101)).collect();
        assert_eq!(day, [(94, Shade::Unclear), (95, Shade::Bad)]);
        for slot in 102..500 {
            timeline.note(at(slot), false, Verdict::Empty);
        }
        assert_eq!(timeline.0.len(), 96);
    }
}
