//! Several notes in one text, separated by empty lines, as `/checkpoints` serves them.

use super::note::{NoteError, SignedNote, is_signature};

/// The limit of notes in one text: 10,000 databases of a server, each with the notes of six auditors.
pub const MAX_NOTES: usize = 60_000;

/// Prints notes one after the other.
pub fn print_list<'a>(notes: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for note in notes {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(note);
    }
    text
}

/// Reads one or more notes, each of which may be wrong by itself. A note ends with its last signature, so files may
/// be joined with or without an empty line. The caller limits the bytes.
pub fn read_list(bytes: &[u8]) -> Vec<Result<SignedNote, NoteError>> {
    let mut notes = Vec::new();
    let mut note = Vec::new();
    let mut is_signed = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_signature = is_signature(line);
        let is_empty = line == b"\n";
        if is_signed && !is_signature {
            notes.push(SignedNote::read(&note));
            note.clear();
            is_signed = false;
        }
        if notes.len() >= MAX_NOTES {
            notes.push(Err(NoteError::TooMany));
            return notes;
        }
        if !(note.is_empty() && is_empty) {
            note.extend_from_slice(line);
        }
        is_signed |= is_signature;
    }
    if !note.is_empty() {
        notes.push(SignedNote::read(&note));
    }
    notes
}
