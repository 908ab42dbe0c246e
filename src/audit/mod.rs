//! The work: one cycle over all databases of a server, each ending in exactly one verdict.
//!
//! What a check finds is written down before it is told: a trusted state first, then an alarm.
//! Reading order: `schedule` (all databases), `kept_list` (their list) and `budget` (their time), `round` (groups of them, one database after the
//! other), `turn` (one of them), `database` (what is remembered of it), `check` (the state that the server shows against
//! the trusted one), `act`, `conclude` and `keep` (what becomes of it), `values` (what is read beside), `verdict` and
//! `outcome`. `locate` and `diff` serve the operator.

#![forbid(unsafe_code)]

mod act;
mod age;
mod auditor;
mod budget;
mod capture;
mod check;
mod conclude;
mod cycle;
mod database;
mod diff;
mod due;
mod keep;
mod kept_list;
mod locate;
mod mirror;
mod outcome;
mod peers;
mod policy;
mod recheck;
mod round;
mod schedule;
mod strangers;
mod turn;
mod values;
mod verdict;
mod written;

pub use age::{allowed_without_proof, late_after};
pub use auditor::Auditor;
pub use check::immuclient_states::{ImportedState, StateFile, StateFileError, read_states};
pub use check::import::{Import, OnRefusal};
pub use check::listing::{Impossible, MAX_DATABASES};
pub use cycle::{Cycle, Trouble};
pub use diff::against::{HeldAgainst, MirrorDifferences, NotHeld};
pub use diff::compare::{Compared, Comparison, Theirs};
pub use diff::differences::{Change, Differences, Differing, Differs};
pub use diff::parting::Parting;
pub use locate::{Listed, Located, Lost, ServerView};
pub use mirror::Unmirrored;
pub use outcome::{Outcome, Overdue, Warning};
pub use peers::{PeerReport, Standing, WordCompared};
pub use policy::Policy;
pub use recheck::{Bearing, NotShown, Rechecked, recheck};
pub use strangers::{REPORTED_STRANGERS, Strangers};
pub use values::{
    Broken, BrokenTx, BrokenValues, Completed, Entry, Judged, Report, Unread, What, Why,
};
pub use values::{Chance, Readings, Slice, Step, Walk, Went, chance_per_day, complete, judge};
pub use verdict::{Exit, Reason, SplitBy, Verdict};
