//! The TLS settings that may be the cause of a failed connection: gRPC's own messages name none.

use super::error_kind::ServerErrorKind;
use super::server_error::ServerError;

/// The security of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionSecurity {
    /// Plaintext.
    Plain,
    /// TLS, with a certificate of the client if there is one.
    Tls,
    /// Not over a network.
    Neither,
}

/// The message of OpenSSL and BoringSSL for a response that is no TLS.
const NO_TLS: [&str; 2] = ["wrong version number", "WRONG_VERSION_NUMBER"];
/// Their messages for a server that requires a certificate of the client.
const WANTS_CERTIFICATE: [&str; 4] = [
    "certificate required",
    "CERTIFICATE_REQUIRED",
    "alert bad certificate",
    "BAD_CERTIFICATE",
];
/// gRPC's messages for a new connection that the server ends, as a TLS server does if the client uses no TLS.
const ENDED: [&str; 3] = ["Socket closed", "Connection reset", "empty address list"];

/// Returns the possible cause of a failure over a connection that has brought no response yet.
pub(super) fn hint(
    failure: &ServerError,
    connection_security: ConnectionSecurity,
) -> Option<String> {
    if failure.kind != ServerErrorKind::Unreachable {
        return None;
    }
    let says = |words: &[&str]| {
        let message = failure.message.as_str();
        words.iter().any(|words| message.contains(words))
    };
    let hint = match connection_security {
        ConnectionSecurity::Tls if says(&NO_TLS) => {
            "the program at this address does not use TLS: remove --tls, --tls-ca and --mtls, or correct the port"
        }
        ConnectionSecurity::Tls if says(&WANTS_CERTIFICATE) => {
            "the server requires a client certificate: give --mtls with --certificate, --pkey and --clientcas"
        }
        ConnectionSecurity::Plain if says(&ENDED) => {
            "a server that requires TLS closes connections without TLS: if this server does, give --tls, --tls-ca or --mtls"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
