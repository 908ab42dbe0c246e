//! A reader of JSON (RFC 8259) for another auditor's responses. It limits values and depth, and refuses text after
//! the end. A value that was read can be printed; `report` writes own JSON.

#![forbid(unsafe_code)]

use std::fmt::{self, Write};

/// The limit of values in a text: twice as many as a list of 10,000 databases has.
const MAX_VALUES: usize = 200_000;
/// The maximum depth of nested objects and lists, so that no text exhausts the stack of the recursive reader.
const MAX_DEPTH: usize = 16;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`, `true` or `false`, which no caller uses.
    Word(&'static str),
    /// A number as it is written.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object's members in order.
    Object(Vec<(String, Json)>),
}

/// The text is not JSON, or exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError;

impl std::error::Error for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not JSON, or too large")
    }
}

impl Json {
    /// Parses a whole text.
    ///
    /// # Errors
    /// The text is not JSON, or exceeds a limit.
    pub fn parse(text: &str) -> Result<Json, JsonError> {
        let mut reader = Reader {
            rest: text,
            values: MAX_VALUES,
        };
        let value = reader.value(MAX_DEPTH)?;
        reader.blanks();
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err(JsonError)
        }
    }

    /// Returns the member with this name if there is exactly one.
    pub fn member(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else {
            return None;
        };
        let mut found = members.iter().filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Returns the text if the value is a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number if the value is a whole number that is not negative.
    pub fn number(&self) -> Option<u64> {
        match self {
            Json::Number(number) => number.parse().ok(),
            _ => None,
        }
    }

    /// Returns the elements if the value is an array.
    pub fn list(&self) -> Option<&[Json]> {
        match self {
            Json::List(list) => Some(list),
            _ => None,
        }
    }
}

/// Prints the value as JSON, without blanks.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Word(word) => f.write_str(word),
            Json::Number(number) => f.write_str(number),
            Json::Text(text) => f.write_str(&quoted(text)),
            Json::List(list) => {
                f.write_str("[")?;
                for (at, value) in list.iter().enumerate() {
                    let between = if at == 0 { "" } else { "," };
                    write!(f, "{between}{value}")?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    let between = if at == 0 { "" } else { "," };
                    write!(f, "{between}{}:{value}", quoted(name))?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    push_string(&mut quoted, text);
    quoted
}

/// Writes a string as in RFC 8259 §7; everything beyond printable ASCII is also escaped.
pub fn push_string(to: &mut String, text: &str) {
    to.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => to.extend(['\\', c]),
            ' '..='~' => to.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}").unwrap_or_default();
                }
            }
        }
    }
    to.push('"');
}

struct Reader<'a> {
    rest: &'a str,
    values: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, word: &str) -> bool {
        let after = self.rest.strip_prefix(word);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn due(&mut self, word: &str) -> Result<(), JsonError> {
        self.blanks();
        if self.take(word) {
            Ok(())
        } else {
            Err(JsonError)
        }
    }

    fn value(&mut self, deepest: usize) -> Result<Json, JsonError> {
        self.values = self.values.checked_sub(1).ok_or(JsonError)?;
        let deepest = deepest.checked_sub(1).ok_or(JsonError)?;
        self.blanks();
        for word in ["null", "true", "false"] {
            if self.take(word) {
                return Ok(Json::Word(word));
            }
        }
        if self.rest.starts_with('"') {
            return Ok(Json::Text(self.string()?));
        }
        if self.take("[") {
            return self.list(deepest);
        }
        if self.take("{") {
            return self.object(deepest);
        }
        self.number()
    }

    fn list(&mut self, deepest: usize) -> Result<Json, JsonError> {
        let mut list = Vec::new();
        self.blanks();
        if self.take("]") {
            return Ok(Json::List(list));
        }
        loop {
            list.push(self.value(deepest)?);
            self.blanks();
            if self.take("]") {
                return Ok(Json::List(list));
            }
            self.due(",")?;
        }
    }

    fn object(&mut self, deepest: usize) -> Result<Json, JsonError> {
        let mut members = Vec::new();
        self.blanks();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.due(":")?;
            members.push((name, self.value(deepest)?));
            self.blanks();
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            self.due(",")?;
        }
    }

    /// Reads a number (RFC 8259 §6), but does not check the digits after the point and the exponent.
    fn number(&mut self) -> Result<Json, JsonError> {
        let of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let end = self.rest.find(|c| !of_number(c));
        let (number, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let digits = number.strip_prefix('-').unwrap_or(number);
        let leading = digits.starts_with('0') && digits.len() > 1 && !digits.starts_with("0.");
        if leading || !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(JsonError);
        }
        self.rest = after;
        Ok(Json::Number(number.to_owned()))
    }

    /// Reads a string (RFC 8259 §7).
    fn string(&mut self) -> Result<String, JsonError> {
        self.due("\"")?;
        let mut text = String::new();
        loop {
            let mut chars = self.rest.chars();
            let c = chars.next().ok_or(JsonError)?;
            self.rest = chars.as_str();
            match c {
                '"' => return Ok(text),
                '\\' => text.push(self.escaped()?),
                '\0'..='\x1f' => return Err(JsonError),
                _ => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, JsonError> {
        let mut chars = self.rest.chars();
        let c = chars.next().ok_or(JsonError)?;
        self.rest = chars.as_str();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first).ok_or(JsonError);
                }
                // a pair of surrogates: a character beyond the first plane
                if !self.take("\\u") {
                    return Err(JsonError);
                }
                let second = self.unit()?;
                let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
                let point = low.map(|low| 0x10000 + ((first - 0xd800) << 10) + low);
                point.and_then(char::from_u32).ok_or(JsonError)?
            }
            _ => return Err(JsonError),
        })
    }

    /// Reads four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, JsonError> {
        let (digits, after) = self.rest.split_at_checked(4).ok_or(JsonError)?;
        if !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(JsonError);
        }
        self.rest = after;
        u32::from_str_radix(digits, 16).map_err(|_| JsonError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_value_is_read_as_the_same_value() {
        let text = r#"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n\"\\",null,true],"b\t":{},"c":[]}"#;
        let value = Json::parse(text).unwrap();
        assert_eq!(Json::parse(&value.to_string()), Ok(value));
    }

    #[test]
    fn a_text_is_read_to_its_end() {
        let text = r#" {"a": [1, -2.5e3, "x\u00e9\ud83d\ude00\n", null, true], "b": {}, "c": []} "#;
        let value = Json::parse(text).unwrap();
        let list = value.member("a").and_then(Json::list).unwrap();
        assert_eq!(list[0].number(), Some(1));
        assert_eq!(list[1], Json::Number("-2.5e3".into()));
        assert_eq!(list[2].text(), Some("x\u{e9}\u{1f600}\n"));
        assert_eq!(list[3], Json::Word("null"));
        assert_eq!(value.member("b"), Some(&Json::Object(vec![])));
        assert_eq!(value.member("d"), None);
    }

    #[test]
    fn invalid_or_too_large_json_is_refused() {
        for bad in [
            "",
            "{",
            "[1",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "01",
            "-",
            "nul",
            "\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\u12\"",
            "\"\n\"",
            "1 2",
            "{a:1}",
            "+1",
            ".5",
            "\"\\ud800\\u0041\"",
        ] {
            assert_eq!(Json::parse(bad), Err(JsonError), "{bad}");
        }
        assert!(Json::parse(&"[".repeat(1 << 20)).is_err());
        let many = format!("[{}1]", "1,".repeat(MAX_VALUES));
        assert!(Json::parse(&many).is_err());
    }

    #[test]
    fn a_member_that_is_there_twice_is_none() {
        let value = Json::parse(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(value.member("a"), None);
    }
}
