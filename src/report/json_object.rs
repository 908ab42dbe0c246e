//! One JSON object on each line (RFC 8259), written member by member.

use std::fmt::{Display, Write};

use crate::json::push_string;

/// A JSON object that is being written; its members are in the order in which they are added.
#[derive(Debug)]
pub struct JsonObject(String);

impl Default for JsonObject {
    fn default() -> JsonObject {
        JsonObject::new()
    }
}

impl JsonObject {
    /// Creates an object without members.
    pub fn new() -> JsonObject {
        JsonObject("{".into())
    }

    /// Adds a string; `None` is null.
    #[must_use]
    pub fn text(mut self, name: &str, value: Option<&str>) -> JsonObject {
        self.name(name);
        match value {
            Some(value) => push_string(&mut self.0, value),
            None => self.0.push_str("null"),
        }
        self
    }

    /// Adds a value as its printed string; `None` is null.
    #[must_use]
    pub fn shown(self, name: &str, value: Option<impl Display>) -> JsonObject {
        self.text(name, value.map(|value| value.to_string()).as_deref())
    }

    /// Adds a number; `None` is null.
    #[must_use]
    pub fn number(mut self, name: &str, value: Option<u64>) -> JsonObject {
        self.name(name);
        match value {
            // writing to a String cannot fail
            Some(value) => write!(self.0, "{value}").unwrap_or_default(),
            None => self.0.push_str("null"),
        }
        self
    }

    /// Adds a number with four decimals, for a share of 1.
    #[must_use]
    pub fn share(mut self, name: &str, value: f64) -> JsonObject {
        self.name(name);
        write!(self.0, "{value:.4}").unwrap_or_default();
        self
    }

    /// Adds a list of strings.
    #[must_use]
    pub fn texts(mut self, name: &str, values: &[&str]) -> JsonObject {
        self.name(name);
        self.0.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            push_string(&mut self.0, value);
        }
        self.0.push(']');
        self
    }

    /// Adds an object; `None` is null.
    #[must_use]
    pub fn object(mut self, name: &str, value: Option<JsonObject>) -> JsonObject {
        self.name(name);
        match value {
            Some(value) => self.0.push_str(&value.end()),
            None => self.0.push_str("null"),
        }
        self
    }

    /// Adds a list of objects.
    #[must_use]
    pub fn objects(mut self, name: &str, values: impl Iterator<Item = JsonObject>) -> JsonObject {
        self.name(name);
        self.0.push('[');
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.0.push_str(&value.end());
        }
        self.0.push(']');
        self
    }

    /// Adds true or false.
    #[must_use]
    pub fn flag(mut self, name: &str, value: bool) -> JsonObject {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// Returns the object's text.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_string(&mut self.0, name);
        self.0.push(':');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_any_text_is_one_line_of_ascii() {
        let nasty = "a\"b\\c\nd\u{202e}\u{1f600}\u{0}";
        let json = JsonObject::new()
            .text(nasty, Some(nasty))
            .text("none", None)
            .number("n", Some(u64::MAX))
            .flag("f", false)
            .end();
        let escaped = "a\\\"b\\\\c\\u000ad\\u202e\\ud83d\\ude00\\u0000";
        assert_eq!(
            json,
            format!(
                "{{\"{escaped}\":\"{escaped}\",\"none\":null,\"n\":18446744073709551615,\"f\":false}}"
            )
        );
    }
}
