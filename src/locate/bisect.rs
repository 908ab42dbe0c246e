//! Bisects a sequence of old states for the first that is no longer in the history.

use std::collections::BTreeMap;
use std::ops::Range;

use super::probe::Probe;
use crate::text::Escaped;

/// The result of a bisection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The last item that is proven to match.
    pub holds: Option<u64>,
    /// The first item after it that is proven to differ.
    pub broken: Option<u64>,
    /// The items between them that could not be decided, each with the reason.
    pub unknown: BTreeMap<u64, Escaped>,
    /// The number of probes.
    pub asked: u32,
    /// Whether the server could not be asked any more.
    pub ended: bool,
}

/// Returns the maximum number of probes in a search among this many items: `2 log2(among)`, and at least one. So
/// about as many probes may stay unanswered as the search needs.
pub fn max_probes(among: u64) -> u32 {
    let squared = u128::from(among).saturating_mul(u128::from(among));
    squared.checked_ilog2().unwrap_or(0).max(1)
}

/// Probes the last of `among`, then bisects, and skips items without a result.
///
/// Each item is an ancestor of the next. So a match proves all items before it, and a difference all items after
/// it. A missing result cannot change what other probes proved.
pub fn bisect(among: Range<u64>, most: u32, mut ask: impl FnMut(u64) -> Probe) -> Found {
    let mut found = Found::default();
    let mut next = among.end.checked_sub(1).filter(|last| *last >= among.start);
    let mut nearest = Nearest::default();
    while let Some(at) = next.filter(|_| found.asked < most) {
        found.asked += 1;
        match ask(at) {
            Probe::Matches(_) => found.holds = Some(at),
            Probe::Differs(_) => found.broken = Some(at),
            Probe::Unknown(why) => drop(found.unknown.insert(at, why)),
            Probe::Aborted(why) => {
                found.unknown.insert(at, why);
                found.ended = true;
                break;
            }
        }
        let tried = found.unknown.len() as u64;
        next = nearest.next_from_middle(found.open(&among), tried, |at| {
            !found.unknown.contains_key(&at)
        });
    }
    let open = found.open(&among);
    found.unknown.retain(|at, _| open.contains(at));
    found
}

impl Found {
    /// Returns the range that is not decided yet.
    fn open(&self, among: &Range<u64>) -> Range<u64> {
        let from = self.holds.map_or(among.start, |at| at.saturating_add(1));
        from..self.broken.unwrap_or(among.end)
    }
}

/// The search for the next item to probe. It continues at the distance from the middle that it has reached, so that
/// many items without a result do not make each further one slower to find.
#[derive(Default)]
struct Nearest {
    /// The range in which it searches.
    open: Range<u64>,
    /// The distance from the middle up to which every item was probed.
    far: u64,
}

impl Nearest {
    /// Returns the item of `open` that is nearest to the middle and `is_free`. `tried` items, at most, are not free.
    fn next_from_middle(
        &mut self,
        open: Range<u64>,
        tried: u64,
        mut is_free: impl FnMut(u64) -> bool,
    ) -> Option<u64> {
        if open != self.open {
            (self.open, self.far) = (open, 0);
        }
        let open = &self.open;
        let middle = open.start + open.end.checked_sub(open.start)? / 2;
        let (far, next) = (self.far..=tried).find_map(|far| {
            let both = [middle.checked_sub(far), middle.checked_add(far)];
            let mut both = both.into_iter().flatten();
            let next = both.find(|at| open.contains(at) && is_free(*at))?;
            Some((far, next))
        })?;
        self.far = far;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::Digest;

    fn answer(holds: bool) -> Probe {
        let other = Digest::of(&[b"another"]);
        Probe::of_hashes(&Digest::ZERO, if holds { &Digest::ZERO } else { &other })
    }

    fn unknown() -> Probe {
        Probe::Unknown(Escaped::new("silence"))
    }

    #[test]
    fn every_place_is_found_among_every_number_in_twice_the_logarithm() {
        for among in 0..=300 {
            for parted in 0..=among {
                let found = bisect(0..among, max_probes(among), |at| answer(at < parted));
                assert_eq!(found.holds, parted.checked_sub(1), "{parted} of {among}");
                assert_eq!(found.broken, (parted < among).then_some(parted));
                assert!(among < 2 || f64::from(found.asked) <= 2.0 * (among as f64).log2());
            }
        }
    }

    #[test]
    fn the_window_contains_the_change_despite_unanswered_probes() {
        let mut seed = 7u64;
        for round in 0..20_000u64 {
            let among = 1 + round % 300;
            let parted = round.wrapping_mul(31) % (among + 1);
            let silent = round % 11; // of ten probes
            let found = bisect(0..among, max_probes(among), |at| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if (seed >> 33) % 10 < silent {
                    return unknown();
                }
                answer(at < parted)
            });
            assert!(found.holds.is_none_or(|at| at < parted), "{found:?}");
            assert!(found.broken.is_none_or(|at| at >= parted), "{found:?}");
            assert!(found.asked <= max_probes(among));
            let open = found.open(&(0..among));
            assert!(found.unknown.keys().all(|at| open.contains(at)));
        }
    }

    #[test]
    fn one_silent_place_costs_one_question_and_widens_by_one() {
        for among in 8..=300u64 {
            for parted in 0..=among {
                let silent = parted.min(among - 1);
                let found = bisect(0..among, max_probes(among), |at| match at {
                    at if at == silent => unknown(),
                    at => answer(at < parted),
                });
                let width = found.broken.unwrap_or(among) - found.holds.map_or(0, |at| at + 1);
                assert!(width <= 2, "{parted} of {among}: {found:?}");
            }
        }
    }

    #[test]
    fn many_items_without_a_result_do_not_slow_the_search_down() {
        let (mut nearest, mut tried) = (Nearest::default(), BTreeSet::new());
        let mut looked_up = 0u64;
        for asked in 0..100_000u64 {
            let next = nearest.next_from_middle(0..1_000_000, asked, |at| {
                looked_up += 1;
                !tried.contains(&at)
            });
            assert!(next.is_some_and(|at| tried.insert(at)), "{next:?}");
            // a search from the middle on for each item would look up as many items as were probed
            assert!(looked_up <= 4 * (asked + 1), "{looked_up} for {asked}");
        }
        let found = bisect(0..1_000_000, 100_000, |_| unknown());
        assert_eq!((found.asked, found.unknown.len()), (100_000, 100_000));
    }

    #[test]
    fn no_probe_follows_once_the_server_stops_answering() {
        let found = bisect(0..300, 40, |_| Probe::Aborted(Escaped::new("gone")));
        assert_eq!((found.asked, found.ended), (1, true));
        assert_eq!((found.holds, found.broken), (None, None));
    }
}
