//! From what the process was given to what it is to do.

use super::completions;
use super::draft::Draft;
use super::effective::{Effective, one_line};
use super::flags::{self, Given};
use super::gather::{Gathered, gather};
use super::help;
use super::instances;
use super::man;
use super::nearest::nearest;
use super::peers;
use super::persona::Persona;
use super::problem::{Problem, Wrong};
use super::process::Process;
use super::remark::Remark;
use super::resolve::{port, resolve, unless_off};
use super::service;
use super::settings::Settings;
use super::task::{AllInstances, CheckpointTask, Drill, EvidenceTask, Task};
use super::verb::{self, Name, VERBS};
use super::version;
use super::words;
use crate::sys::words::INSTEAD_OF_MAN;

/// What the process is to do.
#[derive(Debug)]
pub enum Invocation {
    /// Write this text to stdout and end well.
    Tell(String),
    /// Work.
    Run(Box<Run>),
}

/// Work to do, and how.
#[derive(Debug)]
pub struct Run {
    /// What.
    pub task: Task,
    /// How.
    pub settings: Settings,
    /// What is to be said about the settings before, each at its level.
    pub remarks: Vec<Remark>,
    /// Every setting's value and origin.
    pub effective: Effective,
}

/// What the process is to do, from its flags, environment and files.
///
/// # Errors
/// Everything that is wrong; nothing may be started then, and the exit code is
/// [`EXIT_CODE`](super::EXIT_CODE).
pub fn load(process: &Process) -> Result<Invocation, Wrong> {
    let line = flags::read(&process.arguments, process.persona()?);
    if !line.problems.is_empty() {
        return Err(Wrong(line.problems)); // words beside them may be values of a mistyped flag
    }
    let draft = apply(&line.given)?;
    let mut words = line.words.into_iter();
    let name = match words.next() {
        None => Name::AuditMode,
        Some(word) => find(&word)?,
    };
    let words: Vec<String> = words.collect();
    if draft.help || name == Name::Help {
        let about = match words.first() {
            Some(word) if name == Name::Help => Some(find(word)?),
            _ => Some(name).filter(|name| !matches!(name, Name::Help | Name::AuditMode)),
        };
        return Ok(Invocation::Tell(help::text(about, draft.all)));
    }
    if draft.version || name == Name::Version {
        return Ok(Invocation::Tell(version::line()));
    }
    fits(name, &words, &line.given)?;
    let run = |task| layers(process, &line.given, task);
    if let (Name::AuditMode, Some(word)) = (name, words.first()) {
        let run = service::load(process, &draft, &line.given, word)?;
        return Ok(Invocation::Run(Box::new(run)));
    }
    if let Some(flag) = draft.service_flag() {
        let needs = "install or uninstall";
        return Err(Problem::FlagNeedsWord { flag, needs }.into());
    }
    let task = match name {
        Name::Config if draft.check => Task::Check,
        Name::Config => {
            let run = run(Task::Audit)?;
            return Ok(Invocation::Tell(config(&run)));
        }
        Name::Sweep => Task::Sweep { databases: words },
        Name::Status if draft.all_instances => all_instances(process, &draft)?,
        Name::Status => Task::Status,
        Name::Health => Task::Health,
        Name::Locate => Task::Locate(words::locate(&draft, words)?),
        Name::Alarm => Task::Alarm(words::alarm(&draft, words)?),
        Name::Acknowledge => Task::Acknowledge(words::acknowledge(&draft, words)?),
        Name::Evidence => evidence(words)?,
        Name::Checkpoint => Task::Checkpoint(words::checkpoint(&draft, words)?),
        Name::Key => Task::Key(words::key(&draft, words)?),
        Name::Roots => Task::Roots(words::roots(&draft, words)?),
        Name::Compare if words.len() == 1 => Task::Compare(words::another(&draft, words.concat())?),
        Name::Compare => {
            let usage = help::usage(name);
            return Err(Problem::Incomplete { usage }.into());
        }
        Name::Drill => Task::Drill(drill(&draft)?),
        Name::Notify if draft.test => Task::NotifyTest,
        Name::Notify => {
            let usage = help::usage(Name::Notify);
            return Err(Problem::Incomplete { usage }.into());
        }
        Name::Man if INSTEAD_OF_MAN.is_some() => {
            let verb = Name::Man.word();
            let instead = INSTEAD_OF_MAN.unwrap_or_default();
            return Err(Problem::NotHere { verb, instead }.into());
        }
        Name::Man => return Ok(Invocation::Tell(man::page())),
        Name::Completions => return completions(&words),
        Name::AuditMode | Name::Help | Name::Version => Task::Audit,
    };
    Ok(Invocation::Run(Box::new(run(task)?)))
}

fn find(word: &str) -> Result<Name, Problem> {
    let verb = verb::find(word).map(|verb| verb.name);
    verb.ok_or_else(|| match verb::former(word) {
        Some((verb, now)) => Problem::FormerVerb { verb, now },
        None => Problem::UnknownVerb {
            verb: word.to_owned(),
            nearest: nearest(word, VERBS.iter().map(|verb| verb.word)),
        },
    })
}

/// A draft of these alone.
fn apply(given: &[Given]) -> Result<Draft, Wrong> {
    let (mut draft, mut effective) = (Draft::default(), Effective::default());
    let problems: Vec<Problem> = given
        .iter()
        .filter_map(|given| effective.take(&mut draft, given).err())
        .collect();
    if problems.is_empty() {
        Ok(draft)
    } else {
        Err(Wrong(problems))
    }
}

/// Are these the words and flags that the verb takes?
fn fits(name: Name, words: &[String], flags: &[Given]) -> Result<(), Wrong> {
    let mut problems = Vec::new();
    for given in flags {
        if let Some(verb) = given.setting.verb().filter(|verb| *verb != name) {
            let (flag, verb) = (given.setting.flag, verb.word());
            problems.push(Problem::FlagOfVerb { flag, verb });
        }
    }
    let most = name.row().map_or(0, |verb| verb.words);
    for word in words.iter().skip(most) {
        let (verb, word) = (name.word(), word.clone());
        problems.push(Problem::UnexpectedWord { verb, word });
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Wrong(problems))
    }
}

fn evidence(words: Vec<String>) -> Result<Task, Problem> {
    let mut words = words.into_iter();
    let task = match (words.next().as_deref(), words.next()) {
        (Some("list"), None) => EvidenceTask::List,
        (Some("show"), Some(file)) => EvidenceTask::Show(file.into()),
        (Some("verify"), Some(file)) => EvidenceTask::Verify(file.into()),
        _ => {
            let usage = help::usage(Name::Evidence);
            return Err(Problem::Incomplete { usage });
        }
    };
    Ok(Task::Evidence(task))
}

fn all_instances(process: &Process, draft: &Draft) -> Result<Task, Problem> {
    if draft.instance.is_some() {
        return Err(Problem::FlagsExclude {
            flag: "all",
            other: instances::FLAG,
            remedy: "leave one of them out",
        });
    }
    let (instances, nameless) = process.instances()?;
    Ok(Task::StatusOfAll(AllInstances {
        instances,
        nameless,
        config: draft.config.as_ref().map(|given| given.path.clone()),
    }))
}

fn drill(draft: &Draft) -> Result<Drill, Problem> {
    let lie = Some(draft.lie.clone()).filter(|lie| !lie.is_empty());
    let grow = unless_off(draft.grow);
    if draft.serve {
        let port = port(draft.drill_port);
        return Ok(Drill::Serve {
            port,
            databases: draft.drill_databases,
            views: draft.drill_views,
            lie,
            grow,
        });
    }
    for (flag, given) in [
        ("port", draft.drill_port != 0),
        ("databases", draft.drill_databases > 1),
        ("views", draft.drill_views > 1),
        ("grow", grow.is_some()),
    ] {
        if given {
            return Err(Problem::FlagNeeds {
                flag,
                needs: "serve",
            });
        }
    }
    Ok(if draft.list {
        Drill::List
    } else {
        Drill::Table { lie }
    })
}

fn completions(words: &[String]) -> Result<Invocation, Wrong> {
    let script = match words.first().map(String::as_str) {
        Some("bash") => completions::bash(),
        Some("zsh") => completions::zsh(),
        Some("fish") => completions::fish(),
        _ => {
            let usage = help::usage(Name::Completions);
            return Err(Problem::Incomplete { usage }.into());
        }
    };
    Ok(Invocation::Tell(script))
}

fn config(run: &Run) -> String {
    let remarks = run
        .remarks
        .iter()
        .filter(|remark| remark.level() <= log::Level::Info);
    let mut text: String = remarks
        .map(|remark| format!("# {}\n", one_line(remark)))
        .collect();
    text.push_str(&run.effective.to_toml());
    text
}

fn layers(process: &Process, flags: &[Given], task: Task) -> Result<Run, Wrong> {
    let Gathered {
        mut draft,
        effective,
        mut remarks,
    } = gather(process, flags)?;
    if !signs(&task) {
        draft.signing_key = None; // a key that cannot be read is in the way of nothing else
    }
    in_place(&draft, &effective, &task)?;
    let settings = resolve(&draft, &mut remarks).map_err(Wrong)?;
    peers::enough(&settings, &effective)?;
    remarks.extend(settings.server.little_memory());
    remarks.extend(name_without_tls(&draft, &effective));
    Ok(Run {
        task,
        settings,
        remarks,
        effective,
    })
}

/// Returns whether the key that checkpoints are signed with is used, or looked at.
fn signs(task: &Task) -> bool {
    let export = Task::Checkpoint(CheckpointTask::Export);
    matches!(task, Task::Audit | Task::Check | Task::Sweep { .. }) || *task == export
}

/// A name in a certificate that nobody is shown; `localhost` stands in the files that immudb and immugw ship.
fn name_without_tls(draft: &Draft, effective: &Effective) -> Option<Remark> {
    let flag = "servername";
    let is_tls = draft.tls || draft.mtls || draft.tls_ca.is_some();
    let is_chosen = draft
        .servername
        .as_ref()
        .is_some_and(|name| name != "localhost");
    let source = effective.source(flag).filter(|_| is_chosen && !is_tls)?;
    Some(Remark::NoEffect {
        flag,
        source: source.clone(),
        needs: "TLS (--tls, --tls-ca or --mtls)",
    })
}

/// Immugw's settings are for its place alone, and there it audits only where it is told to.
pub(super) fn in_place(draft: &Draft, effective: &Effective, task: &Task) -> Result<(), Problem> {
    match draft.persona {
        Persona::Immuclient => effective.refuse_immugws(),
        Persona::Immugw if matches!(task, Task::Audit | Task::Check) && !draft.audit => {
            Err(Problem::NotAuditing)
        }
        Persona::Immugw => Ok(()),
    }
}
