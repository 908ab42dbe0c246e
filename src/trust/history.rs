//! `DATABASE.history`: every accepted state, in order, one line each.
//!
//! Each line ends with its sum: the first 8 digits of the SHA-256 of the sum of the line before and its own content.
//! So a damaged, missing or moved line is detected. The sums have no key: they do not stop a user who can write the
//! file. Only the last line can be torn: by a kill while it is appended. A last line that is complete and does not
//! follow from the one before is not torn: lines before it are missing.

use super::file_damage::FileDamage;
use super::file_name::{escape, unescape};
use super::trusted_state::{TrustOrigin, TrustedState, parse_shape, parse_state, shape_word};
use crate::clock::Timestamp;
use crate::ledger::{Digest, State, StateShape};

/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
pub const MAX_HISTORY_BYTES: u64 = 16 * 1024 * 1024;

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The time of the change.
    pub time: Timestamp,
    /// The change of the state.
    pub change: Change,
    /// The state.
    pub state: State,
    /// The shape of its message, if it is known.
    pub shape: Option<StateShape>,
    /// The identity it came with, cut.
    pub uuid: Option<String>,
}

/// A change of the trusted state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The state became the trusted one.
    Accepted(TrustOrigin),
    /// The operator adopted this alarm, and no state is trusted any more: the next check is a first use.
    Forgotten { alarm: String },
    /// The operator removed the trusted state: the next check is a first use.
    Dropped,
}

/// A history that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The entries, in order.
    pub entries: Vec<HistoryEntry>,
    /// Bytes up to the end of the last good line.
    pub length: u64,
    /// Whether an incomplete line follows, which was being appended.
    pub torn: bool,
    /// The last line's sum, which covers all lines.
    pub(super) sum: String,
}

impl HistoryEntry {
    /// Returns the history line for a state that became the trusted one.
    pub fn of(trusted: &TrustedState) -> HistoryEntry {
        HistoryEntry {
            time: trusted.accepted,
            change: Change::Accepted(trusted.how.clone()),
            state: trusted.state,
            shape: trusted.shape,
            uuid: trusted.uuid.clone(),
        }
    }

    /// Returns whether this line was written for `trusted`. The identity may have changed since then.
    pub fn is_of(&self, trusted: &TrustedState) -> bool {
        self.time == trusted.accepted
            && self.state == trusted.state
            && self.change == Change::Accepted(trusted.how.clone())
    }

    /// Returns whether an unbroken line of proofs begins here.
    pub fn is_a_beginning(&self) -> bool {
        self.change != Change::Accepted(TrustOrigin::Proven)
    }

    /// Returns the line of the entry after `before`, whose sum is `sum_before`, and its own sum.
    pub(super) fn line(&self, sum_before: &str, before: Option<&HistoryEntry>) -> (String, String) {
        let content = self.content(before);
        let sum = sum(sum_before, &content);
        (format!("{content} {sum}\n"), sum)
    }

    fn content(&self, before: Option<&HistoryEntry>) -> String {
        let mut content = format!("{} {} {}", self.time, self.change, self.state);
        // unchanged facts are left out, so that the lines of a year stay small
        if self.shape != before.and_then(|before| before.shape) {
            content.push_str(" shape=");
            content.push_str(self.shape.map_or("unknown", shape_word));
        }
        if self.uuid.as_ref() != before.and_then(|before| before.uuid.as_ref()) {
            content.push_str(" uuid");
            if let Some(uuid) = &self.uuid {
                content.push('=');
                content.push_str(&escape(uuid));
            }
        }
        content
    }

    fn parse(content: &str, before: Option<&HistoryEntry>) -> Option<HistoryEntry> {
        let mut words = content.split(' ');
        let mut entry = HistoryEntry {
            time: words.next()?.parse().ok()?,
            change: Change::parse(words.next()?)?,
            state: parse_state(words.next()?)?,
            shape: before.and_then(|before| before.shape),
            uuid: before.and_then(|before| before.uuid.clone()),
        };
        for word in words {
            if let Some(shape) = word.strip_prefix("shape=") {
                entry.shape = match shape {
                    "unknown" => None,
                    word => Some(parse_shape(word)?),
                };
            } else if word == "uuid" {
                entry.uuid = None;
            } else {
                entry.uuid = Some(unescape(word.strip_prefix("uuid=")?)?);
            }
        }
        Some(entry)
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Change::Accepted(how) => how.fmt(f),
            Change::Forgotten { alarm } => write!(f, "forgotten:{alarm}"),
            Change::Dropped => f.write_str("dropped"),
        }
    }
}

impl Change {
    fn parse(word: &str) -> Option<Change> {
        if word == "dropped" {
            return Some(Change::Dropped);
        }
        match word.strip_prefix("forgotten:") {
            Some(alarm) => Some(Change::Forgotten {
                alarm: alarm.into(),
            }),
            None => word.parse().ok().map(Change::Accepted),
        }
    }
}

impl History {
    /// Returns the history in a file of this server and database.
    pub fn parse(bytes: &[u8], server: &str, database: &str) -> Result<History, FileDamage> {
        if bytes.is_empty() {
            return Err(FileDamage::Empty);
        }
        let mut history = History::begin(server, database);
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        // the first two lines were written together, so neither can be incomplete
        match lines.next() {
            Some(line) if line == history.header(server, database).as_bytes() => {}
            Some(line) => return Err(other_header(line)),
            None => return Err(FileDamage::Empty),
        }
        history.length = u64::try_from(history.header(server, database).len()).unwrap_or(u64::MAX);
        let mut number = 1;
        while let Some(line) = lines.next() {
            number += 1;
            match history.read_line(line) {
                Some((entry, sum)) => {
                    history.entries.push(entry);
                    history.sum = sum;
                    history.length += u64::try_from(line.len()).unwrap_or(u64::MAX);
                }
                None if is_complete(line) => return Err(FileDamage::Gap(number)),
                None if number > 2 && lines.next().is_none() => history.torn = true,
                None => return Err(FileDamage::Line(number)),
            }
        }
        if history.entries.is_empty() {
            return Err(FileDamage::Unfinished);
        }
        Ok(history)
    }

    /// Returns the content of the file of these entries.
    pub fn render(server: &str, database: &str, entries: &[HistoryEntry]) -> Vec<u8> {
        let History { mut sum, .. } = History::begin(server, database);
        let mut file = format!("{} {sum}\n", header_content(server, database));
        let mut before = None;
        for entry in entries {
            let (line, next) = entry.line(&sum, before);
            file.push_str(&line);
            (sum, before) = (next, Some(entry));
        }
        file.into_bytes()
    }

    fn begin(server: &str, database: &str) -> History {
        let first = header_content(server, database);
        History {
            entries: Vec::new(),
            length: 0,
            torn: false,
            sum: sum("", &first),
        }
    }

    fn header(&self, server: &str, database: &str) -> String {
        format!("{} {}\n", header_content(server, database), self.sum)
    }

    fn read_line(&self, line: &[u8]) -> Option<(HistoryEntry, String)> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (content, found) = line.rsplit_once(' ')?;
        let due = sum(&self.sum, content);
        if found != due {
            return None;
        }
        Some((HistoryEntry::parse(content, self.entries.last())?, due))
    }
}

/// Returns whether a line has all parts of an appended line, whatever its sum: no kill leaves such a line
/// incomplete.
fn is_complete(line: &[u8]) -> bool {
    let complete = || {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (content, sum) = line.rsplit_once(' ')?;
        let digits = sum.len() == SUM && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        HistoryEntry::parse(content, None).filter(|_| digits)
    };
    complete().is_some()
}

/// The number of digits of a line's sum.
const SUM: usize = 8;

const HEADER: &str = "immuaudit-history 1";

fn header_content(server: &str, database: &str) -> String {
    format!(
        "{HEADER} server={} database={}",
        escape(server),
        escape(database)
    )
}

/// Returns the database in the first line of a history, if that line is complete.
pub fn database_of(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let (content, found) = std::str::from_utf8(line).ok()?.rsplit_once(' ')?;
    if sum("", content) != found {
        return None;
    }
    unescape(content.rsplit_once(" database=")?.1)
}

fn other_header(line: &[u8]) -> FileDamage {
    let whole = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.strip_suffix('\n')?.rsplit_once(' '))
        .filter(|(content, found)| sum("", content) == *found);
    match whole {
        None => FileDamage::Line(1),
        Some((content, _)) => match content.strip_prefix(HEADER) {
            None => FileDamage::Format,
            Some(names) => FileDamage::OtherName {
                what: "server or database",
                found: names.trim().into(),
            },
        },
    }
}

fn sum(before: &str, content: &str) -> String {
    let digest = Digest::of(&[before.as_bytes(), b" ", content.as_bytes()]).to_string();
    digest.get(..SUM).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::super::tail::Tail;
    use super::*;

    fn entries() -> Vec<HistoryEntry> {
        let entry = |tx: u64, change, uuid: Option<&str>| HistoryEntry {
            time: Timestamp::from_unix(1_795_319_313 + tx * 300),
            change,
            state: State {
                tx,
                hash: Digest::of(&[&tx.to_be_bytes()]),
            },
            shape: Some(StateShape::WithDatabase),
            uuid: uuid.map(String::from),
        };
        let alarm = || "0123456789ab".to_string();
        let proven = || Change::Accepted(TrustOrigin::Proven);
        vec![
            entry(3, Change::Accepted(TrustOrigin::FirstSeen), Some("../é x")),
            entry(4, proven(), Some("../é x")),
            entry(5, proven(), None),
            entry(
                2,
                Change::Accepted(TrustOrigin::Adopted { alarm: alarm() }),
                Some(""),
            ),
            entry(2, Change::Forgotten { alarm: alarm() }, Some("")),
            entry(1, Change::Accepted(TrustOrigin::Pinned), None),
            entry(1, Change::Dropped, None),
            entry(1, Change::Accepted(TrustOrigin::Imported), None),
        ]
    }

    #[test]
    fn entries_come_back_as_they_were() {
        let file = History::render("s", "d", &entries());
        let history = History::parse(&file, "s", "d").unwrap();
        assert_eq!(history.entries, entries());
        assert_eq!(history.length, u64::try_from(file.len()).unwrap());
        let (last, rest) = entries()
            .split_last()
            .map(|(l, r)| (l.clone(), r.to_vec()))
            .unwrap();
        let shorter = History::render("s", "d", &rest);
        let tail = Tail::of(&History::parse(&shorter, "s", "d").unwrap()).unwrap();
        let (line, tail) = tail.next(&last);
        assert_eq!(Some(tail), Tail::of(&history));
        assert_eq!([shorter, line].concat(), file);
        assert_eq!(database_of(&file).as_deref(), Some("d"));
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_nothing_else() {
        let all = entries();
        let whole = History::render("s", "d", &all);
        let starts: Vec<usize> = (0..whole.len())
            .filter(|at| *at == 0 || whole[at - 1] == b'\n')
            .collect();
        for length in 0..whole.len() {
            let read = History::parse(&whole[..length], "s", "d");
            let lines = starts.iter().filter(|start| **start <= length).count();
            match read {
                Ok(history) => {
                    let kept = lines.saturating_sub(2); // without the header and the incomplete or absent last line
                    assert_eq!(history.entries, all[..kept], "{length}");
                    assert_eq!(history.torn, !starts.contains(&length), "{length}");
                }
                Err(_) => assert!(length < starts[2], "{length}"),
            }
        }
    }

    #[test]
    fn a_changed_bit_costs_the_last_line_at_most() {
        let all = entries();
        let whole = History::render("s", "d", &all);
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            if let Ok(history) = History::parse(&changed, "s", "d") {
                assert!(history.torn, "bit {bit} of byte {at}");
                assert!(history.entries.len() + 2 >= all.len());
                assert_eq!(history.entries, all[..history.entries.len()]);
            }
        }
    }

    #[test]
    fn a_line_left_out_is_noticed() {
        let whole = String::from_utf8(History::render("s", "d", &entries())).unwrap();
        for left_out in 0..=entries().len() {
            let lines: String = whole
                .split_inclusive('\n')
                .enumerate()
                .filter(|(number, _)| *number != left_out)
                .map(|(_, line)| line)
                .collect();
            let read = History::parse(lines.as_bytes(), "s", "d");
            let last = left_out == entries().len();
            assert_eq!(read.is_ok(), last, "{left_out}"); // a history that lacks its last line is still valid
            if (2..entries().len()).contains(&left_out) {
                assert_eq!(read, Err(FileDamage::Gap(left_out + 1)), "{left_out}");
            }
        }
    }
}
