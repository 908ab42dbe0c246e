//! Paced sweeps: between two cycles, the sweeps that are behind their pace continue, one database after the other.

use std::time::{Duration, Instant};

use super::sweep::{Paced, Slice, SweepStatus, begin};
use crate::audit::auditor::Auditor;
use crate::audit::overdue::WallAges;
use crate::trust::{SweepInProgress, SweepTrigger};

/// The longest delay of a check by a call of a scheduled sweep.
const MAX_CHECK_DELAY: Duration = Duration::from_millis(800);

impl Auditor {
    /// Continues one database's sweep if it is behind its pace, which is `--audit-sweep` for the whole history.
    /// `next` is the begin of the next cycle.
    pub fn sweep_at_pace(&mut self, next: Instant) -> Slice {
        let idle = Slice {
            database: String::new(),
            status: SweepStatus::NotDue,
            outcome: None,
        };
        let Some(period) = self.policy.values.sweep else {
            return idle;
        };
        let before = self.server.limit(next + MAX_CHECK_DELAY);
        let mut slice = idle;
        let ages = self.wall_ages();
        for database in self.sweepable() {
            if self.is_at_pace(&database, period, ages) {
                continue;
            }
            slice = self.slice(&database, SweepTrigger::Scheduled, |progress, sweep| {
                paced(progress, sweep, period, ages)
            });
            match slice.status {
                SweepStatus::NotDue => {}
                // this database waits for the next cycle, the others continue
                SweepStatus::ServerUnavailable(_) => self.databases.of(&database).not_now = true,
                _ => {}
            }
            if slice.status != SweepStatus::NotDue || slice.outcome.is_some() {
                self.swept_last = Some(slice.database.clone());
                break;
            }
        }
        self.server.restore(before);
        slice
    }

    /// Returns whether a database's sweep keeps its pace, according to the reading since the last cycle. The trusted
    /// state is replaced in a cycle; an operator's change between two cycles is noticed in the next one.
    fn is_at_pace(&mut self, database: &str, period: Duration, ages: WallAges) -> bool {
        let record = self.databases.of(database);
        let (Some((of, since)), Some(progress)) = (record.sweepable, &mut record.progress) else {
            return false;
        };
        progress.clamp_to(ages.now);
        let pace = Paced {
            of,
            swept: progress.swept,
        };
        progress.since == since && paced(&pace, progress.sweep.clone(), period, ages).is_none()
    }

    /// Returns the databases that a paced sweep may continue, beginning after the last one, so that a slow database
    /// does not delay the others.
    fn sweepable(&self) -> Vec<String> {
        let mut names = self
            .databases
            .names(|database| database.readable && !database.not_now);
        if let Some(last) = &self.swept_last {
            let next = names.partition_point(|name| name <= last);
            names.rotate_left(next);
        }
        names
    }

    /// Returns whether there is no work between two cycles, because there is neither a paced sweep nor a mirror.
    pub fn waits_for_the_next_cycle(&self) -> bool {
        self.policy.values.sweep.is_none() && !self.is_mirroring()
    }

    /// Returns whether a mirror can be continued.
    pub fn is_mirroring(&self) -> bool {
        let mut databases = self.databases.iter();
        self.mirror_most.is_some() && databases.any(|(_, database)| database.to_mirror)
    }
}

/// Returns the sweep to continue and the transaction to reach, if the sweep is behind its pace.
fn paced(
    progress: &Paced,
    sweep: Option<SweepInProgress>,
    period: Duration,
    ages: WallAges,
) -> Option<(SweepInProgress, u64)> {
    let now = ages.now;
    let sweep = match (sweep, progress.swept) {
        (Some(sweep), _) => sweep,
        // a clock that was set back must not delay the sweep for ever
        (None, Some(swept)) if swept.began <= now && ages.of(swept.began) < period => return None,
        (None, _) => begin(SweepTrigger::Scheduled, now),
    };
    let elapsed = ages.of(sweep.began).as_secs_f64() + 1.0;
    let part = (elapsed / period.as_secs_f64().max(1.0)).min(1.0);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )] // between 0 and `of`
    let goal = (progress.of as f64 * part).ceil() as u64;
    // a sweep by an operator that has passed everything, and was killed before it ended, ends now
    let is_over = sweep.at >= progress.of;
    (goal > sweep.at || is_over).then_some((sweep, goal))
}
