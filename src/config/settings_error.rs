//! Errors in the settings: the cause, its source and the next action.

mod words;

use std::fmt;
use std::path::PathBuf;

use super::source::Source;

pub(super) use words::shown;

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
