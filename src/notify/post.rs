//! A notification as a POST: immuclient's body, basic authentication and a signature where asked for.

use std::io::ErrorKind;
use std::time::Duration;

use ring::hmac;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::Undelivered;
use super::notification::Notification;
use crate::clock;
use crate::config::{Auth, NotifySettings, Roots, Secret};
use crate::ledger::{decode_base64, encode_base64};
use crate::report::JsonObject;
use crate::server::system_roots;
use crate::text::Shown;

pub(super) struct Post {
    agent: Agent,
    url: String,
    username: String,
    password: Secret,
    auth: Auth,
    key: Option<hmac::Key>,
}

impl Post {
    pub fn new(url: &str, settings: &NotifySettings, agent: Agent) -> Post {
        Post {
            agent,
            url: url.to_owned(),
            username: settings.login.username.clone(),
            password: settings.login.password.clone(),
            auth: settings.auth,
            key: settings.secret.as_ref().map(key),
        }
    }

    pub fn deliver(&self, notification: &Notification) -> Result<(), Undelivered> {
        let body = self.body(notification);
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(key) = &self.key {
            let time = clock::now().unix().to_string();
            let signed = format!("{}.{time}.{body}", notification.id);
            let tag = hmac::sign(key, signed.as_bytes());
            request = request
                .header("webhook-id", &notification.id)
                .header("webhook-timestamp", &time)
                .header(
                    "webhook-signature",
                    format!("v1,{}", encode_base64(tag.as_ref())),
                );
        }
        if self.auth == Auth::Basic {
            let login = format!("{}:{}", self.username, self.password.expose());
            let basic = format!("Basic {}", encode_base64(login.as_bytes()));
            request = request.header("authorization", basic);
        }
        // an error's text may quote the URL, which may hold a token: only its kind is told
        let response = request
            .send(body.as_str())
            .map_err(|error| Undelivered::new(kind(&error)))?;
        if response.status().is_success() {
            return Ok(());
        }
        let header = response.headers().get("retry-after");
        let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(Undelivered {
            why: format!("status {}", response.status().as_u16()),
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    /// User and password are added now, and stand in no file.
    fn body(&self, notification: &Notification) -> String {
        let login = JsonObject::new()
            .text("username", Some(&self.username))
            .text("password", Some(self.password.expose()))
            .end();
        let login = login.strip_suffix('}').unwrap_or_default();
        let rest = notification.body.strip_prefix('{').unwrap_or_default();
        format!("{login},{rest}")
    }
}

/// Standard Webhooks, *Signature scheme*: `whsec_` and base64, or the bytes as they are.
fn key(secret: &Secret) -> hmac::Key {
    let text = secret.expose();
    let decoded = text.strip_prefix("whsec_").and_then(decode_base64);
    let bytes = decoded.unwrap_or_else(|| text.as_bytes().to_vec());
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

/// No redirects, a bound on everything, and the CAs that the settings name.
pub(super) fn agent(roots: &Roots, timeout: Duration) -> Agent {
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
pub(super) fn kind(error: &ureq::Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn a_signature_is_the_one_that_the_specification_shows() {
        let key = key(&Secret::new(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
        ));
        let signed = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let tag = hmac::sign(&key, signed.as_bytes());
        assert_eq!(
            encode_base64(tag.as_ref()),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
