//! `checkpoint`: signed states of this auditor and of others. No subcommand asks a server.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::output::print_data;
use super::setup::{self, CommandError};
use crate::audit::Exit;
use crate::checkpoint::{
    Checkpoint, CosignatureError, Origin, SignedNote, VerifierKey, confirmed, print_list, read_list,
};
use crate::clock::{self, Timestamp};
use crate::config::{CheckpointTask, Format, Settings};
use crate::ledger::{BadSignature, StateShape};
use crate::report::{JsonObject, ago, checkpoint, print, print_error};
use crate::text::{Escaped, number};
use crate::trust::{Export, Store, last_proven};

/// The longest file that is read, in bytes: 10,000 databases with a few signatures each.
const MAX_FILE: u64 = 16 << 20;

/// Exports, shows or verifies checkpoints.
pub fn run(settings: &Settings, task: &CheckpointTask) -> Result<Exit, CommandError> {
    match task {
        CheckpointTask::Export => export(settings),
        CheckpointTask::Show(file) => show(settings, file),
        CheckpointTask::Verify {
            file,
            keys,
            required,
        } => verify(settings, file, keys, *required),
    }
}

/// Writes the notes of `/checkpoints` from the files: the trusted states, with the time at which each was last
/// proven.
fn export(settings: &Settings) -> Result<Exit, CommandError> {
    let Some(key) = &settings.monitoring.signer else {
        return Err(CommandError::NoSigningKey);
    };
    let store = Store::open_shared(&setup::location(settings))?;
    let (outcomes, now) = (store.load_outcomes(), clock::now());
    let (mut notes, mut exit) = (Vec::new(), Exit::Good);
    for database in store.databases()? {
        let name = Escaped::new(&database);
        let trusted = match store.load(&database) {
            Ok(Some(trusted)) => trusted,
            Ok(None) => continue,
            Err(failure) => {
                print_error(&format!("immuaudit: {name}: {failure}"));
                exit = exit.max(Exit::Local);
                continue;
            }
        };
        let checked = outcomes.iter().find(|of| of.database == database);
        let Some(at) = last_proven(&trusted, checked) else {
            print_error(&format!(
                "immuaudit: {name}: the last check did not prove the trusted state, so it is not exported"
            ));
            exit = exit.max(Exit::Incomplete);
            continue;
        };
        let names = (settings.server.name.as_str(), database.as_str());
        let signature = trusted.signature.as_ref();
        // the clock was ahead and was corrected
        let at = at.min(now);
        notes.push(checkpoint(names, trusted.state, signature, key, at));
    }
    if notes.is_empty() {
        print_error("immuaudit: nothing to export: run immuaudit --once first");
        return Ok(exit.max(Exit::Incomplete));
    }
    let text = print_list(notes.iter().map(String::as_str));
    Ok(exit.max(print_data(text.trim_end_matches('\n'), "export")))
}

/// One checkpoint of a file.
struct Read {
    note: SignedNote,
    checkpoint: Checkpoint,
}

/// Returns the checkpoints of a file, and the number of its invalid notes; each of those is reported.
fn read(file: &Path) -> Result<(Vec<Read>, usize), CommandError> {
    let bytes =
        content(file).map_err(|why| CommandError::Key(format!("{}: {why}", file.display())))?;
    let notes = read_list(&bytes);
    let (mut checkpoints, mut invalid) = (Vec::new(), Vec::new());
    for (place, note) in (1..).zip(notes) {
        let place: usize = place;
        let read = note.map_err(|why| why.to_string()).and_then(|note| {
            let checkpoint = Checkpoint::read(note.text());
            let checkpoint = checkpoint.map_err(|why| why.to_string())?;
            Ok(Read { note, checkpoint })
        });
        match read {
            Ok(read) => checkpoints.push(read),
            Err(why) => {
                invalid.push(format!(
                    "immuaudit: {}: checkpoint {place} is invalid: {why}",
                    file.display()
                ));
            }
        }
    }
    if checkpoints.is_empty() {
        check_no_export(file)?;
    }
    invalid.iter().for_each(|line| print_error(line));
    let wrong = invalid.len();
    if checkpoints.is_empty() && wrong == 0 {
        return Err(CommandError::Key(format!(
            "{}: it has no checkpoint",
            file.display()
        )));
    }
    Ok((checkpoints, wrong))
}

/// Returns whether a file has a checkpoint, with any signature.
pub(super) fn has_checkpoints(file: &Path) -> bool {
    let bytes = read_whole_file(File::open(file)).unwrap_or_default();
    read_list(&bytes).iter().any(Result::is_ok)
}

/// Checks that a file is not the export of trusted states, which has no checkpoints.
///
/// # Errors
/// The file is such an export.
pub(super) fn check_no_export(file: &Path) -> Result<(), CommandError> {
    match Export::read(file) {
        Ok(_) => Err(CommandError::Key(format!(
            "{}: the file has no checkpoints, because states export wrote it: compare it with immuaudit compare FILE, without a key, or write checkpoints with immuaudit checkpoint export",
            file.display()
        ))),
        Err(_) => Ok(()),
    }
}

fn content(file: &Path) -> Result<Vec<u8>, String> {
    match file.to_str() {
        Some("-") => read_whole_file(Ok(io::stdin().lock())),
        _ => read_whole_file(File::open(file)),
    }
}

/// Reads a file of checkpoints, once it is open.
///
/// # Errors
/// The file cannot be read, or is too long.
pub(super) fn read_whole_file(opened: io::Result<impl io::Read>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = opened.and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    match number(bytes.len()) > MAX_FILE {
        true => Err(format!("it is longer than {MAX_FILE} bytes")),
        false => Ok(bytes),
    }
}

/// Prints the contents of a file. Names the signers as the file has them; `verify` checks them.
fn show(settings: &Settings, file: &Path) -> Result<Exit, CommandError> {
    let (checkpoints, wrong) = read(file)?;
    for read in &checkpoints {
        let Read { note, checkpoint } = read;
        let names: Vec<&str> = note.signatures.iter().map(|of| of.name.as_str()).collect();
        print(&match settings.report.format {
            Format::Json => object(checkpoint).texts("signed_by", &names).end(),
            Format::Text => format!(
                "{}\n  names {} as its signer (not verified: immuaudit checkpoint verify)",
                line(checkpoint),
                shown_names(&names)
            ),
        });
    }
    Ok(if wrong > 0 {
        Exit::Incomplete
    } else {
        Exit::Good
    })
}

fn shown_names(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .map(|name| Escaped::new(name).to_string())
        .collect();
    shown.join(", ")
}

fn line(checkpoint: &Checkpoint) -> String {
    let Checkpoint {
        origin,
        state,
        signature,
    } = checkpoint;
    let signed = match signature {
        None => "",
        Some(_) => ", with the server's signature",
    };
    format!(
        "{} of server {}: transaction {}, hash {}{signed}",
        Escaped::new(&origin.database),
        Escaped::new(&origin.server),
        state.tx,
        state.hash
    )
}

fn object(checkpoint: &Checkpoint) -> JsonObject {
    JsonObject::new()
        .text("server", Some(&checkpoint.origin.server))
        .text("database", Some(&checkpoint.origin.database))
        .number("tx", Some(checkpoint.state.tx))
        .text("hash", Some(&checkpoint.state.hash.to_string()))
}

/// The results of verifying one checkpoint with the keys.
#[derive(Default)]
struct Words {
    /// The names of the keys that confirm it, with the times.
    confirmed: Vec<(String, Timestamp)>,
    /// The names of the keys whose signatures are wrong.
    wrong: Vec<String>,
}

impl Words {
    fn of(note: &SignedNote, keys: &[VerifierKey]) -> Words {
        let mut words = Words::default();
        for key in keys {
            let name = key.name.to_string();
            match confirmed(note, key) {
                // an auditor counts once, even if its key was renewed
                Ok(of) if words.confirmed.iter().all(|(known, _)| *known != name) => {
                    words.confirmed.push((name, Timestamp::from_unix(of.time)));
                }
                Ok(_) | Err(CosignatureError::Absent) => {}
                Err(CosignatureError::Wrong) => words.wrong.push(name),
            }
        }
        words
    }
}

/// Verifies the signatures on the checkpoints of a file. Two checkpoints of one transaction with different hashes are
/// proof against the server if it signed both, by a configured key.
fn verify(
    settings: &Settings,
    file: &Path,
    keys: &[VerifierKey],
    required: u64,
) -> Result<Exit, CommandError> {
    let (checkpoints, wrong) = read(file)?;
    let mut exit = if wrong > 0 {
        Exit::Incomplete
    } else {
        Exit::Good
    };
    let server_keys = settings.audit.signatures.keys();
    let mut shown = Hashes::default();
    for Read { note, checkpoint } in &checkpoints {
        let words = Words::of(note, keys);
        let is_enough = number(words.confirmed.len()) >= required && words.wrong.is_empty();
        let has_signature = checkpoint.signature.is_some();
        let by_server = has_signature.then(|| checkpoint.verify_server(server_keys));
        if !is_enough || matches!(by_server, Some(Err(_))) {
            exit = exit.max(Exit::Incomplete);
        }
        let signers: Vec<&str> = note.signatures.iter().map(|of| of.name.as_str()).collect();
        print_checkpoint(settings, checkpoint, &words, required, by_server, &signers);
        let is_proof = !server_keys.is_empty() && by_server == Some(Ok(StateShape::WithDatabase));
        let is_confirmed = !words.confirmed.is_empty() && words.wrong.is_empty();
        if is_proof || is_confirmed {
            shown.add(checkpoint, is_proof);
        }
    }
    Ok(exit.max(shown.judge()))
}

/// The hashes of each transaction in the checkpoints, and whether the server signed them by a configured key. The
/// server's signature is a proof, whatever the source of the checkpoint.
#[derive(Default)]
struct Hashes(BTreeMap<(Origin, u64), BTreeMap<String, bool>>);

impl Hashes {
    fn add(&mut self, checkpoint: &Checkpoint, is_proof: bool) {
        let of = (checkpoint.origin.clone(), checkpoint.state.tx);
        let hashes = self.0.entry(of).or_default();
        *hashes.entry(checkpoint.state.hash.to_string()).or_default() |= is_proof;
    }

    /// Prints each transaction with several hashes, and returns the exit code.
    fn judge(&self) -> Exit {
        let mut exit = Exit::Good;
        for ((origin, tx), hashes) in self.0.iter().filter(|(_, hashes)| hashes.len() > 1) {
            let is_proof = hashes.values().filter(|is_proof| **is_proof).count() > 1;
            let what = match is_proof {
                true => "the server signed two of them, so it showed two histories",
                false => "one of the auditors, or the server, is wrong",
            };
            let named: Vec<&str> = hashes.keys().map(String::as_str).collect();
            print_error(&format!(
                "immuaudit: {} of server {}: transaction {tx} has {} hashes, {}: {what}",
                Escaped::new(&origin.database),
                Escaped::new(&origin.server),
                named.len(),
                named.join(" and ")
            ));
            exit = exit.max(match is_proof {
                true => Exit::Tampered,
                false => Exit::Incomplete,
            });
        }
        exit
    }
}

fn print_checkpoint(
    settings: &Settings,
    checkpoint: &Checkpoint,
    words: &Words,
    required: u64,
    by_server: Option<Result<StateShape, BadSignature>>,
    signers: &[&str],
) {
    let now = clock::now();
    if settings.report.format == Format::Json {
        let confirmed = words.confirmed.iter().map(|(name, _)| name.as_str());
        let wrong = words.wrong.iter().map(String::as_str);
        let oldest = words.confirmed.iter().map(|(_, at)| *at).min();
        let object = object(checkpoint)
            .texts("confirmed_by", &confirmed.collect::<Vec<_>>())
            .shown("confirmed_since", oldest)
            .texts("wrong_signatures", &wrong.collect::<Vec<_>>())
            .number("required", Some(required))
            .text(
                "server_signature",
                Some(&match by_server {
                    None => "absent".to_owned(),
                    Some(Ok(_)) => "holds".to_owned(),
                    Some(Err(bad)) => bad.to_string(),
                }),
            );
        print(&object.end());
        return;
    }
    let each = words.confirmed.iter().map(|(name, at)| match *at > now {
        true => format!("{} at {at}, which is in the future", Escaped::new(name)),
        false => format!("{} {}", Escaped::new(name), ago(now.since(*at))),
    });
    let each: Vec<String> = each.collect();
    let mut text = format!(
        "{}\n  confirmed by {} of {required} required{}{}",
        line(checkpoint),
        each.len(),
        if each.is_empty() { "" } else { ": " },
        each.join(", ")
    );
    if words.confirmed.is_empty() && words.wrong.is_empty() {
        text.push_str(&format!(
            "\n  none of the given keys signed it; it names {} as its signer: give the public key of that auditor with --key",
            shown_names(signers)
        ));
    }
    for name in &words.wrong {
        text.push_str(&format!(
            "\n  {}: {}",
            Escaped::new(name),
            CosignatureError::Wrong
        ));
    }
    if let Some(Err(bad)) = by_server {
        text.push_str(&format!("\n  the server's signature is wrong: {bad}"));
    }
    print(&text);
}
