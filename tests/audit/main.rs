//! The cycle of an audit: its calls and their order, its verdicts, exit codes and reports.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod calls;
mod excuses;
mod import;
mod long;
mod order;
mod overdue;
mod pins;
mod program;
mod restored;
mod slow;
mod trust;
mod untrusted;
