//! The settings of a connection: transport, trusted CAs and login.

use super::secret::Secret;

/// The transport to the server.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Unencrypted.
    Plain,
    /// TLS: the server shows a certificate.
    Tls {
        /// The CAs that are trusted.
        roots: Roots,
        /// The name in the certificate; `None` for the address.
        server_name: Option<String>,
    },
    /// Mutual TLS: the auditor also shows a certificate. All three texts are checked PEM.
    Mutual {
        /// The auditor's certificate, with its chain.
        certificate: String,
        /// The auditor's private key.
        key: Secret,
        /// The CAs that are trusted for the server.
        authorities: String,
        /// The name in the server's certificate.
        server_name: String,
    },
}

/// The CAs that are trusted for a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The CAs that the system trusts.
    System,
    /// The CAs in this PEM text.
    Pem(String),
}

/// A user name and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub username: String,
    /// Password.
    pub password: Secret,
}
