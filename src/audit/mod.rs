//! The work: one cycle over all databases of a server, each ending in exactly one verdict.
//!
//! What a check finds is written down before it is told: a trusted state first, then an alarm.
//! Reading order: `cycle` (all databases), `auditor` (one database), `check` and `proof` (what the
//! server shows against what is trusted), `verdict`.

#![forbid(unsafe_code)]

mod auditor;
mod check;
mod compare;
mod cycle;
mod databases;
mod due;
mod pin;
mod policy;
mod proof;
mod recheck;
mod verdict;

pub use auditor::Auditor;
pub use compare::{Compared, Comparison};
pub use cycle::Cycle;
pub use databases::{Impossible, MAX_DATABASES};
pub use policy::{Pin, Policy};
pub use recheck::{Bearing, NotShown, Rechecked, Shows, recheck};
pub use verdict::{Exit, Outcome, Overdue, Reason, Verdict, Warning};
