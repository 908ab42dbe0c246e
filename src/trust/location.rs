//! Where one server's files are, and their names there.

use std::path::PathBuf;

/// Where one server's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Directory of all servers.
    pub dir: PathBuf,
    /// Directory of all servers' states and histories, where that is another one.
    pub roots: Option<PathBuf>,
    /// The server's configured name.
    pub server: String,
}

pub(super) const STATE: &str = ".state";
pub(super) const HISTORY: &str = ".history";
pub(super) const ALARMS: &str = ".alarms";
pub(super) const ACKNOWLEDGED: &str = ".acknowledged";
pub(super) const EVIDENCE: &str = "evidence";
/// The directory of what searches found, beside that of the evidence.
pub(super) const LOCATED: &str = "located";
