//! The identity of a receiver: what its outbox and its record are filed under for years.
//!
//! It is the configured name, if the receiver has one. Otherwise it is the address without what may be a secret and may
//! change: of a URL scheme, host, port and path, of a program its words. A receiver whose token in the query or in the
//! user information is replaced stays the same receiver. A receiver with another host or path is another one.

use std::collections::BTreeMap;
use std::fmt;

use crate::ledger::Digest;

/// Characters of a key: half of a SHA-256 in hexadecimal would be 32, and a server has a handful of receivers.
const LENGTH: usize = 16;

/// The key of a receiver: the name of its directories and files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ReceiverKey(String);

impl ReceiverKey {
    /// Returns the key of a receiver with this configured name, whatever its address is.
    pub fn of_name(name: &str) -> ReceiverKey {
        ReceiverKey::hashed(&format!("name\0{name}"))
    }

    /// Returns the key of a receiver without a name that notifications are posted to.
    pub fn of_url(url: &str) -> ReceiverKey {
        ReceiverKey::hashed(&address(url))
    }

    /// Returns the key of a program without a name; `words` are the program and its arguments.
    pub fn of_program(words: &[String]) -> ReceiverKey {
        ReceiverKey::hashed(&words.join(" "))
    }

    fn hashed(text: &str) -> ReceiverKey {
        let digest = Digest::of(&[text.as_bytes()]).to_string();
        ReceiverKey(digest.chars().take(LENGTH).collect())
    }
}

impl fmt::Display for ReceiverKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives receivers with the same key one each: those after the first get a number, by their order in the settings.
#[derive(Debug, Default)]
pub(super) struct Distinct(BTreeMap<ReceiverKey, u32>);

impl Distinct {
    /// Returns the key of the next receiver.
    pub fn next(&mut self, key: ReceiverKey) -> ReceiverKey {
        let count = self.0.entry(key.clone()).or_default();
        *count += 1;
        match *count {
            1 => key,
            number => ReceiverKey(format!("{key}-{number}")),
        }
    }
}

/// Returns a URL without user information, query and fragment; scheme and host in lower case, and without the port
/// that the scheme has anyway.
fn address(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.strip_suffix(port).unwrap_or(&host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_stays_the_same_when_its_token_is_replaced() {
        let same = [
            "https://alerts.example/hook?token=1",
            "https://alerts.example/hook?token=2#x",
            "https://user:secret@Alerts.example:443/hook",
            "HTTPS://alerts.example/hook",
        ];
        let keys = same.map(ReceiverKey::of_url);
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        let others = [
            "http://alerts.example/hook",
            "https://alerts.example:8443/hook",
            "https://alerts.example/other",
            "https://alert.example/hook",
            "https://[::1]/hook",
        ];
        for other in others {
            assert_ne!(ReceiverKey::of_url(other), keys[0], "{other}");
        }
        assert_eq!(
            ReceiverKey::of_url("http://h:80"),
            ReceiverKey::of_url("http://h/")
        );
        assert_ne!(ReceiverKey::of_name("a"), ReceiverKey::of_name("b"));
    }

    /// Outboxes of 0.1.0 are filed under the digest of the whole URL.
    #[test]
    fn a_plain_url_keeps_the_outbox_that_it_has() {
        let url = "https://alerts.example/hook/token";
        let whole = Digest::of(&[url.as_bytes()]).to_string();
        assert_eq!(ReceiverKey::of_url(url).to_string(), whole[..LENGTH]);
    }

    #[test]
    fn two_receivers_that_differ_in_the_query_alone_have_an_outbox_each() {
        let mut distinct = Distinct::default();
        let urls = ["http://h/x?to=a", "http://h/x?to=b", "http://h/y"];
        let keys = urls.map(|url| distinct.next(ReceiverKey::of_url(url)));
        assert_ne!(keys[0], keys[1]);
        assert_eq!(keys[1].to_string(), format!("{}-2", keys[0]));
        assert_eq!(keys[2], ReceiverKey::of_url("http://h/y"));
    }
}
