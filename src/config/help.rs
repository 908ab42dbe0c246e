//! `--help`: the everyday options on one screen, or all options by section.

use super::command::{COMMANDS, CommandName, Purpose, first_words};
use super::setting::{Group, Section, Setting};
use super::table::TABLE;
use crate::sys::words;

/// The width of a terminal in columns, which no line exceeds unless a word is too long.
const WIDTH: usize = 80;
/// The width of the longest flag that has its meaning on the same line, in columns.
const FLAG: usize = 36;

/// Returns the short help, the complete help, or the help for one command.
pub(super) fn text(about: Option<CommandName>, all: bool) -> String {
    match about {
        Some(name) => of_command(name),
        None if all => full_help(),
        None => short(),
    }
}

/// Returns the usage of a command in one line.
pub(super) fn usage(name: CommandName) -> String {
    let forms = name.row().map_or(&[][..], |command| command.forms);
    let forms: Vec<&str> = forms.iter().map(|(form, _)| *form).collect();
    let forms = forms.join(" | ");
    let forms = forms.trim_start_matches(" | ");
    format!("immuaudit {} {forms}", name.word())
        .trim_end()
        .to_owned()
}

/// Returns the forms of a command with this subcommand, each as a full command line; all forms if `subcommand` is
/// empty.
pub(super) fn usage_of(name: CommandName, subcommand: &str) -> String {
    let forms = name.row().map_or(&[][..], |command| command.forms);
    let forms = forms.iter().map(|(form, _)| *form);
    let of_it = |&form: &&'static str| {
        subcommand.is_empty() || first_words(form).any(|word| word == subcommand)
    };
    let forms = forms.filter(of_it);
    let forms: Vec<String> = forms
        .map(|form| format!("immuaudit {} {form}", name.word()))
        .collect();
    forms.join(" or ")
}

fn short() -> String {
    let mut text = "Usage: immuaudit [COMMAND] [OPTION]...\n".to_owned();
    let is_listed = |name| {
        !matches!(
            name,
            CommandName::Compare
                | CommandName::Checkpoint
                | CommandName::Key
                | CommandName::Health
                | CommandName::Notify
                | CommandName::Help
                | CommandName::Version
                | CommandName::Man
                | CommandName::Completions
        )
    };
    for command in COMMANDS.iter().filter(|command| is_listed(command.name)) {
        text.push_str(&format!("  {:<12}{}\n", command.word, command.help));
    }
    text.push_str(&settings(|setting| setting.is_everyday));
    text.push_str("Also as IMMUAUDIT_OPTION and in immuaudit.toml. --help --all shows the rest.");
    text
}

fn full_help() -> String {
    let mut text = "Audits an immudb server, and proves it if history was rewritten.\n\nUsage: immuaudit [COMMAND] [OPTION]...\n".to_owned();
    for purpose in Purpose::ALL {
        text.push_str(&format!("\n{}:\n", purpose.title()));
        for command in COMMANDS.iter().filter(|command| command.purpose == purpose) {
            text.push_str(&entry(&format!("  {}", command.word), command.help, 15));
        }
    }
    for section in Section::ALL {
        text.push_str(&format!("\n{}:\n", section.title()));
        text.push_str(&settings(|setting| setting.group == Group::In(section)));
    }
    text.push('\n');
    text.push_str(&layers());
    let exits = EXITS.map(|(code, when)| format!("{code} {when}"));
    text.push_str(&format!("Exit codes: {}.\n", exits.join(", ")));
    text
}

/// Returns the help on the sources of settings.
pub(super) fn layers() -> String {
    [
        LAYERS,
        words::HELP_PLACES,
        AS_IMMUGW,
        words::HELP_SUPERVISOR,
    ]
    .concat()
}

const LAYERS: &str = "\
Flags override the environment, which overrides files, which override defaults.
Environment: IMMUAUDIT_ and the flag in capitals, with _ for -. The same name
with IMMUCLIENT_ has lower priority.
Files: --config FILE, otherwise immuaudit.toml and, with lower priority,
immuclient.toml.
";

const AS_IMMUGW: &str = "\
With --as immugw: IMMUGW_ for IMMUCLIENT_, immugw.toml for immuclient.toml, -k
and -j for -a and -p, port 9476, and user immugwauditor.
";

/// The exit codes, and when each is returned.
pub(super) const EXITS: [(&str, &str); 4] = [
    ("0", "good"),
    ("1", "not verified"),
    ("2", "tampering"),
    ("3", "usage or local failure"),
];

fn of_command(name: CommandName) -> String {
    let mut text = String::new();
    let (help, forms) = name
        .row()
        .map_or(("", &[][..]), |command| (command.help, command.forms));
    if forms.is_empty() {
        text.push_str(&format!("Usage: immuaudit {}\n\n{help}\n", name.word()));
    } else {
        text.push_str(&format!("{help}\n\nUsage:\n"));
    }
    for (form, meaning) in forms {
        let form = format!("immuaudit {} {form}", name.word());
        text.push_str(&format!("  {}\n", wrapped(form.trim_end(), 2, 6)));
        text.push_str(&format!("      {}\n", wrapped(meaning, 6, 6)));
    }
    let own = settings(|setting| setting.group == Group::Of(name));
    if !own.is_empty() {
        text.push_str(&format!("\nOptions:\n{own}"));
    }
    text.push_str("\nEvery general option applies too: immuaudit --help --all\n");
    text
}

/// Lists settings: flags on the left, their meaning and default on the right.
fn settings(of: impl Fn(&Setting) -> bool) -> String {
    let rows: Vec<(String, String)> = TABLE
        .iter()
        .filter(|setting| of(setting))
        .map(|setting| (format!("  {}", flag(setting)), meaning(setting)))
        .collect();
    let lengths = rows.iter().map(|(flag, _)| flag.len());
    let width = lengths.filter(|length| *length <= FLAG).max().unwrap_or(0) + 2;
    rows.iter()
        .map(|(flag, meaning)| entry(flag, meaning, width))
        .collect()
}

/// Formats a term and its meaning, which begins at `column`, or in the next line if the term is too long.
fn entry(term: &str, meaning: &str, column: usize) -> String {
    let meaning = wrapped(meaning, column, column);
    if term.len() + 2 <= column {
        format!("{term:<column$}{meaning}\n")
    } else {
        format!("{term}\n{:column$}{meaning}\n", "")
    }
}

/// Breaks a text between words at [`WIDTH`] columns. Its first line begins in column `start`, the further ones are
/// indented.
fn wrapped(text: &str, start: usize, indent: usize) -> String {
    let (mut wrapped, mut column) = (String::new(), start);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column + 1 + length > WIDTH && !wrapped.is_empty() {
            wrapped.push_str(&format!("\n{:indent$}", ""));
            column = indent;
        } else if !wrapped.is_empty() {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// Formats a flag: `-a, --immudb-address ADDRESS`
fn flag(setting: &Setting) -> String {
    let short = setting
        .short
        .map_or("    ".to_owned(), |letter| format!("-{letter}, "));
    format!("{short}--{} {}", setting.flag, setting.argument)
        .trim_end()
        .to_owned()
}

/// Returns the help line, with the default if there is one.
pub(super) fn meaning(setting: &Setting) -> String {
    match setting.default {
        "" | "false" => setting.help.to_owned(),
        default => format!("{} [{default}]", setting.help),
    }
}
