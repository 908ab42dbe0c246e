//! Passwords and certificates that are replaced while the program runs: each is read again before it is
//! used again. If it cannot be read, the last good one stays in use, with a warning.

use super::Server;
use super::endpoint::Tls;
use super::error_kind::ServerErrorKind;
use super::transport::Connection;
use crate::config::Secret;

/// Reads a value from its files again, or returns the fault.
type Reader<T> = Box<dyn Fn() -> Result<T, String>>;

/// Logs a warning.
type Warn = Box<dyn Fn(&str)>;

/// A value that is read again, and the fault of the last reading.
struct Source<T> {
    read: Option<Reader<T>>,
    fault: Option<String>,
}

impl<T> Default for Source<T> {
    fn default() -> Source<T> {
        Source {
            read: None,
            fault: None,
        }
    }
}

impl<T> Source<T> {
    /// Reads again, if there is something to read. Warns of a fault, once as long as it stays the same; the
    /// warning names `kept`, which stays in use.
    fn read(&mut self, kept: &str, warn: Option<&Warn>) -> Option<T> {
        let (value, fault) = match self.read.as_ref()?() {
            Ok(value) => (Some(value), None),
            Err(why) => (None, Some(format!("{kept} still used, because {why}"))),
        };
        let new = fault.as_ref().filter(|_| self.fault != fault);
        if let (Some(fault), Some(warn)) = (new, warn) {
            warn(fault);
        }
        self.fault = fault;
        value
    }
}

/// The sources of the password and of the certificates.
#[derive(Default)]
pub(super) struct Renewal {
    password: Source<Secret>,
    tls: Source<Tls>,
    warn: Option<Warn>,
}

impl Renewal {
    /// Returns the possible cause of a failure of this kind, for its message.
    pub fn note(&self, kind: &ServerErrorKind) -> Option<String> {
        match kind {
            ServerErrorKind::BadLogin => self.password.fault.clone(),
            ServerErrorKind::Unreachable => self.tls.fault.clone(),
            _ => None,
        }
    }
}

impl Server {
    /// Reads the password again by `read` before each login.
    #[must_use]
    pub fn with_password_from(
        mut self,
        read: impl Fn() -> Result<Secret, String> + 'static,
    ) -> Server {
        self.renewal.password.read = Some(Box::new(read));
        self
    }

    /// Reads certificates and key again by `read` before each new connection.
    #[must_use]
    pub fn with_tls_from(mut self, read: impl Fn() -> Result<Tls, String> + 'static) -> Server {
        self.renewal.tls.read = Some(Box::new(read));
        self
    }

    /// Calls `warn` when a password or certificates cannot be read again.
    #[must_use]
    pub fn on_warning(mut self, warn: impl Fn(&str) + 'static) -> Server {
        self.renewal.warn = Some(Box::new(warn));
        self
    }

    /// Reads the password again, if it is in a file.
    pub(super) fn read_password(&mut self) {
        let Renewal { password, warn, .. } = &mut self.renewal;
        if let Some(password) = password.read("the last good password is", warn.as_ref()) {
            self.session.set_password(password);
        }
    }

    /// Opens a connection. Certificates and key are read again before, if they are in files.
    pub(super) fn connect(&mut self) -> Box<dyn Connection> {
        let Renewal { tls, warn, .. } = &mut self.renewal;
        let tls = tls.read("the last good certificates and key are", warn.as_ref());
        self.transport.connect(tls)
    }
}
