//! The work: one cycle over all databases of a server, each ending in exactly one verdict.
//!
//! What a check finds is written down before it is told: a trusted state first, then an alarm.
//! Reading order: `schedule` (all databases), `turn` (one of them), `database` (what is remembered of it), `check` and `proof` (what the
//! server shows against the trusted state), `values` (what is read beside), `verdict` and `outcome`.

#![forbid(unsafe_code)]

mod act;
mod against;
mod age;
mod auditor;
mod budget;
mod capture;
mod carried;
mod check;
mod compare;
mod conclude;
mod cycle;
mod database;
mod due;
mod import;
mod keep;
mod listing;
mod locate;
mod mirror;
mod outcome;
mod pin;
mod policy;
mod proof;
mod recheck;
mod schedule;
mod sides;
mod turn;
mod values;
mod verdict;
mod written;

pub use against::{
    Change, Differences, Differing, Differs, HeldAgainst, MirrorDifferences, NotHeld,
};
pub use age::allowed_without_proof;
pub use auditor::Auditor;
pub use carried::{BadStates, Carried, StateFile, read_states};
pub use compare::{Compared, Comparison, Theirs};
pub use cycle::{Cycle, Trouble};
pub use import::{Import, OnRefusal};
pub use listing::{Impossible, MAX_DATABASES};
pub use locate::{Listed, Located, Lost, Present};
pub use mirror::Unmirrored;
pub use outcome::{Outcome, Overdue, Warning};
pub use policy::{Pin, Policy};
pub use recheck::{Bearing, NotShown, Rechecked, recheck};
pub use values::{
    Broken, BrokenTx, BrokenValues, Completed, Entry, Judged, Report, Unread, What, Why,
};
pub use values::{Chance, Slice, Step, Walk, Went, chance_per_day, complete, judge};
pub use verdict::{Exit, Reason, Verdict};
