//! The manual page, in roff (man(7)).

use super::command::COMMANDS;
use super::help::{EXITS, layers, meaning, usage};
use super::setting::{Group, Section, Setting};
use super::table::TABLE;

/// Returns the whole page.
pub(super) fn page() -> String {
    let mut page = format!(
        ".TH IMMUAUDIT 1 \"\" \"immuaudit {}\" \"User Commands\"\n",
        env!("CARGO_PKG_VERSION")
    );
    page.push_str(
        ".SH NAME\nimmuaudit \\- audits immudb servers, and proves it if history was rewritten\n",
    );
    page.push_str(
        ".SH SYNOPSIS\n.B immuaudit\n[\\fICOMMAND\\fR] [\\fIOPTION\\fR]...\n.SH COMMANDS\n",
    );
    for command in COMMANDS {
        entry(&mut page, &usage(command.name), command.help);
        for (form, meaning) in command.forms.iter().filter(|(form, _)| !form.is_empty()) {
            page.push_str(".RS\n");
            entry(&mut page, form, meaning);
            page.push_str(".RE\n");
        }
        for setting in TABLE
            .iter()
            .filter(|setting| setting.command() == Some(command.name))
        {
            page.push_str(".RS\n");
            entry(&mut page, &flag(setting), &meaning(setting));
            page.push_str(".RE\n");
        }
    }
    page.push_str(".SH OPTIONS\n");
    for section in Section::ALL {
        page.push_str(&format!(".SS {}\n", section.title()));
        let of_it = |setting: &&Setting| setting.group == Group::In(section);
        for setting in TABLE.iter().filter(of_it) {
            entry(&mut page, &flag(setting), &meaning(setting));
        }
    }
    page.push_str(".SH SOURCES OF SETTINGS\n.nf\n");
    page.push_str(
        &layers()
            .lines()
            .map(|line| format!("{}\n", escaped(line)))
            .collect::<String>(),
    );
    page.push_str(".fi\n.SH EXIT STATUS\n");
    for (code, when) in EXITS {
        entry(&mut page, code, when);
    }
    page.push_str(&format!(".PP\n{}\n.SH FILES\n", escaped(STAYS)));
    for (path, what) in FILES {
        entry(&mut page, path, what);
    }
    page.push_str(".SH EXAMPLES\n");
    for (command, what) in EXAMPLES {
        entry(&mut page, command, what);
    }
    page
}

/// The paragraph that explains exit code 2.
const STAYS: &str = "An open alarm keeps the exit code at 2 until an operator closes or adopts the alarm, even if later checks succeed. evidence verify exits with 2 if the file shows tampering, and with 1 if it does not.";

const FILES: [(&str, &str); 4] = [
    (
        "/etc/immudb/immuaudit.toml",
        "settings; each key is the name of a flag",
    ),
    (
        "/var/lib/immuaudit/SERVER/DATABASE.state",
        "the trusted state of one database (for root and the service; for other users in ~/.local/state/immuaudit, or in --dir); DATABASE.history has the earlier trusted states, DATABASE.alarms the alarms, DATABASE.acknowledged the facts that an operator acknowledged",
    ),
    (
        "/var/lib/immuaudit/SERVER/evidence/DATABASE/ALARM.toml",
        "the evidence of one finding, which any machine can verify without the server",
    ),
    (
        "/usr/share/doc/immuaudit/docs",
        "the documentation: first audit, verdicts, alarms, incident and more",
    ),
];

const EXAMPLES: [(&str, &str); 6] = [
    (
        "immuaudit drill",
        "show that an honest server passes and that lies are detected",
    ),
    (
        "immuaudit --once -a ledger.example",
        "audit every database of a server once, as cron does",
    ),
    (
        "immuaudit -a ledger.example --audit-username auditor --audit-password-file /etc/immudb/password",
        "audit every five minutes until stopped; metrics and a page on port 9477",
    ),
    (
        "immuaudit locate defaultdb",
        "after an alarm: find the transactions that were rewritten",
    ),
    (
        "immuaudit alarm close ID",
        "close an alarm and keep the trusted state; alarm list prints the IDs",
    ),
    (
        "immuaudit evidence verify FILE",
        "check a finding again, offline",
    ),
];

fn entry(page: &mut String, term: &str, text: &str) {
    page.push_str(&format!(
        ".TP\n\\fB{}\\fR\n{}\n",
        escaped(term),
        escaped(text)
    ));
}

fn flag(setting: &Setting) -> String {
    let short = setting
        .short
        .map_or(String::new(), |letter| format!("-{letter}, "));
    format!("{short}--{} {}", setting.flag, setting.argument)
        .trim_end()
        .to_owned()
}

/// Escapes text so that roff does not interpret it.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_take_verbs_and_settings_that_there_are() {
        for (command, _) in EXAMPLES {
            let words: Vec<&str> = command.split(' ').collect();
            let command = words[1];
            assert!(
                command.starts_with('-') || COMMANDS.iter().any(|known| known.word == command),
                "{command}"
            );
            for flag in words.iter().filter_map(|word| word.strip_prefix("--")) {
                assert!(
                    TABLE.iter().any(|setting| setting.flag == flag),
                    "{command}: {flag}"
                );
            }
        }
    }
}
