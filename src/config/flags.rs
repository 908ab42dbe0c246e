//! The command line: words, and flags with their values.
//!
//! The forms are `--flag value`, `--flag=value`, `-a value`, `-a=value` and `-avalue`; a switch needs no value. If a
//! flag is repeated, the last one counts, except for `--pin` and URLs, which collect. After `--` there are only
//! words.
//!
//! A pass from left to right separates words from flags. Then pico-args reads the values, and searches all arguments
//! for each flag. Therefore each value is passed to it with a `=` before it, so that no value is taken for a flag.

use std::ffi::{OsStr, OsString};

use pico_args::Arguments;

use super::command::{self, CommandName};
use super::compat_mode::CompatMode;
use super::nearest::nearest;
use super::setting::Setting;
use super::settings_error::SettingsError;
use super::source::Source;
use super::table::{self, TABLE};

/// The value of a setting in one layer.
pub(super) struct Assignment {
    pub setting: &'static Setting,
    /// One text, except for lists.
    pub texts: Vec<String>,
    pub source: Source,
}

/// The command line, with words and flags separated.
#[derive(Default)]
pub(super) struct Separated {
    words: Vec<String>,
    /// The flags for pico-args: each by its long name, followed by its value with a `=` before it. An argument that
    /// names no setting is unchanged.
    flags: Vec<OsString>,
    /// The given settings, in the order in which each was given last. The order decides between a password and its
    /// file.
    given: Vec<&'static Setting>,
    /// The positions of the secrets: the number of the argument, from 0, and the byte at which the secret begins.
    pub secrets: Vec<(usize, usize)>,
}

/// Separates words from flags, by the flags of this mode.
pub(super) fn separate(arguments: &[String], compat_mode: CompatMode) -> Separated {
    let mut line = Separated::default();
    let mut rest = arguments.iter().map(String::as_str).enumerate().peekable();
    while let Some((index, argument)) = rest.next() {
        if argument == "--" {
            line.words.extend(rest.map(|(_, word)| word.to_owned()));
            break;
        }
        if argument == "-" || !argument.starts_with('-') {
            line.words.push(argument.to_owned());
            continue;
        }
        let (setting, attached) = name(argument, command(&line.words), compat_mode);
        let Some(setting) = setting else {
            line.flags.push(argument.into());
            continue;
        };
        let (place, value) = if let Some(value) = attached {
            ((index, argument.len() - value.len()), Some(value))
        } else if setting.kind.is_switch() {
            // the next word is the value of a switch only if it can be nothing else
            let value = rest.next_if(|(_, next)| matches!(*next, "true" | "false"));
            ((index, 0), Some(value.map_or("true", |(_, value)| value)))
        } else {
            ((index + 1, 0), rest.next().map(|(_, value)| value))
        };
        if let Some(from) = value.and_then(|value| setting.kind.secret_from(value)) {
            line.secrets.push((place.0, place.1 + from));
        }
        line.flags.push(setting.long.into());
        let value = value.map(|value| format!("={value}").into());
        line.flags.extend(value);
        line.given.retain(|given| given.flag != setting.flag);
        line.given.push(setting);
    }
    line
}

/// Returns the setting that an argument names, and the value that is attached to it.
fn name(
    argument: &str,
    command: Option<CommandName>,
    compat_mode: CompatMode,
) -> (Option<&'static Setting>, Option<&str>) {
    if let Some(long) = argument.strip_prefix("--") {
        let (flag, value) = match long.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (long, None),
        };
        return (table::find_for(flag, command, compat_mode), value);
    }
    let mut letters = argument.chars();
    let letter = letters.nth(1); // after the dash
    let value = letters.as_str();
    let has_letter =
        |setting: &&Setting| letter.is_some() && setting.short_flag(compat_mode) == letter;
    let setting = TABLE.iter().find(has_letter);
    match (setting, value.strip_prefix('=')) {
        (Some(setting), Some(value)) => (Some(setting), Some(value)),
        (Some(setting), None) if value.is_empty() => (Some(setting), None),
        (Some(setting), None) if !setting.kind.is_switch() => (Some(setting), Some(value)),
        _ => (None, None),
    }
}

/// The contents of the command line.
pub(super) struct Line {
    pub words: Vec<String>,
    pub given: Vec<Assignment>,
    pub problems: Vec<SettingsError>,
}

/// Reads the command line.
pub(super) fn read(arguments: &[String], compat_mode: CompatMode) -> Line {
    let separated = separate(arguments, compat_mode);
    let mut flags = Arguments::from_vec(separated.flags);
    let mut given = Vec::new();
    for setting in &separated.given {
        let Ok(mut texts) = flags.values_from_os_str(setting.long, value) else {
            continue; // a flag without a value is reported later
        };
        if !setting.collects() {
            texts = texts.pop().into_iter().collect();
        }
        given.push(Assignment {
            setting,
            texts,
            source: Source::Flag(setting.flag),
        });
    }
    let left_over = flags.finish();
    let command = command(&separated.words);
    let problems = left_over.iter().map(|argument| {
        let known = separated.given.iter().find(|given| argument == given.long);
        known.map_or_else(
            || unknown(&argument.to_string_lossy(), command, compat_mode),
            |setting| SettingsError::NoValue {
                flag: setting.flag,
                argument: setting.argument,
            },
        )
    });
    Line {
        words: separated.words,
        given,
        problems: problems.collect(),
    }
}

/// Returns the value in an argument that [`separate`] created for pico-args.
fn value(argument: &OsStr) -> Result<String, &'static str> {
    let value = argument.to_str().and_then(|text| text.strip_prefix('='));
    value.map(str::to_owned).ok_or("not a value")
}

/// Returns the command, which is the first word that names one.
fn command(words: &[String]) -> Option<CommandName> {
    let command = words.iter().find_map(|word| command::find(word));
    command.map(|command| command.name)
}

/// Returns the problem that no setting has this name. The nearest name is one that the command takes.
fn unknown(argument: &str, command: Option<CommandName>, compat_mode: CompatMode) -> SettingsError {
    // the text after "=" may be a secret
    let flag = argument.split('=').next().unwrap_or_default();
    let name = flag.trim_start_matches('-');
    if let Some(setting) = table::find_by_former_name(name) {
        return SettingsError::FormerSetting {
            given: format!("--{name}"),
            now: setting.long.to_owned(),
        };
    }
    // --help --all needs no command
    let command = command.unwrap_or(CommandName::Help);
    let fits = |setting: &&Setting| setting.command().is_none_or(|of| of == command);
    let known = TABLE
        .iter()
        .filter(|setting| setting.is_known(compat_mode))
        .filter(fits);
    SettingsError::UnknownFlag {
        flag: flag.to_owned(),
        nearest: nearest(name, known.map(|setting| setting.flag)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Line {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        read(&arguments, CompatMode::Immuclient)
    }

    fn given(line: &Line) -> Vec<(&str, Vec<&str>)> {
        line.given
            .iter()
            .map(|given| {
                (
                    given.setting.flag,
                    given.texts.iter().map(String::as_str).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn a_value_is_separate_or_attached() {
        for arguments in [
            &["--immudb-address", "db.example"][..],
            &["--immudb-address=db.example"],
            &["-a", "db.example"],
            &["-a=db.example"],
            &["-adb.example"],
        ] {
            assert_eq!(
                given(&line(arguments)),
                [("immudb-address", vec!["db.example"])]
            );
        }
    }

    #[test]
    fn a_switch_may_have_a_value() {
        for (arguments, value) in [
            (&["--mtls"][..], "true"),
            (&["-m"], "true"),
            (&["--mtls=false"], "false"),
            (&["--mtls", "false"], "false"),
            (&["-m=0"], "0"),
        ] {
            assert_eq!(given(&line(arguments)), [("mtls", vec![value])]);
        }
        let line = line(&["--json", "status"]);
        assert_eq!(
            (given(&line), line.words.clone()),
            (vec![("json", vec!["true"])], vec!["status".to_owned()])
        );
    }

    #[test]
    fn the_last_of_two_equal_flags_is_used() {
        assert_eq!(
            given(&line(&["--audit-databases=a", "--audit-databases", "b"])),
            [("audit-databases", vec!["b"])]
        );
    }

    #[test]
    fn pins_collect() {
        assert_eq!(
            given(&line(&["--pin=a", "--pin", "b"])),
            [("pin", vec!["a", "b"])]
        );
    }

    #[test]
    fn after_two_dashes_come_words() {
        let line = line(&["status", "--", "--json"]);
        assert_eq!(line.words, ["status", "--json"]);
    }

    #[test]
    fn an_unknown_flag_is_reported_without_its_value() {
        let line = line(&["--audit-pasword=hunter2", "-x"]);
        let messages: Vec<String> = line.problems.iter().map(ToString::to_string).collect();
        assert!(
            messages[0].contains("\"--audit-pasword\"; the nearest is --audit-password;"),
            "{messages:?}"
        );
        assert!(!messages[0].contains("hunter2"));
        assert_eq!(messages.len(), 2);
    }
}
