//! Reads a task from the words after a command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::vec;

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

/// Returns the error that a command lacks a word or a flag.
pub(super) fn incomplete(
    name: CommandName,
    subcommand: &str,
    needs: &'static str,
) -> SettingsError {
    SettingsError::Incomplete {
        command: name.with_subcommand(&[subcommand.to_owned()]),
        needs,
        usage: help::usage_of(name, subcommand),
    }
}

/// Returns the subcommand, which the caller has checked, and the words after it.
pub(super) fn separated(words: Vec<String>) -> (String, vec::IntoIter<String>) {
    let mut words = words.into_iter();
    (words.next().unwrap_or_default(), words)
}

/// Returns the next word, which the subcommand needs.
pub(super) fn next(
    words: &mut vec::IntoIter<String>,
    name: CommandName,
    subcommand: &str,
    needs: &'static str,
) -> Result<String, SettingsError> {
    words
        .next()
        .ok_or_else(|| incomplete(name, subcommand, needs))
}

/// Checks that no word is left after those that the subcommand takes.
pub(super) fn end(
    mut words: vec::IntoIter<String>,
    name: CommandName,
    subcommand: &str,
) -> Result<(), SettingsError> {
    match words.next() {
        Some(word) => Err(SettingsError::UnexpectedWord {
            command: name.with_subcommand(&[subcommand.to_owned()]),
            word,
        }),
        None => Ok(()),
    }
}

/// Returns the error of the first flag that is given although only `command` takes it.
fn of_another(flags: &[(&'static str, bool, &'static str)]) -> Result<(), SettingsError> {
    let wrong = flags.iter().find(|(_, is_wrong, _)| *is_wrong);
    wrong.map_or(Ok(()), |&(flag, _, command)| {
        Err(SettingsError::FlagOfCommand {
            flag,
            commands: vec![command],
        })
    })
}

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
    let needs = "the name of a database";
    Ok(LocateTask {
        database: next(&mut words.into_iter(), CommandName::Locate, "", needs)?,
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
        _ => Err(SettingsError::BadValue {
            flag: "against",
            source: Source::Flag("against"),
            value: Some(text.to_owned()),
            wanted:
                "HOST[:PORT] with a port from 1 to 65535, or the mirror file of another auditor"
                    .to_owned(),
        }),
    }
}

/// Reads `alarm list [DATABASE] [--all] | show ID | close ID... | close --database DATABASE | adopt ID [--yes]`.
pub(super) fn alarm(raw: &RawSettings, words: Vec<String>) -> Result<AlarmTask, SettingsError> {
    let (name, id) = (CommandName::Alarm, "the ID of an alarm");
    let (subcommand, mut words) = separated(words);
    let of_database = Some(raw.close_database.clone()).filter(|database| !database.is_empty());
    let is = |word: &str| subcommand == word;
    of_another(&[
        ("all", raw.all_alarms && !is("list"), "alarm list"),
        (
            "database",
            of_database.is_some() && !is("close"),
            "alarm close",
        ),
        ("yes", raw.yes && !is("adopt"), "alarm adopt"),
    ])?;
    let task = match subcommand.as_str() {
        "show" => AlarmTask::Show {
            alarm: next(&mut words, name, "show", id)?,
        },
        "close" => {
            let ids: Vec<String> = words.by_ref().collect();
            AlarmTask::Close(match (of_database, ids.is_empty()) {
                (Some(database), true) => ClosedAlarms::OfDatabase(database),
                (None, false) => ClosedAlarms::Ids(ids),
                (Some(_), false) => {
                    return Err(SettingsError::BadWord {
                        command: "alarm close",
                        wanted: "the IDs of alarms or --database DATABASE, but not both".to_owned(),
                    });
                }
                (None, true) => {
                    let needs = "the ID of an alarm, or --database DATABASE";
                    return Err(incomplete(name, "close", needs));
                }
            })
        }
        "adopt" => AlarmTask::Adopt {
            alarm: next(&mut words, name, "adopt", id)?,
            consent: match raw.yes {
                true => AdoptConsent::Given,
                false => AdoptConsent::Ask,
            },
        },
        _ => AlarmTask::List {
            database: words.next(),
            which: match raw.all_alarms {
                true => ListedAlarms::All,
                false => ListedAlarms::Open,
            },
        },
    };
    end(words, name, &subcommand)?;
    Ok(task)
}

/// Reads `acknowledge DATABASE [--absent-values-to TX] [--unsigned] [--disagreement]`, with at least one flag.
pub(super) fn acknowledge(
    raw: &RawSettings,
    words: Vec<String>,
) -> Result<AcknowledgeTask, SettingsError> {
    let name = CommandName::Acknowledge;
    let absent_to = Some(raw.absent_to).filter(|tx| *tx > 0);
    let database = next(&mut words.into_iter(), name, "", "the name of a database")?;
    if absent_to.is_none() && !raw.unsigned && !raw.disagreement {
        let needs = "the facts to acknowledge: --absent-values-to TX, --unsigned or --disagreement";
        return Err(incomplete(name, "", needs));
    }
    Ok(AcknowledgeTask {
        database,
        absent_to,
        unsigned: raw.unsigned,
        disagreement: raw.disagreement,
    })
}

/// The longest name of a new key, in characters.
const MAX_KEY_NAME: usize = 200;

/// Reads `checkpoint export | show FILE | verify FILE --key KEY... [--require COUNT]`.
pub(super) fn checkpoint(
    raw: &RawSettings,
    words: Vec<String>,
) -> Result<CheckpointTask, SettingsError> {
    let (name, file) = (CommandName::Checkpoint, "a file of checkpoints");
    let (subcommand, mut words) = separated(words);
    let keys = raw.verifier_keys.clone();
    let verifies = subcommand == "verify";
    let (key, of) = (!keys.is_empty() && !verifies, "checkpoint verify");
    of_another(&[
        ("key", key, of),
        ("require", raw.required > 1 && !verifies, of),
    ])?;
    let task = match subcommand.as_str() {
        "show" => CheckpointTask::Show(next(&mut words, name, "show", file)?.into()),
        "verify" => {
            let file = next(&mut words, name, "verify", file)?.into();
            if keys.is_empty() {
                let needs = "the public key of an auditor: --key KEY";
                return Err(incomplete(name, "verify", needs));
            }
            CheckpointTask::Verify {
                file,
                required: raw.required.max(1),
                keys: keys.clone(),
            }
        }
        _ => CheckpointTask::Export,
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
    end(words, name, &subcommand)?;
    Ok(task)
}

/// Reads `key new --name NAME FILE | show FILE`.
pub(super) fn key(raw: &RawSettings, words: Vec<String>) -> Result<KeyTask, SettingsError> {
    let command = CommandName::Key;
    let (subcommand, mut words) = separated(words);
    let given = Some(raw.key_name.as_str()).filter(|name| !name.is_empty());
    let task = match subcommand.as_str() {
        "new" => {
            let needs = "the name of the key: --name NAME";
            let given = given.ok_or_else(|| incomplete(command, "new", needs))?;
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
            let file = next(&mut words, command, "new", "the new file of the key")?.into();
            KeyTask::New { name, file }
        }
        _ => {
            of_another(&[("name", given.is_some(), "key new")])?;
            KeyTask::Show(next(&mut words, command, "show", "the file of a key")?.into())
        }
    };
    end(words, command, &subcommand)?;
    Ok(task)
}

/// Reads `states list | export | import DIR-OR-FILE [--alarm] | forget DATABASE`.
pub(super) fn states(raw: &RawSettings, words: Vec<String>) -> Result<StatesTask, SettingsError> {
    let name = CommandName::States;
    let (subcommand, mut words) = separated(words);
    let imports = subcommand == "import";
    of_another(&[("alarm", raw.import_alarm && !imports, "states import")])?;
    let task = match subcommand.as_str() {
        "export" => StatesTask::Export,
        "import" => {
            let needs = "the state file or the directory of immuclient or immugw";
            StatesTask::Import {
                path: PathBuf::from(next(&mut words, name, "import", needs)?),
                alarm: raw.import_alarm,
            }
        }
        "forget" => StatesTask::Forget {
            database: next(&mut words, name, "forget", "the name of a database")?,
        },
        _ => StatesTask::List,
    };
    end(words, name, &subcommand)?;
    Ok(task)
}

/// Reads `compare FILE|URL`.
pub(super) fn another(raw: &RawSettings, word: String) -> Result<CompareSource, SettingsError> {
    let keys = raw.verifier_keys.clone();
    let is_url = word.contains("://");
    if !keys.is_empty() && is_url {
        return Err(SettingsError::BadWord {
            command: CommandName::Compare.word(),
            wanted: "a file of checkpoints with --peer-key; a URL needs no --peer-key, and --audit-peer URL=KEY compares signed states of a running auditor".to_owned(),
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
