//! From the words behind a verb to what is to be done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::help;
use super::problem::Problem;
use super::receivers;
use super::source::Source;
use super::task::{
    AcknowledgeTask, AdoptConsent, Against, AlarmTask, Another, CheckpointTask, ClosedAlarms,
    KeyTask, ListedAlarms, LocateTask, RootsTask, ShownValues,
};
use super::url::Url;
use super::verb::Name;
use crate::checkpoint::KeyName;

/// `DATABASE [--against HOST[:PORT]|FILE] [--show-values]`
pub(super) fn locate(draft: &Draft, words: Vec<String>) -> Result<LocateTask, Problem> {
    let against = Some(draft.against.as_str()).filter(|other| !other.is_empty());
    let against = against.map(against_what).transpose()?;
    if draft.show_values && !matches!(against, Some(Against::Server { .. })) {
        return Err(Problem::FlagNeeds {
            flag: "show-values",
            needs: "against HOST",
        });
    }
    let usage = || help::usage(Name::Locate);
    let database = words.into_iter().next();
    Ok(LocateTask {
        database: database.ok_or_else(|| Problem::Incomplete { usage: usage() })?,
        against,
        values: match draft.show_values {
            true => ShownValues::Yes,
            false => ShownValues::No,
        },
    })
}

/// A file, where there is one or the text can be nothing else; else a server.
fn against_what(text: &str) -> Result<Against, Problem> {
    let file = Path::new(text);
    if file.is_file() || text.contains('/') {
        return Ok(Against::Mirror(file.into()));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (address, port) = match bare {
        Some((address, rest)) => (
            address,
            rest.strip_prefix(':')
                .or((!rest.is_empty()).then_some(rest)),
        ),
        None if text.matches(':').count() > 1 => (text, None), // an IPv6 address alone
        None => text
            .split_once(':')
            .map_or((text, None), |(address, port)| (address, Some(port))),
    };
    let port: Option<Result<u16, _>> = port.map(str::parse);
    match port.transpose() {
        Ok(port) if !address.is_empty() && port != Some(0) => Ok(Against::Server {
            address: address.into(),
            port,
        }),
        _ => Err(Problem::Incomplete {
            usage: help::usage(Name::Locate),
        }),
    }
}

/// `list [DATABASE] [--all] | show ID | close ID... | close --database DATABASE | adopt ID [--yes]`
pub(super) fn alarm(draft: &Draft, words: Vec<String>) -> Result<AlarmTask, Problem> {
    let mut words = words.into_iter();
    let (subcommand, word) = (words.next(), words.next());
    let more: Vec<String> = words.collect();
    let of_database = Some(draft.close_database.clone()).filter(|database| !database.is_empty());
    let closes = subcommand.as_deref() == Some("close");
    if let Some(word) = more.first().filter(|_| !closes) {
        return Err(Problem::UnexpectedWord {
            verb: Name::Alarm.word(),
            word: word.clone(),
        });
    }
    let task = match (subcommand.as_deref(), word, of_database.clone()) {
        (Some("list"), database, _) => AlarmTask::List {
            database,
            which: match draft.all_alarms {
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
            consent: match draft.yes {
                true => AdoptConsent::Given,
                false => AdoptConsent::Ask,
            },
        },
        _ => {
            let usage = help::usage(Name::Alarm);
            return Err(Problem::Incomplete { usage });
        }
    };
    let (lists, adopts) = (
        matches!(task, AlarmTask::List { .. }),
        matches!(task, AlarmTask::Adopt { .. }),
    );
    for (flag, given, verb) in [
        ("all", draft.all_alarms && !lists, "alarm list"),
        ("database", of_database.is_some() && !closes, "alarm close"),
        ("yes", draft.yes && !adopts, "alarm adopt"),
    ] {
        if given {
            return Err(Problem::FlagOfVerb { flag, verb });
        }
    }
    Ok(task)
}

/// `DATABASE [--absent-values-to TX] [--unsigned]`, at least one of the two.
pub(super) fn acknowledge(draft: &Draft, words: Vec<String>) -> Result<AcknowledgeTask, Problem> {
    let absent_to = Some(draft.absent_to).filter(|tx| *tx > 0);
    match words.into_iter().next() {
        Some(database) if absent_to.is_some() || draft.unsigned || draft.disagreement => {
            Ok(AcknowledgeTask {
                database,
                absent_to,
                unsigned: draft.unsigned,
                disagreement: draft.disagreement,
            })
        }
        _ => Err(Problem::Incomplete {
            usage: help::usage(Name::Acknowledge),
        }),
    }
}

/// Longest name of a new key, in characters.
const MAX_KEY_NAME: usize = 200;

/// `export | show FILE | verify FILE --key KEY... [--require COUNT]`
pub(super) fn checkpoint(draft: &Draft, words: Vec<String>) -> Result<CheckpointTask, Problem> {
    let mut words = words.into_iter();
    let keys = draft.verifier_keys.clone();
    let task = match (words.next().as_deref(), words.next()) {
        (Some("export"), None) => CheckpointTask::Export,
        (Some("show"), Some(file)) => CheckpointTask::Show(file.into()),
        (Some("verify"), Some(file)) if !keys.is_empty() => CheckpointTask::Verify {
            file: file.into(),
            required: draft.required.max(1),
            keys: keys.clone(),
        },
        _ => {
            let usage = help::usage(Name::Checkpoint);
            return Err(Problem::Incomplete { usage });
        }
    };
    let points: BTreeSet<[u8; 32]> = keys.iter().map(|key| key.point).collect();
    if points.len() < keys.len() {
        return Err(Problem::BadValue {
            flag: "key",
            source: Source::Flag("key"),
            value: None,
            wanted: "each key once: two of them are the same, under one name or two".to_owned(),
        });
    }
    if !keys.is_empty() && !matches!(task, CheckpointTask::Verify { .. }) {
        let (flag, verb) = ("key", "checkpoint verify");
        return Err(Problem::FlagOfVerb { flag, verb });
    }
    Ok(task)
}

/// `new --name NAME FILE | show FILE`
pub(super) fn key(draft: &Draft, words: Vec<String>) -> Result<KeyTask, Problem> {
    let mut words = words.into_iter();
    let given = Some(draft.key_name.as_str()).filter(|name| !name.is_empty());
    match (words.next().as_deref(), words.next(), given) {
        (Some("new"), Some(file), Some(given)) => {
            // keys are listed with commas between them, and people read their names
            let is_plain = |name: &&str| {
                let is_plain = |c: char| matches!(c, '!'..='~') && c != ',';
                name.len() <= MAX_KEY_NAME && name.chars().all(is_plain)
            };
            let name = Some(given).filter(is_plain).and_then(KeyName::new);
            let name = name.ok_or_else(|| Problem::BadValue {
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
            let (flag, verb) = ("name", "key new");
            Err(Problem::FlagOfVerb { flag, verb })
        }
        _ => Err(Problem::Incomplete {
            usage: help::usage(Name::Key),
        }),
    }
}

/// `list | export | import DIR-OR-FILE [--alarm] | forget DATABASE`
pub(super) fn roots(draft: &Draft, words: Vec<String>) -> Result<RootsTask, Problem> {
    let mut words = words.into_iter();
    let (what, of) = (words.next(), words.next());
    let task = match (what.as_deref(), of) {
        (Some("list"), None) => RootsTask::List,
        (Some("export"), None) => RootsTask::Export,
        (Some("import"), Some(path)) => RootsTask::Import {
            path: PathBuf::from(path),
            alarm: draft.import_alarm,
        },
        (Some("forget"), Some(database)) => RootsTask::Forget { database },
        _ => {
            let usage = help::usage(Name::Roots);
            return Err(Problem::Incomplete { usage });
        }
    };
    if draft.import_alarm && !matches!(task, RootsTask::Import { .. }) {
        return Err(Problem::FlagOfVerb {
            flag: "alarm",
            verb: "roots import",
        });
    }
    Ok(task)
}

/// `FILE|URL`
pub(super) fn another(draft: &Draft, word: String) -> Result<Another, Problem> {
    let keys = draft.verifier_keys.clone();
    let is_url = word.contains("://");
    if !keys.is_empty() && is_url {
        return Err(Problem::FlagNeeds {
            flag: "peer-key",
            needs: "a FILE: a running auditor is a peer (--audit-peer)",
        });
    }
    let names: BTreeSet<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    if names.len() > 1 {
        return Err(Problem::BadWord {
            verb: Name::Compare.word(),
            wanted: "--peer-key of one auditor: keys of one name".to_owned(),
        });
    }
    if !is_url {
        let file = PathBuf::from(word);
        return Ok(match keys.is_empty() {
            true => Another::File(file),
            false => Another::Checkpoints(file, keys),
        });
    }
    let url = Url::read(&word);
    let url = url.map_err(|wanted| Problem::BadWord {
        verb: Name::Compare.word(),
        wanted,
    })?;
    let roots = receivers::roots(draft.other_ca.as_ref())?;
    Ok(Another::Url { url, roots })
}
