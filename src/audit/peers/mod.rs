//! Comparing what other auditors were shown with what is trusted here (docs/checkpoints.md).
//!
//! A peer's word makes this auditor look; it accuses nobody. An accusation rests on the server's signature by a key of the
//! settings, or on the server's own answer. Trusted states are untouched by all of it. Reading order: `relation` (what is
//! remembered of a peer and a database), `compare` (one word against the trusted state), `recent` (the states trusted last), `given_up`
//! (what was trusted before the present history), `late` (words
//! that confirm nothing any more), `split` (evidence and alarm),
//! `report` (what is told), `due` (what is overdue), `persist` (what is kept on disk), `file`
//! (checkpoints that came in a file).

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

pub use file::WordCompared;
pub(super) use persist::MAX_WAIT_OF_SINGLE_CYCLE;
pub(super) use recent::Recent;
pub(super) use relation::Relation;
pub use relation::Standing;
pub use report::PeerReport;
pub(super) use split::Split;
