//! The checkpoints of all proven states: the response to `/checkpoints`.

use super::status_registry::Snapshot;
use crate::checkpoint::{Origin, print_list};

/// Returns the checkpoints of all databases that were proven in this run.
pub fn checkpoints_text(snapshot: &Snapshot) -> String {
    let rows = snapshot.databases.values();
    print_list(rows.filter_map(|row| row.checkpoint.as_deref()))
}

/// Returns the checkpoint of one database, as a path names it: percent-encoded.
pub fn checkpoint_text(snapshot: &Snapshot, path: &str) -> Option<String> {
    let mut rows = snapshot.databases.values();
    let row = rows.find(|row| Origin::encoded(&row.database) == path)?;
    row.checkpoint.as_deref().map(str::to_owned)
}
