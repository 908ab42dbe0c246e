//! Removes secrets from a settings file, so that it may be shown. Of URLs, scheme, host and port stay.

use toml::de::{DeTable, DeValue};

use super::kind::Kind;
use super::receiver_table;
use super::secret::Secret;
use super::table::TABLE;
use super::toml_text::quoted;
use super::url;

/// The part of a value that is removed.
enum Mask {
    /// The whole value.
    Everything,
    /// All parts of a URL except scheme, host and port.
    Url,
}

/// Returns a settings file without secrets and tokens. If the text is not TOML, and in comments, whole lines are
/// removed, because their values may continue anywhere.
pub fn masked_settings(text: &str) -> String {
    let mut shown = text.to_owned();
    if let Ok(table) = DeTable::parse(text) {
        let mut masks = Vec::new();
        collect(table.get_ref(), &mut masks);
        masks.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for (span, value) in masks {
            if shown.get(span.clone()).is_some() {
                shown.replace_range(span, &value);
            }
        }
        let line = |line: &str| match line.trim_start().starts_with('#') {
            true => masked_line(line),
            false => format!("{line}\n"),
        };
        return shown.lines().map(line).collect();
    }
    text.lines().map(masked_line).collect()
}

type Masked = (std::ops::Range<usize>, String);

fn collect(table: &DeTable, masks: &mut Vec<Masked>) {
    for (key, value) in table {
        match (mask(key.get_ref()), value.get_ref()) {
            (Some(Mask::Url), DeValue::String(text)) => {
                masks.push((value.span(), of_urls(text)));
            }
            (Some(Mask::Url), DeValue::Array(items)) => {
                let texts = items.iter().map(|item| match item.get_ref() {
                    DeValue::String(text) => (item.span(), of_urls(text)),
                    _ => (item.span(), quoted(Secret::SHOWN)),
                });
                masks.extend(texts);
            }
            (Some(_), _) => masks.push((value.span(), quoted(Secret::SHOWN))),
            (None, DeValue::Table(inner)) => collect(inner, masks),
            (None, DeValue::Array(items)) => {
                for item in items.iter() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        collect(inner, masks);
                    }
                }
            }
            (None, _) => {}
        }
    }
}

fn of_urls(text: &str) -> String {
    let urls = text.split(',').map(url::masked);
    let urls: Option<Vec<String>> = urls.collect();
    quoted(&urls.map_or_else(|| Secret::SHOWN.to_owned(), |urls| urls.join(",")))
}

/// Returns the mask for a key's value; `None` if all of the value may be shown.
fn mask(key: &str) -> Option<Mask> {
    let key = key.to_ascii_lowercase();
    let setting = TABLE.iter().find(|setting| setting.flag == key);
    match setting.map(|setting| &setting.kind) {
        Some(Kind::Url(_) | Kind::Urls(_) | Kind::Proxy(_) | Kind::Peers(_)) => Some(Mask::Url),
        Some(kind) if kind.is_secret() => Some(Mask::Everything),
        None if key == receiver_table::URL => Some(Mask::Url),
        None if key.ends_with("password") || key.ends_with("secret") => Some(Mask::Everything),
        _ => None,
    }
}

/// Returns a line without the value of its key, if the value must not be shown. URLs are also removed, because a value
/// may span several lines.
fn masked_line(line: &str) -> String {
    let shown = line.split_once('=').and_then(|(before, _)| {
        let key = before.trim_matches(|c: char| c.is_whitespace() || "#\"'".contains(c));
        mask(key).map(|_| format!("{before}= \"{}\"\n", Secret::SHOWN))
    });
    shown.unwrap_or_else(|| match line.split_once("://") {
        Some((before, _)) => format!("{before}://{}\n", Secret::SHOWN),
        None => format!("{line}\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_are_masked_everywhere() {
        let file = "audit-password = \"TOKEN\"\npassword=\"TOKEN\" # ours\nuser = \"z\"\n\
                    audit-notification-url = [\n  \"https://h/TOKEN\", # one\n  \"https://i/?TOKEN\",\n]\n\
                    AUDIT-NOTIFICATION-SECRET = \"\"\"\nTOKEN\"\"\"\nproxy = \"http://u:TOKEN@p:1\"\n\
                    # audit-heartbeat-url = \"https://old/TOKEN\"\n\
                    # audit-notification-url = [\n#  \"https://h/TOKEN\",\n# was: https://i/?x=TOKEN\n\
                    [[receiver]]\nname = \"pager\"\nurl = \"https://j:8/TOKEN\"\n";
        let shown = masked_settings(file);
        assert!(!shown.contains("TOKEN"), "{shown}");
        for kept in [
            "user = \"z\"",
            "password=\"***\" # ours",
            "  \"https://h/***\", # one\n  \"https://i/***\",\n]",
            "proxy = \"http://***@p:1\"",
            "# audit-heartbeat-url = \"***\"",
            "#  \"https://***\n# was: https://***\n",
            "[[receiver]]\nname = \"pager\"\nurl = \"https://j:8/***\"\n",
        ] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
        let broken = masked_settings("audit-password = \"TOKEN\nx = 1\n[Unit]\nAfter=x y\n");
        assert_eq!(
            broken,
            "audit-password = \"***\"\nx = 1\n[Unit]\nAfter=x y\n"
        );
    }
}
