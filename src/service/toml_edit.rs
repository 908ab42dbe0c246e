//! Changing single keys of a settings file: whatever else stands there, comments above all, stays.

use toml::de::DeTable;

/// The text with these keys (name, value as TOML) set: in their place where they are there already,
/// else at the end.
///
/// # Errors
/// The text is no TOML; its parser says where, without quoting it.
pub fn set_keys(text: &str, keys: &[(&str, &str)]) -> Result<String, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        format!("line {line}: {}", error.message())
    })?;
    let mut changes = Vec::new();
    let mut added = String::new();
    for (name, value) in keys {
        // immuclient's reader takes keys of any case
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
    if !added.is_empty() && !changed.is_empty() && !changed.ends_with('\n') {
        changed.push('\n');
    }
    changed.push_str(&added);
    Ok(changed)
}

/// The text as it may be shown: passwords left out.
pub(super) fn shown(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key, _))
            if key
                .trim()
                .trim_matches('"')
                .to_ascii_lowercase()
                .ends_with("password") =>
        {
            format!("{key}= \"***\"\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
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
    fn what_is_no_toml_is_refused_without_being_quoted() {
        let told = set_keys("a = 1\naudit-password = \"hunter2\n", &[]).unwrap_err();
        assert!(
            told.starts_with("line 2: ") && !told.contains("hunter2"),
            "{told}"
        );
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(
            shown("audit-password = \"x\"\npassword=\"y\"\nuser = \"z\""),
            "audit-password = \"***\"\npassword= \"***\"\nuser = \"z\"\n"
        );
    }
}
