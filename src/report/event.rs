//! An event is one log line: a message and facts. In text the facts follow as `key=value`; in JSON each is a member.

use std::fmt::Write;

use log::kv::{Key, ToValue, Value, VisitSource};
use log::{Level, Record};

use super::json_object::JsonObject;

/// An event for the log.
#[derive(Debug)]
pub struct Event {
    level: Level,
    message: String,
    facts: Vec<(&'static str, Fact)>,
}

#[derive(Debug)]
enum Fact {
    Text(String),
    Number(u64),
}

impl Event {
    /// Creates an event with its level and its message.
    pub fn new(level: Level, message: impl ToString) -> Event {
        Event {
            level,
            message: message.to_string(),
            facts: Vec::new(),
        }
    }

    /// Adds a fact in words.
    #[must_use]
    pub fn text(mut self, key: &'static str, value: impl ToString) -> Event {
        self.facts.push((key, Fact::Text(value.to_string())));
        self
    }

    /// Adds a fact in words, if there is one.
    #[must_use]
    pub fn text_opt(self, key: &'static str, value: Option<impl ToString>) -> Event {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// Adds a fact in figures.
    #[must_use]
    pub fn number(mut self, key: &'static str, value: u64) -> Event {
        self.facts.push((key, Fact::Number(value)));
        self
    }

    /// Writes the event to the log.
    pub fn log(&self) {
        if self.level <= log::max_level() {
            let facts = self.facts.as_slice();
            log::logger().log(
                &Record::builder()
                    .level(self.level)
                    .target("immuaudit")
                    .args(format_args!("{}", self.message))
                    .key_values(&facts)
                    .build(),
            );
        }
    }
}

impl ToValue for Fact {
    fn to_value(&self) -> Value<'_> {
        match self {
            Fact::Text(text) => Value::from(text.as_str()),
            Fact::Number(number) => Value::from(*number),
        }
    }
}

/// Returns a record as one line of text.
pub(super) fn text(record: &Record<'_>) -> String {
    let mut line = Line(record.args().to_string());
    let _ = record.key_values().visit(&mut line); // this visitor returns no error
    line.0
}

/// Adds a record's facts to an object as members.
pub(super) fn members(object: JsonObject, record: &Record<'_>) -> JsonObject {
    let mut members = Members(object);
    let _ = record.key_values().visit(&mut members);
    members.0
}

struct Line(String);

impl<'a> VisitSource<'a> for Line {
    fn visit_pair(&mut self, key: Key<'a>, value: Value<'a>) -> Result<(), log::kv::Error> {
        let text = value.to_string();
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '=');
        // writing to a String cannot fail
        let _ = match !text.is_empty() && text.chars().all(plain) {
            true => write!(self.0, " {key}={text}"),
            false => write!(self.0, " {key}={text:?}"),
        };
        Ok(())
    }
}

struct Members(JsonObject);

impl<'a> VisitSource<'a> for Members {
    fn visit_pair(&mut self, key: Key<'a>, value: Value<'a>) -> Result<(), log::kv::Error> {
        let object = std::mem::take(&mut self.0);
        self.0 = match value.to_u64() {
            Some(number) => object.number(key.as_str(), Some(number)),
            None => object.text(key.as_str(), Some(&value.to_string())),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_follow_the_text_or_are_members() {
        let facts = [
            ("database", Fact::Text("shop".into())),
            ("reason", Fact::Text("a \"b\"\n".into())),
            ("empty", Fact::Text(String::new())),
            ("tx", Fact::Number(7)),
        ];
        let facts = facts.as_slice();
        let mut record = Record::builder();
        let record = record.key_values(&facts).args(format_args!("checked"));
        let record = record.build();
        assert_eq!(
            text(&record),
            "checked database=shop reason=\"a \\\"b\\\"\\n\" empty=\"\" tx=7"
        );
        assert_eq!(
            members(JsonObject::new(), &record).end(),
            "{\"database\":\"shop\",\"reason\":\"a \\\"b\\\"\\u000a\",\"empty\":\"\",\"tx\":7}"
        );
    }
}
