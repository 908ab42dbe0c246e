//! Stop requests: a flag that every wait checks, set by SIGINT or SIGTERM. Also the request to read the settings
//! again, set by SIGHUP.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::sys::{self, Asked};

/// The time between two checks of a wait whether it should end.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The request to end the program. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
    /// The signals that are taken.
    signals: &'static [Asked],
}

impl Stop {
    /// Creates a flag that only [`Stop::request`] sets.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Stops also on SIGINT and SIGTERM. Call it before any thread is started: the signals are blocked in this
    /// thread and in those that it starts, and waits take them.
    pub fn on_signals() -> Stop {
        Stop::taking(&[Asked::Stop])
    }

    /// Stops as with [`Stop::on_signals`], and takes SIGHUP as the request to read the settings again.
    pub fn on_signals_and_reloads() -> Stop {
        Stop::taking(&[Asked::Stop, Asked::Reload])
    }

    fn taking(signals: &'static [Asked]) -> Stop {
        sys::block_signals(signals);
        Stop {
            signals,
            ..Stop::default()
        }
    }

    /// Requests a stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Returns whether a stop was requested.
    pub fn requested(&self) -> bool {
        self.take_up(Duration::ZERO);
        self.requested.load(Ordering::Relaxed)
    }

    /// Returns whether settings are to be read again; the request stays until [`Stop::take_reload`].
    pub fn reload_requested(&self) -> bool {
        self.take_up(Duration::ZERO);
        self.reload.load(Ordering::Relaxed)
    }

    /// Returns whether settings are to be read again, once for each request.
    pub fn take_reload(&self) -> bool {
        self.take_up(Duration::ZERO);
        self.reload.swap(false, Ordering::Relaxed)
    }

    /// Waits until a stop or a reload is requested, for `time` at most. It may end earlier: see
    /// [`Clock::sleep`](crate::clock::Clock::sleep).
    pub fn wait(&self, time: Duration) {
        match self.signals.is_empty() {
            true => thread::sleep(time.min(POLL_INTERVAL)),
            false => self.take_up(time), // a signal ends the wait immediately
        }
    }

    /// Takes a signal that comes within a time.
    fn take_up(&self, time: Duration) {
        if self.signals.is_empty() {
            return;
        }
        match sys::take_signal(self.signals, time) {
            Some(Asked::Stop) => self.request(),
            Some(Asked::Reload) => self.reload.store(true, Ordering::Relaxed),
            None => {}
        }
    }
}
