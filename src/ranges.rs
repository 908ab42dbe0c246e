//! Sets of transaction ids, stored as ranges: ten million neighbours take as much memory as one id.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Disjoint, inclusive ranges of transaction ids, each with a tag. Neighbours with the same tag are
/// one range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ranges<T = ()>(BTreeMap<u64, (u64, T)>);

impl<T> Default for Ranges<T> {
    fn default() -> Ranges<T> {
        Ranges(BTreeMap::new())
    }
}

impl<T: Copy + PartialEq> Ranges<T> {
    /// Returns a set without ids.
    pub fn new() -> Ranges<T> {
        Ranges::default()
    }

    /// Returns whether no id is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of ranges.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the number of ids.
    pub fn count(&self) -> u64 {
        self.iter().fold(0, |count: u64, (first, last, _)| {
            count
                .saturating_add(last.saturating_sub(first))
                .saturating_add(1)
        })
    }

    /// Returns the smallest id.
    pub fn first(&self) -> Option<u64> {
        self.0.keys().next().copied()
    }

    /// Returns the largest id.
    pub fn last(&self) -> Option<u64> {
        self.0.values().next_back().map(|(last, _)| *last)
    }

    /// Returns the tag of an id in the set.
    pub fn get(&self, id: u64) -> Option<T> {
        let (_, (last, tag)) = self.0.range(..=id).next_back()?;
        (*last >= id).then_some(*tag)
    }

    /// Returns whether an id is in the set.
    pub fn contains(&self, id: u64) -> bool {
        self.get(id).is_some()
    }

    /// Returns the ranges in order: first id, last id, tag.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64, T)> + '_ {
        self.0
            .iter()
            .map(|(first, (last, tag))| (*first, *last, *tag))
    }

    /// Returns the ranges in order as words: `1-20`, `33`.
    pub fn words(&self) -> impl Iterator<Item = String> + '_ {
        self.iter().map(|(first, last, _)| range_word(first, last))
    }

    /// Returns the ids that are in both sets, with the tags of this set.
    pub fn common<U: Copy + PartialEq>(&self, other: &Ranges<U>) -> Ranges<T> {
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let mut common = Ranges::new();
        while let (Some((first, last, tag)), Some((from, to, _))) = (ours.peek(), theirs.peek()) {
            let (from, to, first, last, tag) = (*from, *to, *first, *last, *tag);
            if from <= last && first <= to {
                common.add(first.max(from), last.min(to), tag);
            }
            if last < to {
                ours.next();
            } else {
                theirs.next();
            }
        }
        common
    }

    /// Adds another set.
    pub fn extend(&mut self, other: &Ranges<T>) {
        for (first, last, tag) in other.iter() {
            self.insert(first, last, tag);
        }
    }

    /// Removes the ids of another set.
    pub fn subtract<U: Copy + PartialEq>(&mut self, other: &Ranges<U>) {
        for (first, last, _) in other.iter() {
            self.remove(first, last);
        }
    }

    /// Removes the ids after `last`.
    pub fn remove_after(&mut self, last: u64) {
        if let Some(next) = last.checked_add(1) {
            self.remove(next, u64::MAX);
        }
    }

    /// Adds the ids `first..=last`. An id that is already in the set keeps its tag.
    pub fn insert(&mut self, first: u64, last: u64, tag: T) {
        let mut next = first;
        while next <= last {
            let below = self.0.range(..=next).next_back();
            let end = match below {
                Some((_, (end, _))) if *end >= next => *end,
                _ => {
                    let above = self.0.range(next..).next();
                    let end = above.map_or(last, |(above, _)| last.min(above.saturating_sub(1)));
                    self.add(next, end, tag);
                    end
                }
            };
            let Some(behind) = end.checked_add(1) else {
                return;
            };
            next = behind;
        }
    }

    /// Adds a range without any id that is in the set, and joins it with neighbours of the same tag.
    fn add(&mut self, mut first: u64, mut last: u64, tag: T) {
        if let Some((&below, &(end, its))) = self.0.range(..first).next_back() {
            if its == tag && end.checked_add(1) == Some(first) {
                self.0.remove(&below);
                first = below;
            }
        }
        if let Some(above) = last.checked_add(1) {
            if let Some(&(end, its)) = self.0.get(&above) {
                if its == tag {
                    self.0.remove(&above);
                    last = end;
                }
            }
        }
        self.0.insert(first, (last, tag));
    }

    /// Removes the ids `first..=last`.
    pub fn remove(&mut self, first: u64, last: u64) {
        if last < first {
            return;
        }
        let touched: Vec<(u64, u64, T)> = self
            .0
            .range(..=last)
            .rev()
            .map(|(first, (last, tag))| (*first, *last, *tag))
            .take_while(|(_, end, _)| *end >= first)
            .collect();
        for (from, to, tag) in touched {
            self.0.remove(&from);
            if from < first {
                self.0.insert(from, (first.saturating_sub(1), tag));
            }
            if to > last {
                self.0.insert(last.saturating_add(1), (to, tag));
            }
        }
    }

    /// Changes each tag.
    pub fn retag(&mut self, change: impl Fn(T) -> T) {
        let ranges: Vec<(u64, u64, T)> = self.iter().collect();
        self.0.clear();
        for (first, last, tag) in ranges {
            self.add(first, last, change(tag));
        }
    }

    /// Joins the ranges that are closest together, with the ids between them, until there are at most `most`. It
    /// limits a set that may contain too many ids.
    pub fn join_closest(&mut self, most: usize, join: impl Fn(T, T) -> T) {
        let excess = self.len().saturating_sub(most.max(1));
        if excess == 0 {
            return;
        }
        let ranges: Vec<(u64, u64, T)> = self.iter().collect();
        let mut gaps: Vec<(u64, u64)> = ranges
            .iter()
            .zip(ranges.iter().skip(1))
            .map(|((_, end, _), (start, ..))| (start.saturating_sub(*end), *start))
            .collect();
        gaps.sort_unstable();
        let joined: std::collections::BTreeSet<u64> = gaps
            .into_iter()
            .take(excess)
            .map(|(_, start)| start)
            .collect();
        self.0.clear();
        let mut open: Option<(u64, u64, T)> = None;
        for (first, last, tag) in ranges {
            open = match open {
                Some((start, _, its)) if joined.contains(&first) => {
                    Some((start, last, join(its, tag)))
                }
                before => {
                    if let Some((first, last, tag)) = before {
                        self.add(first, last, tag);
                    }
                    Some((first, last, tag))
                }
            };
        }
        if let Some((first, last, tag)) = open {
            self.add(first, last, tag);
        }
    }

    /// Removes the shortest ranges until there are at most `most`. It limits a set that must not contain too many
    /// ids.
    pub fn keep_longest(&mut self, most: usize) {
        let excess = self.len().saturating_sub(most);
        if excess == 0 {
            return;
        }
        let mut lengths: Vec<(u64, u64)> = self
            .iter()
            .map(|(first, last, _)| (last.saturating_sub(first), first))
            .collect();
        lengths.sort_unstable();
        for (_, first) in lengths.into_iter().take(excess) {
            self.0.remove(&first);
        }
    }
}

/// Returns a range as a word: `1-20`, `33`.
pub fn range_word(first: u64, last: u64) -> String {
    match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    }
}

/// Reads a range that [`range_word`] wrote.
pub fn parse_range(word: &str) -> Option<(u64, u64)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// Prints the ranges in order, without tags: `1-20 33`.
impl<T: Copy + PartialEq> fmt::Display for Ranges<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().collect::<Vec<_>>().join(" "))
    }
}

/// The error for text that names no ranges in their printed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangesError;

impl std::error::Error for RangesError {}

impl std::fmt::Display for RangesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a list of ranges such as 1-5 7")
    }
}

impl FromStr for Ranges {
    type Err = RangesError;

    fn from_str(text: &str) -> Result<Ranges, RangesError> {
        let mut ranges = Ranges::new();
        for word in text.split_whitespace() {
            let (first, last) = parse_range(word).ok_or(RangesError)?;
            ranges.insert(first, last, ());
        }
        Ok(ranges)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn ids<T: Copy + PartialEq>(ranges: &Ranges<T>) -> Vec<u64> {
        let ids = ranges.iter().flat_map(|(first, last, _)| first..=last);
        ids.collect()
    }

    /// Compares random operations with those on a map of single ids.
    #[test]
    fn ranges_hold_what_a_map_of_single_ids_holds() {
        let mut seed = 7u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..300 {
            let (mut ranges, mut single) = (Ranges::new(), BTreeMap::new());
            for _ in 0..40 {
                let first = draw(60);
                let last = first + draw(12);
                let tag = draw(3);
                if draw(3) > 0 {
                    ranges.insert(first, last, tag);
                    for id in first..=last {
                        single.entry(id).or_insert(tag);
                    }
                } else {
                    ranges.remove(first, last);
                    single.retain(|id, _| !(first..=last).contains(id));
                }
                let spread: BTreeMap<u64, u64> = ranges
                    .iter()
                    .flat_map(|(first, last, tag)| (first..=last).map(move |id| (id, tag)))
                    .collect();
                assert_eq!(spread, single);
                assert_eq!(ranges.count(), single.len() as u64);
                assert_eq!(ranges.first(), single.keys().next().copied());
                assert_eq!(ranges.last(), single.keys().next_back().copied());
                let mut whole: Vec<_> = ranges.iter().collect();
                whole.dedup_by(|b, a| a.1 + 1 == b.0 && a.2 == b.2);
                assert_eq!(
                    whole.len(),
                    ranges.len(),
                    "neighbours of one tag are one range"
                );
                assert_eq!(ranges.get(first), single.get(&first).copied());
                let mut other = Ranges::new();
                other.insert(draw(60), 70, ());
                let both = ranges.common(&other);
                let due: Vec<u64> = single
                    .keys()
                    .copied()
                    .filter(|id| other.contains(*id))
                    .collect();
                assert_eq!(ids(&both), due);
                assert!(
                    due.iter()
                        .all(|id| both.get(*id) == single.get(id).copied())
                );
                let mut rest = ranges.clone();
                rest.subtract(&other);
                let left: Vec<u64> = single
                    .keys()
                    .copied()
                    .filter(|id| !other.contains(*id))
                    .collect();
                assert_eq!(ids(&rest), left);
                rest.remove_after(first);
                assert_eq!(rest.last(), left.iter().copied().rfind(|id| *id <= first));
            }
        }
    }

    #[test]
    fn the_largest_ids_there_are_have_a_place() {
        let mut ranges = Ranges::new();
        ranges.insert(u64::MAX - 1, u64::MAX, ());
        ranges.insert(0, u64::MAX, ());
        assert_eq!((ranges.len(), ranges.count()), (1, u64::MAX));
        ranges.remove(u64::MAX, u64::MAX);
        assert_eq!(ranges.last(), Some(u64::MAX - 1));
    }

    #[test]
    fn a_set_that_is_too_scattered_names_too_much_or_too_little_as_is_asked() {
        let mut scattered = Ranges::new();
        for (first, last) in [(1, 1), (3, 9), (20, 20), (40, 45)] {
            scattered.insert(first, last, first);
        }
        let mut joined = scattered.clone();
        joined.join_closest(2, u64::min);
        assert_eq!(
            joined.iter().collect::<Vec<_>>(),
            [(1, 20, 1), (40, 45, 40)]
        );
        let mut longest = scattered.clone();
        longest.keep_longest(2);
        assert_eq!(
            longest.iter().collect::<Vec<_>>(),
            [(3, 9, 3), (40, 45, 40)]
        );
    }
}
