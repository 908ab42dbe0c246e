//! How much of a database's values was read, as those who watch are shown it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ledger::State;
use crate::trust::{Progress, Swept};

/// What was read of a database's values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Values {
    /// Which history was read; `None`: none yet.
    pub since: Option<Timestamp>,
    /// Transactions read, some of them more than once.
    pub read: u64,
    /// Different ones that were read for certain: by a sweep, or in one cycle.
    pub covered: u64,
    /// Transactions that could not be read and stay due.
    pub due: u64,
    /// Since when there are any.
    pub due_since: Option<Timestamp>,
    /// The last sweep that ended.
    pub swept: Option<Swept>,
    /// The one under way: when it began, and the last transaction that it passed.
    pub sweeping: Option<(Timestamp, u64)>,
    /// Not read in time.
    pub overdue: bool,
}

/// What is asked of the reading.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// `--audit-sweep`.
    pub sweep: Option<Duration>,
    /// `--audit-interval`.
    pub interval: Duration,
    /// Since when it is asked.
    pub since: Timestamp,
}

impl Values {
    /// What an earlier run left.
    pub fn remembered(progress: &Progress, pace: &Pace, now: Timestamp) -> Values {
        let left = Values {
            since: Some(progress.since),
            read: progress.read,
            ..Values::default()
        };
        left.after(progress, pace, now)
    }

    /// What is known once `progress` was made.
    pub fn after(self, progress: &Progress, pace: &Pace, now: Timestamp) -> Values {
        let same = self.since == Some(progress.since);
        let before = if same { self } else { Values::default() };
        let due = progress.due.len() as u64;
        let since = before.due_since.unwrap_or(now);
        let mut values = Values {
            since: Some(progress.since),
            read: progress.read,
            covered: before.covered.max(covered(&before, progress)),
            due,
            due_since: (due > 0).then_some(since),
            swept: progress.swept,
            sweeping: progress.sweep.as_ref().map(|sweep| (sweep.began, sweep.at)),
            overdue: false,
        };
        values.overdue = values.is_overdue(pace, now);
        values
    }

    /// At least so much of the ledger was read, from 0 to 1.
    pub fn share(&self, trusted: Option<State>) -> f64 {
        match trusted {
            Some(state) if state.tx > 0 => (self.covered as f64 / state.tx as f64).min(1.0),
            _ => 0.0,
        }
    }

    fn is_overdue(&self, pace: &Pace, now: Timestamp) -> bool {
        let age = |at: Timestamp| Duration::from_secs(now.unix().saturating_sub(at.unix()));
        let began = self.sweeping.map(|(began, _)| began);
        let whole = self.swept.map(|swept| swept.ended).or(began);
        let unswept = age(whole.unwrap_or(pace.since));
        let unread = self.due_since.map_or(Duration::ZERO, age);
        pace.sweep.is_some_and(|period| unswept > 2 * period) || unread > 3 * pace.interval
    }
}

/// Samples of different cycles may be of the same transactions, so they are not added up.
fn covered(before: &Values, progress: &Progress) -> u64 {
    let at_once = match before.due {
        0 => progress.read.saturating_sub(before.read),
        _ => 0, // what was due may have been read twice
    };
    let swept = progress.swept.map_or(0, |swept| swept.read);
    let sweeping = progress.sweep.as_ref().map_or(0, |sweep| sweep.read);
    at_once.max(swept).max(sweeping)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Digest;
    use crate::trust::Unavailable;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1_000_000 + seconds)
    }

    fn of(tx: u64) -> Option<State> {
        let hash = Digest::of(&[b"x"]);
        Some(State { tx, hash })
    }

    const PACE: fn() -> Pace = || Pace {
        sweep: Some(Duration::from_secs(100)),
        interval: Duration::from_secs(10),
        since: at(0),
    };

    #[test]
    fn the_share_is_what_was_read_for_certain() {
        let mut progress = Progress::new("db", at(0));
        let mut values = Values::default();
        for cycle in 1..=5 {
            progress.read = 32 * cycle;
            values = values.after(&progress, &PACE(), at(1));
            assert_eq!(values.share(of(64)), 0.5); // and not more with every sample
        }
        progress.read += 64;
        values = values.after(&progress, &PACE(), at(1));
        assert_eq!((values.share(of(64)), values.share(of(128))), (1.0, 0.5));
        progress.swept = Some(Swept {
            began: at(0),
            ended: at(2),
            read: 96,
            unavailable: Unavailable::default(),
            of: 128,
        });
        values = values.after(&progress, &PACE(), at(3));
        assert_eq!((values.share(of(128)), values.share(None)), (0.75, 0.0));
        // what an earlier run read is no single cycle's
        let remembered = Values::remembered(&progress, &PACE(), at(3));
        assert_eq!((remembered.read, remembered.share(of(128))), (224, 0.75));
        // another history was not read yet
        let values = values.after(&Progress::new("db", at(9)), &PACE(), at(9));
        assert_eq!((values.read, values.share(of(128))), (0, 0.0));
    }

    #[test]
    fn values_are_overdue_after_twice_a_sweeps_time_or_three_intervals() {
        let mut progress = Progress::new("db", at(0));
        let overdue = |progress: &Progress, pace: Pace, seconds| {
            Values::default()
                .after(progress, &pace, at(0))
                .after(progress, &pace, at(seconds))
                .overdue
        };
        assert!(!overdue(&progress, PACE(), 200) && overdue(&progress, PACE(), 201));
        let (began, ended) = (at(100), at(150));
        progress.swept = Some(Swept {
            began,
            ended,
            read: 1,
            unavailable: Unavailable::default(),
            of: 1,
        });
        assert!(!overdue(&progress, PACE(), 350) && overdue(&progress, PACE(), 351));
        let unpaced = || Pace {
            sweep: None,
            ..PACE()
        };
        assert!(!overdue(&progress, unpaced(), 10_000));
        progress.due.insert(7);
        assert!(!overdue(&progress, unpaced(), 30) && overdue(&progress, unpaced(), 31));
    }
}
