//! Which setting of TLS may be the cause of a connection that fails: gRPC's own words name none.

use super::error_kind::ServerErrorKind;
use super::server_error::ServerError;

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// As the bytes are.
    Plain,
    /// TLS, and a certificate of ours only where there is one.
    Tls,
    /// Not over a network.
    Neither,
}

/// What OpenSSL and BoringSSL say of an answer that is no TLS.
const NO_TLS: [&str; 2] = ["wrong version number", "WRONG_VERSION_NUMBER"];
/// What they say of a server that wants a certificate of the client.
const WANTS_CERTIFICATE: [&str; 4] = [
    "certificate required",
    "CERTIFICATE_REQUIRED",
    "alert bad certificate",
    "BAD_CERTIFICATE",
];
/// What gRPC says where a server ends a new connection, as one does that was spoken to without TLS.
const ENDED: [&str; 3] = ["Socket closed", "Connection reset", "empty address list"];

/// Returns the possible cause of a failure over a connection that carried no answer yet.
pub(super) fn hint(failure: &ServerError, spoken: Spoken) -> Option<String> {
    if failure.kind != ServerErrorKind::Unreachable {
        return None;
    }
    let says = |words: &[&str]| {
        let message = failure.message.as_str();
        words.iter().any(|words| message.contains(words))
    };
    let hint = match spoken {
        Spoken::Tls if says(&NO_TLS) => {
            "what answers there does not speak TLS: leave out --tls, --tls-ca and --mtls, or see whether the port is right"
        }
        Spoken::Tls if says(&WANTS_CERTIFICATE) => {
            "the server wants a certificate of this client: give --mtls with --certificate, --pkey and --clientcas"
        }
        Spoken::Plain if says(&ENDED) => {
            "a server that wants TLS ends connections without it: if this one does, give --tls, --tls-ca or --mtls"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
