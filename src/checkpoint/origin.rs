//! The first line of a checkpoint: its server and its database.

use std::fmt;

/// The prefix, which distinguishes these checkpoints from those of a log with an RFC 9162 tree.
const PREFIX: &str = "immudb/";

/// A database of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The server's label, which must be the same for auditors that compare checkpoints.
    pub server: String,
    /// The database.
    pub database: String,
}

impl Origin {
    /// Reads `immudb/SERVER/DATABASE`, each percent-encoded (RFC 3986 §2.1). Returns `None` for anything else, and also
    /// for another encoding of the same names.
    pub fn read(text: &str) -> Option<Origin> {
        let (server, database) = text.strip_prefix(PREFIX)?.split_once('/')?;
        let origin = Origin {
            server: decoded(server)?,
            database: decoded(database)?,
        };
        let is_whole = !origin.server.is_empty() && !origin.database.is_empty();
        (is_whole && origin.to_string() == text).then_some(origin)
    }

    /// Percent-encodes all but unreserved characters (RFC 3986 §2.3) and the colon of `ADDRESS:PORT`.
    pub fn encoded(text: &str) -> String {
        let mut encoded = String::new();
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                    encoded.push(char::from(byte));
                }
                _ => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        encoded
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, database) = (
            Origin::encoded(&self.server),
            Origin::encoded(&self.database),
        );
        write!(f, "{PREFIX}{server}/{database}")
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_text() {
        for (server, database, text) in [
            ("ledger", "defaultdb", "immudb/ledger/defaultdb"),
            ("10.0.0.1:3322", "db", "immudb/10.0.0.1:3322/db"),
            ("a b/c", "d+%\u{e9}\n", "immudb/a%20b%2Fc/d%2B%25%C3%A9%0A"),
        ] {
            let origin = Origin {
                server: server.into(),
                database: database.into(),
            };
            assert_eq!(origin.to_string(), text);
            assert_eq!(Origin::read(text), Some(origin));
        }
        for wrong in [
            "",
            "immudb/",
            "immudb/a",
            "immudb//b",
            "immudb/a/",
            "immudb/a/b/c",
            "immudb/a/b%2f",
            "immudb/a/%41",
            "immudb/a/%4",
            "immudb/a/%",
            "immudb/a/%zz",
            "immudb/a/%FF",
            "immudb/a b/c",
            "immudb/a/\u{e9}",
            "example.com/log",
            "Immudb/a/b",
        ] {
            assert_eq!(Origin::read(wrong), None, "{wrong}");
        }
    }
}
