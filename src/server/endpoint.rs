//! The address of a server, and the security of the connection.

use crate::config::Secret;

/// The server's address, and the security of the connection.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Host name or address.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Plaintext or TLS.
    pub security: Security,
    /// The maximum length of a response, in bytes.
    pub max_answer: i32,
}

/// The security of the connection.
#[derive(Clone, Debug)]
pub enum Security {
    /// No security.
    Plaintext,
    /// TLS.
    Tls(Tls),
}

/// The files for TLS, as checked PEM. With bad PEM, gRPC only reports "empty address list" at the first call, and
/// a NUL byte in it ends the process.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// CA certificates for the server's certificate; absent: the system's.
    pub roots: Option<String>,
    /// The client's certificate, for mutual TLS.
    pub client: Option<ClientCertificate>,
    /// The name in the server's certificate, if it differs from its address.
    pub server_name: Option<String>,
}

/// The client's identity for mutual TLS.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The client's certificate, and its chain.
    pub certificate: String,
    /// The client's private key.
    pub key: Secret,
}

impl Endpoint {
    /// Returns a server on this machine, in plaintext, with responses of up to 4 MiB.
    pub fn on_loopback(port: u16) -> Endpoint {
        Endpoint {
            address: "127.0.0.1".into(),
            port,
            security: Security::Plaintext,
            max_answer: 4 << 20,
        }
    }

    /// Returns `address:port`, with an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        if self.address.contains(':') && !self.address.starts_with('[') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }
}
