//! HTTP requests to the URLs of the settings, with a timeout, verified TLS, and no redirects.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::{WithBody, WithoutBody};
use ureq::{Agent, RequestBuilder};

use crate::config::{Proxy, Roots, Url};
use crate::server::system_roots;
use crate::text::Escaped;

/// A client for one URL.
pub struct Client {
    agent: Agent,
    url: Url,
    proxy: Option<Proxy>,
}

impl Client {
    /// Creates a client that ends every request after `timeout`.
    pub fn new(url: &Url, roots: &Roots, proxy: Option<&Proxy>, timeout: Duration) -> Client {
        // an invalid proxy was refused when the setting was read
        let through = proxy.and_then(|proxy| ureq::Proxy::new(proxy.expose()).ok());
        Client {
            agent: agent(roots, timeout, through),
            url: url.clone(),
            proxy: proxy.cloned(),
        }
    }

    /// Returns the URL, of which `Display` shows scheme, host and port.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Begins a GET.
    pub fn get(&self) -> RequestBuilder<WithoutBody> {
        self.agent.get(self.url.expose())
    }

    /// Begins a POST.
    pub fn post(&self) -> RequestBuilder<WithBody> {
        self.agent.post(self.url.expose())
    }

    /// Describes an error without secrets, and names the proxy if there is one.
    pub fn why(&self, error: &ureq::Error) -> String {
        self.named(&kind(error))
    }

    /// Describes a status that is not a success.
    pub fn refused(&self, status: u16) -> String {
        self.named(&format!("status {status}"))
    }

    fn named(&self, why: &str) -> String {
        match &self.proxy {
            Some(proxy) => format!("{why}, through {proxy}"),
            None => why.to_owned(),
        }
    }
}

/// Creates an agent with the CAs and the proxy of the settings, with limits, and without redirects.
fn agent(roots: &Roots, timeout: Duration, proxy: Option<ureq::Proxy>) -> Agent {
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
        None => RootCerts::WebPki, // a system without CAs: those of Mozilla
    };
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .proxy(proxy) // `None` as well, which disables the proxy of the environment
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent(concat!("immuaudit/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Describes an error without any part of the URL.
fn kind(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no response in time".into(),
        ureq::Error::HostNotFound => "no such host".into(),
        ureq::Error::ConnectionFailed => "no connection".into(),
        ureq::Error::ConnectProxyFailed(answer) => {
            format!("the proxy does not connect: {}", Escaped::new(answer))
        }
        ureq::Error::Io(error) => match (error.kind(), error.get_ref()) {
            // rustls describes the peer's certificate, which may contain any name
            (ErrorKind::InvalidData, Some(tls)) => {
                format!("TLS: {}", Escaped::new(&tls.to_string()))
            }
            (kind, _) => format!("connection: {kind}"),
        },
        ureq::Error::Rustls(error) => format!("TLS: {}", Escaped::new(&error.to_string())),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        _ => "the response is not valid HTTP".into(),
    }
}
