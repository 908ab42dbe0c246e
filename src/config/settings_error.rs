//! Errors in the settings: the cause, its source and the next action.

use std::fmt;
use std::path::PathBuf;

use super::command::WITH_JSON;
use super::source::Source;
use crate::sys::words;

/// The exit code of a usage error, as of every local failure (docs/verdicts.md).
pub const EXIT_CODE: u8 = 3;

/// All errors of the settings, at least one.
#[derive(Debug)]
pub struct SettingsErrors(pub Vec<SettingsError>);

impl std::error::Error for SettingsErrors {}

/// Formats one error in each line.
impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl From<SettingsError> for SettingsErrors {
    fn from(problem: SettingsError) -> SettingsErrors {
        SettingsErrors(vec![problem])
    }
}

/// One error of the settings.
#[derive(Debug)]
pub enum SettingsError {
    /// A flag that does not exist, with its dashes.
    UnknownFlag {
        /// The flag as given.
        flag: String,
        /// The most similar existing name.
        nearest: Option<&'static str>,
    },
    /// A setting with the name that it had in an earlier version.
    FormerSetting {
        /// The name as given, with its source.
        given: String,
        /// The present name, in the same form.
        now: String,
    },
    /// A command that does not exist.
    UnknownCommand {
        /// The command as given.
        command: String,
        /// The most similar existing name.
        nearest: Option<&'static str>,
    },
    /// A subcommand without its command.
    NoCommand {
        /// The subcommand.
        subcommand: String,
        /// The commands that have it.
        commands: Vec<&'static str>,
    },
    /// A command that does not exist on this system.
    NotHere {
        /// The command in other programs.
        command: &'static str,
        /// The action for this program.
        instead: &'static str,
    },
    /// A command of an earlier version.
    FormerCommand {
        /// The former command.
        command: &'static str,
        /// The present command that replaces it.
        now: &'static str,
    },
    /// A flag of other commands.
    FlagOfCommand {
        /// Without dashes.
        flag: &'static str,
        /// The commands that it belongs to, at least one.
        commands: Vec<&'static str>,
    },
    /// A flag that several commands have, before the command.
    FlagBeforeCommand {
        /// Without dashes.
        flag: &'static str,
        /// The command.
        command: &'static str,
    },
    /// `--json`, with a command that prints no JSON.
    NoJson {
        /// The command, with its subcommand.
        command: String,
    },
    /// A flag that has no effect without another.
    FlagNeeds {
        /// Without dashes.
        flag: &'static str,
        /// The other one.
        needs: &'static str,
    },
    /// Two flags that exclude each other.
    FlagsExclude {
        /// Without dashes.
        flag: &'static str,
        /// The other one.
        other: &'static str,
        /// The action that solves it.
        remedy: &'static str,
    },
    /// A word after a command that does not take it.
    BadWord {
        /// The command.
        command: &'static str,
        /// The expected form.
        wanted: String,
    },
    /// A flag at the end that needs a value.
    NoValue {
        /// Without dashes.
        flag: &'static str,
        /// The name of its value.
        argument: &'static str,
    },
    /// A word too many.
    UnexpectedWord {
        /// The command, with its subcommand.
        command: String,
        /// The word as given.
        word: String,
    },
    /// A first word after the command that is none of its subcommands.
    UnknownSubcommand {
        /// The command.
        command: &'static str,
        /// The word as given.
        word: String,
        /// The most similar subcommand.
        nearest: Option<&'static str>,
        /// All subcommands.
        subcommands: Vec<&'static str>,
    },
    /// A command without its subcommand.
    NoSubcommand {
        /// The command.
        command: &'static str,
        /// All subcommands.
        subcommands: Vec<&'static str>,
    },
    /// A command that lacks a word or a flag.
    Incomplete {
        /// The command, with its subcommand.
        command: String,
        /// The missing word or flag.
        needs: &'static str,
        /// The usage.
        usage: String,
    },
    /// An argument or variable that is not UTF-8.
    NotText {
        /// The argument or variable.
        what: String,
    },
    /// A key that does not exist.
    UnknownKey {
        /// The key as given.
        key: String,
        /// The source.
        source: Source,
        /// The most similar existing name.
        nearest: Option<&'static str>,
    },
    /// A value that the setting cannot have.
    BadValue {
        /// The setting.
        flag: &'static str,
        /// The source.
        source: Source,
        /// The value as given; `None` for a secret.
        value: Option<String>,
        /// The expected form.
        wanted: String,
    },
    /// A value of a TOML type that the setting cannot have.
    BadType {
        /// The setting.
        flag: &'static str,
        /// The source.
        source: Source,
        /// The type of the value.
        found: &'static str,
        /// The expected type.
        wanted: &'static str,
    },
    /// A table such as `[[receiver]]` that cannot be used.
    BadTable {
        /// The name.
        table: &'static str,
        /// The source of its begin.
        source: Source,
        /// The error.
        fault: String,
    },
    /// A settings file that is not TOML.
    BadToml {
        /// The source.
        source: Source,
        /// The error.
        fault: String,
    },
    /// A file of a setting that cannot be used.
    BadFile {
        /// The setting.
        flag: &'static str,
        /// The source.
        source: Source,
        /// The file.
        path: PathBuf,
        /// The error.
        fault: String,
    },
    /// A settings file in one of the usual places that exists and cannot be read.
    UnreadableSettings {
        /// The file.
        path: PathBuf,
        /// The reason.
        fault: String,
    },
    /// Both settings files exist, and a service reads only one.
    TwoSettingsFiles {
        /// The file of the compatibility mode.
        compat: PathBuf,
        /// The file of immuaudit.
        ours: PathBuf,
    },
    /// The only settings file is the common one of instances.
    CommonFile {
        /// The file.
        ours: PathBuf,
    },
    /// A required file that no setting names.
    NoFile {
        /// The setting that must name the file.
        flag: &'static str,
        /// The setting that requires the file.
        by: &'static str,
    },
    /// A setting of immugw in another mode.
    OfImmugw {
        /// The setting.
        flag: &'static str,
        /// The source.
        source: Source,
    },
    /// Immugw compatibility mode without `--audit`, because the audit is off by default in this mode.
    NotAuditing,
    /// There is no directory for trusted states.
    NoDirectory,
}

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
pub(super) fn shown(text: &str) -> String {
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
