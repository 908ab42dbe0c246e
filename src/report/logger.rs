//! The log on stderr: one line an event, UTC time first.

use std::io::Write;

use env_logger::Builder;
use log::LevelFilter;

use crate::clock;

/// Starts logging to stderr; a stderr that is closed is no reason to stop auditing.
pub fn start_logging(level: LevelFilter) {
    let mut builder = Builder::new();
    builder.filter_level(level).format(|line, record| {
        let level = record.level();
        // env_logger itself writes to nowhere else: what cannot be written is lost, not fatal
        writeln!(line, "{} {level:5} {}", clock::now(), record.args())
    });
    // a second start, in tests, changes nothing
    let _ = builder.try_init();
}
