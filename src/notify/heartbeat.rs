//! The heartbeat: a GET after each complete and good cycle, so that a missing request raises an alarm elsewhere
//! (dead man's switch).

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::DeliveryError;
use crate::clock::Clock;
use crate::config::HeartbeatSettings;
use crate::http::Client;
use crate::report::ReceiverStats;

/// The heartbeat's name for people.
pub(super) const HEARTBEAT: &str = "heartbeat";

pub(super) struct Heartbeat {
    beats: SyncSender<()>,
    done: Arc<(Mutex<u64>, Condvar)>,
    sent: u64,
}

/// The client for one GET.
pub(super) struct Ping(Client);

impl Ping {
    /// Creates the client for the heartbeat's server; each try ends after `timeout`.
    pub fn new(settings: &HeartbeatSettings, timeout: Duration) -> Ping {
        let HeartbeatSettings { url, roots, proxy } = settings;
        Ping(Client::new(url, roots, proxy.as_ref(), timeout))
    }

    /// Names the heartbeat, with scheme, host and port of its URL.
    pub fn name(&self) -> String {
        format!("{HEARTBEAT} to {}", self.0.url())
    }

    /// Tries once.
    pub fn send(&self) -> Result<(), DeliveryError> {
        match self.0.get().call() {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status().as_u16();
                Err(DeliveryError::new(self.0.refused(status)))
            }
            Err(error) => Err(DeliveryError::new(self.0.why(&error))),
        }
    }
}

impl Heartbeat {
    pub fn start(ping: Ping, receiver: ReceiverStats) -> Heartbeat {
        // at most one beat waits; a second one would say the same
        let (beats, due) = sync_channel(1);
        let done = Arc::new((Mutex::new(0), Condvar::new()));
        let theirs = done.clone();
        let run = move || {
            for () in due {
                match ping.send() {
                    Ok(()) => {
                        receiver.sent();
                        log::debug!("heartbeat");
                    }
                    Err(DeliveryError { why, .. }) => {
                        receiver.failed();
                        log::warn!("{}: not delivered: {why}", ping.name());
                    }
                }
                *theirs.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                theirs.1.notify_all();
            }
        };
        if let Err(error) = thread::Builder::new().name("heartbeat".into()).spawn(run) {
            log::error!("no heartbeat can be sent: {error}");
        }
        Heartbeat {
            beats,
            done,
            sent: 0,
        }
    }

    pub fn beat(&mut self) {
        self.sent += u64::from(self.beats.try_send(()).is_ok());
    }

    /// Waits until each beat has had its try, but no longer than `until`.
    pub fn flush(&self, until: Instant) {
        let mut done = self.done.0.lock().unwrap_or_else(PoisonError::into_inner);
        while *done < self.sent {
            let left = until.saturating_duration_since(Clock::system().instant());
            if left.is_zero() {
                return;
            }
            let woken = self.done.1.wait_timeout(done, left);
            done = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
