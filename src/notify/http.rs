//! How a URL of the settings is asked: within a time, TLS verified, and not led elsewhere.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::config::Roots;
use crate::server::system_roots;
use crate::text::Shown;

/// No redirects, a bound on everything, and the CAs that the settings name.
pub fn agent(roots: &Roots, timeout: Duration) -> Agent {
    let pem = match roots {
        Roots::Pem(pem) => Some(pem.clone().into_bytes()),
        Roots::System => system_roots(),
    };
    let certificates = pem.map(|pem| -> Vec<Certificate<'static>> {
        let items = parse_pem(&pem).filter_map(Result::ok);
        let certificates = items.filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        });
        certificates.collect()
    });
    let roots = match certificates {
        Some(certificates) => RootCerts::new_with_certs(&certificates),
        None => RootCerts::WebPki, // a system without CAs: those that Mozilla trusts
    };
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent(concat!("immuaudit/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// What went wrong, in words that hold nothing of the URL.
pub fn kind(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "no such host".into(),
        ureq::Error::ConnectionFailed => "no connection".into(),
        ureq::Error::Io(error) => match (error.kind(), error.get_ref()) {
            // what rustls says of the peer's certificate, which may name anything
            (ErrorKind::InvalidData, Some(tls)) => format!("TLS: {}", Shown::new(&tls.to_string())),
            (kind, _) => format!("connection: {kind}"),
        },
        ureq::Error::Rustls(error) => format!("TLS: {}", Shown::new(&error.to_string())),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        _ => "the answer is no HTTP that is understood".into(),
    }
}
