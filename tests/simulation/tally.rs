//! The counts of a run.

use std::time::Duration;

use crate::world::DAY;

/// The number of cycles of five minutes in a year.
const CYCLES_OF_A_YEAR: f64 = 365.0 * 24.0 * 12.0;

/// The counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub worlds: u64,
    pub time: Duration,
    pub cycles: u64,
    pub calls: u64,
    pub writes: u64,
    pub lies: u64,
    pub untold: u64,
    pub accused: u64,
    pub starts: u64,
    pub kills: u64,
    /// The number of notifications that receivers accepted.
    pub notified: u64,
    /// The number of splits and disagreements that one of two auditors found.
    pub splits: u64,
    /// The most bytes of memory that the auditor of a world used at its end.
    pub memory: usize,
    /// The number of worlds that ended with a broken rule.
    pub violations: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.worlds += other.worlds;
        self.time += other.time;
        self.cycles += other.cycles;
        self.calls += other.calls;
        self.writes += other.writes;
        self.lies += other.lies;
        self.untold += other.untold;
        self.accused += other.accused;
        self.starts += other.starts;
        self.kills += other.kills;
        self.notified += other.notified;
        self.splits += other.splits;
        self.memory = self.memory.max(other.memory);
    }

    /// Prints the counts, and how many years were simulated in a minute of one core.
    pub fn report(&self) {
        let took = busy();
        let minutes = took.as_secs_f64() / 60.0;
        #[allow(clippy::cast_precision_loss)] // a count of a few million
        let cycles = self.cycles as f64;
        let days = self.time.as_secs_f64() / DAY.as_secs_f64();
        println!(
            "{} worlds, {} violations: {:.2} years, {} cycles, {} calls, {} steps of writing, {} lies begun and {} not, \
             {} alarms opened, {} starts, {} kills, {} notifications, {} splits found, at most {} KiB remembered; {:.0} s of one core, {:.2} years a minute, {:.2} years of five-minute \
             cycles a minute",
            self.worlds,
            self.violations,
            days / 365.0,
            self.cycles,
            self.calls,
            self.writes,
            self.lies,
            self.untold,
            self.accused,
            self.starts,
            self.kills,
            self.notified,
            self.splits,
            self.memory >> 10,
            took.as_secs_f64(),
            days / 365.0 / minutes,
            cycles / CYCLES_OF_A_YEAR / minutes
        );
    }
}

/// Returns the CPU time of this process.
fn busy() -> Duration {
    let of_process = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = of_process.split(' ').next().map(str::parse);
    Duration::from_nanos(nanoseconds.and_then(Result::ok).unwrap_or_default())
}
