//! `compare FILE --peer-key KEY`: compares another auditor's checkpoints from a file, which needs no network between
//! the auditors.

use std::fs::File;
use std::path::Path;

use super::checkpoint::{self, read_whole_file};
use super::setup::{self, CommandError};
use crate::audit::{Auditor, Exit, Standing, WordCompared};
use crate::checkpoint::VerifierKey;
use crate::config::Settings;
use crate::peer::{PeerResponse, Witness, judge_file};
use crate::report::{finding_lines, peer_line, print, print_error};
use crate::stop::Stop;
use crate::text::{Escaped, counted_with, number};
use crate::trust::Store;

/// Compares the checkpoints of a file with the local trusted states. Works while the auditor runs.
pub fn run(
    settings: &Settings,
    file: &Path,
    keys: &[VerifierKey],
    stop: Stop,
) -> Result<Exit, CommandError> {
    let Some(name) = keys.first().map(|key| key.name.clone()) else {
        return Ok(Exit::Incomplete);
    };
    let peer = Witness {
        name,
        keys: keys.to_vec(),
    };
    let bytes = read_whole_file(File::open(file))
        .map_err(|why| CommandError::Key(format!("{}: {why}", file.display())))?;
    let (words, counts) = judge_file(&bytes, &peer, &settings.server.name);
    let PeerResponse {
        of_others,
        refused,
        why,
        ..
    } = counts;
    let mut exit = Exit::Good;
    if let Some(why) = why {
        if words.is_empty() {
            checkpoint::check_no_export(file)?;
        }
        print_error(&format!(
            "immuaudit: {}: {} invalid, the first: {why}",
            file.display(),
            counted_with(number(refused), "checkpoint", ["is", "are"])
        ));
        exit = Exit::Incomplete;
    }
    let store = Store::open_shared(&setup::location(settings))?;
    let server = setup::server(settings, stop)?;
    let auditor = Auditor::new(server, store, setup::policy(settings));
    let mut auditor = setup::keep_until_exit(auditor);
    let mut compared = 0;
    for (database, word) in &words {
        let shown = Escaped::new(database);
        match auditor.compare_word(&peer.name, database, word) {
            None => return Ok(exit.max(Exit::Incomplete)),
            Some(Err(failure)) => {
                print(&format!("{shown}: local failure: {failure}"));
                exit = exit.max(Exit::Local);
            }
            Some(Ok(None)) => print(&format!("{shown}: this auditor has no trusted state of it")),
            Some(Ok(Some(of))) => {
                compared += 1;
                exit = exit.max(self::exit(&of));
                print_comparison(&auditor, &format!("{shown}"), &of);
            }
        }
    }
    if compared == 0 {
        print(&format!(
            "nothing to compare: no checkpoint in the file is of a database of server {} with a trusted state here; {of_others} are of other servers",
            Escaped::new(&settings.server.name)
        ));
        exit = exit.max(Exit::Incomplete);
    }
    Ok(exit)
}

fn exit(of: &WordCompared) -> Exit {
    match of.report.standing {
        Standing::Agrees | Standing::Behind | Standing::Ahead => Exit::Good,
        Standing::Pending | Standing::Silent | Standing::Disagrees => Exit::Incomplete,
        Standing::Split => Exit::Tampered,
    }
}

fn print_comparison(auditor: &Auditor, database: &str, of: &WordCompared) {
    let now = auditor.clock().now();
    let theirs = of.report.theirs.map_or(0, |state| state.tx);
    let mut text = format!(
        "{database}: {}\n  its checkpoint is of transaction {theirs}; the trusted state here is of {}",
        peer_line(&of.report, now),
        of.trusted.tx
    );
    let disagreement = of.report.to_string();
    if !disagreement.is_empty() {
        text.push_str(&format!("\n  {disagreement}"));
    }
    if let Some(split) = &of.split {
        text.push_str(&format!("\n  split-view: {}", split.reason));
        for line in finding_lines(split.alarm.as_ref(), split.unwritten.as_ref()) {
            text.push_str(&format!("\n  {line}"));
        }
    }
    print(&text);
}
