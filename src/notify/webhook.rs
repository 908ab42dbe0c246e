//! A notification as a POST: immuclient's body, and basic authentication and a signature if configured.

use std::time::Duration;

use ring::hmac;

use super::DeliveryError;
use super::notification::Notification;
use crate::clock;
use crate::config::{Auth, Secret, SigningKey, Webhook};
use crate::http::Client;
use crate::ledger::encode_base64;
use crate::report::JsonObject;

pub(super) struct WebhookSink {
    client: Client,
    username: String,
    password: Secret,
    auth: Auth,
    key: Option<hmac::Key>,
}

impl WebhookSink {
    /// Creates the client for a webhook; each try ends after `timeout`.
    pub fn new(webhook: &Webhook, timeout: Duration) -> WebhookSink {
        let Webhook {
            url, roots, proxy, ..
        } = webhook;
        WebhookSink {
            client: Client::new(url, roots, proxy.as_ref(), timeout),
            username: webhook.login.username.clone(),
            password: webhook.login.password.clone(),
            auth: webhook.auth.clone(),
            key: webhook.secret.as_ref().map(key),
        }
    }

    pub fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let body = self.body(notification);
        let mut request = self.client.post();
        request = request.header("content-type", "application/json");
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
        request = match &self.auth {
            Auth::Body => request,
            Auth::Basic => {
                let login = format!("{}:{}", self.username, self.password.expose());
                let basic = format!("Basic {}", encode_base64(login.as_bytes()));
                request.header("authorization", basic)
            }
            Auth::Header(value) => request.header("authorization", value.expose()),
        };
        // report only the kind of the error: its text may quote the URL, which may contain a token
        let response = request
            .send(body.as_str())
            .map_err(|error| DeliveryError::new(self.client.why(&error)))?;
        if response.status().is_success() {
            return Ok(());
        }
        let header = response.headers().get("retry-after");
        let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(DeliveryError {
            why: self.client.refused(response.status().as_u16()),
            retry_after: seconds.map(Duration::from_secs),
            is_refusal: true,
        })
    }

    /// Returns the body with user and password, which are added only now, so that no file contains them.
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

/// Returns the key of a signature (Standard Webhooks, *Signature scheme*).
fn key(key: &SigningKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests the example of the Standard Webhooks specification.
    #[test]
    fn a_signature_is_the_one_that_the_specification_shows() {
        let key = SigningKey::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let key = super::key(&key);
        let signed = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let tag = hmac::sign(&key, signed.as_bytes());
        assert_eq!(
            encode_base64(tag.as_ref()),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
