//! The order of the waiting changes: a change waits for an earlier one about the same databases, because otherwise the
//! earlier one would be the last that the receiver gets.

use std::collections::HashMap;

use super::item::Item;

/// The lowest sequences of the waiting changes.
pub(super) struct Order<'a> {
    /// The lowest sequence of each subject.
    by_subject: HashMap<&'a Result<String, String>, u64>,
    /// The lowest sequence of a summary about several databases.
    summary: Option<u64>,
    /// The lowest sequence of a change of one database.
    single: Option<u64>,
}

impl<'a> Order<'a> {
    pub fn of(items: &'a [Item]) -> Order<'a> {
        let mut order = Order {
            by_subject: HashMap::new(),
            summary: None,
            single: None,
        };
        for item in items.iter().filter(|item| item.is_change()) {
            let sequence = item.kept.sequence;
            let first = order.by_subject.entry(&item.subject).or_insert(sequence);
            *first = sequence.min(*first);
            let first = if item.summary.is_some() {
                &mut order.summary
            } else if item.subject.is_ok() {
                &mut order.single
            } else {
                continue;
            };
            *first = Some(first.map_or(sequence, |first| sequence.min(first)));
        }
        order
    }

    /// Returns whether a notification waits for an earlier one. Tampering never does.
    pub fn holds(&self, item: &Item) -> bool {
        if !item.is_change() {
            return false;
        }
        let of_subject = self.by_subject.get(&item.subject).copied();
        let of_others = if item.summary.is_some() {
            self.single
        } else {
            self.summary.filter(|_| item.subject.is_ok())
        };
        let mut earlier = of_subject.into_iter().chain(of_others);
        earlier.any(|first| first < item.kept.sequence)
    }
}
