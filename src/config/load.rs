//! Reads the task of the process from its inputs.

use super::command::{self, COMMANDS, CommandName};
use super::compat_mode::CompatMode;
use super::completions;
use super::effective::{Effective, one_line};
use super::flags::{self, Assignment};
use super::gather::{Gathered, gather};
use super::help;
use super::instances;
use super::man;
use super::nearest::nearest;
use super::peers;
use super::process::Process;
use super::raw_settings::RawSettings;
use super::resolve::{port, resolve, unless_off};
use super::service;
use super::settings::Settings;
use super::settings_error::{SettingsError, SettingsErrors};
use super::settings_warning::SettingsWarning;
use super::task::{AllInstances, CheckpointTask, Drill, EvidenceTask, Task};
use super::version;
use super::words;
use crate::sys::words::INSTEAD_OF_MAN;

/// The task of the process.
#[derive(Debug)]
pub enum Invocation {
    /// Write this text to stdout and end with exit code 0.
    Print(String),
    /// Run this task.
    Run(Box<Run>),
}

/// A task with its settings.
#[derive(Debug)]
pub struct Run {
    /// The task.
    pub task: Task,
    /// The settings of the task.
    pub settings: Settings,
    /// The warnings about the settings, which are reported first, each at its level.
    pub warnings: Vec<SettingsWarning>,
    /// Every setting with its value and its source.
    pub effective: Effective,
}

/// Returns the task of the process, from its flags, environment and files.
///
/// # Errors
/// All errors of the settings. Then the program must end with [`EXIT_CODE`](super::EXIT_CODE).
pub fn load(process: &Process) -> Result<Invocation, SettingsErrors> {
    let line = flags::read(&process.arguments, process.compat_mode()?);
    if !line.problems.is_empty() {
        return Err(SettingsErrors(line.problems)); // further words may be values of a mistyped flag
    }
    let raw = apply(&line.given)?;
    let mut words = line.words.into_iter();
    let name = match words.next() {
        None => CommandName::AuditMode,
        Some(word) => find(&word)?,
    };
    let words: Vec<String> = words.collect();
    if raw.help || name == CommandName::Help {
        let about = match words.first() {
            Some(word) if name == CommandName::Help => Some(find(word)?),
            _ => Some(name)
                .filter(|name| !matches!(name, CommandName::Help | CommandName::AuditMode)),
        };
        return Ok(Invocation::Print(help::text(about, raw.all)));
    }
    if raw.version || name == CommandName::Version {
        return Ok(Invocation::Print(version::line()));
    }
    fits(name, &words, &line.given)?;
    let run = |task| layers(process, &line.given, task);
    if let (CommandName::AuditMode, Some(word)) = (name, words.first()) {
        let run = service::load(process, &raw, &line.given, word)?;
        return Ok(Invocation::Run(Box::new(run)));
    }
    if let Some(flag) = raw.service_flag() {
        let needs = "install or uninstall";
        return Err(SettingsError::FlagNeedsWord { flag, needs }.into());
    }
    let task = match name {
        CommandName::Config if raw.check => Task::Check,
        CommandName::Config => {
            let run = run(Task::Audit)?;
            return Ok(Invocation::Print(config(&run)));
        }
        CommandName::Sweep => Task::Sweep { databases: words },
        CommandName::Status if raw.all_instances => all_instances(process, &raw)?,
        CommandName::Status => Task::Status,
        CommandName::Health => Task::Health,
        CommandName::Locate => Task::Locate(words::locate(&raw, words)?),
        CommandName::Alarm => Task::Alarm(words::alarm(&raw, words)?),
        CommandName::Acknowledge => Task::Acknowledge(words::acknowledge(&raw, words)?),
        CommandName::Evidence => evidence(words)?,
        CommandName::Checkpoint => Task::Checkpoint(words::checkpoint(&raw, words)?),
        CommandName::Key => Task::Key(words::key(&raw, words)?),
        CommandName::States => Task::States(words::states(&raw, words)?),
        CommandName::Compare if words.len() == 1 => {
            Task::Compare(words::another(&raw, words.concat())?)
        }
        CommandName::Compare => {
            let usage = help::usage(name);
            return Err(SettingsError::Incomplete { usage }.into());
        }
        CommandName::Drill => Task::Drill(drill(&raw)?),
        CommandName::Notify if raw.test => Task::NotifyTest,
        CommandName::Notify => {
            let usage = help::usage(CommandName::Notify);
            return Err(SettingsError::Incomplete { usage }.into());
        }
        CommandName::Man if INSTEAD_OF_MAN.is_some() => {
            let command = CommandName::Man.word();
            let instead = INSTEAD_OF_MAN.unwrap_or_default();
            return Err(SettingsError::NotHere { command, instead }.into());
        }
        CommandName::Man => return Ok(Invocation::Print(man::page())),
        CommandName::Completions => return completions(&words),
        CommandName::AuditMode | CommandName::Help | CommandName::Version => Task::Audit,
    };
    Ok(Invocation::Run(Box::new(run(task)?)))
}

fn find(word: &str) -> Result<CommandName, SettingsError> {
    let command = command::find(word).map(|command| command.name);
    command.ok_or_else(|| match command::former(word) {
        Some((command, now)) => SettingsError::FormerCommand { command, now },
        None => SettingsError::UnknownCommand {
            command: word.to_owned(),
            nearest: nearest(word, COMMANDS.iter().map(|command| command.word)),
        },
    })
}

/// Reads only these assignments into raw settings.
fn apply(given: &[Assignment]) -> Result<RawSettings, SettingsErrors> {
    let (mut raw, mut effective) = (RawSettings::default(), Effective::default());
    let problems: Vec<SettingsError> = given
        .iter()
        .filter_map(|given| effective.take(&mut raw, given).err())
        .collect();
    if problems.is_empty() {
        Ok(raw)
    } else {
        Err(SettingsErrors(problems))
    }
}

/// Checks that the command takes these words and flags.
fn fits(name: CommandName, words: &[String], flags: &[Assignment]) -> Result<(), SettingsErrors> {
    let mut problems = Vec::new();
    for given in flags {
        if let Some(command) = given.setting.command().filter(|command| *command != name) {
            let (flag, command) = (given.setting.flag, command.word());
            problems.push(SettingsError::FlagOfCommand { flag, command });
        }
    }
    let most = name.row().map_or(0, |command| command.words);
    for word in words.iter().skip(most) {
        let (command, word) = (name.word(), word.clone());
        problems.push(SettingsError::UnexpectedWord { command, word });
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(SettingsErrors(problems))
    }
}

fn evidence(words: Vec<String>) -> Result<Task, SettingsError> {
    let mut words = words.into_iter();
    let task = match (words.next().as_deref(), words.next()) {
        (Some("list"), None) => EvidenceTask::List,
        (Some("show"), Some(file)) => EvidenceTask::Show(file.into()),
        (Some("verify"), Some(file)) => EvidenceTask::Verify(file.into()),
        _ => {
            let usage = help::usage(CommandName::Evidence);
            return Err(SettingsError::Incomplete { usage });
        }
    };
    Ok(Task::Evidence(task))
}

fn all_instances(process: &Process, raw: &RawSettings) -> Result<Task, SettingsError> {
    if raw.instance.is_some() {
        return Err(SettingsError::FlagsExclude {
            flag: "all",
            other: instances::FLAG,
            remedy: "leave one of them out",
        });
    }
    let (instances, nameless) = process.instances()?;
    Ok(Task::StatusOfAll(AllInstances {
        instances,
        nameless,
        config: raw.config.as_ref().map(|given| given.path.clone()),
    }))
}

fn drill(raw: &RawSettings) -> Result<Drill, SettingsError> {
    let lie = Some(raw.lie.clone()).filter(|lie| !lie.is_empty());
    let grow = unless_off(raw.grow);
    if raw.serve {
        let port = port(raw.drill_port);
        return Ok(Drill::Serve {
            port,
            databases: raw.drill_databases,
            views: raw.drill_views,
            lie,
            grow,
        });
    }
    for (flag, given) in [
        ("port", raw.drill_port != 0),
        ("databases", raw.drill_databases > 1),
        ("views", raw.drill_views > 1),
        ("grow", grow.is_some()),
    ] {
        if given {
            return Err(SettingsError::FlagNeeds {
                flag,
                needs: "serve",
            });
        }
    }
    Ok(if raw.list {
        Drill::List
    } else {
        Drill::Table { lie }
    })
}

fn completions(words: &[String]) -> Result<Invocation, SettingsErrors> {
    let script = match words.first().map(String::as_str) {
        Some("bash") => completions::bash(),
        Some("zsh") => completions::zsh(),
        Some("fish") => completions::fish(),
        _ => {
            let usage = help::usage(CommandName::Completions);
            return Err(SettingsError::Incomplete { usage }.into());
        }
    };
    Ok(Invocation::Print(script))
}

fn config(run: &Run) -> String {
    let warnings = run
        .warnings
        .iter()
        .filter(|warning| warning.level() <= log::Level::Info);
    let mut text: String = warnings
        .map(|warning| format!("# {}\n", one_line(warning)))
        .collect();
    text.push_str(&run.effective.to_toml());
    text
}

fn layers(process: &Process, flags: &[Assignment], task: Task) -> Result<Run, SettingsErrors> {
    let Gathered {
        mut raw,
        effective,
        mut warnings,
    } = gather(process, flags)?;
    if !signs(&task) {
        raw.signing_key = None; // an unreadable key must not stop a command that signs nothing
    }
    in_place(&raw, &effective, &task)?;
    let settings = resolve(&raw, &mut warnings).map_err(SettingsErrors)?;
    peers::enough(&settings, &effective)?;
    warnings.extend(settings.server.little_memory());
    warnings.extend(name_without_tls(&raw, &effective));
    Ok(Run {
        task,
        settings,
        warnings,
        effective,
    })
}

/// Returns whether a task uses or checks the key that signs checkpoints.
fn signs(task: &Task) -> bool {
    let export = Task::Checkpoint(CheckpointTask::Export);
    matches!(task, Task::Audit | Task::Check | Task::Sweep { .. }) || *task == export
}

/// Warns about a server name that has no effect because there is no TLS. `localhost` is in the settings files that
/// immudb and immugw ship, so it causes no warning.
fn name_without_tls(raw: &RawSettings, effective: &Effective) -> Option<SettingsWarning> {
    let flag = "servername";
    let is_tls = raw.tls || raw.mtls || raw.tls_ca.is_some();
    let is_chosen = raw
        .servername
        .as_ref()
        .is_some_and(|name| name != "localhost");
    let source = effective.source(flag).filter(|_| is_chosen && !is_tls)?;
    Some(SettingsWarning::NoEffect {
        flag,
        source: source.clone(),
        needs: "TLS (--tls, --tls-ca or --mtls)",
    })
}

/// Checks that immugw's settings are given only in its compatibility mode, and that an audit in that mode is
/// requested.
pub(super) fn in_place(
    raw: &RawSettings,
    effective: &Effective,
    task: &Task,
) -> Result<(), SettingsError> {
    match raw.compat_mode {
        CompatMode::Immuclient => effective.refuse_immugws(),
        CompatMode::Immugw if matches!(task, Task::Audit | Task::Check) && !raw.audit => {
            Err(SettingsError::NotAuditing)
        }
        CompatMode::Immugw => Ok(()),
    }
}
