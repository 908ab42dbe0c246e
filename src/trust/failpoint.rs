//! Named steps of writing a file, so that a test can kill the process, panic or simulate a full disk at each one.
//!
//! Only with the feature `fault-points`, `hit` reads the variables, calls the test and kills. Without the feature,
//! it does nothing.

use std::io;

/// The kind of file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A trusted state.
    State,
    /// The accepted states.
    History,
    /// Open and closed alarms.
    Alarms,
    /// One finding's evidence.
    Evidence,
    /// The server identities that were seen.
    Identities,
    /// The last verdicts.
    Outcomes,
    /// The progress of reading the values.
    Values,
    /// The comparison with the checkpoints of other auditors.
    Peers,
    /// Facts that an operator acknowledged.
    Acknowledged,
    /// A notification that is to be delivered.
    Outbox,
    /// The notifications that a receiver got.
    Receivers,
}

/// A step of writing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteStep {
    /// The new file exists, and is empty.
    Created,
    /// Half of it is written.
    HalfWritten,
    /// The file is written completely.
    Written,
    /// The file is on disk, under its temporary name.
    Synced,
    /// The file has its final name.
    Renamed,
    /// The new name is on disk.
    DirectorySynced,
    /// Half of a line is at the end of the history.
    HalfAppended,
    /// The line is appended completely.
    Appended,
    /// The line is on disk.
    AppendSynced,
}

/// Every kind of file.
pub const KINDS: [FileKind; 11] = [
    FileKind::State,
    FileKind::History,
    FileKind::Alarms,
    FileKind::Evidence,
    FileKind::Identities,
    FileKind::Outcomes,
    FileKind::Values,
    FileKind::Peers,
    FileKind::Acknowledged,
    FileKind::Outbox,
    FileKind::Receivers,
];

/// Every step of replacing a file.
pub const REPLACING: [WriteStep; 6] = [
    WriteStep::Created,
    WriteStep::HalfWritten,
    WriteStep::Written,
    WriteStep::Synced,
    WriteStep::Renamed,
    WriteStep::DirectorySynced,
];

/// Every step of appending to the history.
pub const APPENDING: [WriteStep; 3] = [
    WriteStep::HalfAppended,
    WriteStep::Appended,
    WriteStep::AppendSynced,
];

/// The environment variable that names the point at which the process is killed, such as `State-Synced`.
pub const VARIABLE: &str = "IMMUAUDIT_FAULT_POINT";

/// The environment variable that names the point at which a thread panics.
pub const PANIC_VARIABLE: &str = "IMMUAUDIT_PANIC_POINT";

/// Returns the name of a point.
pub fn point(kind: FileKind, step: WriteStep) -> String {
    format!("{kind:?}-{step:?}")
}

/// Returns the names of all points.
pub fn points() -> Vec<String> {
    let replacing = KINDS
        .iter()
        .flat_map(|kind| REPLACING.iter().map(|step| point(*kind, *step)));
    let appending = APPENDING.iter().map(|step| point(FileKind::History, *step));
    replacing.chain(appending).collect()
}

/// The fate of a step.
#[cfg(feature = "fault-points")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The step is done.
    Done,
    /// The disk is full.
    Full,
    /// The program is killed: the thread unwinds with [`Killed`], for a test that catches it.
    Killed,
}

/// The payload of a thread that a simulated kill unwinds.
#[cfg(feature = "fault-points")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed;

#[cfg(feature = "fault-points")]
type Decide = Box<dyn FnMut(FileKind, WriteStep) -> Fate>;

#[cfg(feature = "fault-points")]
thread_local! {
    static DECIDE: std::cell::RefCell<Option<Decide>> = const { std::cell::RefCell::new(None) };
}

/// Lets `decide` choose the fate of each step of this thread from now on; `None`: each step is done.
#[cfg(feature = "fault-points")]
pub fn decide(decide: Option<Decide>) {
    // dropped outside of `with`, because the old closure's drop may use DECIDE again
    drop(DECIDE.with(|decides| decides.replace(decide)));
}

/// Ends the work of this thread as a kill would, for a test that catches it.
#[cfg(feature = "fault-points")]
pub fn kill() -> ! {
    std::panic::resume_unwind(Box::new(Killed))
}

/// Does what the test's closure decides for this step: it continues, returns an error, or unwinds the thread.
/// Without a closure, it kills the process or panics if a variable names this step.
///
/// # Errors
/// The error of a full disk, if the closure decides so.
#[cfg(feature = "fault-points")]
#[allow(clippy::panic)] // a test asks for it
pub(super) fn hit(kind: FileKind, step: WriteStep) -> io::Result<()> {
    let decided = |decides: &std::cell::RefCell<Option<Decide>>| {
        let mut decides = decides.borrow_mut();
        decides.as_mut().map(|decide| decide(kind, step))
    };
    match DECIDE.with(decided) {
        Some(Fate::Done) => Ok(()),
        Some(Fate::Full) => Err(io::Error::from_raw_os_error(crate::sys::DISK_FULL)),
        Some(Fate::Killed) => kill(),
        None => {
            let names = |variable| std::env::var(variable).ok() == Some(point(kind, step));
            if names(VARIABLE) {
                crate::sys::kill_self();
            }
            if names(PANIC_VARIABLE) {
                std::panic::panic_any("a panic\nthat a test asked for");
            }
            Ok(())
        }
    }
}

#[cfg(not(feature = "fault-points"))]
pub(super) fn hit(_: FileKind, _: WriteStep) -> io::Result<()> {
    Ok(())
}
