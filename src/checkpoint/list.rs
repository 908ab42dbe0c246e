//! Several notes in one text, as `/checkpoints` serves them: one behind the other, an empty line between two. No text of a
//! checkpoint has an empty line, so blocks of text and of signatures alternate.

use super::note::{NotANote, SignedNote};

/// Notes of one text that are read, at most: databases of one server.
pub const MAX_NOTES: usize = 10_000;

/// Prints notes one behind the other.
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

/// Reads notes; a single one is a list too. Each may be wrong by itself. Whoever reads the bytes bounds them.
pub fn read_list(bytes: &[u8]) -> Vec<Result<SignedNote, NotANote>> {
    let mut notes = Vec::new();
    let mut blocks = blocks(bytes).into_iter();
    while let Some(text) = blocks.next().filter(|_| notes.len() < MAX_NOTES) {
        notes.push(match blocks.next() {
            Some(signatures) => {
                // the empty line behind it is none of its own
                let own = signatures
                    .strip_suffix(b"\n")
                    .filter(|own| own.ends_with(b"\n"));
                SignedNote::read(&[text, own.unwrap_or(signatures)].concat())
            }
            None => Err(NotANote::NoEmptyLine),
        });
    }
    notes
}

/// Cuts behind each empty line, which stays with what is before it.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() && blocks.len() <= MAX_NOTES.saturating_mul(2) {
        let end = rest.windows(2).position(|two| two == b"\n\n");
        let end = end.map_or(rest.len(), |at| at.saturating_add(2));
        let (block, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        blocks.push(block);
        rest = behind;
    }
    blocks
}
