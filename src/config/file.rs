//! Settings from TOML files, whose keys are the names of the flags.

use std::path::{Path, PathBuf};

use toml::de::{DeArray, DeTable, DeValue};

use super::compat_mode::CompatMode;
use super::content::trusted_content;
use super::flags::Assignment;
use super::kind::Kind;
use super::nearest::nearest;
use super::peer_table::{self, PeerTable};
use super::process::Process;
use super::receiver_table::{self, ReceiverTable};
use super::setting::{Layers, Setting};
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::source::Source;
use super::sourced::SourcedPath;
use super::table::{self, TABLE, UNUSED_KEYS};
use super::toml_text::kind_of;
use crate::sys;

/// The settings file of immuaudit, which overrides that of the compatibility mode.
pub(super) const OURS: &str = "immuaudit.toml";

/// The contents of the settings files.
#[derive(Default)]
pub(super) struct Files {
    pub given: Vec<Assignment>,
    pub receivers: Vec<ReceiverTable>,
    pub peers: Vec<PeerTable>,
    pub warnings: Vec<SettingsWarning>,
    pub problems: Vec<SettingsError>,
}

/// Reads the file that `--config` names. Without it, reads the file of the compatibility mode and then
/// immuaudit.toml: the first of each in `./configs`, the working directory, `$HOME` and `/etc/immudb`.
pub(super) fn read(
    process: &Process,
    compat_mode: CompatMode,
    config: Option<SourcedPath>,
) -> Files {
    let mut files = Files::default();
    if let Some(config) = config {
        match trusted_content(&process.directory.join(&config.path)) {
            Ok(Some(text)) => files.parse(&config.path, &text),
            Ok(None) => files.problems.push(config.problem("there is no such file")),
            Err(fault) => files.problems.push(config.problem(&fault)),
        }
        return files;
    }
    for name in [compat_mode.file_name(), OURS] {
        for directory in directories(process) {
            let path = directory.join(name);
            match trusted_content(&path) {
                Ok(None) => continue,
                Ok(Some(text)) => files.parse(&path, &text),
                Err(fault) => files
                    .problems
                    .push(SettingsError::UnreadableSettings { path, fault }),
            }
            break;
        }
    }
    files
}

fn directories(process: &Process) -> Vec<PathBuf> {
    let working = &process.directory;
    let home = process.variable(sys::HOME).map(PathBuf::from);
    let mut directories = vec![working.join("configs"), working.clone()];
    directories.extend(home);
    directories.push(process.system_directory.clone());
    directories
}

impl Files {
    fn parse(&mut self, path: &Path, text: &str) {
        let source_of = |at: usize| Source::File {
            path: path.to_owned(),
            line: 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count(),
        };
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                // the error's Display would quote the line, which may contain a password
                let source = source_of(error.span().map_or(0, |span| span.start));
                let fault = error.message().to_owned();
                return self.problems.push(SettingsError::BadToml { source, fault });
            }
        };
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start); // in the order of the file
        for (key, value) in entries {
            let source = source_of(key.span().start);
            // immuclient accepts keys in any case
            let name = key.get_ref().to_ascii_lowercase();
            let (value_ref, at) = (value.get_ref(), key.span().start);
            match name.as_str() {
                receiver_table::TABLE => {
                    let wanted = "[[receiver]] with two brackets, and its keys in the lines below";
                    let tables =
                        self.tables(receiver_table::TABLE, wanted, value_ref, at, &source_of);
                    for (table, at) in tables {
                        match receiver_table::read(table, at, &source_of) {
                            Ok(table) => self.receivers.push(table),
                            Err(problems) => self.problems.extend(problems),
                        }
                    }
                    continue;
                }
                peer_table::TABLE => {
                    let wanted = "[[peer]] with two brackets, and its keys in the lines below";
                    let tables = self.tables(peer_table::TABLE, wanted, value_ref, at, &source_of);
                    for (table, at) in tables {
                        match peer_table::read(table, at, &source_of) {
                            Ok(table) => self.peers.push(table),
                            Err(problems) => self.problems.extend(problems),
                        }
                    }
                    continue;
                }
                _ => {}
            }
            match keys().find(|setting| setting.flag == name) {
                Some(setting) => match texts(setting, value.get_ref()) {
                    Ok(texts) => self.given.push(Assignment {
                        setting,
                        texts,
                        source,
                    }),
                    Err(wanted) => self.problems.push(SettingsError::BadType {
                        flag: setting.flag,
                        source,
                        found: kind_of(value.get_ref()),
                        wanted,
                    }),
                },
                None if UNUSED_KEYS.contains(&name.as_str()) => {
                    self.warnings
                        .push(SettingsWarning::UnusedKey { key: name, source });
                }
                None => self.problems.push(match table::find_by_former_name(&name) {
                    Some(setting) => SettingsError::FormerSetting {
                        given: format!("{source}: {name}"),
                        now: setting.flag.to_owned(),
                    },
                    None => SettingsError::UnknownKey {
                        nearest: nearest(&name, keys().map(|setting| setting.flag)),
                        key: key.into_inner().into_owned(),
                        source,
                    },
                }),
            }
        }
    }
}

impl Files {
    /// Returns the tables of this name, each with its position in bytes.
    fn tables<'a>(
        &mut self,
        flag: &'static str,
        wanted: &'static str,
        value: &'a DeValue,
        at: usize,
        source: &impl Fn(usize) -> Source,
    ) -> Vec<(&'a DeTable<'a>, usize)> {
        let tables = value.as_array().map(|items| {
            let tables = items.iter().map(|item| match item.get_ref() {
                DeValue::Table(table) => Some((table, item.span().start)),
                _ => None,
            });
            tables.collect::<Option<Vec<_>>>()
        });
        let Some(tables) = tables.flatten() else {
            self.problems.push(SettingsError::BadType {
                flag,
                source: source(at),
                found: kind_of(value),
                wanted,
            });
            return Vec::new();
        };
        tables
    }
}

fn keys() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().filter(|setting| setting.layers == Layers::All)
}

/// Converts a TOML value to the texts that a flag would have. If the setting cannot have the value's type, the error
/// describes the expected type.
fn texts(setting: &Setting, value: &DeValue) -> Result<Vec<String>, &'static str> {
    let wanted = match setting.kind {
        Kind::Switch(_) | Kind::UnusedSwitch => "true or false",
        Kind::Count(..) | Kind::Bytes(..) => "a whole number",
        Kind::List(_) | Kind::Pins(_) | Kind::Urls(_) | Kind::Peers(_) | Kind::VerifierKeys(_) => {
            "an array of strings in quotes"
        }
        _ => "a string in quotes",
    };
    let one = |text: &str| Ok(vec![text.to_owned()]);
    match (&setting.kind, value) {
        (_, DeValue::String(text)) => one(text),
        (Kind::Switch(_) | Kind::UnusedSwitch, DeValue::Boolean(on)) => one(&on.to_string()),
        (Kind::Count(..) | Kind::Bytes(..) | Kind::Duration(..), DeValue::Integer(number))
            if number.radix() == 10 =>
        {
            one(number.as_str())
        }
        (
            Kind::List(_) | Kind::Pins(_) | Kind::Urls(_) | Kind::Peers(_) | Kind::VerifierKeys(_),
            DeValue::Array(items),
        ) => strings(items).ok_or(wanted),
        _ => Err(wanted),
    }
}

fn strings(items: &DeArray) -> Option<Vec<String>> {
    let texts = items
        .iter()
        .map(|item| item.get_ref().as_str().map(str::to_owned));
    texts.collect()
}
