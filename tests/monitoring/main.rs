//! Metrics, probes, the status page and alerts.

#[path = "../support/mod.rs"]
mod support;

mod alerting;
mod endpoints;
mod http;
mod page;
mod page_states;
mod page_text;
mod port;
