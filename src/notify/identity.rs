//! The identity of a receiver, which names its outbox and its record for years.
//!
//! It is the configured name, if the receiver has one. Otherwise it is the complete URL, or the words of a
//! program. If such a receiver's token is replaced, it is another receiver, and is notified of the open alarms
//! once more: a new token cannot be distinguished from a new reader, who must not inherit the notifications of
//! another.

use std::collections::BTreeMap;
use std::fmt;

use crate::ledger::Digest;

/// The number of characters of a key. Half of a SHA-256 in hexadecimal would be 32, but a server has only a
/// handful of receivers.
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
        ReceiverKey::hashed(url)
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

/// Distinguishes receivers with the same key, which are the same URL or program: those after the first get a
/// number.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_url_and_each_name_is_a_receiver_of_its_own() {
        let urls = [
            "http://h/x?to=a",
            "http://h/x?to=b",
            "http://h/x",
            "http://u:p@h/x",
        ];
        let mut keys = urls.map(ReceiverKey::of_url).to_vec();
        keys.extend(["a", "b"].map(ReceiverKey::of_name));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), urls.len() + 2);
    }

    /// Tests the names of the outboxes of 0.1.0, which have the digest of the complete URL.
    #[test]
    fn a_url_keeps_the_outbox_that_it_has() {
        let url = "https://alerts.example/hook?token=1";
        let whole = Digest::of(&[url.as_bytes()]).to_string();
        assert_eq!(ReceiverKey::of_url(url).to_string(), whole[..LENGTH]);
    }

    #[test]
    fn the_same_receiver_twice_has_two_keys() {
        let mut distinct = Distinct::default();
        let key = ReceiverKey::of_url("http://h/x");
        assert_eq!(distinct.next(key.clone()), key);
        assert_eq!(distinct.next(key.clone()).to_string(), format!("{key}-2"));
    }
}
