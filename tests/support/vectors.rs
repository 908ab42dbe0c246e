//! The recorded responses in `tests/vectors/`, read from TOML.

use std::path::{Path, PathBuf};

use immuaudit::ledger::{Digest, State};
use toml::{Table, Value};

/// A file of `tests/vectors/`.
pub struct Vectors {
    pub name: String,
    pub file: Table,
}

/// A `[[case]]` of a file.
#[derive(Clone, Copy)]
pub struct Case<'a>(pub &'a Table);

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

pub fn read(name: &str) -> Vectors {
    let text = std::fs::read_to_string(folder().join(name)).expect(name);
    Vectors {
        name: name.into(),
        file: text.parse().expect(name),
    }
}

/// Reads all files of a folder, sorted by name.
pub fn read_all(sub: &str) -> Vec<Vectors> {
    let mut names: Vec<String> = std::fs::read_dir(folder().join(sub))
        .expect(sub)
        .map(|entry| entry.expect(sub).file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no vectors in {sub}");
    names
        .iter()
        .map(|name| read(&format!("{sub}/{name}")))
        .collect()
}

impl Vectors {
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        cases(&self.file, "case")
    }
}

fn cases<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = Case<'a>> + use<'a> {
    let list = table.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|case| Case(case.as_table().expect("a table")))
}

impl<'a> Case<'a> {
    pub fn text(&self, key: &str) -> &'a str {
        self.0.get(key).and_then(Value::as_str).unwrap_or("")
    }

    pub fn number(&self, key: &str) -> u64 {
        let number = self.0.get(key).and_then(Value::as_integer).expect(key);
        u64::try_from(number).expect(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub fn bytes(&self, key: &str) -> Vec<u8> {
        unhex(self.text(key))
    }

    pub fn state(&self, prefix: &str) -> State {
        State {
            tx: self.number(&format!("{prefix}tx")),
            hash: self.digest(&format!("{prefix}alh")),
        }
    }

    pub fn digest(&self, key: &str) -> Digest {
        self.text(key).parse().expect(key)
    }

    pub fn list(&self, key: &str) -> impl Iterator<Item = Case<'a>> + use<'a> {
        cases(self.0, key)
    }

    pub fn is(&self, call: &str) -> bool {
        self.text("call") == call && self.has("reply")
    }
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len() % 2 == 0, "odd hex");
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex"))
        .collect()
}
