//! `values`: how far each database's values were read, so that a sweep lives through a restart.
//!
//! Nothing that is trusted rests on it: where it is damaged the reading begins anew.

use std::collections::BTreeSet;
use std::fmt;

use super::failure::LocalFailure;
use super::fault::Kind;
use super::files;
use super::sealed::{self, Writer};
use super::store::Store;
use super::warning::Warning;
use crate::clock::Timestamp;
use crate::ledger::Digest;
use crate::sys::Lock;

const WHAT: &str = "immuaudit: how far the values of each database were read.";
const ASKED: &str = "asked";
const PACED: &str = "paced";
const FILE: &str = "values";
/// Longest file that is read.
const MOST: u64 = 64 << 20;
/// Transactions that stay due and are remembered, of a database.
const DUE: usize = 1_000;

/// What of a database's values was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which database.
    pub database: String,
    /// Since when its history is the same one: what is below belongs to that history.
    pub since: Timestamp,
    /// All transactions that were new up to this one were read.
    pub new_to: Option<u64>,
    /// Transactions read, some of them more than once.
    pub read: u64,
    /// Transactions to be read again, since they could not be.
    pub due: BTreeSet<u64>,
    /// Values of these that nobody can read any more.
    pub unavailable: Unavailable,
    /// Values before this transaction were dropped, as a proven header records; 0: none.
    pub truncated_before: u64,
    /// The sweep that is under way.
    pub sweep: Option<Sweeping>,
    /// The last one that ended.
    pub swept: Option<Swept>,
}

/// A sweep under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweeping {
    /// On whose behalf.
    pub begun: Begun,
    /// When it began.
    pub began: Timestamp,
    /// The last transaction that was passed.
    pub at: u64,
    /// Its hash, where that is proven.
    pub hash: Option<Digest>,
    /// Transactions read whole; the others stay due.
    pub read: u64,
    /// Values of these that nobody can read any more.
    pub unavailable: Unavailable,
    /// The main tree over what was passed, as a frontier's peaks.
    pub peaks: Vec<Digest>,
}

/// On whose behalf a sweep was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The operator's, by `immuaudit sweep`.
    Asked,
    /// The audit's own, by `--audit-sweep`.
    Paced,
}

/// A sweep that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Transactions read whole.
    pub read: u64,
    /// Values of these that nobody can read any more.
    pub unavailable: Unavailable,
    /// Transactions that there were.
    pub of: u64,
}

/// Values that nobody can read any more, each with the proof for it, or on a server too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// A proven header records that values before a later transaction were dropped.
    pub truncated: u64,
    /// The entry's own, hashed expiry time has passed.
    pub expired: u64,
    /// Document entries, which come without values.
    pub documents: u64,
    /// The server's version has no call for them.
    pub unreadable: u64,
}

impl Unavailable {
    /// Values in all.
    pub fn total(&self) -> u64 {
        self.by_kind().iter().map(|(count, ..)| count).sum()
    }

    /// Adds another count.
    pub fn add(&mut self, other: Unavailable) {
        self.truncated += other.truncated;
        self.expired += other.expired;
        self.documents += other.documents;
        self.unreadable += other.unreadable;
    }

    /// The counts, each with its name in a file and with what people call it.
    fn by_kind(&self) -> [(u64, &'static str, &'static str); 4] {
        [
            (self.truncated, "truncated", "dropped by a truncation"),
            (self.expired, "expired", "expired"),
            (
                self.documents,
                "documents",
                "of documents, sent by no server",
            ),
            (
                self.unreadable,
                "unreadable",
                "that servers so old do not send",
            ),
        ]
    }
}

/// Such as `200 dropped by a truncation, 3 expired`; `none`.
impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (count, _, what) in self.by_kind() {
            if count > 0 {
                write!(f, "{separator}{count} {what}")?;
                separator = ", ";
            }
        }
        match self.total() {
            0 => f.write_str("none"),
            _ => Ok(()),
        }
    }
}

impl Progress {
    /// Nothing was read yet.
    pub fn new(database: &str, since: Timestamp) -> Progress {
        Progress {
            database: database.into(),
            since,
            new_to: None,
            read: 0,
            due: BTreeSet::new(),
            unavailable: Unavailable::default(),
            truncated_before: 0,
            sweep: None,
            swept: None,
        }
    }
}

impl Store {
    /// Keeps how far the values were read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_progress<'a>(
        &self,
        progress: impl IntoIterator<Item = &'a Progress>,
    ) -> Result<(), LocalFailure> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut writer = Writer::new(WHAT, self.server());
        for progress in progress {
            write(&mut writer, progress);
        }
        files::replace(Kind::Values, &self.home.join(FILE), &writer.seal())
    }

    /// How far the values were read; nothing, and a warning, where the file is damaged.
    pub fn load_progress(&self) -> Vec<Progress> {
        let path = self.home.join(FILE);
        let read = || {
            let Some(bytes) = files::read(&path, MOST).ok()? else {
                return Some(Vec::new());
            };
            let file = sealed::open(&bytes, self.server()).ok()?;
            let elements = sealed::elements(&file, "database").ok()?;
            elements.into_iter().map(parse).collect()
        };
        read().unwrap_or_else(|| {
            self.warn(Warning::BegunAnew { path: path.clone() });
            Vec::new()
        })
    }
}

fn write(writer: &mut Writer, progress: &Progress) {
    writer.element("database");
    writer.text("name", &progress.database);
    writer.time("since", progress.since);
    writer.number("read", progress.read);
    write_unavailable(writer, "", &progress.unavailable);
    writer.number("truncated_before", progress.truncated_before);
    if let Some(new_to) = progress.new_to {
        writer.number("new_to", new_to);
    }
    let due: Vec<String> = progress.due.iter().take(DUE).map(u64::to_string).collect();
    writer.text("due", &due.join(" "));
    if let Some(sweep) = &progress.sweep {
        writer.time("sweep_began", sweep.began);
        writer.text(
            "sweep_begun",
            match sweep.begun {
                Begun::Asked => ASKED,
                Begun::Paced => PACED,
            },
        );
        writer.number("sweep_at", sweep.at);
        writer.optional("sweep_hash", sweep.hash.map(|h| h.to_string()).as_deref());
        writer.number("sweep_read", sweep.read);
        write_unavailable(writer, "sweep_", &sweep.unavailable);
        let peaks: Vec<String> = sweep.peaks.iter().map(Digest::to_string).collect();
        writer.text("sweep_peaks", &peaks.join(" "));
    }
    if let Some(swept) = &progress.swept {
        writer.time("swept_began", swept.began);
        writer.time("swept_ended", swept.ended);
        writer.number("swept_read", swept.read);
        write_unavailable(writer, "swept_", &swept.unavailable);
        writer.number("swept_of", swept.of);
    }
}

fn write_unavailable(writer: &mut Writer, prefix: &str, unavailable: &Unavailable) {
    for (count, name, _) in unavailable.by_kind() {
        if count > 0 {
            writer.number(&format!("{prefix}{name}"), count);
        }
    }
}

fn parse_unavailable(table: &toml::Table, prefix: &str) -> Option<Unavailable> {
    let number = |name| match table.get(&format!("{prefix}{name}")) {
        Some(count) => u64::try_from(count.as_integer()?).ok(),
        None => Some(0),
    };
    Some(Unavailable {
        truncated: number("truncated")?,
        expired: number("expired")?,
        documents: number("documents")?,
        unreadable: number("unreadable")?,
    })
}

fn parse(table: &toml::Table) -> Option<Progress> {
    let number = |key| sealed::number(table, key).ok();
    let time = |key| sealed::time(table, key).ok();
    let has = |key: &str| table.contains_key(key);
    let words = |key| Some(sealed::text(table, key).ok()?.split_whitespace());
    Some(Progress {
        database: sealed::text(table, "name").ok()?.into(),
        since: time("since")?,
        new_to: match has("new_to") {
            true => Some(number("new_to")?),
            false => None,
        },
        read: number("read")?,
        due: words("due")?
            .map(|word| word.parse().ok())
            .collect::<Option<_>>()?,
        unavailable: parse_unavailable(table, "")?,
        truncated_before: number("truncated_before")?,
        sweep: match has("sweep_at") {
            true => Some(Sweeping {
                began: time("sweep_began")?,
                begun: match sealed::text(table, "sweep_begun").ok()? {
                    ASKED => Begun::Asked,
                    PACED => Begun::Paced,
                    _ => return None,
                },
                at: number("sweep_at")?,
                hash: match sealed::optional(table, "sweep_hash").ok()? {
                    Some(hash) => Some(hash.parse().ok()?),
                    None => None,
                },
                read: number("sweep_read")?,
                unavailable: parse_unavailable(table, "sweep_")?,
                peaks: words("sweep_peaks")?
                    .map(|word| word.parse().ok())
                    .collect::<Option<_>>()?,
            }),
            false => None,
        },
        swept: match has("swept_ended") {
            true => Some(Swept {
                began: time("swept_began")?,
                ended: time("swept_ended")?,
                read: number("swept_read")?,
                unavailable: parse_unavailable(table, "swept_")?,
                of: number("swept_of")?,
            }),
            false => None,
        },
    })
}
