//! Reads the task of the process from its inputs.

use super::command::{self, COMMANDS, Command, CommandName, WITH_JSON};
use super::completions;
use super::effective::Effective;
use super::flags::{self, Assignment};
use super::gather::{Gathered, gather};
use super::help;
use super::instance;
use super::man;
use super::nearest::nearest;
use super::peers;
use super::process::Process;
use super::raw_settings::RawSettings;
use super::resolve::resolve;
use super::run::{Run, in_place};
use super::service;
use super::setting::Setting;
use super::settings_error::{SettingsError, SettingsErrors};
use super::settings_warning::SettingsWarning;
use super::table::TABLE;
use super::task::{AllInstances, CheckpointTask, Drill, EvidenceTask, Task};
use super::toml_text::one_line;
use super::value::{port, unless_off};
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
    if name == CommandName::Help {
        prints_json(name, &words, raw.json)?;
        fits(name, &words, &line.given)?;
        has_subcommand(&words)?;
    }
    if raw.help || name == CommandName::Help {
        let about = match words.first() {
            Some(word) if name == CommandName::Help => Some(find(word)?),
            _ => Some(name)
                .filter(|name| !matches!(name, CommandName::Help | CommandName::AuditMode)),
        };
        return Ok(Invocation::Print(help::text(about, raw.all)));
    }
    let is_version = raw.version || name == CommandName::Version;
    prints_json(
        if is_version {
            CommandName::Version
        } else {
            name
        },
        &words,
        raw.json,
    )?;
    fits(name, &words, &line.given)?;
    if is_version {
        return Ok(Invocation::Print(version::line()));
    }
    let run = |task| layers(process, &line.given, task);
    if let (CommandName::AuditMode, Some(word)) = (name, words.first()) {
        let run = service::load(process, &raw, &line.given, word)?;
        return Ok(Invocation::Run(Box::new(run)));
    }
    if let Some((flag, commands)) = raw.service_flag("") {
        return Err(SettingsError::FlagOfCommand { flag, commands }.into());
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
            let needs = "the file or the URL of another auditor";
            return Err(words::incomplete(name, "", needs).into());
        }
        CommandName::Drill => Task::Drill(drill(&raw)?),
        CommandName::Notify if raw.test => Task::NotifyTest,
        CommandName::Notify => return Err(words::incomplete(name, "", "--test").into()),
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
    if let Some(command) = command::find(word) {
        return Ok(command.name);
    }
    if let Some((command, now)) = command::former(word) {
        return Err(SettingsError::FormerCommand { command, now });
    }
    let with_it = COMMANDS
        .iter()
        .filter(|command| command.subcommands().contains(&word));
    let commands: Vec<&str> = with_it.map(|command| command.word).collect();
    Err(match commands.is_empty() {
        true => SettingsError::UnknownCommand {
            command: word.to_owned(),
            nearest: nearest(word, COMMANDS.iter().map(|command| command.word)),
        },
        false => SettingsError::NoCommand {
            subcommand: word.to_owned(),
            commands,
        },
    })
}

/// Checks the second word of `help COMMAND SUBCOMMAND`; the help of a command explains its subcommands.
fn has_subcommand(words: &[String]) -> Result<(), SettingsError> {
    let [command, subcommand] = words else {
        return Ok(());
    };
    let row = find(command)?.row();
    match row.is_some_and(|row| row.subcommands().contains(&subcommand.as_str())) {
        true => Ok(()),
        false => Err(SettingsError::UnexpectedWord {
            command: "help".to_owned(),
            word: subcommand.clone(),
        }),
    }
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

/// Checks that a command prints JSON if the flag requires it. `config` prints settings, and `audit-mode install` writes
/// those of the service: `--json` may be among them.
fn prints_json(name: CommandName, words: &[String], json: bool) -> Result<(), SettingsError> {
    let command = name.with_subcommand(words);
    let is_setting = ["config", "audit-mode install"].contains(&command.as_str());
    match json && !is_setting && !WITH_JSON.contains(&command.as_str()) {
        true => Err(SettingsError::NoJson { command }),
        false => Ok(()),
    }
}

/// Checks that the command takes these words and flags.
fn fits(name: CommandName, words: &[String], flags: &[Assignment]) -> Result<(), SettingsErrors> {
    let mut problems = Vec::new();
    for given in flags {
        if given
            .setting
            .command()
            .is_some_and(|command| command != name)
        {
            let flag = given.setting.flag;
            let others = TABLE.iter().filter(|setting| setting.flag == flag);
            let commands: Vec<CommandName> = others.filter_map(Setting::command).collect();
            // two commands have this flag, and it comes before the word that decides between them
            problems.push(match commands.contains(&name) {
                true => SettingsError::FlagBeforeCommand {
                    flag,
                    command: name.word(),
                },
                false => SettingsError::FlagOfCommand {
                    flag,
                    commands: commands.into_iter().map(CommandName::word).collect(),
                },
            });
        }
    }
    let (most, subcommands) = name
        .row()
        .map_or((0, Vec::new()), |row| (row.words, row.subcommands()));
    let command = name.word();
    match words.first() {
        Some(word) if !subcommands.is_empty() && !subcommands.contains(&word.as_str()) => {
            problems.push(SettingsError::UnknownSubcommand {
                command,
                word: word.clone(),
                nearest: nearest(word, subcommands.iter().copied()),
                subcommands,
            });
        }
        None if name.row().is_some_and(Command::needs_subcommand) => {
            problems.push(SettingsError::NoSubcommand {
                command,
                subcommands,
            });
        }
        _ => {
            let command = || name.with_subcommand(words);
            let unexpected = words
                .iter()
                .skip(most)
                .map(|word| SettingsError::UnexpectedWord {
                    command: command(),
                    word: word.clone(),
                });
            problems.extend(unexpected);
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(SettingsErrors(problems))
    }
}

fn evidence(words: Vec<String>) -> Result<Task, SettingsError> {
    let (name, file) = (CommandName::Evidence, "the file of the evidence");
    let (subcommand, mut words) = words::separated(words);
    let task = match subcommand.as_str() {
        "show" => EvidenceTask::Show(words::next(&mut words, name, "show", file)?.into()),
        "verify" => EvidenceTask::Verify(words::next(&mut words, name, "verify", file)?.into()),
        _ => EvidenceTask::List,
    };
    words::end(words, name, &subcommand)?;
    Ok(Task::Evidence(task))
}

fn all_instances(process: &Process, raw: &RawSettings) -> Result<Task, SettingsError> {
    if raw.instance.is_some() {
        return Err(SettingsError::FlagsExclude {
            flag: "all",
            other: instance::FLAG,
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
        _ => return Err(words::incomplete(CommandName::Completions, "", "a shell").into()),
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
