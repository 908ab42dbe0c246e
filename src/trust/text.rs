//! The encoding of bytes and words in the files.

use std::fmt::Write;

/// Returns the bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

/// Returns the bytes that [`hex`] encoded.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 != 0 {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Returns a TOML basic string in plain ASCII, so that no part of it can forge a line or reverse the reading
/// direction (TOML 1.0, *String*).
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => drop(write!(quoted, "\\U{:08x}", u32::from(c))), // writing to a String cannot fail
        }
    }
    quoted.push('"');
    quoted
}

/// Returns at most `most` characters of a text, with a mark if that is not all.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => format!("{}[...]", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_both_ways() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&all)), Some(all));
        assert_eq!((unhex("0"), unhex("0g"), unhex("é")), (None, None, None));
    }

    #[test]
    fn a_quoted_text_is_ascii_and_toml_reads_it_back() {
        let nasty = "a\"b\\c\n\r\t\0\u{7f}\u{202e}é<script>\u{10ffff}";
        let text = quoted(nasty);
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)));
        let table: toml::Table = format!("x = {text}").parse().unwrap();
        assert_eq!(table.get("x").and_then(toml::Value::as_str), Some(nasty));
    }
}
