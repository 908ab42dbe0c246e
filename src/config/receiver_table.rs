//! `[[receiver]]` tables of a settings file: a receiver of notifications with its own CA, secret and login.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::monitoring_settings::NotifyOn;
use super::settings_error::SettingsError;
use super::source::Source;
use super::sourced::{SourcedPath, Urls};
use super::table_keys::{Key, each_key};
use super::toml_text::{kind_of, one_line, quoted};
use super::url::{self, Url};

/// The tables' name.
pub(super) const TABLE: &str = "receiver";
/// The key whose value may have a token.
pub(super) const URL: &str = "url";
/// Reserved names, which metrics and notifications use for other receivers.
const RESERVED: [&str; 2] = ["exec", "heartbeat"];
/// The length limit of a name, in characters: it is a label of metrics.
const MAX_NAME_CHARS: usize = 64;

/// Keys of a table, with their names in messages.
const KEYS: [Key; 7] = [
    ("name", "receiver.name"),
    (URL, "receiver.url"),
    ("url-file", "receiver.url-file"),
    ("ca", "receiver.ca"),
    ("secret-file", "receiver.secret-file"),
    ("auth-file", "receiver.auth-file"),
    ("when", "receiver.when"),
];

/// The values of `when`.
const NOTIFY_ON: [(&str, NotifyOn); 3] = [
    ("changes", NotifyOn::Changes),
    ("tampering", NotifyOn::Tampering),
    ("every-check", NotifyOn::EveryCheck),
];

/// The contents of one table.
#[derive(Clone)]
pub(super) struct ReceiverTable {
    pub source: Source,
    pub name: String,
    pub url: Urls,
    pub ca: Option<SourcedPath>,
    pub secret: Option<SourcedPath>,
    pub auth: Option<SourcedPath>,
    pub when: NotifyOn,
}

/// Reads a table; `source` returns the line of a byte in the file.
///
/// # Errors
/// All errors in the table.
pub(super) fn read(
    table: &DeTable,
    at: usize,
    source: &impl Fn(usize) -> Source,
) -> Result<ReceiverTable, Vec<SettingsError>> {
    let mut problems = Vec::new();
    let mut read = ReceiverTable {
        source: source(at),
        name: String::new(),
        url: Urls::default(),
        ca: None,
        secret: None,
        auth: None,
        when: NotifyOn::Changes,
    };
    let mut urls = 0;
    each_key(
        TABLE,
        table,
        &KEYS,
        source,
        &mut problems,
        |(key, flag), value, source, problems| {
            let DeValue::String(text) = value else {
                problems.push(SettingsError::BadType {
                    flag,
                    source,
                    found: kind_of(value),
                    wanted: "a string in quotes",
                });
                return;
            };
            urls += u32::from(matches!(key, URL | "url-file"));
            problems.extend(read.set(key, flag, text, source).err());
        },
    );
    let lacks = |fault: &str| SettingsError::BadTable {
        table: TABLE,
        source: read.source.clone(),
        fault: fault.to_owned(),
    };
    let is_faulty = |flag: &str, problems: &[SettingsError]| {
        let mut of = problems.iter();
        of.any(|problem| matches!(problem, SettingsError::BadValue { flag: of, .. } | SettingsError::BadType { flag: of, .. } if *of == flag))
    };
    if read.name.is_empty() && !is_faulty("receiver.name", &problems) {
        problems.push(lacks("name is missing: metrics and outboxes need one"));
    }
    if urls != 1 {
        problems.push(lacks("expected one of url and url-file"));
    }
    match problems.is_empty() {
        true => Ok(read),
        false => Err(problems),
    }
}

impl ReceiverTable {
    fn set(
        &mut self,
        key: &str,
        flag: &'static str,
        text: &str,
        source: Source,
    ) -> Result<(), SettingsError> {
        let wrong = |wanted: String, value: Option<String>| SettingsError::BadValue {
            flag,
            source: source.clone(),
            value,
            wanted,
        };
        let shown = || Some(text.to_owned());
        if key == "name" {
            self.name = match is_name(text) {
                true => text.to_owned(),
                false => return Err(wrong(name_wanted(), shown())),
            };
            return Ok(());
        }
        if key == "when" {
            let when = NOTIFY_ON.iter().find(|(word, _)| *word == text);
            let words = NOTIFY_ON.map(|(word, _)| word).join(", ");
            let (_, when) = when.ok_or_else(|| wrong(format!("one of {words}"), shown()))?;
            self.when = *when;
            return Ok(());
        }
        if key == URL {
            let url = Url::read(text).map_err(|wanted| wrong(wanted, url::masked(text)))?;
            self.url = Urls::Texts(vec![url]);
            return Ok(());
        }
        if text.is_empty() {
            return Err(wrong("the name of a file".to_owned(), shown()));
        }
        let given = SourcedPath {
            path: PathBuf::from(text),
            flag,
            source: source.clone(),
        };
        match key {
            "url-file" => self.url = Urls::File(given),
            "ca" => self.ca = Some(given),
            "secret-file" => self.secret = Some(given),
            _ => self.auth = Some(given),
        }
        Ok(())
    }

    /// Formats the table as TOML; URLs have only scheme, host and port.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "\n[[{TABLE}]] # {}\nname = {}\n",
            one_line(&self.source),
            quoted(&self.name)
        );
        let mut line = |key: &str, value: &str| {
            text.push_str(&format!("{key} = {}\n", quoted(value)));
        };
        for (key, value) in self.url.masked() {
            line(key, &value);
        }
        let files = [
            ("ca", &self.ca),
            ("secret-file", &self.secret),
            ("auth-file", &self.auth),
        ];
        for (key, given) in files {
            if let Some(given) = given {
                line(key, &given.path.to_string_lossy());
            }
        }
        if let Some((word, _)) = NOTIFY_ON.iter().find(|(_, when)| *when == self.when) {
            line("when", word);
        }
        text
    }
}

/// Returns the problems of tables that have the name of an earlier one.
pub(super) fn repeated(tables: &[ReceiverTable]) -> Vec<SettingsError> {
    let numbered = tables.iter().enumerate();
    let repeated = numbered.filter(|(index, table)| {
        let mut earlier = tables.iter().take(*index);
        earlier.any(|other| other.name == table.name)
    });
    let problems = repeated.map(|(_, table)| SettingsError::BadTable {
        table: TABLE,
        source: table.source.clone(),
        fault: format!(
            "an earlier receiver has the name {} too",
            quoted(&table.name)
        ),
    });
    problems.collect()
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty()
        && text.len() <= MAX_NAME_CHARS
        && text.chars().all(plain)
        && !RESERVED.contains(&text)
}

fn name_wanted() -> String {
    format!(
        "up to {MAX_NAME_CHARS} letters, digits, dots, dashes and underscores, and not {}",
        RESERVED.join(" or ")
    )
}
