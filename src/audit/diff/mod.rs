//! Two histories of one database held side by side. Reading order: `against` (a second server, or a mirror), `sides` (two
//! servers read in step), `differences` (what is found), `compare` (another auditor's trusted states).

pub(super) mod against;
pub(super) mod compare;
pub(super) mod differences;
mod sides;
