//! Names from outside as file names: no two are the same, and none leads to another directory.

use std::fmt::Write;

use crate::ledger::Digest;
use crate::sys;

/// The longest escaped name, in bytes, that is used unchanged: with its suffixes it must fit into the 255 that
/// file systems allow.
const MAX_NAME_BYTES: usize = 200;
/// The number of bytes of a longer name that stay before its hash.
const KEPT_NAME_BYTES: usize = 120;
/// The text between the name and its hash: no escape begins with a second `%`, so no shorter name contains it.
const CUT: &str = "%%";
/// The file name of the empty name: no escape is a single `%`.
const EMPTY: &str = "%";

/// Returns `name` as a file name: `a-z0-9_-` stay, each other byte becomes `%` and two lower-case hexadecimal
/// digits. Upper case is also escaped, so that names that differ only in case stay different on every file system.
///
/// If the system takes names such as `con` for devices, whatever follows after a dot, their first letter is also
/// escaped.
pub fn file_name(name: &str) -> String {
    file_name_where(name, sys::HAS_DEVICE_NAMES)
}

fn file_name_where(name: &str, has_device_names: bool) -> String {
    let escaped = escape(name);
    if escaped.is_empty() {
        EMPTY.into()
    } else if escaped.len() > MAX_NAME_BYTES {
        let kept = escaped.get(..KEPT_NAME_BYTES).unwrap_or_default(); // ASCII, so the end is a character boundary
        format!("{kept}{CUT}{}", Digest::of(&[name.as_bytes()]))
    } else if has_device_names && is_device(&escaped) {
        let (first, rest) = escaped.split_at_checked(1).unwrap_or_default();
        let digits = first.bytes().map(|byte| format!("%{byte:02x}"));
        digits.chain([rest.to_owned()]).collect()
    } else {
        escaped
    }
}

/// Returns the name for a file name; `None` if the file name was cut, or is not from [`file_name`].
pub fn from_file_name(file: &str) -> Option<String> {
    from_file_name_where(file, sys::HAS_DEVICE_NAMES)
}

fn from_file_name_where(file: &str, has_device_names: bool) -> Option<String> {
    if file == EMPTY {
        return Some(String::new());
    }
    let name = bytes(file).and_then(|bytes| String::from_utf8(bytes).ok())?;
    (file_name_where(&name, has_device_names) == file).then_some(name)
}

/// Returns whether Windows takes a name for a device, alone or with a dot and further text after it.
fn is_device(name: &str) -> bool {
    let numbered = name
        .strip_prefix("com")
        .or_else(|| name.strip_prefix("lpt"))
        .is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']));
    numbered || ["con", "prn", "aux", "nul"].contains(&name)
}

/// Escapes a name for the content of files. Unlike [`file_name`] it does not shorten the name, and the empty name stays
/// empty.
pub fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => escaped.push(char::from(byte)),
            _ => drop(write!(escaped, "%{byte:02x}")), // writing to a String cannot fail
        }
    }
    escaped
}

/// Returns the name that [`escape`] escaped; `None` for a text that it never returns.
pub fn unescape(escaped: &str) -> Option<String> {
    let name = String::from_utf8(bytes(escaped)?).ok()?;
    (escape(&name) == escaped).then_some(name)
}

/// Returns the bytes of an escaped name.
fn bytes(escaped: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = escaped;
    while let Some(first) = rest.chars().next() {
        if first == '%' {
            let digits = rest.get(1..3)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = rest.get(3..)?;
        } else {
            bytes.push(u8::try_from(first).ok()?);
            rest = rest.get(1..)?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_that_try_to_leave_become_plain_file_names() {
        for name in [
            "",
            ".",
            "..",
            "../../etc/passwd",
            "/etc/x",
            "a/b",
            "a\\b",
            "a\0b",
            "con:",
            "é\u{202e}x",
            "%2e",
            "A",
        ] {
            let file = file_name(name);
            assert!(
                !file.is_empty()
                    && file.bytes().all(|b| b.is_ascii_lowercase()
                        || b.is_ascii_digit()
                        || b"%_-".contains(&b)),
                "{file}"
            );
            assert_eq!(from_file_name(&file).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_device_of_windows_becomes_the_name_of_a_file_there_and_stays_as_it_is_elsewhere() {
        for (name, there) in [
            ("con", "%63on"),
            ("nul", "%6eul"),
            ("com1", "%63om1"),
            ("lpt0", "%6cpt0"),
            ("com", "com"),
            ("com10", "com10"),
            ("console", "console"),
            ("CON", "%43%4f%4e"),
            ("con.x", "con%2ex"),
        ] {
            assert_eq!(file_name_where(name, true), there);
            assert_eq!(from_file_name_where(there, true).as_deref(), Some(name));
        }
        assert_eq!(file_name_where("con", false), "con");
        assert_eq!(from_file_name_where("%63on", false), None);
        // names that are never written are refused
        for bad in ["con", "%63om", "%63%6fn"] {
            assert_eq!(from_file_name_where(bad, true), None, "{bad}");
        }
    }

    #[test]
    fn no_two_names_meet() {
        let mut names: Vec<String> = [
            "", "%", "%%", "a", "A", "a.", "a%2e", "a%2E", "a%252e", "ä", "Ä",
        ]
        .map(String::from)
        .into();
        for length in 195..210 {
            names.push("x".repeat(length));
            names.push("X".repeat(length));
            names.push(format!("{}y", "x".repeat(length)));
        }
        names.push(file_name(&"x".repeat(300)));
        let mut seen: HashMap<String, String> = HashMap::new();
        for name in names {
            let file = file_name(&name);
            assert!(file.len() <= MAX_NAME_BYTES, "{file}");
            if let Some(other) = seen.insert(file.to_lowercase(), name.clone()) {
                assert_eq!(other, name, "both are {file}");
            }
        }
    }

    #[test]
    fn a_cut_name_is_not_guessed() {
        let long = "x".repeat(201);
        assert_eq!(from_file_name(&file_name(&long)), None);
        for bad in ["%4", "%4G", "%4A", "%61", "a.b", "%%", "%ff"] {
            assert_eq!(from_file_name(bad), None, "{bad}");
        }
    }
}
