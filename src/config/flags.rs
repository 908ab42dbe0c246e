//! The command line: words, and flags with their values.
//!
//! `--flag value`, `--flag=value`, `-a value`, `-a=value`, `-avalue`; a switch stands bare or has a
//! value. Of a flag given twice the last counts, but for `--pin`, which collects. After `--` come
//! words only.

use super::nearest::nearest;
use super::persona::Persona;
use super::problem::Problem;
use super::setting::Setting;
use super::source::Source;
use super::table::{self, TABLE};
use super::verb::{self, Name};

/// A setting as one layer gives it.
pub(super) struct Given {
    pub setting: &'static Setting,
    /// One text, but for lists.
    pub texts: Vec<String>,
    pub source: Source,
}

/// One thing on the command line.
pub(super) enum Piece<'a> {
    Word(&'a str),
    Unknown(&'a str),
    Flag(&'static Setting, Option<Value<'a>>),
}

/// A flag's value, and where it stands.
pub(super) struct Value<'a> {
    pub text: &'a str,
    /// Which argument, from 0.
    pub argument: usize,
    /// From which byte of it on.
    pub offset: usize,
}

/// Cuts the command line into its pieces, as this place has its flags.
pub(super) fn scan(arguments: &[String], persona: Persona) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let mut rest = arguments.iter().map(String::as_str).enumerate().peekable();
    while let Some((index, argument)) = rest.next() {
        if argument == "--" {
            pieces.extend(rest.map(|(_, word)| Piece::Word(word)));
            break;
        }
        if argument == "-" || !argument.starts_with('-') {
            pieces.push(Piece::Word(argument));
            continue;
        }
        let verb = pieces.iter().find_map(|piece| match piece {
            Piece::Word(word) => Some(verb::find(word)?.name),
            _ => None,
        });
        let (setting, attached) = name(argument, verb, persona);
        let Some(setting) = setting else {
            pieces.push(Piece::Unknown(argument));
            continue;
        };
        let attached = attached.map(|text| Value {
            text,
            argument: index,
            offset: argument.len() - text.len(),
        });
        let apart = |(argument, text)| Value {
            text,
            argument,
            offset: 0,
        };
        let value = if attached.is_some() {
            attached
        } else if setting.kind.is_switch() {
            // a word that follows a switch is its value only where it can be nothing else
            rest.next_if(|(_, next)| matches!(*next, "true" | "false"))
                .map(apart)
        } else {
            rest.next().map(apart)
        };
        pieces.push(Piece::Flag(setting, value));
    }
    pieces
}

/// The setting that an argument names, and the value that is attached to it.
fn name(
    argument: &str,
    verb: Option<Name>,
    persona: Persona,
) -> (Option<&'static Setting>, Option<&str>) {
    if let Some(long) = argument.strip_prefix("--") {
        let (flag, value) = match long.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (long, None),
        };
        return (table::find_for(flag, verb, persona), value);
    }
    let mut letters = argument.chars();
    let letter = letters.nth(1); // behind the dash
    let value = letters.as_str();
    let has_letter = |setting: &&Setting| letter.is_some() && setting.letter(persona) == letter;
    let setting = TABLE.iter().find(has_letter);
    match (setting, value.strip_prefix('=')) {
        (Some(setting), Some(value)) => (Some(setting), Some(value)),
        (Some(setting), None) if value.is_empty() => (Some(setting), None),
        (Some(setting), None) if !setting.kind.is_switch() => (Some(setting), Some(value)),
        _ => (None, None),
    }
}

/// The command line, read.
#[derive(Default)]
pub(super) struct Line {
    pub words: Vec<String>,
    pub given: Vec<Given>,
    pub problems: Vec<Problem>,
}

/// Reads the command line.
pub(super) fn read(arguments: &[String], persona: Persona) -> Line {
    let mut line = Line::default();
    for piece in scan(arguments, persona) {
        match piece {
            Piece::Word(word) => line.words.push(word.to_owned()),
            Piece::Unknown(argument) => line.problems.push(unknown(argument, persona)),
            Piece::Flag(setting, Some(value)) => line.give(setting, value.text),
            Piece::Flag(setting, None) if setting.kind.is_switch() => line.give(setting, "true"),
            Piece::Flag(setting, None) => line.problems.push(Problem::NoValue {
                flag: setting.flag,
                argument: setting.argument,
            }),
        }
    }
    line
}

impl Line {
    fn give(&mut self, setting: &'static Setting, text: &str) {
        let before = self
            .given
            .iter()
            .position(|given| given.setting.flag == setting.flag);
        let mut texts = match before {
            Some(index) => self.given.remove(index).texts,
            None => Vec::new(),
        };
        if !setting.collects() {
            texts.clear();
        }
        texts.push(text.to_owned());
        self.given.push(Given {
            setting,
            texts,
            source: Source::Flag(setting.flag),
        });
    }
}

fn unknown(argument: &str, persona: Persona) -> Problem {
    // what stands behind "=" may be a secret
    let flag = argument.split('=').next().unwrap_or_default();
    let name = flag.trim_start_matches('-');
    let known = TABLE.iter().filter(|setting| setting.is_known(persona));
    Problem::UnknownFlag {
        flag: flag.to_owned(),
        nearest: nearest(name, known.map(|setting| setting.flag)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Line {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        read(&arguments, Persona::Immuclient)
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
    fn a_value_stands_apart_or_attached() {
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
    fn a_switch_stands_bare_or_has_a_value() {
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
    fn of_a_flag_given_twice_the_last_counts() {
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
    fn an_unknown_flag_is_told_without_its_value() {
        let line = line(&["--audit-pasword=hunter2", "-x"]);
        let told: Vec<String> = line.problems.iter().map(ToString::to_string).collect();
        assert!(
            told[0].contains("\"--audit-pasword\"; the nearest is --audit-password;"),
            "{told:?}"
        );
        assert!(!told[0].contains("hunter2"));
        assert_eq!(told.len(), 2);
    }
}
