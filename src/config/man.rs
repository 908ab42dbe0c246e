//! The manual page, in roff (man(7)).

use super::help::{LAYERS, meaning, usage};
use super::setting::{Group, Setting};
use super::table::TABLE;
use super::verb::VERBS;

/// The whole page.
pub(super) fn page() -> String {
    let mut page = format!(
        ".TH IMMUAUDIT 1 \"\" \"immuaudit {}\" \"User Commands\"\n",
        env!("CARGO_PKG_VERSION")
    );
    page.push_str(".SH NAME\nimmuaudit \\- watches immudb servers and proves when one has rewritten history\n");
    page.push_str(".SH SYNOPSIS\n.B immuaudit\n[\\fIVERB\\fR] [\\fISETTING\\fR]...\n.SH VERBS\n");
    for verb in VERBS {
        entry(&mut page, &usage(verb.name), verb.help);
        for setting in TABLE
            .iter()
            .filter(|setting| setting.verb() == Some(verb.name))
        {
            page.push_str(".RS\n");
            entry(&mut page, &flag(setting), &meaning(setting));
            page.push_str(".RE\n");
        }
    }
    section(&mut page, "EVERYDAY SETTINGS", |s| {
        s.group == Group::Everyday
    });
    section(&mut page, "FURTHER SETTINGS", |s| {
        s.group == Group::Advanced && !s.origin.is_unused()
    });
    section(&mut page, "WITHOUT EFFECT", |s| s.origin.is_unused());
    page.push_str(".SH WHERE SETTINGS COME FROM\n.nf\n");
    page.push_str(
        &LAYERS
            .lines()
            .map(|line| format!("{}\n", escaped(line)))
            .collect::<String>(),
    );
    page.push_str(".fi\n");
    page
}

fn section(page: &mut String, title: &str, of: impl Fn(&Setting) -> bool) {
    page.push_str(&format!(".SH {title}\n"));
    for setting in TABLE.iter().filter(|setting| of(setting)) {
        entry(page, &flag(setting), &meaning(setting));
    }
}

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

/// Text that roff takes for nothing but text.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
