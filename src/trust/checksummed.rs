//! Files with a checksum that people can read: TOML, then a line with the SHA-256 of everything before it.

use std::fmt::Write;

use toml::{Table, Value};

use super::file_damage::FileDamage;
use super::text::quoted;
use super::trusted_state::parse_state;
use crate::clock::Timestamp;
use crate::ledger::{Digest, State};

const CHECKSUM: &str = "# sha256: ";
const FORMAT: i64 = 1;

/// A file that is being written.
pub struct Writer(String);

impl Writer {
    /// Begins with a line that names the kind of file, the format and the server.
    pub fn new(what: &str, server: &str) -> Writer {
        let mut writer = Writer(format!("# {what}\nformat = {FORMAT}\n"));
        writer.text("server", server);
        writer
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {}", quoted(value)));
    }

    pub fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub fn number(&mut self, key: &str, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX); // TOML's largest integer
        self.line(format_args!("{key} = {value}"));
    }

    pub fn time(&mut self, key: &str, value: Timestamp) {
        self.text(key, &value.to_string());
    }

    pub fn optional_number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    pub fn optional_time(&mut self, key: &str, value: Option<Timestamp>) {
        if let Some(value) = value {
            self.time(key, value);
        }
    }

    pub fn table(&mut self, name: &str) {
        self.line(format_args!("\n[{name}]"));
    }

    pub fn element(&mut self, name: &str) {
        self.line(format_args!("\n[[{name}]]"));
    }

    /// Returns the number of bytes that were written.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// Returns the file with its checksum.
    pub fn finish(mut self) -> Vec<u8> {
        let checksum = Digest::of(&[self.0.as_bytes()]);
        self.line(format_args!("{CHECKSUM}{checksum}"));
        self.0.into_bytes()
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}"); // writing to a String cannot fail
    }
}

/// Returns the content of a checksummed file if it is complete and of this server.
pub fn open(bytes: &[u8], server: &str) -> Result<Table, FileDamage> {
    let table = open_of_any_server(bytes)?;
    match text(&table, "server")? {
        found if found == server => Ok(table),
        found => Err(FileDamage::OtherName {
            what: "server",
            found: found.into(),
        }),
    }
}

/// Returns the content of a checksummed file if it is complete and of this server and database.
pub fn open_of(bytes: &[u8], server: &str, database: &str) -> Result<Table, FileDamage> {
    let table = open(bytes, server)?;
    match text(&table, "database")? {
        found if found == database => Ok(table),
        found => Err(FileDamage::OtherName {
            what: "database",
            found: found.into(),
        }),
    }
}

/// Returns the content of a checksummed file if it is complete.
pub fn open_of_any_server(bytes: &[u8]) -> Result<Table, FileDamage> {
    if bytes.is_empty() {
        return Err(FileDamage::Empty);
    }
    let file = std::str::from_utf8(bytes).map_err(|_| FileDamage::Checksum)?;
    let (content, checksum) = file
        .strip_suffix('\n')
        .and_then(|file| file.rsplit_once('\n'))
        .and_then(|(content, last)| {
            let content = file.get(..content.len().saturating_add(1))?;
            Some((content, last.strip_prefix(CHECKSUM)?))
        })
        .ok_or(FileDamage::Unfinished)?;
    // compared as text, so that a changed case of a digit is detected too
    if Digest::of(&[content.as_bytes()]).to_string() != checksum {
        return Err(FileDamage::Checksum);
    }
    let table: Table = content.parse().map_err(|_| FileDamage::Format)?;
    match table.get("format") {
        Some(Value::Integer(FORMAT)) => Ok(table),
        _ => Err(FileDamage::Format),
    }
}

pub fn text<'a>(table: &'a Table, key: &'static str) -> Result<&'a str, FileDamage> {
    optional(table, key)?.ok_or(FileDamage::Value(key))
}

pub fn optional<'a>(table: &'a Table, key: &'static str) -> Result<Option<&'a str>, FileDamage> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(FileDamage::Value(key)),
    }
}

pub fn number(table: &Table, key: &'static str) -> Result<u64, FileDamage> {
    let number = table.get(key).and_then(Value::as_integer);
    number
        .and_then(|number| u64::try_from(number).ok())
        .ok_or(FileDamage::Value(key))
}

pub fn time(table: &Table, key: &'static str) -> Result<Timestamp, FileDamage> {
    text(table, key)?
        .parse()
        .map_err(|_| FileDamage::Value(key))
}

pub fn optional_number(table: &Table, key: &'static str) -> Result<Option<u64>, FileDamage> {
    let is_there = table.contains_key(key);
    is_there.then(|| number(table, key)).transpose()
}

pub fn optional_time(table: &Table, key: &'static str) -> Result<Option<Timestamp>, FileDamage> {
    let is_there = table.contains_key(key);
    is_there.then(|| time(table, key)).transpose()
}

pub fn optional_table<'a>(
    table: &'a Table,
    key: &'static str,
) -> Result<Option<&'a Table>, FileDamage> {
    let value = table.get(key);
    value
        .map(|value| value.as_table().ok_or(FileDamage::Value(key)))
        .transpose()
}

pub fn state(table: &Table, key: &'static str) -> Result<Option<State>, FileDamage> {
    let Some(text) = optional(table, key)? else {
        return Ok(None);
    };
    parse_state(text).map(Some).ok_or(FileDamage::Value(key))
}

/// Returns the tables of `[[key]]`; none if the key is absent.
pub fn elements<'a>(table: &'a Table, key: &'static str) -> Result<Vec<&'a Table>, FileDamage> {
    match table.get(key) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list
            .iter()
            .map(|value| value.as_table().ok_or(FileDamage::Value(key)))
            .collect(),
        Some(_) => Err(FileDamage::Value(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        let mut writer = Writer::new("an example", "a server");
        writer.text("database", "x\n# sha256: 00");
        writer.element("list");
        writer.number("number", u64::MAX);
        writer.finish()
    }

    #[test]
    fn a_complete_file_is_read() {
        let table = open(&example(), "a server").unwrap();
        assert_eq!(text(&table, "database"), Ok("x\n# sha256: 00"));
        assert_eq!(elements(&table, "list").unwrap().len(), 1);
    }

    #[test]
    fn a_file_of_another_server_is_not() {
        let refused = open(&example(), "another").unwrap_err();
        assert!(matches!(refused, FileDamage::OtherName { .. }));
    }

    #[test]
    fn every_change_of_a_bit_and_every_length_is_noticed() {
        let whole = example();
        for length in 0..whole.len() {
            assert!(open(&whole[..length], "a server").is_err(), "{length}");
        }
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            assert!(
                open(&changed, "a server").is_err(),
                "bit {bit} of byte {at}"
            );
        }
        let twice = [whole.clone(), whole].concat();
        assert!(open(&twice, "a server").is_err());
    }
}
