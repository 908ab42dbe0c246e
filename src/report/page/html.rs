//! Pieces of HTML: text that is escaped, and times.

use std::fmt::Write;

use crate::clock::Timestamp;
use crate::report::ago::ago;

/// Returns text escaped for use between tags or in quotes.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns a time as its age, with the exact time for programs and under it for people.
pub fn age(at: Option<Timestamp>, now: Timestamp) -> String {
    let Some(at) = at else {
        return "-".into();
    };
    let age = ago(now.since(at));
    format!("<time datetime=\"{at}\">{age}<small>{at}</small></time>")
}

/// Appends text to a document.
pub fn put(to: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = to.write_fmt(text); // writing to a String cannot fail
}
