//! The process metrics of Prometheus' clients; values that the system does not report are left out.

use super::exposition::{Exposition, Labels, Type};
use crate::clock::Timestamp;
use crate::sys;

pub(super) fn metrics(text: &mut Exposition, started: Timestamp) {
    let usage = sys::usage();
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
        usage.processor.map(|time| time.as_secs_f64()),
    );
    one(
        "process_resident_memory_bytes",
        Type::Gauge,
        "Resident memory size in bytes.",
        usage.resident.map(|bytes| bytes as f64),
    );
    one(
        "process_open_fds",
        Type::Gauge,
        "Number of open file descriptors.",
        usage.descriptors.map(|count| count as f64),
    );
    one(
        "process_max_fds",
        Type::Gauge,
        "Maximum number of open file descriptors.",
        Some(sys::descriptor_limit() as f64),
    );
}
