//! Passwords and certificates that are replaced while the program runs: each is read again before it is
//! used again. If it cannot be read, the last good one stays in use, with a warning.

use super::Server;
use super::channel::Tls;
use super::failure::Kind;
use crate::config::Secret;

/// Reads something from its files again, or says what is wrong with them.
type Reader<T> = Box<dyn Fn() -> Result<T, String>>;

/// Logs a warning.
type Warn = Box<dyn Fn(&str)>;

/// The readers of the password and of the certificates, and the fault of the last reading of each.
#[derive(Default)]
pub(super) struct Renewal {
    password: Option<Reader<Secret>>,
    password_fault: Option<String>,
    tls: Option<Reader<Tls>>,
    tls_fault: Option<String>,
    warn: Option<Warn>,
}

impl Renewal {
    /// Returns the possible cause of a failure of this kind, for its message.
    pub fn note(&self, kind: &Kind) -> Option<String> {
        match kind {
            Kind::BadLogin => self.password_fault.clone(),
            Kind::Unreachable => self.tls_fault.clone(),
            _ => None,
        }
    }

    /// Warns of a fault, once for as long as it stays the same.
    fn warn(&self, before: Option<&String>, fault: &str) {
        if let (Some(warn), true) = (&self.warn, before.is_none_or(|before| before != fault)) {
            warn(fault);
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
        self.renewal.password = Some(Box::new(read));
        self
    }

    /// Reads certificates and key again by `read` before each new connection.
    #[must_use]
    pub fn with_tls_from(mut self, read: impl Fn() -> Result<Tls, String> + 'static) -> Server {
        self.renewal.tls = Some(Box::new(read));
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
        let Some(read) = &self.renewal.password else {
            return;
        };
        let fault = match read() {
            Ok(password) => {
                self.session.set_password(password);
                None
            }
            Err(why) => Some(format!("the last good password is used, because {why}")),
        };
        if let Some(fault) = &fault {
            self.renewal
                .warn(self.renewal.password_fault.as_ref(), fault);
        }
        self.renewal.password_fault = fault;
    }

    /// Reads certificates and key again, if they are in files.
    pub(super) fn read_certificates(&mut self) {
        self.connector.read_system_roots();
        let Some(read) = &self.renewal.tls else {
            return;
        };
        let fault = match read() {
            Ok(tls) => {
                self.connector.set_tls(tls);
                None
            }
            Err(why) => Some(format!(
                "the last good certificates and key are used, because {why}"
            )),
        };
        if let Some(fault) = &fault {
            self.renewal.warn(self.renewal.tls_fault.as_ref(), fault);
        }
        self.renewal.tls_fault = fault;
    }
}
