//! Changes of single keys of a settings file: the other content stays, above all comments.

use toml::de::{DeArray, DeTable};

/// Returns the text with these keys (name, value as TOML) set: in place if they exist, else at the end.
///
/// # Errors
/// The text is no TOML; its parser reports the line, without quoting it.
pub fn set_keys(text: &str, keys: &[(&str, &str)]) -> Result<String, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        format!("line {line}: {}", error.message())
    })?;
    let mut changes = Vec::new();
    let mut added = String::new();
    for (name, value) in keys {
        // immuclient ignores the case of keys
        let there = table
            .get_ref()
            .iter()
            .find(|(key, _)| key.get_ref().eq_ignore_ascii_case(name));
        match there {
            Some((_, old)) => changes.push((old.span(), *value)),
            None => added.push_str(&format!("{name} = {value}\n")),
        }
    }
    changes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut changed = text.to_owned();
    for (span, value) in changes {
        if changed.get(span.clone()).is_some() {
            changed.replace_range(span, value);
        }
    }
    let at = before_tables(&changed);
    let (before, tables) = changed.split_at_checked(at).unwrap_or((&changed, ""));
    let is_open = !added.is_empty() && !before.is_empty() && !before.ends_with('\n');
    let newline = if is_open { "\n" } else { "" };
    Ok(format!("{before}{newline}{added}{tables}"))
}

/// Returns the byte position of the first table, with the comments directly above it: after its header, a key
/// would belong to the table.
fn before_tables(text: &str) -> usize {
    let Ok(table) = DeTable::parse(text) else {
        return text.len();
    };
    let tables = table.get_ref().iter().filter(|(_, value)| {
        let value = value.get_ref();
        let is_of_tables = |items: &DeArray| items.iter().any(|item| item.get_ref().is_table());
        value.is_table() || value.as_array().is_some_and(is_of_tables)
    });
    // the key of an inline table, `a = {}`, is at the beginning of its line
    let headers = tables.filter_map(|(key, _)| {
        let before = text.get(..key.span().start)?;
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        text.get(line..)?
            .trim_start()
            .starts_with('[')
            .then_some(line)
    });
    let Some(mut at) = headers.min() else {
        return text.len();
    };
    while let Some(above) = text.get(..at.saturating_sub(1)).filter(|_| at > 0) {
        let line = above.rfind('\n').map_or(0, |at| at + 1);
        if !text
            .get(line..at)
            .is_some_and(|line| line.trim_start().starts_with('#'))
        {
            break;
        }
        at = line;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_change_in_their_place_and_all_else_stays() {
        let text = "# ours\nimmudb-port = 3322 # the port\nIMMUDB-ADDRESS = \"a\"\n\naudit-databases = [\n  \"x\", # one\n]\nother = true";
        let keys = [
            ("immudb-address", "\"b\""),
            ("audit-databases", "[\"y\"]"),
            ("audit-interval", "\"5m\""),
        ];
        assert_eq!(
            set_keys(text, &keys).unwrap(),
            "# ours\nimmudb-port = 3322 # the port\nIMMUDB-ADDRESS = \"b\"\n\naudit-databases = [\"y\"]\nother = true\naudit-interval = \"5m\"\n"
        );
    }

    #[test]
    fn again_changes_nothing() {
        let keys = [("a", "1"), ("b", "\"x\"")];
        let once = set_keys("", &keys).unwrap();
        assert_eq!(set_keys(&once, &keys).unwrap(), once);
    }

    #[test]
    fn invalid_toml_is_refused_without_being_quoted() {
        let message = set_keys("a = 1\naudit-password = \"hunter2\n", &[]).unwrap_err();
        assert!(
            message.starts_with("line 2: ") && !message.contains("hunter2"),
            "{message}"
        );
    }

    #[test]
    fn added_keys_precede_the_first_table() {
        let text = "a = 1\n\n# the pager\n[[receiver]]\nname = \"x\"\n";
        assert_eq!(
            set_keys(text, &[("b", "2")]).unwrap(),
            "a = 1\n\nb = 2\n# the pager\n[[receiver]]\nname = \"x\"\n"
        );
        let text = "[[receiver]]\na = 1";
        assert_eq!(
            set_keys(text, &[("b", "2")]).unwrap(),
            "b = 2\n[[receiver]]\na = 1"
        );
    }
}
