//! `key`: creates the key that signs this auditor's checkpoints, and prints its public half.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};

use super::output::print_data;
use super::setup::CommandError;
use crate::audit::Exit;
use crate::checkpoint::{KeyName, SignerKey, overwrite};
use crate::config::{KeyTask, Secret};
use crate::report::print_error;
use crate::sys;
use crate::trust::{StoreError, files};

/// The longest key file that is read, in bytes.
const MAX_FILE: u64 = 4096;

/// Creates a key, or prints the public half of one.
pub fn run(task: &KeyTask) -> Result<Exit, CommandError> {
    match task {
        KeyTask::New { name, file } => new(name, file),
        KeyTask::Show(file) => show(file),
    }
}

/// Writes a new key into a new file that its owner alone can read, and prints the public half.
fn new(name: &KeyName, file: &Path) -> Result<Exit, CommandError> {
    let failed = |why: &str| CommandError::Key(format!("{}: {why}", file.display()));
    let mut seed = [0; 32];
    let drawn = SystemRandom::new().fill(&mut seed);
    drawn.map_err(|_| failed("the system returned no random numbers"))?;
    let key = SignerKey::of_seed(name.clone(), &seed);
    let key = key.ok_or_else(|| failed("the system could not create a key"))?;
    let text = Secret::new(format!("{}\n", key.expose(&seed)));
    overwrite(&mut seed);
    write(file, &text).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            failed("the file exists, and a key is never overwritten: give another name")
        }
        _ => failed(&format!("it cannot be written: {error}")),
    })?;
    let exit = print_data(&key.public().to_string(), "public key");
    print_error(&format!(
        "immuaudit: the private key was written to {}, for --audit-signing-key; the line on standard output is the public key, for other auditors",
        file.display()
    ));
    Ok(exit)
}

fn write(file: &Path, text: &Secret) -> io::Result<()> {
    let mut open = sys::create_secret(file)?;
    let written = open
        .write_all(text.expose().as_bytes())
        .and_then(|()| open.sync_all());
    if written.is_err() {
        drop(fs::remove_file(file)); // an incomplete key file is useless and prevents another try
    }
    written
}

fn show(file: &Path) -> Result<Exit, CommandError> {
    let failed = |why: &str| CommandError::Key(format!("{}: {why}", file.display()));
    let bytes = files::read(file, MAX_FILE).map_err(|failure| match failure {
        StoreError::TooLong { .. } | StoreError::NotAFile { .. } => {
            failed("not a private key of immuaudit key new: give the file that it wrote")
        }
        failure => failure.into(),
    })?;
    let bytes = bytes.ok_or_else(|| failed("there is no such file"))?;
    let secret = Secret::new(String::from_utf8(bytes).unwrap_or_default());
    let key = SignerKey::read(secret.expose().trim_end());
    let key =
        key.map_err(|why| failed(&format!("not a private key of immuaudit key new: {why}")))?;
    Ok(print_data(&key.public().to_string(), "public key"))
}
