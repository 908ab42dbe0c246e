//! When to stop: a flag that every wait looks at, set by SIGINT or SIGTERM.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::sys;

/// How often a wait looks whether it should end.
pub const GLANCE: Duration = Duration::from_millis(50);

/// The wish that the program end. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    signals: bool,
}

impl Stop {
    /// Stops on request alone.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Stops on SIGINT and SIGTERM too. To be called before any thread is started: the signals are
    /// blocked in this thread and in those it starts, and taken up by who waits.
    pub fn on_signals() -> Stop {
        sys::block_stop_signals();
        Stop {
            requested: Arc::default(),
            signals: true,
        }
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Has anybody asked?
    pub fn requested(&self) -> bool {
        if self.signals && sys::take_stop_signal(Duration::ZERO) {
            self.request();
        }
        self.requested.load(Ordering::Relaxed)
    }

    /// Waits until a stop is requested, for `time` at most. It may end earlier: see
    /// [`Clock::sleep`](crate::clock::Clock::sleep).
    pub fn wait(&self, time: Duration) {
        if !self.signals {
            thread::sleep(time.min(GLANCE));
        } else if sys::take_stop_signal(time) {
            // a signal ends this at once
            self.request();
        }
    }
}
