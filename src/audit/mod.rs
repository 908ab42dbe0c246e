//! The audit: one cycle over all databases of a server, each with exactly one verdict.
//!
//! The result of a check is stored before it is reported: a trusted state first, then an alarm.
//!
//! Reading order of a cycle: `auditor` (the auditor and its memory), `schedule` (all databases), `kept_list` (their
//! list), `budget` (their time), `round` (groups of them), `turn` (one of them), `check` (its state against the
//! trusted state), `peers` (other auditors' checkpoints), `values` (reading values). Then the consequences: `apply`,
//! `report_outcome`, `storing` and `unstored` (findings, and those that could not be stored), `persist`. The results
//! are `verdict`, `outcome`, `why` (the reason as a text) and `cycle`. `locate`, `search_time` (its time in a cycle),
//! `located` (its result), `diff` and `recheck` serve the operator.

#![forbid(unsafe_code)]

mod apply;
mod auditor;
mod budget;
mod capture;
mod check;
mod cycle;
mod database;
mod diff;
mod kept_list;
mod locate;
mod located;
mod mirror;
mod outcome;
mod overdue;
mod peers;
mod persist;
mod policy;
mod recheck;
mod report_outcome;
mod rotation;
mod round;
mod schedule;
mod search_time;
mod storing;
mod turn;
mod unstored;
mod untrusted_databases;
mod values;
mod values_overdue;
mod verdict;
mod why;
mod written;

pub use auditor::Auditor;
pub use check::immuclient_states::{ImportedState, StateFile, StateFileError, read_states};
pub use check::import::{Import, OnRefusal};
pub use check::listing::{Impossible, MAX_DATABASES};
pub use cycle::{Cycle, CycleError};
pub use diff::against::{DiffError, DiffTarget, MirrorDifferences};
pub use diff::compare::{Compared, Comparison, Theirs};
pub use diff::differences::{Change, Differences, Differing, KeyChange};
pub use diff::parting::Parting;
pub use located::{Listed, Located, Lost, ServerView};
pub use mirror::Unmirrored;
pub use outcome::{Outcome, Overdue, Warning};
pub use overdue::{allowed_without_proof, late_after};
pub use peers::{PeerReport, SplitFound, Standing, WordCompared};
pub use policy::Policy;
pub use recheck::{EvidenceStrength, NotReproduced, Rechecked, recheck};
pub use untrusted_databases::{MAX_REPORTED_UNTRUSTED, UntrustedDatabases};
pub use values::{
    Completed, CorruptEntry, CorruptTx, Corruption, CorruptionReport, Entry, Judged, Report,
    Unread, UnreadReason,
};
pub use values::{
    DetectionProbability, Readings, Slice, Step, SweepStatus, Walk, complete,
    detection_probability_per_day, judge,
};
pub use verdict::{Exit, Reason, SplitBy, Verdict};
