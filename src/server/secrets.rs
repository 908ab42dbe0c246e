//! Secrets in a server's text. A server may repeat the password or the token that was sent to it, and its text is
//! printed in errors, the log and the status page.

use super::Server;
use super::server_error::ServerError;
use super::transport::{Answer, Credential};
use crate::config::Secret;
use crate::text::MIN_HIDDEN_CHARS;
use crate::wire::method;

impl Server {
    /// Hides the secrets of a call in the text of its response: the message of an error, or the server's identity.
    ///
    /// A short password is hidden only in responses to calls that contain the password: in others it is probably the
    /// word that it looks like.
    pub(super) fn hide_secrets(
        &self,
        name: &'static str,
        credential: &Credential,
        answer: &mut Result<Answer, ServerError>,
    ) {
        let text = match answer {
            Ok(answer) if answer.uuid == self.identity => None, // it was looked at before
            Ok(answer) => answer.uuid.as_mut(),
            Err(failure) => Some(&mut failure.message),
        };
        let Some(text) = text.filter(|text| !text.as_str().is_empty()) else {
            return;
        };
        let password = self.session.login.password.expose();
        let is_sent = [method::LOGIN, method::OPEN_SESSION].contains(&name);
        let is_long = password.chars().count() >= MIN_HIDDEN_CHARS;
        let password = Some(password).filter(|_| is_sent || is_long);
        let word = match credential {
            Credential::None => None,
            Credential::Token(word) | Credential::Session(word) => Some(word.as_str()),
        };
        let secrets: Vec<&str> = password.into_iter().chain(word).collect();
        *text = text.hiding(&secrets, Secret::SHOWN);
    }
}
