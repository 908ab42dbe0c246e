//! The steps of writing, by name, so that a test can kill the process at each one.
//!
//! Only the feature `fault-points` reads the variable and kills; without it `at` is nothing.

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A trusted state.
    State,
    /// The states accepted.
    History,
    /// Open and closed alarms.
    Alarms,
    /// One finding's evidence.
    Evidence,
    /// Server identities seen.
    Identities,
    /// Last verdicts.
    Outcomes,
    /// What of the values was read.
    Values,
    /// Facts that an operator acknowledged.
    Acknowledged,
    /// A notification that is to be delivered.
    Outbox,
}

/// How far the writing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The new file is there, empty.
    Created,
    /// Half of it is written.
    HalfWritten,
    /// All of it is.
    Written,
    /// It is on disk, under its temporary name.
    Synced,
    /// It has the name it is read by.
    Renamed,
    /// And that is on disk.
    DirectorySynced,
    /// Half of a line is at the end of the history.
    HalfAppended,
    /// All of it is.
    Appended,
    /// And that is on disk.
    AppendSynced,
}

/// Every kind of file.
pub const KINDS: [Kind; 9] = [
    Kind::State,
    Kind::History,
    Kind::Alarms,
    Kind::Evidence,
    Kind::Identities,
    Kind::Outcomes,
    Kind::Values,
    Kind::Acknowledged,
    Kind::Outbox,
];

/// Every step of replacing a file.
pub const REPLACING: [Step; 6] = [
    Step::Created,
    Step::HalfWritten,
    Step::Written,
    Step::Synced,
    Step::Renamed,
    Step::DirectorySynced,
];

/// Every step of appending to the history.
pub const APPENDING: [Step; 3] = [Step::HalfAppended, Step::Appended, Step::AppendSynced];

/// The environment variable that names the point to die at, such as `State-Synced`.
pub const VARIABLE: &str = "IMMUAUDIT_FAULT_POINT";

/// The name of a point.
pub fn point(kind: Kind, step: Step) -> String {
    format!("{kind:?}-{step:?}")
}

/// Every point there is.
pub fn points() -> Vec<String> {
    let replacing = KINDS
        .iter()
        .flat_map(|kind| REPLACING.iter().map(|step| point(*kind, *step)));
    let appending = APPENDING.iter().map(|step| point(Kind::History, *step));
    replacing.chain(appending).collect()
}

#[cfg(feature = "fault-points")]
pub(super) fn at(kind: Kind, step: Step) {
    if std::env::var(VARIABLE).is_ok_and(|name| name == point(kind, step)) {
        crate::sys::kill_self();
    }
}

#[cfg(not(feature = "fault-points"))]
pub(super) fn at(_: Kind, _: Step) {}
