//! Directories of settings and states, names of variables, and the syntax of commands.

use std::path::Path;

/// The settings directory of immuclient's service, according to its documentation.
pub const SETTINGS_DIRECTORY: &str = r"C:\ProgramData\ImmuClient\config";

/// The variable with the path of the user's home directory.
pub const HOME: &str = "USERPROFILE";

/// The separator of paths in a variable. A colon is part of a path.
pub const PATH_SEPARATOR: char = ';';

/// Whether names such as `con` are reserved for devices.
pub const HAS_DEVICE_NAMES: bool = true;

/// Returns the name of a variable in upper case: Windows ignores the case.
pub fn variable_name(name: String) -> String {
    name.to_ascii_uppercase()
}

/// Returns the directory of states of the whole machine or of this user, with `own` as its last part.
pub fn state_directory(
    is_of_machine: bool,
    own: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let base = match is_of_machine {
        true => variable("PROGRAMDATA"),
        false => variable("LOCALAPPDATA"),
    };
    let base = base.filter(|path| Path::new(path).is_absolute())?;
    Some(format!(r"{base}\{}", own.replace('/', r"\")))
}

/// Returns the words of a command: a program and its arguments. Text in quotes is one word, because paths on Windows
/// often contain blanks.
pub fn words_of(command: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut is_quoted, mut is_within) = (false, false);
    for c in command.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                if !is_within {
                    words.push(String::new());
                }
                is_within = true;
            }
            _ if c.is_whitespace() && !is_quoted => is_within = false,
            _ => {
                if !is_within {
                    words.push(String::new());
                }
                is_within = true;
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words
}

/// Returns a word in single quotes, for PowerShell, to which the typographic quotes are single quotes too.
pub fn quoted(word: &str) -> String {
    let mut quoted = String::from("'");
    for c in word.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// Returns whether a command begins with an absolute path.
pub fn is_full_path(command: &str) -> bool {
    let words = words_of(command);
    words
        .first()
        .is_some_and(|program| Path::new(program).is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_quote_ends_a_quoted_word() {
        assert_eq!(
            quoted("a'; calc; \u{2019}"),
            "'a''; calc; \u{2019}\u{2019}'"
        );
    }
}
