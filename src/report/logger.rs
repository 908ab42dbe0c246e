//! The log on stderr: one line for each event, with the UTC time first; under systemd's journal its priority
//! instead.

use std::io::Write;

use env_logger::Builder;
use log::{Level, LevelFilter, Record};

use super::event::{members, text};
use super::json_object::JsonObject;
use crate::clock;
use crate::config::LogFormat;
use crate::sys;

/// Libraries that log complete URLs below the level `info`; the URLs contain tokens.
const HTTP: [&str; 2] = ["ureq", "ureq_proto"];

/// Starts logging to stderr; a stderr that is closed is no reason to stop auditing.
pub fn start_logging(level: LevelFilter, format: LogFormat) {
    let journal = sys::stderr_is_the_journal();
    let mut builder = Builder::new();
    builder.filter_level(level);
    for library in HTTP {
        builder.filter_module(library, level.min(LevelFilter::Info));
    }
    builder.format(move |line, record| {
        let level = record.level();
        // a line that cannot be written is lost, because env_logger ignores the error
        match format {
            LogFormat::Json => writeln!(line, "{}", json(record)),
            LogFormat::Text if journal => {
                writeln!(line, "<{}>{}", priority(level), text(record))
            }
            LogFormat::Text => writeln!(line, "{} {level:5} {}", clock::now(), text(record)),
        }
    });
    // it fails if a logger is installed already, as in tests
    let _ = builder.try_init();
}

fn json(record: &Record<'_>) -> String {
    let level = record.level().as_str().to_ascii_lowercase();
    let object = JsonObject::new()
        .text("time", Some(&clock::now().to_string()))
        .text("level", Some(&level))
        .text("message", Some(&record.args().to_string()));
    members(object, record).end()
}

/// Returns the syslog number of a level (sd-daemon(3)).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
