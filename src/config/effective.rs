//! The effective settings, with their sources.

use std::fmt;

use super::flags::Assignment;
use super::peer_table::PeerTable;
use super::raw_settings::RawSettings;
use super::receiver_table::ReceiverTable;
use super::setting::{Group, Layers, Origin, Setting};
use super::settings_error::SettingsError;
use super::source::Source;
use super::table::TABLE;
use super::toml_text::one_line;

/// Every setting that has a value, with its source. Secrets are left out.
#[derive(Debug, Default)]
pub struct Effective(Vec<Entry>, Tables);

/// The tables `[[receiver]]` and `[[peer]]`, as TOML.
type Tables = Vec<String>;

struct Entry {
    setting: &'static Setting,
    /// The value as TOML.
    value: String,
    source: Source,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} = {} ({})",
            self.setting.flag, self.value, self.source
        )
    }
}

impl Effective {
    /// Reads a value into the raw settings. It replaces the value of a weaker layer.
    pub(super) fn take(
        &mut self,
        raw: &mut RawSettings,
        given: &Assignment,
    ) -> Result<(), SettingsError> {
        let Assignment {
            setting,
            texts,
            source,
        } = given;
        let set = setting.kind.set(raw, setting.flag, source, texts);
        let value = set.map_err(|wanted| SettingsError::BadValue {
            flag: setting.flag,
            source: source.clone(),
            value: setting.kind.shown(texts),
            wanted,
        })?;
        self.0
            .retain(|entry| entry.setting.slot_name() != setting.slot_name());
        self.0.push(Entry {
            setting: setting.current(),
            value,
            source: source.clone(),
        });
        Ok(())
    }

    /// Refuses settings that only immugw has. One value is allowed, because it is in the settings file that immudb
    /// ships and has no effect.
    pub(super) fn refuse_immugws(&self) -> Result<(), SettingsError> {
        let of_immugw = |entry: &&Entry| {
            entry.setting.origin == Origin::Immugw
                && !(entry.setting.flag == "audit-signature" && entry.value == "\"ignore\"")
        };
        match self.0.iter().find(of_immugw) {
            Some(Entry {
                setting, source, ..
            }) => Err(SettingsError::OfImmugw {
                flag: setting.flag,
                source: source.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Returns the source of a setting's value.
    pub(super) fn source(&self, flag: &str) -> Option<&Source> {
        let mut entries = self.0.iter();
        let entry = entries.find(|entry| entry.setting.flag == flag)?;
        Some(&entry.source)
    }

    /// Returns whether a flag, a variable or a file sets the server's label, address or port.
    pub fn names_a_server(&self) -> bool {
        self.0.iter().any(|entry| {
            let names = ["server-label", "immudb-address", "immudb-port"];
            names.contains(&entry.setting.flag) && entry.source != Source::Default
        })
    }

    /// Formats the settings as a settings file, each with its source. Settings that a file cannot have become comments.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for setting in TABLE.iter().filter(|setting| is_shown(setting)) {
            let entry = self
                .0
                .iter()
                .find(|entry| entry.setting.flag == setting.flag);
            let line = match entry {
                Some(Entry { value, source, .. }) => {
                    let comment = if setting.layers == Layers::All {
                        ""
                    } else {
                        "# "
                    };
                    format!(
                        "{comment}{} = {value} # {}\n",
                        setting.flag,
                        one_line(source)
                    )
                }
                None => format!("# {} is not set\n", setting.flag),
            };
            text.push_str(&line);
        }
        text.extend(self.1.iter().map(String::as_str));
        text
    }

    /// Adds the tables of the settings files.
    pub(super) fn take_tables(&mut self, receivers: &[ReceiverTable], peers: &[PeerTable]) {
        let receivers = receivers.iter().map(ReceiverTable::to_toml);
        self.1 = receivers
            .chain(peers.iter().map(PeerTable::to_toml))
            .collect();
    }
}

fn is_shown(setting: &Setting) -> bool {
    let of_a_command = matches!(setting.group, Group::Of(_));
    setting.layers != Layers::Flag
        && !of_a_command
        && !setting.origin.is_unused()
        && setting.renamed.is_none()
}
