//! `--help`: the everyday settings on one screen, and all of them.

use super::setting::{Group, Setting};
use super::table::TABLE;
use super::verb::{Name, VERBS};

/// Help: the short one, the whole one, or a verb's.
pub(super) fn text(about: Option<Name>, all: bool) -> String {
    match about {
        Some(name) => of_verb(name),
        None if all => whole(),
        None => short(),
    }
}

/// How a verb is used.
pub(super) fn usage(name: Name) -> String {
    let usage = name.row().map_or("", |verb| verb.usage);
    format!("immuaudit {} {usage}", name.word())
        .trim_end()
        .to_owned()
}

fn short() -> String {
    let mut text = "Usage: immuaudit [VERB] [SETTING]...\n".to_owned();
    text.push_str(&verbs(|name| {
        !matches!(
            name,
            Name::Compare
                | Name::Checkpoint
                | Name::Key
                | Name::Health
                | Name::Notify
                | Name::Help
                | Name::Version
                | Name::Man
                | Name::Completions
        )
    }));
    text.push_str(&settings(|setting| setting.group == Group::Everyday));
    text.push_str("Also as IMMUAUDIT_SETTING and in immuaudit.toml. --help --all shows the rest.");
    text
}

fn whole() -> String {
    let mut text = "Watches an immudb server and says, with proof, when it has rewritten history.\n\nUsage: immuaudit [VERB] [SETTING]...\n\nVerbs:\n".to_owned();
    text.push_str(&verbs(|_| true));
    text.push_str("\nEveryday settings:\n");
    text.push_str(&settings(|setting| setting.group == Group::Everyday));
    text.push_str("\nFurther settings:\n");
    let further =
        |setting: &Setting| setting.group == Group::Advanced && !setting.origin.is_unused();
    text.push_str(&settings(further));
    text.push_str(
        "\nTaken so that immuclient's and immugw's command lines run, and of no effect:\n",
    );
    text.push_str(&settings(|setting| setting.origin.is_unused()));
    text.push('\n');
    text.push_str(LAYERS);
    let exits = EXITS.map(|(code, when)| format!("{code} {when}"));
    text.push_str(&format!("Exit codes: {}.\n", exits.join(", ")));
    text
}

/// The layers, in words.
pub(super) const LAYERS: &str = "\
Flags win over the environment, that over files, those over defaults.
Environment: IMMUAUDIT_ and the flag in capitals, - as _; weaker, the same with IMMUCLIENT_.
Files: --config FILE, or else immuclient.toml and, stronger, immuaudit.toml, each the first
found in ./configs, the working directory, $HOME and /etc/immudb; the flags' names are the keys.
With --as immugw: IMMUGW_ for IMMUCLIENT_, immugw.toml for immuclient.toml, -k and -j for -a
and -p, port 9476, and user immugwauditor.
Passwords also from systemd: $CREDENTIALS_DIRECTORY/audit-password.
";

/// What the program ends with, and when.
pub(super) const EXITS: [(&str, &str); 4] = [
    ("0", "good"),
    ("1", "could not complete"),
    ("2", "tampering"),
    ("3", "usage or local failure"),
];

fn of_verb(name: Name) -> String {
    let help = name.row().map_or("", |verb| verb.help);
    let own = settings(|setting| setting.group == Group::Of(name));
    let more = if own.is_empty() { "" } else { "\n" };
    format!(
        "Usage: {}\n\n{help}\n{more}{own}\nEvery setting applies too: immuaudit --help --all\n",
        usage(name)
    )
}

fn verbs(of: impl Fn(Name) -> bool) -> String {
    let lines = VERBS
        .iter()
        .filter(|verb| of(verb.name))
        .map(|verb| format!("  {:<12}{}\n", verb.word, verb.help));
    lines.collect()
}

/// A table of settings: flag and value on the left, meaning and default on the right.
fn settings(of: impl Fn(&Setting) -> bool) -> String {
    let rows: Vec<(String, String)> = TABLE
        .iter()
        .filter(|setting| of(setting))
        .map(|setting| (flag(setting), meaning(setting)))
        .collect();
    let width = rows.iter().map(|(flag, _)| flag.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(flag, meaning)| format!("  {flag:<width$}  {meaning}\n"));
    lines.collect()
}

/// `-a, --immudb-address ADDRESS`
fn flag(setting: &Setting) -> String {
    let short = setting
        .short
        .map_or("    ".to_owned(), |letter| format!("-{letter}, "));
    format!("{short}--{} {}", setting.flag, setting.argument)
        .trim_end()
        .to_owned()
}

/// The help line, and the default where there is one.
pub(super) fn meaning(setting: &Setting) -> String {
    match setting.default {
        "" | "false" => setting.help.to_owned(),
        default => format!("{} [{default}]", setting.help),
    }
}
