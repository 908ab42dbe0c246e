//! The time of a cycle for finding rewritten transactions when alarms are raised, and the databases that get it.

use std::time::Duration;

/// The longest time that a cycle spends on such searches.
const MAX_TIME_PER_CYCLE: Duration = Duration::from_secs(6);
/// The longest search of one database.
const MAX_SEARCH_TIME: Duration = Duration::from_secs(2);

/// The time of a cycle for searches. If a cycle has no time for a database, the databases that were searched later wait
/// in the next cycle. So databases whose searches never end do not use up the time of every cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct SearchTime {
    left: Duration,
    /// The earliest cycle in which a database that the last cycle left out was last searched; `None` if the last cycle
    /// left out none.
    waiting: Option<u64>,
    /// The same of the present cycle.
    left_out: Option<u64>,
}

impl SearchTime {
    /// Returns the time of a first cycle.
    pub fn new() -> SearchTime {
        SearchTime {
            left: MAX_TIME_PER_CYCLE,
            waiting: None,
            left_out: None,
        }
    }

    /// Begins the next cycle.
    pub fn begin_cycle(&mut self) {
        *self = SearchTime {
            waiting: self.left_out,
            ..SearchTime::new()
        };
    }

    /// Returns the time that is left.
    pub fn left(&self) -> Duration {
        self.left
    }

    /// Returns the time for a search of a database, whose last search was in cycle `searched` (0 if there was none).
    /// `None` if the database must wait.
    pub fn grant(&mut self, searched: u64) -> Option<Duration> {
        let waits = self.waiting.is_some_and(|waiting| waiting < searched);
        if waits || self.left.is_zero() {
            self.leave_out(searched);
            return None;
        }
        Some(self.left.min(MAX_SEARCH_TIME))
    }

    /// Ends the search of a database, whose last search before was in cycle `searched`. Returns whether it was a whole
    /// search: without a result, a search in less than the longest time does not count.
    pub fn end(
        &mut self,
        searched: u64,
        granted: Duration,
        taken: Duration,
        is_decided: bool,
    ) -> bool {
        self.left = self.left.saturating_sub(taken);
        let is_whole = is_decided || granted == MAX_SEARCH_TIME;
        if !is_whole {
            self.leave_out(searched);
        }
        is_whole
    }

    fn leave_out(&mut self, searched: u64) {
        let oldest = self
            .left_out
            .map_or(searched, |oldest| oldest.min(searched));
        self.left_out = Some(oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Runs a cycle and returns the databases with a whole search. All but `quick` use up their time.
    fn cycle(
        time: &mut SearchTime,
        number: u64,
        turns: &mut BTreeMap<char, u64>,
        quick: &str,
        taken: Duration,
    ) -> String {
        time.begin_cycle();
        let mut whole = String::new();
        for (name, searched) in turns {
            let Some(granted) = time.grant(*searched) else {
                continue;
            };
            let is_quick = quick.contains(*name);
            let taken = match is_quick {
                true => Duration::from_millis(10),
                false => granted.min(taken),
            };
            if time.end(*searched, granted, taken, is_quick) {
                *searched = number;
                whole.push(*name);
            }
        }
        whole
    }

    #[test]
    fn every_database_is_searched_although_others_use_up_the_time() {
        let turns = || BTreeMap::from(['a', 'b', 'c', 'd', 'e'].map(|name| (name, 0)));
        let (mut time, mut of) = (SearchTime::new(), turns());
        let mut run = |number| cycle(&mut time, number, &mut of, "de", MAX_SEARCH_TIME);
        let cycles: Vec<String> = (1..=4).map(&mut run).collect();
        assert_eq!(cycles, ["abc", "de", "abc", "de"]);
        // the last search has a little time only, so it does not count
        let (mut time, mut of) = (SearchTime::new(), turns());
        let almost = MAX_SEARCH_TIME - Duration::from_millis(10);
        let mut run = |number| cycle(&mut time, number, &mut of, "", almost);
        let cycles: Vec<String> = (1..=3).map(&mut run).collect();
        assert_eq!(cycles, ["abc", "de", "abc"]);
    }
}
