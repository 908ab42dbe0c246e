//! Comparing other auditors' checkpoints with the trusted states (docs/checkpoints.md).
//!
//! A peer's checkpoint makes this auditor check; it proves nothing against the server. An alarm needs the server's
//! signature by a key of the settings, or the server's own response. A checkpoint never changes a trusted state.
//!
//! Reading order: `standing` (the results), `relation` (the memory of a peer and a database), `compare` (one checkpoint
//! against the trusted state), `recent` (the states trusted last), `given_up` (the states trusted before the present
//! history), `late` (checkpoints that no longer confirm anything), `claim` (states without a signature), `split`
//! (evidence and alarm), `report` (the report on a peer), `due` (the reports of a check, and overdue comparisons),
//! `persist` (the records on disk), `file` (checkpoints from a file).

mod claim;
mod compare;
mod due;
mod file;
mod given_up;
mod late;
mod persist;
mod recent;
mod relation;
mod report;
mod split;
mod standing;

pub(super) use claim::ClaimTest;
pub use file::{SplitFound, WordCompared};
pub(super) use persist::MAX_WAIT_FOR_PEERS;
pub(super) use recent::Recent;
pub(super) use relation::Relation;
pub use report::PeerReport;
pub(super) use split::{Split, is_enough, split_view};
pub use standing::Standing;
