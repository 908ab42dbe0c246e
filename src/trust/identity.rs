//! `identities`: every `immudb-uuid` seen under this server's name, so that a first sight of a server that is known
//! under another name can be told.
//!
//! Nothing that is trusted rests on it: a damaged one is a warning.

use std::path::Path;

use super::damage::{Damage, Record};
use super::failure::LocalFailure;
use super::fault::Kind;
use super::files;
use super::sealed::{self, Writer};
use super::store::{Hold, Store};
use super::trusted::kept_identity;
use super::warning::Warning;
use crate::clock::Timestamp;

const WHAT: &str = "immuaudit: the identities that this server has shown.";
const FILE: &str = "identities";
/// Longest file that is read.
const MOST: u64 = 1 << 20;
/// So many are kept, the last ones: a server may show another with every answer.
const KEPT: usize = 100;

/// An identity that is known under another server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownElsewhere {
    /// That server's configured name.
    pub server: String,
    /// When it was first seen there.
    pub since: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    uuid: String,
    since: Timestamp,
}

impl Store {
    /// Other servers of the same directory that have shown this identity.
    ///
    /// # Errors
    /// The system refuses to list the directory.
    pub fn known_elsewhere(&self, uuid: &str) -> Result<Vec<KnownElsewhere>, LocalFailure> {
        let uuid = kept_identity(Some(uuid)).unwrap_or_default();
        let mut known = Vec::new();
        for name in files::list(&self.location.dir)? {
            let path = self.location.dir.join(name).join(FILE);
            // another server's damaged file is for that one's auditor to tell
            let Ok(Some((server, identities))) = read(&path) else {
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

    /// Records that the server shows this identity. That can wait, so a failure is a warning.
    pub(super) fn record_identity(&self, hold: &Hold, uuid: Option<&str>, now: Timestamp) {
        let Some(uuid) = uuid.map(String::from) else {
            return;
        };
        let mut identities = match read(&self.home.join(FILE)) {
            Ok(Some((server, identities))) if server == self.server() => identities,
            _ => Vec::new(),
        };
        if identities.iter().any(|identity| identity.uuid == uuid) {
            return;
        }
        identities.push(Identity { uuid, since: now });
        let surplus = identities.len().saturating_sub(KEPT);
        drop(identities.drain(..surplus));
        self.write_identities(hold, &identities);
    }

    /// Makes the file that tells the directory's true name, where there is none.
    pub(super) fn register(&self, hold: &Hold) -> Result<(), LocalFailure> {
        let path = self.home.join(FILE);
        match read(&path) {
            Ok(Some((server, _))) if server == self.server() => return Ok(()),
            Ok(Some((server, _))) => {
                return Err(LocalFailure::DamagedRecord {
                    path,
                    damage: Damage::OtherName {
                        what: "server",
                        found: server,
                    },
                    record: Record::Identities,
                });
            }
            Ok(None) => {}
            Err(_) => self.warn(Warning::BegunAnew { path }),
        }
        self.write_identities(hold, &[]);
        Ok(())
    }

    fn write_identities(&self, _hold: &Hold, identities: &[Identity]) {
        let mut writer = Writer::new(WHAT, self.server());
        for identity in identities {
            writer.element("identity");
            writer.text("uuid", &identity.uuid);
            writer.time("since", identity.since);
        }
        let path = self.home.join(FILE);
        if let Err(failure) = files::replace(Kind::Identities, &path, &writer.seal()) {
            let error = failure.to_string();
            self.warn(Warning::NotWritten { path, error });
        }
    }
}

/// The server's name in a file of identities, and the identities.
fn read(path: &Path) -> Result<Option<(String, Vec<Identity>)>, LocalFailure> {
    let Some(bytes) = files::read(path, MOST)? else {
        return Ok(None);
    };
    let parse = || {
        let file = sealed::open_of_any_server(&bytes)?;
        let identity = |table: &toml::Table| {
            Ok(Identity {
                uuid: sealed::text(table, "uuid")?.into(),
                since: sealed::time(table, "since")?,
            })
        };
        let elements = sealed::elements(&file, "identity")?;
        let identities = elements
            .into_iter()
            .map(identity)
            .collect::<Result<_, _>>()?;
        Ok((sealed::text(&file, "server")?.into(), identities))
    };
    parse()
        .map(Some)
        .map_err(|damage| LocalFailure::DamagedRecord {
            path: path.into(),
            damage,
            record: Record::Identities,
        })
}
