//! The identity of this build, from `build.rs`.

use crate::clock::Timestamp;

/// The version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of the sources in 12 digits, and `-dirty` if the sources differ from the commit; empty if not known.
pub const REVISION: &str = env!("IMMUAUDIT_BUILD_REVISION");

/// Returns the time of the sources: `SOURCE_DATE_EPOCH`, else the commit's, so that builds are reproducible. Returns
/// `None` if it is not known.
pub fn build_time() -> Option<Timestamp> {
    let seconds = env!("IMMUAUDIT_BUILD_SECONDS").parse().ok()?;
    Some(Timestamp::from_unix(seconds))
}

/// Returns version, revision and time for people.
pub(super) fn line() -> String {
    let revision = Some(REVISION).filter(|revision| !revision.is_empty());
    let facts = revision.map(|revision| format!("revision {revision}"));
    let facts = facts
        .into_iter()
        .chain(build_time().map(|time| time.to_string()));
    let facts: Vec<String> = facts.collect();
    match facts.is_empty() {
        true => format!("immuaudit {VERSION}\n"),
        false => format!("immuaudit {VERSION} ({})\n", facts.join(", ")),
    }
}
