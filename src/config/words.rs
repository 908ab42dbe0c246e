//! Reads a task from the words after a command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::command::CommandName;
use super::help;
use super::raw_settings::RawSettings;
use super::receivers;
use super::settings_error::SettingsError;
use super::source::Source;
use super::task::{
    AcknowledgeTask, AdoptConsent, AlarmTask, CheckpointTask, ClosedAlarms, CompareSource,
    CompareTarget, KeyTask, ListedAlarms, LocateTask, ShownValues, StatesTask,
};
use super::url::Url;
use crate::checkpoint::KeyName;

/// Reads `locate DATABASE [--against HOST[:PORT]|FILE] [--show-values]`.
pub(super) fn locate(raw: &RawSettings, words: Vec<String>) -> Result<LocateTask, SettingsError> {
    let against = Some(raw.against.as_str()).filter(|other| !other.is_empty());
    let against = against.map(against_what).transpose()?;
    if raw.show_values && !matches!(against, Some(CompareTarget::Server { .. })) {
        return Err(SettingsError::FlagNeeds {
            flag: "show-values",
            needs: "against HOST",
        });
    }
    let usage = || help::usage(CommandName::Locate);
    let database = words.into_iter().next();
    Ok(LocateTask {
        database: database.ok_or_else(|| SettingsError::Incomplete { usage: usage() })?,
        against,
        values: match raw.show_values {
            true => ShownValues::Yes,
            false => ShownValues::No,
        },
    })
}

/// Returns a file if it exists or if the text cannot be a server, else a server.
fn against_what(text: &str) -> Result<CompareTarget, SettingsError> {
    let file = Path::new(text);
    if file.is_file() || text.contains(std::path::is_separator) {
        return Ok(CompareTarget::Mirror(file.into()));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (address, port) = match bare {
        Some((address, rest)) => (
            address,
            rest.strip_prefix(':')
                .or((!rest.is_empty()).then_some(rest)),
        ),
        None if text.matches(':').count() > 1 => (text, None), // an IPv6 address without a port
        None => text
            .split_once(':')
            .map_or((text, None), |(address, port)| (address, Some(port))),
    };
    let port: Option<Result<u16, _>> = port.map(str::parse);
    match port.transpose() {
        Ok(port) if !address.is_empty() && port != Some(0) => Ok(CompareTarget::Server {
            address: address.into(),
            port,
        }),
        _ => Err(SettingsError::Incomplete {
            usage: help::usage(CommandName::Locate),
        }),
    }
}

/// Reads `alarm list [DATABASE] [--all] | show ID | close ID... | close --database DATABASE | adopt ID [--yes]`.
pub(super) fn alarm(raw: &RawSettings, words: Vec<String>) -> Result<AlarmTask, SettingsError> {
    let mut words = words.into_iter();
    let (subcommand, word) = (words.next(), words.next());
    let more: Vec<String> = words.collect();
    let of_database = Some(raw.close_database.clone()).filter(|database| !database.is_empty());
    let closes = subcommand.as_deref() == Some("close");
    if let Some(word) = more.first().filter(|_| !closes) {
        return Err(SettingsError::UnexpectedWord {
            command: CommandName::Alarm.word(),
            word: word.clone(),
        });
    }
    let task = match (subcommand.as_deref(), word, of_database.clone()) {
        (Some("list"), database, _) => AlarmTask::List {
            database,
            which: match raw.all_alarms {
                true => ListedAlarms::All,
                false => ListedAlarms::Open,
            },
        },
        (Some("show"), Some(alarm), _) => AlarmTask::Show { alarm },
        (Some("close"), Some(alarm), None) => {
            let ids = std::iter::once(alarm).chain(more).collect();
            AlarmTask::Close(ClosedAlarms::Ids(ids))
        }
        (Some("close"), None, Some(database)) => {
            AlarmTask::Close(ClosedAlarms::OfDatabase(database))
        }
        (Some("adopt"), Some(alarm), _) => AlarmTask::Adopt {
            alarm,
            consent: match raw.yes {
                true => AdoptConsent::Given,
                false => AdoptConsent::Ask,
            },
        },
        _ => {
            let usage = help::usage(CommandName::Alarm);
            return Err(SettingsError::Incomplete { usage });
        }
    };
    let (lists, adopts) = (
        matches!(task, AlarmTask::List { .. }),
        matches!(task, AlarmTask::Adopt { .. }),
    );
    for (flag, given, command) in [
        ("all", raw.all_alarms && !lists, "alarm list"),
        ("database", of_database.is_some() && !closes, "alarm close"),
        ("yes", raw.yes && !adopts, "alarm adopt"),
    ] {
        if given {
            return Err(SettingsError::FlagOfCommand { flag, command });
        }
    }
    Ok(task)
}

/// Reads `acknowledge DATABASE [--absent-values-to TX] [--unsigned] [--disagreement]`, with at least one flag.
pub(super) fn acknowledge(
    raw: &RawSettings,
    words: Vec<String>,
) -> Result<AcknowledgeTask, SettingsError> {
    let absent_to = Some(raw.absent_to).filter(|tx| *tx > 0);
    match words.into_iter().next() {
        Some(database) if absent_to.is_some() || raw.unsigned || raw.disagreement => {
            Ok(AcknowledgeTask {
                database,
                absent_to,
                unsigned: raw.unsigned,
                disagreement: raw.disagreement,
            })
        }
        _ => Err(SettingsError::Incomplete {
            usage: help::usage(CommandName::Acknowledge),
        }),
    }
}

/// The longest name of a new key, in characters.
const MAX_KEY_NAME: usize = 200;

/// Reads `checkpoint export | show FILE | verify FILE --key KEY... [--require COUNT]`.
pub(super) fn checkpoint(
    raw: &RawSettings,
    words: Vec<String>,
) -> Result<CheckpointTask, SettingsError> {
    let mut words = words.into_iter();
    let keys = raw.verifier_keys.clone();
    let task = match (words.next().as_deref(), words.next()) {
        (Some("export"), None) => CheckpointTask::Export,
        (Some("show"), Some(file)) => CheckpointTask::Show(file.into()),
        (Some("verify"), Some(file)) if !keys.is_empty() => CheckpointTask::Verify {
            file: file.into(),
            required: raw.required.max(1),
            keys: keys.clone(),
        },
        _ => {
            let usage = help::usage(CommandName::Checkpoint);
            return Err(SettingsError::Incomplete { usage });
        }
    };
    let points: BTreeSet<[u8; 32]> = keys.iter().map(|key| key.point).collect();
    if points.len() < keys.len() {
        return Err(SettingsError::BadValue {
            flag: "key",
            source: Source::Flag("key"),
            value: None,
            wanted: "different keys: two of them are equal, perhaps with different names"
                .to_owned(),
        });
    }
    if !keys.is_empty() && !matches!(task, CheckpointTask::Verify { .. }) {
        let (flag, command) = ("key", "checkpoint verify");
        return Err(SettingsError::FlagOfCommand { flag, command });
    }
    Ok(task)
}

/// Reads `key new --name NAME FILE | show FILE`.
pub(super) fn key(raw: &RawSettings, words: Vec<String>) -> Result<KeyTask, SettingsError> {
    let mut words = words.into_iter();
    let given = Some(raw.key_name.as_str()).filter(|name| !name.is_empty());
    match (words.next().as_deref(), words.next(), given) {
        (Some("new"), Some(file), Some(given)) => {
            // key names are printed with commas between them, and people read them
            let is_plain = |name: &&str| {
                let is_plain = |c: char| matches!(c, '!'..='~') && c != ',';
                name.len() <= MAX_KEY_NAME && name.chars().all(is_plain)
            };
            let name = Some(given).filter(is_plain).and_then(KeyName::new);
            let name = name.ok_or_else(|| SettingsError::BadValue {
                flag: "name",
                source: Source::Flag("name"),
                value: Some(given.to_owned()),
                wanted: "a short name without blanks, commas and +, such as zone-a.example.com"
                    .to_owned(),
            })?;
            let file = file.into();
            Ok(KeyTask::New { name, file })
        }
        (Some("show"), Some(file), None) => Ok(KeyTask::Show(file.into())),
        (Some("show"), Some(_), Some(_)) => {
            let (flag, command) = ("name", "key new");
            Err(SettingsError::FlagOfCommand { flag, command })
        }
        _ => Err(SettingsError::Incomplete {
            usage: help::usage(CommandName::Key),
        }),
    }
}

/// Reads `states list | export | import DIR-OR-FILE [--alarm] | forget DATABASE`.
pub(super) fn states(raw: &RawSettings, words: Vec<String>) -> Result<StatesTask, SettingsError> {
    let mut words = words.into_iter();
    let (what, of) = (words.next(), words.next());
    let task = match (what.as_deref(), of) {
        (Some("list"), None) => StatesTask::List,
        (Some("export"), None) => StatesTask::Export,
        (Some("import"), Some(path)) => StatesTask::Import {
            path: PathBuf::from(path),
            alarm: raw.import_alarm,
        },
        (Some("forget"), Some(database)) => StatesTask::Forget { database },
        _ => {
            let usage = help::usage(CommandName::States);
            return Err(SettingsError::Incomplete { usage });
        }
    };
    if raw.import_alarm && !matches!(task, StatesTask::Import { .. }) {
        return Err(SettingsError::FlagOfCommand {
            flag: "alarm",
            command: "states import",
        });
    }
    Ok(task)
}

/// Reads `compare FILE|URL`.
pub(super) fn another(raw: &RawSettings, word: String) -> Result<CompareSource, SettingsError> {
    let keys = raw.verifier_keys.clone();
    let is_url = word.contains("://");
    if !keys.is_empty() && is_url {
        return Err(SettingsError::FlagNeeds {
            flag: "peer-key",
            needs: "a FILE, because a running auditor is compared by --audit-peer",
        });
    }
    let names: BTreeSet<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    if names.len() > 1 {
        return Err(SettingsError::BadWord {
            command: CommandName::Compare.word(),
            wanted: "--peer-key of one auditor, so keys with the same name".to_owned(),
        });
    }
    if !is_url {
        let file = PathBuf::from(word);
        return Ok(match keys.is_empty() {
            true => CompareSource::File(file),
            false => CompareSource::Checkpoints(file, keys),
        });
    }
    let url = Url::read(&word);
    let url = url.map_err(|wanted| SettingsError::BadWord {
        command: CommandName::Compare.word(),
        wanted,
    })?;
    let roots = receivers::roots(raw.other_ca.as_ref())?;
    Ok(CompareSource::Url { url, roots })
}
