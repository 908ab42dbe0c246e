//! The order of the waiting changes: a change waits for an earlier one about the same databases, because otherwise the
//! earlier one would be the last that the receiver gets. If the receiver refuses the earlier ones again and again, the
//! later one is tried in each round in which they were refused: then a receiver that accepts all gets them in their
//! order, and a receiver that never accepts an earlier one gets the later one.

use std::collections::HashMap;
use std::time::Instant;

use super::item::Item;

/// The waiting changes for which later ones may wait.
pub(super) struct Order<'a> {
    of_subject: HashMap<&'a Result<String, String>, Earlier>,
    /// Summaries about several databases.
    summaries: Earlier,
    /// Changes of one database.
    singles: Earlier,
    round: u64,
}

/// Changes for which a later one may wait.
#[derive(Default)]
struct Earlier {
    /// The lowest sequence of those that were not refused often.
    first: Option<u64>,
    /// The sequence and the last round of each that was refused often.
    refused: Vec<(u64, Option<u64>)>,
}

impl Earlier {
    fn add(&mut self, item: &Item) {
        let sequence = item.kept.sequence;
        match item.is_refused_often() {
            true => self.refused.push((sequence, item.last_round)),
            false => self.first = Some(self.first.map_or(sequence, |first| first.min(sequence))),
        }
    }

    fn turn(&self, item: &Item, round: u64) -> Turn {
        let sequence = item.kept.sequence;
        if self.first.is_some_and(|first| first < sequence) {
            return Turn::Held;
        }
        let earlier = self.refused.iter().filter(|(of, _)| *of < sequence);
        let mut rounds = earlier.map(|(_, last_round)| *last_round).peekable();
        if rounds.peek().is_none() {
            return Turn::Own;
        }
        match item.last_round != Some(round) && rounds.all(|last| last == Some(round)) {
            true => Turn::After,
            false => Turn::Held,
        }
    }
}

/// The turn of a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// No earlier change is about the same databases.
    Own,
    /// The receiver refused each earlier change again in this round.
    After,
    /// The change waits for an earlier one.
    Held,
}

impl<'a> Order<'a> {
    pub fn of(items: &'a [Item], round: u64) -> Order<'a> {
        let mut order = Order {
            of_subject: HashMap::new(),
            summaries: Earlier::default(),
            singles: Earlier::default(),
            round,
        };
        for item in items.iter().filter(|item| item.is_change()) {
            order.of_subject.entry(&item.subject).or_default().add(item);
            if item.summary.is_some() {
                order.summaries.add(item);
            } else if item.subject.is_ok() {
                order.singles.add(item);
            }
        }
        order
    }

    /// Returns the time from which a notification may be tried; `None` if it waits for an earlier one. Tampering never
    /// waits.
    pub fn due(&self, item: &Item) -> Option<Instant> {
        match self.turn(item) {
            Turn::Own => Some(item.due),
            Turn::After => Some(item.since), // immediately
            Turn::Held => None,
        }
    }

    fn turn(&self, item: &Item) -> Turn {
        if !item.is_change() {
            return Turn::Own;
        }
        let of_subject = self.of_subject.get(&item.subject);
        let of_others = if item.summary.is_some() {
            Some(&self.singles)
        } else {
            item.subject.is_ok().then_some(&self.summaries)
        };
        let earlier = of_subject.into_iter().chain(of_others);
        earlier
            .map(|earlier| earlier.turn(item, self.round))
            .max()
            .unwrap_or(Turn::Own)
    }
}
