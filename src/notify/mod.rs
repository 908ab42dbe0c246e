//! Notifications of tampering and of changes, with their storage and retries.
//!
//! `notification` creates them, `outbox` stores them on disk, `waiting` has those of one receiver that are not
//! delivered yet, and `delivery` delivers them in a thread of its own. `order` decides which change waits for an
//! earlier one. `identity` names the outboxes, `record` stores a receiver's notifications, and `stranded` hands over
//! those of receivers that are gone. `outage` and `reachability` fold an outage of a server into one notification.
//! `last_check` decides whether a check is news, and `untrusted` when a notification about all untrusted databases is
//! due. `unrecorded` stores changes that were sent before they are on disk as the last verdicts. `known_alarms` finds
//! alarms that another command opened. `configured` has the receivers of the settings, `sink` is one of `webhook` and
//! `exec`; `heartbeat` sends a periodic ping (dead man's switch).

#![forbid(unsafe_code)]

mod catch_up;
mod configured;
mod delivery;
mod disagreements;
mod exec;
mod heartbeat;
mod identity;
mod item;
mod known_alarms;
mod last_check;
mod notification;
mod notifier;
mod order;
mod outage;
mod outbox;
mod queue;
mod reachability;
mod record;
mod sink;
mod stranded;
mod unrecorded;
mod untrusted;
mod waiting;
mod webhook;

use std::time::Duration;

pub use delivery::PendingDeliveries;
pub use notifier::{Notifier, Tested};
pub use outbox::waiting_since;

use crate::trust::Alarm;
use queue::FailedTry;

/// The error of a failed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    /// The reason, without any secret.
    pub why: String,
    /// The time for which the receiver requested no further tries.
    pub retry_after: Option<Duration>,
    /// Whether the receiver refused this notification: it was reached, and responded with an error.
    pub is_refusal: bool,
}

impl std::error::Error for DeliveryError {}

impl std::fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl DeliveryError {
    fn new(why: impl ToString) -> DeliveryError {
        DeliveryError {
            why: why.to_string(),
            retry_after: None,
            is_refusal: false,
        }
    }

    fn failed_try(&self) -> FailedTry {
        FailedTry {
            requested_wait: self.retry_after,
            is_refusal: self.is_refusal,
        }
    }
}

/// The open alarms of a server when the program starts.
#[derive(Debug, Default)]
pub struct OpenAlarms {
    /// The alarms, in the order in which they were raised.
    pub alarms: Vec<Alarm>,
    /// Whether the alarms of each database could be read.
    pub are_all: bool,
}
