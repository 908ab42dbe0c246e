//! From the words behind a verb to what is to be done.

use std::path::PathBuf;

use super::draft::Draft;
use super::help;
use super::problem::Problem;
use super::value;
use super::verb::{Another, Name, RootsTask};

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
pub(super) fn another(word: String) -> Result<Another, Problem> {
    if !word.contains("://") {
        return Ok(Another::File(PathBuf::from(word)));
    }
    let url = value::url(&word);
    url.map(Another::Url).map_err(|wanted| Problem::BadWord {
        verb: Name::Compare.word(),
        wanted,
    })
}
