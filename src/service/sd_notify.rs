//! Reports to systemd about the service (sd_notify(3)): one datagram for each message.

use std::cell::Cell;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::sys::{NotifySocket, notify_address};

/// The shortest time in which the loop must show progress.
pub(super) const LEAST_WATCHDOG: Duration = Duration::from_secs(120);

/// Returns the time within which the loop reports progress: between two reports there is at most one call, its
/// check and the writing of its result.
pub(super) fn watchdog(call_timeout: Duration) -> Duration {
    let two_calls = call_timeout.saturating_mul(2);
    two_calls
        .saturating_add(Duration::from_secs(60))
        .max(LEAST_WATCHDOG)
}

/// The connection to systemd's socket; none if no service manager requested reports.
#[derive(Debug, Default)]
pub struct SdNotify {
    to: Option<NotifySocket>,
    /// The shortest time between two reports of progress; `None` if there is no watchdog.
    every: Option<Duration>,
    last: Cell<Option<Instant>>,
}

impl SdNotify {
    /// Creates the notifier from the environment, if the process that started this one set it: `$NOTIFY_SOCKET`,
    /// `$WATCHDOG_USEC`, `$WATCHDOG_PID`.
    pub fn from_environment() -> SdNotify {
        let Some(path) = notify_address() else {
            return SdNotify::default();
        };
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| ours);
        SdNotify::to(&path, watchdog.map(Duration::from_micros)).unwrap_or_else(|error| {
            log::warn!("systemd gets no reports: $NOTIFY_SOCKET: {error}");
            SdNotify::default()
        })
    }

    /// Reports to the socket with this path (`@name`: an abstract one), which expects progress within each
    /// `watchdog` time.
    ///
    /// # Errors
    /// No such address can exist, or the system refuses a socket.
    pub fn to(path: &OsStr, watchdog: Option<Duration>) -> io::Result<SdNotify> {
        Ok(SdNotify {
            to: Some(NotifySocket::to(path)?),
            every: watchdog.map(|watchdog| watchdog / 4),
            last: Cell::new(None),
        })
    }

    /// Reports that the service has started. If a call may take longer than the unit's watchdog allows, requests a
    /// longer watchdog time.
    pub fn ready(&self, call_timeout: Duration) {
        let mut message = "READY=1".to_owned();
        let needed = watchdog(call_timeout);
        if self.every.is_some_and(|every| every * 4 < needed) {
            message.push_str(&format!("\nWATCHDOG_USEC={}", needed.as_micros()));
        }
        self.send(&message);
    }

    /// Reports progress: a call has ended, or the service waits for the next cycle as intended.
    pub fn progress(&self) {
        let Some(every) = self.every else {
            return;
        };
        if self
            .last
            .get()
            .is_none_or(|last| Clock::system().since(last) >= every)
        {
            self.last.set(Some(Clock::system().instant()));
            self.send("WATCHDOG=1");
        }
    }

    /// Returns how long a wait may last without [`progress`](SdNotify::progress).
    pub fn max_wait(&self) -> Duration {
        self.every.unwrap_or(Duration::MAX)
    }

    /// Reports a status line for `systemctl status`; the line is only made if reports were requested.
    pub fn status(&self, line: impl FnOnce() -> String) {
        if self.to.is_some() {
            self.send(&format!("STATUS={}", line().replace('\n', " ")));
        }
    }

    /// Reports that the service ends.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Sends a message. A message that does not arrive changes nothing about the audit.
    fn send(&self, message: &str) {
        if let Some(to) = &self.to {
            if let Err(error) = to.send(message) {
                log::debug!("systemd did not receive {message:?}: {error}");
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn received_message(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 200];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn an_abstract_socket_is_notified_too() {
        let name = format!("immuaudit-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        let path = format!("@{name}");
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let notifier = SdNotify::to(OsStr::new(&path), Some(minutes(2))).unwrap();
        notifier.ready(Duration::from_secs(10));
        assert_eq!(received_message(&listener), "READY=1");
        // a watchdog shorter than a call would end a process that waits for a response
        notifier.ready(minutes(10));
        assert_eq!(
            received_message(&listener),
            "READY=1\nWATCHDOG_USEC=1260000000"
        );
        notifier.progress();
        notifier.progress(); // too soon after the last one, so nothing is sent
        notifier.status(|| "All is well\nindeed".to_owned());
        notifier.stopping();
        assert_eq!(received_message(&listener), "WATCHDOG=1");
        assert_eq!(received_message(&listener), "STATUS=All is well indeed");
        assert_eq!(received_message(&listener), "STOPPING=1");
    }

    #[test]
    fn nothing_is_sent_without_a_notify_socket() {
        let silent = SdNotify::default();
        silent.ready(Duration::MAX / 8);
        silent.progress();
        silent.status(|| unreachable!("no receiver"));
        silent.stopping();
        assert_eq!(silent.max_wait(), Duration::MAX);
    }
}
