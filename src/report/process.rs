//! What Prometheus' clients say of their process, from `/proc` (proc_pid_stat(5)); left out elsewhere.

use std::fs;

use super::exposition::{Exposition, Labels, Type};
use crate::clock::Timestamp;
use crate::sys;

/// Clock ticks a second in `/proc`: 100 on every Linux that this runs on (USER_HZ).
const TICKS: f64 = 100.0;

pub(super) fn metrics(text: &mut Exposition, started: Timestamp) {
    let mut one = |name, kind, help, value: Option<f64>| {
        if let Some(value) = value {
            text.family(name, kind, help)
                .sample(&Labels::default(), value);
        }
    };
    one(
        "process_start_time_seconds",
        Type::Gauge,
        "Start time of the process since unix epoch in seconds.",
        Some(started.unix() as f64),
    );
    one(
        "process_cpu_seconds_total",
        Type::Counter,
        "Total user and system CPU time spent in seconds.",
        cpu_seconds(),
    );
    one(
        "process_resident_memory_bytes",
        Type::Gauge,
        "Resident memory size in bytes.",
        resident_bytes(),
    );
    one(
        "process_open_fds",
        Type::Gauge,
        "Number of open file descriptors.",
        fs::read_dir("/proc/self/fd")
            .ok()
            .map(|fds| fds.count() as f64),
    );
    one(
        "process_max_fds",
        Type::Gauge,
        "Maximum number of open file descriptors.",
        Some(sys::descriptor_limit() as f64),
    );
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // the second field is the program's name in brackets and may hold anything
    let (_, fields) = stat.rsplit_once(") ")?;
    let field = |number: usize| fields.split(' ').nth(number - 3)?.parse::<f64>().ok();
    Some((field(14)? + field(15)?) / TICKS)
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}
