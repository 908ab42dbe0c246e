//! A dead man's ping: a GET after each cycle that is complete and good; that it stays away is the alarm.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use ureq::Agent;

use super::http::kind;
use crate::clock::Clock;

pub(super) struct Heartbeat {
    beats: SyncSender<()>,
    done: Arc<(Mutex<u64>, Condvar)>,
    sent: u64,
}

impl Heartbeat {
    pub fn start(url: &str, agent: Agent) -> Heartbeat {
        // one may wait: what matters is that there was a beat
        let (beats, due) = sync_channel(1);
        let done = Arc::new((Mutex::new(0), Condvar::new()));
        let (url, theirs) = (url.to_owned(), done.clone());
        let run = move || {
            for () in due {
                match agent.get(&url).call() {
                    Ok(answer) if answer.status().is_success() => log::debug!("heartbeat"),
                    Ok(answer) => log::warn!("heartbeat: status {}", answer.status().as_u16()),
                    Err(error) => log::warn!("heartbeat: {}", kind(&error)),
                }
                *theirs.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                theirs.1.notify_all();
            }
        };
        if let Err(error) = thread::Builder::new().name("heartbeat".into()).spawn(run) {
            log::error!("no heartbeat: {error}");
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

    /// Waits until each beat has had its try, but no longer than until then.
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
