//! Where this system keeps settings and states, and how programs are named.

use std::path::Path;

/// Where immuclient's service has its settings (its own documentation).
pub const SETTINGS_DIRECTORY: &str = r"C:\ProgramData\ImmuClient\config";

/// The variable that names a user's own directory.
pub const HOME: &str = "USERPROFILE";

/// Whether names such as `con` are those of devices.
pub const HAS_DEVICE_NAMES: bool = true;

/// Returns the name of a variable as it is asked for: its case counts for nothing here.
pub fn variable_name(name: String) -> String {
    name.to_ascii_uppercase()
}

/// Returns where states of this name are kept: of the whole machine, or of this user.
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

/// Returns the words of a command: a program and its arguments. What stands in quotes is one word, for many a path here has
/// blanks.
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

/// Returns whether a command names its program by its full path.
pub fn is_full_path(command: &str) -> bool {
    let words = words_of(command);
    words
        .first()
        .is_some_and(|program| Path::new(program).is_absolute())
}
