//! Audits in simulated time: the order of calls, delays, retries and deadlines.

#[path = "../support/mod.rs"]
mod support;

mod backlog;
mod dropped;
mod durations;
mod kept_list;
mod operator_sweep;
mod received;
mod reconnecting;
mod schedule;
mod simulated;
mod stopping;
