//! JSON for tests: every member in its order, by its path.

/// A value that is neither an object nor a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    Text(String),
    /// A number, true, false or null, as it is written.
    Word(String),
}

/// Returns every leaf of a JSON text in order, with its path (`a.b`, list items by their number).
///
/// # Panics
///
/// Panics if the text is not JSON.
#[track_caller]
pub fn leaves(text: &str) -> Vec<(String, Leaf)> {
    let mut reader = Reader {
        rest: text.trim(),
        leaves: Vec::new(),
    };
    reader.value(String::new());
    assert_eq!(reader.rest, "", "{text}");
    reader.leaves
}

struct Reader<'a> {
    rest: &'a str,
    leaves: Vec<(String, Leaf)>,
}

impl Reader<'_> {
    fn value(&mut self, path: String) {
        let below = |name: &str| match path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        match self.rest.chars().next().expect("a value") {
            '{' => {
                self.take("{");
                while !self.ends_with("}") {
                    let name = self.string();
                    self.take(":");
                    self.value(below(&name));
                }
            }
            '[' => {
                self.take("[");
                let mut index = 0;
                while !self.ends_with("]") {
                    self.value(below(&index.to_string()));
                    index += 1;
                }
            }
            '"' => {
                let text = self.string();
                self.leaves.push((path, Leaf::Text(text)));
            }
            _ => {
                let end = self.rest.find([',', '}', ']']).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.leaves.push((path, Leaf::Word(word.trim().to_owned())));
                self.rest = rest;
            }
        }
    }

    fn ends_with(&mut self, end: &str) -> bool {
        self.rest = self.rest.trim_start().trim_start_matches(',').trim_start();
        match self.rest.strip_prefix(end) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, what: &str) {
        let rest = self.rest.trim_start().strip_prefix(what);
        self.rest = rest.unwrap_or_else(|| panic!("no {what} before {}", self.rest));
        self.rest = self.rest.trim_start();
    }

    fn string(&mut self) -> String {
        self.take("\"");
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        loop {
            match chars.next().expect("a closing quote") {
                (at, '"') => {
                    self.rest = &self.rest[at + 1..];
                    return text;
                }
                (_, '\\') => match chars.next().expect("an escape").1 {
                    'u' => {
                        let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        let code = u32::from_str_radix(&digits, 16).expect("four digits");
                        text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                    }
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    c => text.push(c),
                },
                (_, c) => text.push(c),
            }
        }
    }
}
