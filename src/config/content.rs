//! Reads the files that settings name.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::sys::{self, words};

/// The limit of a settings file, in bytes: a longer file is probably another kind of file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The mode bits that let other users than the owner write.
pub(super) const OTHERS_WRITE: u32 = 0o022;

/// Returns the text of a settings file; `None` if there is no such file. Refuses a file that another user could have
/// written, because the file decides which server gets the password.
pub(super) fn trusted_content(path: &Path) -> Result<Option<String>, String> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let found = file.metadata().map_err(|error| error.to_string())?;
    let ours = sys::holding_of(&file).map_err(|error| error.to_string())?;
    let link = sys::holding(path).map_err(|error| error.to_string())?;
    let owners = [&ours.owner, &link.owner];
    if let Some(other) = owners.into_iter().find(|owner| !owner.is_trusted()) {
        return Err(format!(
            "it belongs to user {other}, who could send the password to another server: if the settings are yours, {}",
            words::TAKE_OVER
        ));
    }
    // a file of another type is a pipe of this user or /dev/null
    if found.is_file() && ours.open.mode() & OTHERS_WRITE != 0 {
        return Err(format!(
            "other users can write it: if the settings are yours, {}",
            words::FORBID_WRITING
        ));
    }
    text(file).map(Some)
}

/// Returns the text of a file; `None` if there is no such file.
pub(super) fn content(path: &Path) -> Result<Option<String>, String> {
    open(path)?.map(text).transpose()
}

/// Opens a file. A directory is refused here, because Unix opens it, and Windows says only that access is denied.
fn open(path: &Path) -> Result<Option<File>, String> {
    match File::open(path) {
        _ if path.is_dir() => Err("it is a directory, not a file".to_owned()),
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(format!(
            "{error}: give the user that runs immuaudit the right to read it"
        )),
        Err(error) => Err(error.to_string()),
    }
}

fn text(file: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}
