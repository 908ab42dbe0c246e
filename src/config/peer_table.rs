//! `[[peer]]` tables of a settings file: another auditor with its keys, CA and login.

use std::collections::BTreeSet;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::settings_error::SettingsError;
use super::source::Source;
use super::sourced::{SourcedPath, Urls};
use super::table_keys::{Key, each_key};
use super::toml_text::{array, kind_of, one_line, quoted};
use super::url::{self, Url};
use super::value;
use crate::checkpoint::{PRIVATE, VerifierKey};

/// The tables' name.
pub(super) const TABLE: &str = "peer";
/// Keys of a table, with their names in messages.
const KEYS: [Key; 6] = [
    ("url", "peer.url"),
    ("url-file", "peer.url-file"),
    ("keys", "peer.keys"),
    ("ca", "peer.ca"),
    ("username", "peer.username"),
    ("password-file", "peer.password-file"),
];

/// The contents of one table.
#[derive(Clone)]
pub(super) struct PeerTable {
    pub source: Source,
    pub url: Urls,
    /// The public keys, which have the same name.
    pub keys: Vec<VerifierKey>,
    pub ca: Option<SourcedPath>,
    pub username: Option<String>,
    pub password: Option<SourcedPath>,
}

/// Reads a table; `source` returns the line of a byte in the file.
///
/// # Errors
/// All errors in the table.
pub(super) fn read(
    table: &DeTable,
    at: usize,
    source: &impl Fn(usize) -> Source,
) -> Result<PeerTable, Vec<SettingsError>> {
    let mut problems = Vec::new();
    let mut read = PeerTable {
        source: source(at),
        url: Urls::default(),
        keys: Vec::new(),
        ca: None,
        username: None,
        password: None,
    };
    let bad_table = |source: &Source, fault: &str| SettingsError::BadTable {
        table: TABLE,
        source: source.clone(),
        fault: fault.to_owned(),
    };
    let seen = each_key(
        TABLE,
        table,
        &KEYS,
        source,
        &mut problems,
        |(key, flag), value, source, problems| {
            let texts = match (value, key) {
                (DeValue::String(text), _) => Some(vec![text.to_string()]),
                (DeValue::Array(items), "keys") => {
                    let texts = items.iter().map(|item| item.get_ref().as_str());
                    texts.map(|text| text.map(str::to_owned)).collect()
                }
                _ => None,
            };
            match texts {
                Some(texts) => problems.extend(read.set(key, flag, &texts, source).err()),
                None => problems.push(SettingsError::BadType {
                    flag,
                    source,
                    found: kind_of(value),
                    wanted: match key {
                        "keys" => "an array of strings in quotes",
                        _ => "a string in quotes",
                    },
                }),
            }
        },
    );
    let has = |key: &str| seen.contains(key);
    for (fault, is_so) in [
        (
            "expected one of url and url-file",
            has("url") == has("url-file"),
        ),
        (
            "keys is missing: give the peer's public keys, which verify its checkpoints",
            !has("keys"),
        ),
        (
            "expected both username and password-file, or neither",
            has("username") != has("password-file"),
        ),
    ] {
        if is_so {
            problems.push(bad_table(&read.source, fault));
        }
    }
    match problems.is_empty() {
        true => Ok(read),
        false => Err(problems),
    }
}

impl PeerTable {
    fn set(
        &mut self,
        key: &str,
        flag: &'static str,
        texts: &[String],
        source: Source,
    ) -> Result<(), SettingsError> {
        let text = texts.first().map(String::as_str).unwrap_or_default();
        let wrong = |wanted: String, value: Option<String>| SettingsError::BadValue {
            flag,
            source: source.clone(),
            value,
            wanted,
        };
        match key {
            "keys" => {
                let keys = texts.iter().map(|text| VerifierKey::read(text));
                let keys: Result<Vec<VerifierKey>, _> = keys.collect();
                let shown = || Some(texts.join(",")).filter(|texts| !texts.contains(PRIVATE));
                let keys = keys
                    .map_err(|why| wrong(format!("the auditor's public keys: {why}"), shown()))?;
                let names: BTreeSet<&str> = keys.iter().map(|key| key.name.as_str()).collect();
                if names.len() != 1 {
                    let wanted = "one or more keys with the same name, because all of them belong to one auditor";
                    return Err(wrong(wanted.to_owned(), shown()));
                }
                self.keys = keys;
            }
            "url" => {
                let url = Url::read(text).map_err(|wanted| wrong(wanted, url::masked(text)))?;
                self.url = Urls::Texts(vec![url]);
            }
            "username" => {
                let username = value::text(text).map_err(|wanted| wrong(wanted, None))?;
                // RFC 7617 §2: a colon ends the user name
                if username.is_empty() || username.contains(':') {
                    let wanted = "a user without a colon".to_owned();
                    return Err(wrong(wanted, Some(username)));
                }
                self.username = Some(username);
            }
            _ if text.is_empty() => {
                return Err(wrong("the name of a file".to_owned(), Some(String::new())));
            }
            _ => {
                let given = SourcedPath {
                    path: PathBuf::from(text),
                    flag,
                    source,
                };
                match key {
                    "url-file" => self.url = Urls::File(given),
                    "ca" => self.ca = Some(given),
                    _ => self.password = Some(given),
                }
            }
        }
        Ok(())
    }

    /// Formats the table as TOML; URLs have only scheme, host and port.
    pub fn to_toml(&self) -> String {
        let mut text = format!("\n[[{TABLE}]] # {}\n", one_line(&self.source));
        let mut line = |key: &str, value: String| text.push_str(&format!("{key} = {value}\n"));
        for (key, value) in self.url.masked() {
            line(key, quoted(&value));
        }
        let keys = self.keys.iter().map(|key| quoted(&key.to_string()));
        line("keys", array(keys));
        if let Some(username) = &self.username {
            line("username", quoted(username));
        }
        for (key, given) in [("ca", &self.ca), ("password-file", &self.password)] {
            if let Some(given) = given {
                line(key, quoted(&given.path.to_string_lossy()));
            }
        }
        text
    }
}
