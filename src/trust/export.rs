//! The trusted states of one auditor, in a file for another auditor to compare with its own.

use std::path::Path;

use toml::Table;

use super::checksummed::{self, Writer};
use super::file_damage::{FileDamage, Record};
use super::files;
use super::record::DatedState;
use super::store::Store;
use super::store_error::StoreError;
use super::text::quoted;
use crate::clock::Timestamp;
use crate::json::Json;
use crate::ledger::{ClaimedState, Signature, State, StateShape, decode_base64};
use crate::ranges::Ranges;
use crate::sys::Lock;

const WHAT: &str = "immuaudit: the trusted states, with their history. `immuaudit compare FILE` compares them with the states of another auditor.";
/// The name of a state in the file.
const STATE: &str = "state";
/// The name that version 0.1.0 gave to a state. Exports and evidence of that version have it.
const FORMER_STATE: &str = "root";
/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
const MAX_EXPORT_BYTES: u64 = 64 << 20;
/// The bytes that are reserved for the line with the checksum.
const CHECKSUM_BYTES: usize = 1 << 10;
/// The longest content that is written, in bytes: with the checksum, a reader accepts it.
const MAX_CONTENT_BYTES: usize = MAX_EXPORT_BYTES as usize - CHECKSUM_BYTES;
/// The bytes of a state in the file, without the database's name and the state.
const STATE_OVERHEAD: usize = "\n[[state]]\ndatabase = \nstate = \"\"\n".len();

/// The trusted states of another auditor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The version that wrote it.
    pub program: String,
    /// The server's name at the auditor that wrote it.
    pub server: String,
    /// The time of the export.
    pub exported: Timestamp,
    /// Every database with a trusted state.
    pub databases: Vec<Exported>,
}

/// One database of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its name.
    pub database: String,
    /// States that were accepted since the unbroken line of proofs begins, in order; the last one is trusted.
    pub states: Vec<State>,
    /// Transactions with values that the server did not have.
    pub absent: Ranges,
    /// Transactions that were read completely.
    pub whole: Ranges,
    /// The server's signature of the last state, if the source has it. It is not verified.
    pub signature: Option<Signature>,
}

impl Exported {
    /// Returns the last state with its signature, as the server claims it; `None` without states.
    pub fn claimed(&self) -> Option<ClaimedState> {
        Some(ClaimedState {
            shape: StateShape::WithDatabase, // the signature of 0.9.0 fits every database
            database: self.database.clone().into(),
            state: *self.states.last()?,
            signature: self.signature.clone(),
        })
    }
}

impl Store {
    /// Returns the states that were accepted since the unbroken line of proofs begins, in order; the last one is
    /// trusted.
    ///
    /// # Errors
    /// As [`load`](Store::load).
    pub fn proven_line(&self, database: &str) -> Result<Vec<State>, StoreError> {
        let line = self.dated_line(database)?;
        Ok(line.into_iter().map(|dated| dated.state).collect())
    }

    /// Returns the same states, each with the time and the grounds of its acceptance.
    ///
    /// # Errors
    /// As [`load`](Store::load).
    pub fn dated_line(&self, database: &str) -> Result<Vec<DatedState>, StoreError> {
        let _hold = self.hold(Lock::Shared)?;
        Ok(self.record(database)?.dated_line())
    }

    /// Returns the content of the file of all trusted states. If they are more than a reader accepts, each database has
    /// an equal share of the file, and only some of its states are in it: the first, the last, and others at equal
    /// distances in its history.
    ///
    /// # Errors
    /// As [`load`](Store::load), of any database.
    pub fn export(&self, now: Timestamp) -> Result<Vec<u8>, StoreError> {
        self.export_within(MAX_CONTENT_BYTES, now)
    }

    fn export_within(&self, most: usize, now: Timestamp) -> Result<Vec<u8>, StoreError> {
        let mut writer = Writer::new(WHAT, self.server());
        writer.text("program", concat!("immuaudit ", env!("CARGO_PKG_VERSION")));
        writer.time("exported", now);
        for progress in self.load_progress(now) {
            writer.element("values");
            writer.text("database", &progress.database);
            writer.text("absent", &progress.absent.to_string());
            writer.text("whole", &progress.whole.to_string());
        }
        let databases = self.databases()?;
        for (database, left) in databases.iter().zip((1..=databases.len()).rev()) {
            let line = self.proven_line(database)?;
            let free = most.saturating_sub(writer.length());
            for state in thinned(&line, free / left / bytes_of_a_state(database, &line)) {
                writer.element(STATE);
                writer.text("database", database);
                writer.text("state", &state.to_string());
            }
        }
        Ok(writer.finish())
    }
}

/// Returns the bytes that the longest state of a database takes in the file.
fn bytes_of_a_state(database: &str, line: &[State]) -> usize {
    let last = line.last().map(State::to_string); // the transactions of a line increase
    STATE_OVERHEAD + quoted(database).len() + last.unwrap_or_default().len()
}

/// Returns at most `most` states (but at least two) of a line: the first, the last, and others at equal distances.
fn thinned(line: &[State], most: usize) -> Vec<State> {
    let steps = most.max(2) - 1;
    let Some(last) = line.len().checked_sub(1).filter(|last| *last > steps) else {
        return line.to_vec();
    };
    let at = (0..=steps).map(|step| step * last / steps);
    at.filter_map(|at| line.get(at).copied()).collect()
}

impl Export {
    /// Returns whether a file begins like an export.
    pub fn begins(text: &str) -> bool {
        text.strip_prefix("# ")
            .is_some_and(|rest| rest.starts_with(WHAT))
    }

    /// Reads an export from a file, and returns it with the file's bytes.
    ///
    /// # Errors
    /// The file does not exist, or an auditor did not write it.
    pub fn read(path: &Path) -> Result<(Export, Vec<u8>), StoreError> {
        let bytes = files::read(path, MAX_EXPORT_BYTES);
        let bytes = bytes.map_err(|failure| failure.of_named(Record::Export))?;
        let bytes = bytes.ok_or_else(|| StoreError::NoFile {
            path: path.into(),
            record: Record::Export,
        })?;
        let export = Export::parse(&bytes).map_err(|damage| StoreError::DamagedRecord {
            path: path.into(),
            damage,
            record: Record::Export,
        })?;
        Ok((export, bytes))
    }

    fn parse(bytes: &[u8]) -> Result<Export, FileDamage> {
        let file = checksummed::open_of_any_server(bytes)?;
        let mut databases: Vec<Exported> = Vec::new();
        let former = checksummed::elements(&file, FORMER_STATE)?;
        for element in former
            .into_iter()
            .chain(checksummed::elements(&file, STATE)?)
        {
            let (database, state) = exported(element)?;
            match databases.last_mut() {
                Some(last) if last.database == database => last.states.push(state),
                _ => databases.push(Exported {
                    database,
                    states: vec![state],
                    absent: Ranges::new(),
                    whole: Ranges::new(),
                    signature: None,
                }),
            }
        }
        for values in checksummed::elements(&file, "values")? {
            let database = checksummed::text(values, "database")?;
            let ranges = |key| {
                let text = checksummed::text(values, key)?;
                text.parse().map_err(|_| FileDamage::Value(key))
            };
            let of = databases.iter_mut().find(|of| of.database == database);
            if let Some(of) = of {
                (of.absent, of.whole) = (ranges("absent")?, ranges("whole")?);
            }
        }
        Ok(Export {
            program: checksummed::text(&file, "program")?.into(),
            server: checksummed::text(&file, "server")?.into(),
            exported: checksummed::time(&file, "exported")?,
            databases,
        })
    }
}

/// Returns the newest state of each database from an auditor's `/states` response; `None` if the bytes are no such
/// list.
pub fn shown_states(bytes: &[u8]) -> Option<Vec<Exported>> {
    let shown = Json::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let states = shown.member("states")?.list()?.iter();
    let exported = states.map(|shown| {
        Some(Exported {
            database: shown.member("database")?.text()?.to_owned(),
            states: vec![State {
                tx: shown.member("tx")?.number()?,
                hash: shown.member("hash")?.text()?.parse().ok()?,
            }],
            absent: Ranges::new(),
            whole: Ranges::new(),
            signature: shown.member("signature").and_then(shown_signature),
        })
    });
    exported.collect()
}

fn shown_signature(shown: &Json) -> Option<Signature> {
    let bytes = |name| decode_base64(shown.member(name)?.text()?);
    Some(Signature {
        public_key: bytes("public_key")?,
        der: bytes("signature")?,
    })
}

fn exported(element: &Table) -> Result<(String, State), FileDamage> {
    let state = checksummed::state(element, "state")?.ok_or(FileDamage::Value("state"))?;
    Ok((checksummed::text(element, "database")?.into(), state))
}

#[cfg(test)]
mod tests {
    use super::super::aged::{Aged, START, trusted};
    use super::super::history::{History, HistoryEntry};
    use super::super::state_file;
    use super::*;
    use crate::ledger::Digest;
    use crate::trust::TrustedState;

    /// Returns an export of two databases, whose states have this name.
    fn export(name: &str) -> Vec<u8> {
        let mut writer = Writer::new(WHAT, "db:3322");
        writer.text("program", "immuaudit 0.1.0");
        writer.time("exported", Timestamp::from_unix(1_795_319_313));
        for (database, tx) in [("a", 1), ("a", 2), ("b", 7)] {
            writer.element(name);
            writer.text("database", database);
            writer.text(
                "state",
                &State {
                    tx,
                    hash: Digest::of(&[]),
                }
                .to_string(),
            );
        }
        writer.finish()
    }

    #[test]
    fn an_export_of_0_1_0_which_calls_its_states_roots_is_read() {
        let (former, now) = (export("root"), export("state"));
        assert_ne!(former, now);
        let read = Export::parse(&former).unwrap();
        let of = |name: &str| {
            let of = read.databases.iter().find(|of| of.database == name);
            of.map_or(0, |of| of.states.len())
        };
        assert_eq!((of("a"), of("b")), (2, 1));
        assert_eq!(Export::parse(&now).unwrap(), read);
    }

    /// Trusts the last of these many states of a database.
    fn age(store: &Store, database: &str, states: u64) {
        let trusted = |tx| TrustedState {
            database: database.into(),
            ..trusted(tx)
        };
        let entries: Vec<_> = (1..=states)
            .map(|tx| HistoryEntry::of(&trusted(tx)))
            .collect();
        let history = History::render("s", database, &entries);
        std::fs::write(store.history_path(database), history).unwrap();
        let state = state_file::render("s", &trusted(states));
        std::fs::write(store.state_path(database), state).unwrap();
    }

    #[test]
    fn an_export_of_many_long_histories_stays_readable() {
        let aged = Aged::new("export", 3);
        let long = |number| format!("{number:0150}");
        (0..10).for_each(|number| age(&aged.store, &long(number), 4_300));
        let path = aged.dir.join("export");
        let most = 8 << 20; // the states take 11 MB
        let now = Timestamp::from_unix(START);
        let bytes = aged.store.export_within(most, now).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let (read, bytes) = Export::read(&path).unwrap();
        let length = bytes.len();
        assert!(
            (most / 10 * 9..most + CHECKSUM_BYTES).contains(&length),
            "{length}"
        );
        assert_eq!(read.databases.len(), 11);
        for of in &read.databases {
            let all = if of.database == "db" { 3 } else { 4_300 };
            let ends = [of.states.first(), of.states.last()].map(Option::unwrap);
            assert_eq!(ends, [&trusted(1).state, &trusted(all).state]);
            let of_all = usize::try_from(all).unwrap();
            assert!((of_all / 2..=of_all).contains(&of.states.len()));
            let mut gaps = of.states.windows(2).map(|pair| pair[1].tx - pair[0].tx);
            assert!(gaps.all(|gap| (1..=2).contains(&gap)), "{}", of.database);
        }
    }
}
