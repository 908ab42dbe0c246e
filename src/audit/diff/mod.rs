//! Two histories of one database held side by side. Reading order: `against` (a second server, or a mirror), `history_pair` (two
//! servers read in step), `differences` (what is found), `compare` (another auditor's trusted states), `parting` (from
//! which of them on they differ).

pub(super) mod against;
pub(super) mod compare;
pub(super) mod differences;
mod history_pair;
pub(super) mod parting;
