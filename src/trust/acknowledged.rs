//! `DATABASE.acknowledged`: facts about a database that an operator looked into and found explained, so that
//! they raise no further warning: values that are absent, the loss of the server's signature, and disagreements of
//! peers.
//!
//! No trusted state depends on it. A damaged file acknowledges nothing.

use toml::Table;

use super::checksummed::{self, Writer};
use super::failpoint::FileKind;
use super::file_damage::{FileDamage, Record};
use super::files;
use super::store::Store;
use super::store_error::StoreError;
use super::text::cut;
use super::warning::Warning;
use crate::clock::Timestamp;
use crate::ranges::Ranges;
use crate::sys::Lock;

const WHAT: &str =
    "immuaudit: facts that an operator acknowledged for one database with `immuaudit acknowledge`.";
/// The longest file that is read, in bytes; a file has a thousand ranges at most.
const MAX_BYTES: u64 = 256 << 10;
/// The longest name of a user that is stored, in characters.
const MAX_USER: usize = 200;

/// The acknowledged facts of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Absent values of transactions up to this one are known; 0: none are.
    pub absent_to: u64,
    /// The absent ones of these transactions that had been read completely before. A transaction that joins them
    /// later is news, whatever was acknowledged.
    pub dropped: Ranges,
    /// The begin of the trusted history to which the acknowledgements belong: nothing is acknowledged of another
    /// history.
    pub since: Option<Timestamp>,
    /// The last transaction of which the loss of the signature after it is known.
    pub unsigned_after: Option<u64>,
    /// The time up to which disagreements of peers are closed.
    pub disagreements_to: Option<Timestamp>,
}

impl Acknowledged {
    /// Returns the time up to which disagreements of peers are closed, unless it is in the future: a clock that was
    /// ahead must not close disagreements that are found later.
    pub fn disagreements_closed_to(&self, now: Timestamp) -> Option<Timestamp> {
        self.disagreements_to.filter(|to| *to <= now)
    }
}

/// Facts to acknowledge; the others stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Absent values of transactions up to this one.
    pub absent_to: Option<u64>,
    /// Whether to acknowledge the loss of the signature after the last signed transaction.
    pub unsigned: bool,
    /// Whether to acknowledge the disagreements of peers that were found until now.
    pub disagreement: bool,
}

/// A transaction, with the user who acknowledged it and the time.
#[derive(Clone)]
struct Fact {
    tx: u64,
    who: String,
    when: Timestamp,
}

/// The content of the file.
#[derive(Clone, Default)]
struct Facts {
    absent: Option<Fact>,
    dropped: Ranges,
    since: Option<Timestamp>,
    unsigned: Option<Fact>,
    disagreement: Option<Fact>,
}

/// Keys of a fact: the transaction, the user, the time.
const ABSENT: [&str; 3] = ["absent_to", "absent_by", "absent_when"];
const DISAGREEMENT: [&str; 3] = ["disagreement_at", "disagreement_by", "disagreement_when"];
const UNSIGNED: [&str; 3] = ["unsigned_after", "unsigned_by", "unsigned_when"];

impl Store {
    /// Returns the facts that are acknowledged for a database; none if there is no file.
    ///
    /// # Errors
    /// The file is damaged, or the system refuses. [`Store::warnings`] reports that too.
    pub fn acknowledged(&self, database: &str) -> Result<Acknowledged, StoreError> {
        let path = self.acknowledged_path(database);
        let read = match files::exists(&path) {
            Ok(false) => Ok(Facts::default()), // most databases have no such file, and need no lock
            _ => self
                .hold(Lock::Shared)
                .and_then(|_hold| self.facts(database)),
        };
        if let Err(failure) = &read {
            self.warn(Warning::NotAcknowledged {
                failure: failure.to_string(),
            });
        }
        read.map(|facts| facts.acknowledged())
    }

    /// Acknowledges facts about a database, and records the user and the time.
    ///
    /// # Errors
    /// The transaction is past the trusted one, no signed state of the database is known, or the file is damaged or
    /// cannot be written.
    pub fn acknowledge(
        &self,
        database: &str,
        change: Acknowledgement,
        who: &str,
        now: Timestamp,
    ) -> Result<Acknowledged, StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut facts = self.facts(database)?;
        let fact = |tx| {
            Some(Fact {
                tx,
                who: cut(who, MAX_USER),
                when: now,
            })
        };
        let trusted = self.record(database)?.trusted;
        if let Some(absent_to) = change.absent_to {
            let trusted_tx = trusted.as_ref().map_or(0, |trusted| trusted.state.tx);
            if absent_to > trusted_tx {
                return Err(StoreError::NotTrustedYet {
                    database: database.into(),
                    tx: absent_to,
                    trusted_tx,
                });
            }
            let progress = self.load_progress(now).into_iter();
            let mut of_this = progress.filter(|of| of.database == database);
            facts.absent = fact(absent_to);
            facts.dropped = of_this.next().map_or(Ranges::new(), |of| of.dropped);
            facts.since = trusted.as_ref().map(|trusted| trusted.since);
        }
        if change.disagreement {
            facts.disagreement = fact(trusted.as_ref().map_or(0, |trusted| trusted.state.tx));
        }
        if change.unsigned {
            let last_signed = trusted.and_then(|trusted| trusted.last_signed);
            let last_signed = last_signed.ok_or_else(|| StoreError::NeverSigned {
                database: database.into(),
            })?;
            facts.unsigned = fact(last_signed);
        }
        let file = facts.render(self.server(), database);
        files::replace(
            FileKind::Acknowledged,
            &self.acknowledged_path(database),
            &file,
        )?;
        Ok(facts.acknowledged())
    }

    fn facts(&self, database: &str) -> Result<Facts, StoreError> {
        let path = self.acknowledged_path(database);
        let Some(bytes) = files::read(&path, MAX_BYTES)? else {
            return Ok(Facts::default());
        };
        Facts::parse(&bytes, self.server(), database).map_err(|damage| StoreError::DamagedRecord {
            path,
            damage,
            record: Record::Acknowledged,
        })
    }
}

impl Facts {
    fn acknowledged(&self) -> Acknowledged {
        Acknowledged {
            absent_to: self.absent.as_ref().map_or(0, |fact| fact.tx),
            dropped: self.dropped.clone(),
            since: self.since,
            unsigned_after: self.unsigned.as_ref().map(|fact| fact.tx),
            disagreements_to: self.disagreement.as_ref().map(|fact| fact.when),
        }
    }

    fn render(&self, server: &str, database: &str) -> Vec<u8> {
        let mut writer = Writer::new(WHAT, server);
        writer.text("database", database);
        for (fact, [tx, who, when]) in [
            (&self.absent, ABSENT),
            (&self.unsigned, UNSIGNED),
            (&self.disagreement, DISAGREEMENT),
        ] {
            if let Some(fact) = fact {
                writer.number(tx, fact.tx);
                writer.text(who, &fact.who);
                writer.time(when, fact.when);
            }
        }
        if let Some(since) = self.since {
            writer.time("absent_since", since);
            writer.text("absent_dropped", &self.dropped.to_string());
        }
        writer.finish()
    }

    fn parse(bytes: &[u8], server: &str, database: &str) -> Result<Facts, FileDamage> {
        let file = checksummed::open_of(bytes, server, database)?;
        let dropped = checksummed::optional(&file, "absent_dropped")?.unwrap_or("");
        Ok(Facts {
            absent: fact(&file, ABSENT)?,
            dropped: dropped
                .parse()
                .map_err(|_| FileDamage::Value("absent_dropped"))?,
            since: checksummed::optional_time(&file, "absent_since")?,
            unsigned: fact(&file, UNSIGNED)?,
            disagreement: fact(&file, DISAGREEMENT)?,
        })
    }
}

fn fact(file: &Table, [tx, who, when]: [&'static str; 3]) -> Result<Option<Fact>, FileDamage> {
    if file.get(tx).is_none() {
        return Ok(None);
    }
    Ok(Some(Fact {
        tx: checksummed::number(file, tx)?,
        who: checksummed::text(file, who)?.into(),
        when: checksummed::time(file, when)?,
    }))
}
