//! Damage of the auditor's files: kinds of damage, kinds of files, and the remedy for each kind of file.

use std::fmt;

use crate::text::Escaped;

/// The kind of damage in a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileDamage {
    /// The file has no bytes.
    Empty,
    /// The file has no checksum at its end.
    Unfinished,
    /// The checksum does not match.
    Checksum,
    /// The first line names another kind of file, or a later format.
    Format,
    /// The file is of another server or database.
    OtherName { what: &'static str, found: String },
    /// A line of the history, counted from 1.
    Line(usize),
    /// A line of the history does not follow the line before: lines are missing, or it was edited.
    Gap(usize),
    /// A value is absent or invalid.
    Value(&'static str),
}

/// The kinds of files in addition to those of the trusted state; each has its own remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// `DATABASE.alarms`.
    Alarms,
    /// Evidence in the auditor's directory, of an alarm that is not on the list.
    Evidence,
    /// An evidence file that the operator names.
    EvidenceCopy,
    /// A file that `states export` wrote.
    Export,
    /// The result of `locate` for an alarm.
    Located,
    /// `identities`.
    Identities,
    /// `DATABASE.mirror`.
    Mirror,
    /// `DATABASE.acknowledged`.
    Acknowledged,
}

impl Record {
    /// Returns the operator's next action after damage or loss of such a file.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Record::Alarms => {
                "restore it from a backup, or move it away: then every finding with stored evidence is an open alarm again"
            }
            Record::Evidence => {
                "restore it from a backup, or move it away, which removes its alarm from the list"
            }
            Record::EvidenceCopy => {
                "a damaged file proves nothing; use the evidence file that immuaudit alarm list names, or a backup of it"
            }
            Record::Export => {
                "write it again on the other auditor's host: immuaudit states export > FILE"
            }
            Record::Located => "move it away and find the range again: immuaudit locate DATABASE",
            Record::Identities => {
                "restore it from a backup, or move it away: every server identity is then new again, but no trusted state changes"
            }
            Record::Mirror => {
                "copy the file again; an auditor whose own mirror is damaged writes a new one"
            }
            Record::Acknowledged => {
                "its content is ignored; move the file away, then run immuaudit acknowledge again"
            }
        }
    }

    /// Returns the place to find such a file if the operator named one that does not exist.
    pub(super) fn place(self) -> &'static str {
        match self {
            Record::EvidenceCopy => "immuaudit evidence list names the evidence file of each alarm",
            Record::Export => {
                "write it on the other auditor's host: immuaudit states export > FILE"
            }
            Record::Mirror => {
                "name the DATABASE.mirror of another auditor, which --audit-keep-hashes writes, or a copy of it"
            }
            other => other.remedy(),
        }
    }
}

impl std::error::Error for FileDamage {}

impl fmt::Display for FileDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileDamage::Empty => f.write_str("the file is empty"),
            FileDamage::Unfinished => f.write_str(
                "the file is cut off, or is no file of immuaudit: it has no checksum at its end",
            ),
            FileDamage::Checksum => {
                f.write_str("the file was edited or damaged: its checksum is wrong")
            }
            FileDamage::Format => {
                f.write_str("the file is of another kind, or of a later version of immuaudit")
            }
            FileDamage::OtherName { what, found } => {
                write!(
                    f,
                    "the file belongs to another {what}, {}",
                    Escaped::new(found)
                )
            }
            FileDamage::Line(line) => write!(f, "line {line} was edited or damaged"),
            FileDamage::Gap(line) => write!(
                f,
                "the history has a gap: lines before line {line} are missing, or that line was edited"
            ),
            FileDamage::Value(what) => write!(f, "it has no valid {what}"),
        }
    }
}
