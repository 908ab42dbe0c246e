//! The text of an error in the settings.

use std::fmt;

use super::SettingsError;
use crate::config::command::WITH_JSON;
use crate::config::source::Source;
use crate::sys::words;

/// The setting and the source of its value: `--flag`, or `name (source)`.
struct At<'a>(&'a str, &'a Source);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Source::Flag(flag) => write!(f, "--{flag}"),
            source => write!(f, "{} ({source})", self.0),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsError::UnknownFlag { flag, nearest } => {
                write!(f, "unknown option {}", shown(flag))?;
                hint(f, "--", *nearest)?;
                f.write_str("; --help --all lists every option")
            }
            SettingsError::FormerSetting { given, now } => {
                write!(f, "{given} is called {now} now: use that name")
            }
            SettingsError::OfImmugw { flag, source } => write!(
                f,
                "{}: a setting of immugw: give --as immugw too, or remove it",
                At(flag, source)
            ),
            SettingsError::NotAuditing => f.write_str(
                "with --as immugw the audit is off by default: give --audit (IMMUGW_AUDIT=true, or audit = true in immugw.toml)",
            ),
            SettingsError::UnknownCommand { command, nearest } => {
                write!(f, "unknown command {}", shown(command))?;
                hint(f, "", *nearest)?;
                f.write_str("; --help lists the commands")
            }
            SettingsError::NoCommand { subcommand, commands } => {
                let forms: Vec<String> = commands
                    .iter()
                    .map(|command| format!("{command} {subcommand}"))
                    .collect();
                write!(
                    f,
                    "unknown command {}: write {}",
                    shown(subcommand),
                    forms.join(" or ")
                )
            }
            SettingsError::NotHere { command, instead } => {
                write!(f, "there is no {command} on this system: {instead}")
            }
            SettingsError::FormerCommand { command, now } => {
                write!(f, "the command {command} no longer exists: use {now}")
            }
            SettingsError::FlagOfCommand { flag, commands } => {
                let commands: Vec<String> = commands
                    .iter()
                    .map(|command| format!("\"immuaudit {command}\""))
                    .collect();
                write!(f, "--{flag} is an option of {}: remove it", list(&commands, "and"))
            }
            SettingsError::FlagBeforeCommand { flag, command } => {
                write!(f, "--{flag} stands before the command: write it after \"{command}\"")
            }
            SettingsError::NoJson { command } => write!(
                f,
                "\"immuaudit {command}\" prints no JSON: remove --json; the commands that print it are {}",
                list(&WITH_JSON, "and")
            ),
            SettingsError::FlagNeeds { flag, needs } => {
                write!(f, "--{flag} has no effect without --{needs}: give both or neither")
            }
            SettingsError::FlagsExclude { flag, other, remedy } => {
                write!(f, "--{flag} and --{other} exclude each other: {remedy}")
            }
            SettingsError::NoValue { flag, argument } => {
                write!(f, "--{flag} has no value: write --{flag} {argument}")
            }
            SettingsError::UnexpectedWord { command, word } => {
                write!(f, "\"{command}\" does not take {}: remove it", shown(word))
            }
            SettingsError::BadWord { command, wanted } => write!(f, "{command}: expected {wanted}"),
            SettingsError::UnknownSubcommand { command, word, nearest, subcommands } => {
                write!(f, "\"{command}\" does not take {}", shown(word))?;
                hint(f, "", *nearest)?;
                write!(f, "; expected {}", list(subcommands, "or"))
            }
            SettingsError::NoSubcommand { command, subcommands } => write!(
                f,
                "incomplete command: \"{command}\" needs {}; immuaudit help {command} explains them",
                list(subcommands, "or")
            ),
            SettingsError::Incomplete { command, needs, usage } => {
                write!(f, "incomplete command: \"{command}\" needs {needs}; expected {usage}")
            }
            SettingsError::NotText { what } => write!(f, "{what} is not UTF-8: encode it as UTF-8"),
            SettingsError::UnknownKey { key, source, nearest } => {
                write!(f, "{source}: unknown key {}", shown(key))?;
                hint(f, "", *nearest)
            }
            SettingsError::BadValue { flag, source, value, wanted } => {
                write!(f, "{}: ", At(flag, source))?;
                match value {
                    Some(value) => write!(f, "{} is not valid; expected {wanted}", shown(value)),
                    None => write!(f, "not valid; expected {wanted}"),
                }
            }
            SettingsError::BadType { flag, source, found, wanted } => {
                write!(f, "{}: found {found}; expected {wanted}", At(flag, source))
            }
            SettingsError::BadTable { table, source, fault } => write!(f, "{source}: [[{table}]]: {fault}"),
            SettingsError::BadToml { source, fault } => {
                write!(f, "{source}: not TOML: {fault}")?;
                match fault.contains("literal") || fault.contains("quote") {
                    true => f.write_str("; put texts in quotes, such as audit-interval = \"5m\""),
                    false => Ok(()),
                }
            }
            SettingsError::BadFile { flag, source, path, fault } => {
                let path = shown(&path.to_string_lossy());
                write!(f, "{}: {path}: {fault}", At(flag, source))
            }
            SettingsError::UnreadableSettings { path, fault } => {
                write!(f, "settings file {}: {fault}; or name another one with --config", path.display())
            }
            SettingsError::TwoSettingsFiles { compat, ours } => write!(
                f,
                "{} and {} both exist, and the service reads only one file: name it with --config",
                compat.display(),
                ours.display()
            ),
            SettingsError::CommonFile { ours } => write!(
                f,
                "{} is the common settings file of the instances: name another file for this service with --config",
                ours.display()
            ),
            SettingsError::NoFile { flag, by } => write!(f, "--{by} needs a file: name it with --{flag}"),
            SettingsError::NoDirectory => write!(
                f,
                "no directory for the trusted states ({} not set): name one with --dir",
                words::STATE_VARIABLES
            ),
        }
    }
}

fn hint(f: &mut fmt::Formatter<'_>, prefix: &str, nearest: Option<&str>) -> fmt::Result {
    nearest.map_or(Ok(()), |name| write!(f, "; the nearest is {prefix}{name}"))
}

/// Joins words by commas, and the last one by `last`.
fn list<T: AsRef<str>>(words: &[T], last: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Formats a given text in quotes. It is escaped, and cut if it is long.
pub(in crate::config) fn shown(text: &str) -> String {
    const MAX_SHOWN_CHARS: usize = 80;
    let mut shown = String::from('"');
    for c in text.chars().take(MAX_SHOWN_CHARS) {
        shown.extend(c.escape_debug());
    }
    shown.push('"');
    if text.chars().count() > MAX_SHOWN_CHARS {
        shown.push('…');
    }
    shown
}
