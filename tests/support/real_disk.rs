//! Edits in the data directory of a stopped real server.

use std::fs;
use std::path::Path;

/// Flips a bit of the last byte of `text` at each occurrence in the files of the directories whose
/// names begin with `part`. Returns the number of edits.
pub fn edit(database: &Path, part: &str, text: &str) -> u32 {
    let mut edits = 0;
    for entry in fs::read_dir(database).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name.starts_with(part) {
            edits += edit_files(&path, text.as_bytes());
        }
    }
    edits
}

fn edit_files(dir: &Path, text: &[u8]) -> u32 {
    let mut edits = 0;
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let mut bytes = fs::read(&path).expect("a file");
        let found: Vec<usize> = bytes
            .windows(text.len())
            .enumerate()
            .filter(|(_, window)| *window == text)
            .map(|(at, _)| at)
            .collect();
        for at in &found {
            bytes[at + text.len() - 1] ^= 1;
            edits += 1;
        }
        if !found.is_empty() {
            fs::write(&path, bytes).expect("the edited file");
        }
    }
    edits
}
