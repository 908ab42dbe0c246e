//! `identities`: the server's address, and the last `immudb-uuid`s seen under this server's name. It detects a first
//! use of a server that is known under another name, so that it can be reported or refused.
//!
//! No trusted state depends on it: a damaged file is a warning.

use std::path::Path;
use std::sync::PoisonError;

use super::checksummed::{self, Writer};
use super::failpoint::FileKind;
use super::file_damage::{FileDamage, Record};
use super::file_name::file_name;
use super::files;
use super::location::Location;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use super::trusted_state::kept_identity;
use super::warning::Warning;
use crate::clock::Timestamp;
use crate::sys::Lock;

const WHAT: &str = "immuaudit: the identities that this server has sent.";
const FILE: &str = "identities";
/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The number of identities that are stored, the last ones: a server may send another one with every response.
const MAX_IDENTITIES: usize = 100;

/// An identity that is known under another server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownElsewhere {
    /// That server's configured name.
    pub server: String,
    /// The time at which it was first seen there.
    pub since: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    uuid: String,
    since: Timestamp,
}

/// The content of a file of identities.
struct Known {
    /// The server's label.
    server: String,
    /// The address at which it was last audited; versions before 0.2 recorded none.
    address: Option<String>,
    identities: Vec<Identity>,
}

impl Store {
    /// Checks that the address of a label without stored data was not audited under another label of the
    /// directory: that label's states would not count then.
    ///
    /// # Errors
    /// The address was audited under another label.
    pub fn check_label(location: &Location, address: &str) -> Result<(), StoreError> {
        if files::exists(&location.dir.join(file_name(&location.server)))? {
            return Ok(());
        }
        for name in files::list(&location.dir)? {
            // the auditor of another server reports that server's damaged file
            let Ok(Some(known)) = read(&location.dir.join(name).join(FILE)) else {
                continue;
            };
            if known.address.as_ref().unwrap_or(&known.server) == address {
                return Err(StoreError::OtherLabel {
                    label: location.server.clone(),
                    known: known.server,
                    address: address.to_owned(),
                    directory: location.dir.clone(),
                });
            }
        }
        Ok(())
    }

    /// Warns if the server was last audited at another address than this one.
    pub fn check_address(&self, address: &str) {
        if let Some(before) = self.known().address.filter(|before| before != address) {
            let now = address.to_owned();
            self.warn(Warning::OtherAddress { before, now });
        }
    }

    /// Records the address at which the server is audited, and warns once if it has changed. If it cannot be written,
    /// that is a warning.
    ///
    /// # Errors
    /// Another command has been changing files of this directory for too long.
    pub fn record_address(&self, address: &str) -> Result<(), StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        let mut known = self.known();
        if known.address.as_deref() != Some(address) {
            self.check_address(address);
            known.address = Some(address.to_owned());
            self.write_identities(&hold, &known);
        }
        Ok(())
    }

    /// Returns the record of this server; empty if the file is missing, damaged or another server's.
    fn known(&self) -> Known {
        let server = self.server().to_owned();
        match read(&self.home.join(FILE)) {
            Ok(Some(known)) if known.server == server => known,
            _ => Known {
                server,
                address: None,
                identities: Vec::new(),
            },
        }
    }

    /// Returns the other servers of the same directory that have sent this identity.
    ///
    /// # Errors
    /// The system refuses to list the directory.
    pub fn known_elsewhere(&self, uuid: &str) -> Result<Vec<KnownElsewhere>, StoreError> {
        let uuid = kept_identity(Some(uuid)).unwrap_or_default();
        let mut known = Vec::new();
        for name in files::list(&self.location.dir)? {
            let path = self.location.dir.join(name).join(FILE);
            // the auditor of another server reports that server's damaged file
            let Ok(Some(Known {
                server, identities, ..
            })) = read(&path)
            else {
                continue;
            };
            let found = identities
                .into_iter()
                .find(|identity| identity.uuid == uuid);
            if let Some(identity) = found.filter(|_| server != self.server()) {
                let since = identity.since;
                known.push(KnownElsewhere { server, since });
            }
        }
        Ok(known)
    }

    /// Records that the server sends this identity. A failure is only a warning, because it can be done later.
    pub(super) fn record_identity(&self, hold: &Hold, uuid: Option<&str>, now: Timestamp) {
        let Some(uuid) = uuid.map(String::from) else {
            return;
        };
        let mut last = self
            .last_identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() == Some(&uuid) {
            return;
        }
        let mut known = self.known();
        let identities = &mut known.identities;
        if identities.iter().all(|identity| identity.uuid != uuid) {
            identities.push(Identity {
                uuid: uuid.clone(),
                since: now,
            });
            let surplus = identities.len().saturating_sub(MAX_IDENTITIES);
            drop(identities.drain(..surplus));
            if !self.write_identities(hold, &known) {
                return;
            }
        }
        *last = Some(uuid);
    }

    /// Creates the file with the directory's true name, if there is none.
    pub(super) fn register(&self, hold: &Hold) -> Result<(), StoreError> {
        let path = self.home.join(FILE);
        match read(&path) {
            Ok(Some(Known { server, .. })) if server == self.server() => return Ok(()),
            Ok(Some(Known { server, .. })) => {
                return Err(StoreError::DamagedRecord {
                    path,
                    damage: FileDamage::OtherName {
                        what: "server",
                        found: server,
                    },
                    record: Record::Identities,
                });
            }
            Ok(None) => {}
            Err(_) => self.warn(Warning::StartedOver { path }),
        }
        self.write_identities(hold, &self.known());
        Ok(())
    }

    /// Writes the file, and returns whether it was written. A failure is a warning.
    fn write_identities(&self, _hold: &Hold, known: &Known) -> bool {
        let mut writer = Writer::new(WHAT, self.server());
        writer.optional("address", known.address.as_deref());
        for identity in &known.identities {
            writer.element("identity");
            writer.text("uuid", &identity.uuid);
            writer.time("since", identity.since);
        }
        let path = self.home.join(FILE);
        if let Err(failure) = files::replace(FileKind::Identities, &path, &writer.finish()) {
            let error = failure.to_string();
            self.warn(Warning::NotWritten { path, error });
            return false;
        }
        true
    }
}

/// Reads a file of identities.
fn read(path: &Path) -> Result<Option<Known>, StoreError> {
    let Some(bytes) = files::read(path, MAX_FILE_BYTES)? else {
        return Ok(None);
    };
    let parse = || {
        let file = checksummed::open_of_any_server(&bytes)?;
        let identity = |table: &toml::Table| {
            Ok(Identity {
                uuid: checksummed::text(table, "uuid")?.into(),
                since: checksummed::time(table, "since")?,
            })
        };
        let elements = checksummed::elements(&file, "identity")?;
        let identities = elements
            .into_iter()
            .map(identity)
            .collect::<Result<_, _>>()?;
        Ok(Known {
            server: checksummed::text(&file, "server")?.into(),
            address: checksummed::optional(&file, "address")?.map(String::from),
            identities,
        })
    };
    parse()
        .map(Some)
        .map_err(|damage| StoreError::DamagedRecord {
            path: path.into(),
            damage,
            record: Record::Identities,
        })
}
