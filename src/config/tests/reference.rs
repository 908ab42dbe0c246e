//! Tests that the reference of all settings, docs/settings.md, matches the table.

use std::path::Path;
use std::{env, fs};

use super::super::command::{COMMANDS, Purpose};
use super::super::help::meaning;
use super::super::setting::{Group, Layers, Section, Setting};
use super::super::table::TABLE;

const HEAD: &str = "\
# Settings

Each setting is a flag, a variable and a key of a settings file: `--audit-interval 1m`, `IMMUAUDIT_AUDIT_INTERVAL=1m`, `audit-interval = \"1m\"`.
`immuaudit config` prints the effective settings, and where each comes from. `immuaudit config --check` reports what is wrong.

- Flags override variables, which override files, which override defaults.
- The settings file is `--config FILE`. Without it, immuclient.toml and immuaudit.toml are read, each from the first place that has it: `./configs`, the
  working directory, `$HOME`, `/etc/immudb`. immuaudit.toml overrides immuclient.toml.
- Variables of immuclient (`IMMUCLIENT_…`) count as well, and are weaker than `IMMUAUDIT_…`. Of immugw see [migrating.md](migrating.md).
- Durations have a unit: `500ms`, `30s`, `5m`, `24h`. A switch is `true` or `false` in files and variables.
- `[[receiver]]` tables have the settings of single receivers of notifications ([alerting.md](alerting.md)), `[[peer]]` tables those of single peers
  ([zones.md](zones.md)).

This page is made from the program's own table: `DRAW=1 cargo test --release --lib the_settings_page` writes it again after a change.
";

/// Returns the page.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for section in Section::ALL {
        page.push_str(&format!("\n## {}\n\n", section.title()));
        table(&mut page, |setting| setting.group == Group::In(section));
    }
    page.push_str("\n## Commands\n");
    for purpose in Purpose::ALL {
        page.push_str(&format!("\n### {}\n\n", purpose.title()));
        page.push_str("| command | what it does |\n|---|---|\n");
        for command in COMMANDS.iter().filter(|command| command.purpose == purpose) {
            row(&mut page, command.word, command.help, "");
            for (form, meaning) in command.forms.iter().filter(|(form, _)| !form.is_empty()) {
                row(&mut page, &format!("{} {form}", command.word), meaning, "");
            }
            for setting in TABLE.iter().filter(|s| s.command() == Some(command.name)) {
                row(&mut page, &flag(setting), &meaning(setting), command.word);
            }
        }
    }
    page
}

fn table(page: &mut String, of: impl Fn(&Setting) -> bool) {
    page.push_str("| setting | meaning [default] |\n|---|---|\n");
    for setting in TABLE.iter().filter(|setting| of(setting)) {
        let layers = match setting.layers {
            Layers::All => "",
            Layers::FlagAndEnvironment => "flag and variable only",
            Layers::Flag => "flag only",
        };
        row(page, &flag(setting), &meaning(setting), layers);
    }
}

/// Adds a row, with the note after the meaning.
fn row(page: &mut String, term: &str, meaning: &str, note: &str) {
    let cell = |text: &str| text.replace('|', "\\|");
    let note = match note {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    page.push_str(&format!("| `{}` | {}{note} |\n", cell(term), cell(meaning)));
}

fn flag(setting: &Setting) -> String {
    let short = setting.short.map(|letter| format!("-{letter}, "));
    let flag = format!(
        "{}--{} {}",
        short.unwrap_or_default(),
        setting.flag,
        setting.argument
    );
    flag.trim_end().to_owned()
}

#[test]
fn the_settings_page_has_what_the_table_has() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let page = page();
    if env::var_os("DRAW").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/settings.md differs from the table of settings or of commands. To write it again: \
         DRAW=1 cargo test --release --lib the_settings_page"
    );
}
