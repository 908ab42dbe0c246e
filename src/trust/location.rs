//! The paths and file names of one server's files.

use std::path::PathBuf;

/// The location of one server's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Directory of all servers.
    pub dir: PathBuf,
    /// The directory of all servers' states and histories, if it is another one.
    pub roots: Option<PathBuf>,
    /// The server's configured name.
    pub server: String,
}

pub(super) const STATE: &str = ".state";
pub(super) const HISTORY: &str = ".history";
pub(super) const ALARMS: &str = ".alarms";
pub(super) const ACKNOWLEDGED: &str = ".acknowledged";
pub(super) const EVIDENCE: &str = "evidence";
/// The directory of the results of searches, next to that of the evidence.
pub(super) const LOCATED: &str = "located";
