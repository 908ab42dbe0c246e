//! `compare`: compares the trusted states of two auditors.

use std::path::Path;
use std::time::Duration;

use super::checkpoint::has_checkpoints;
use super::compare_checkpoints;
use super::setup::{self, CommandError};
use crate::audit::{Auditor, Compared, Comparison, Exit, Parting, Theirs};
use crate::config::{CompareSource, Roots, Settings, Url};
use crate::http::Client;
use crate::report::{few_ranges, finding_lines, print, print_error};
use crate::stop::Stop;
use crate::text::{Escaped, counted, number};
use crate::trust::{Answer, Export, Store, StoreError, shown_states};

/// The deadline for another auditor to send its trusted states, which are in its memory.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// The length limit of these states in bytes: 10,000 databases with signatures.
const MAX_FETCHED_BYTES: u64 = 8 << 20;

/// Compares another auditor's export or `/states` with the local trusted states. Works while the auditor runs.
pub fn run(settings: &Settings, another: &CompareSource) -> Result<Exit, CommandError> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let theirs = match another {
        CompareSource::Checkpoints(file, keys) => {
            return compare_checkpoints::run(settings, file, keys, stop);
        }
        CompareSource::File(path) => exported(path)?,
        CompareSource::Url { url, roots } => match shown(settings, url, roots) {
            Ok(theirs) => theirs,
            Err(why) => {
                print_error(&format!("immuaudit: the other auditor at {url}: {why}"));
                return Ok(Exit::Incomplete);
            }
        },
    };
    let store = Store::open_shared(&setup::location(settings))?;
    let server = setup::server(settings, stop)?;
    let auditor = Auditor::new(server, store, setup::policy(settings));
    let mut auditor = setup::keep_until_exit(auditor);
    let mut worst = Exit::Good;
    let mut compared = 0;
    for one in &theirs.databases {
        let Some(comparison) = auditor.compare(one, &theirs) else {
            return Ok(Exit::Incomplete);
        };
        if !matches!(comparison.result, Compared::NotHere) {
            compared += 1;
        }
        worst = worst.max(comparison.exit());
        print(&line(&comparison));
        for (absent, here, there) in [
            (&comparison.absent_here, "this auditor", "the other one"),
            (&comparison.absent_there, "the other auditor", "this one"),
        ] {
            if !absent.is_empty() {
                print(&format!(
                    "  the server responds to {here} that it does not have the values of transactions {}, but {there} has read them",
                    few_ranges(absent)
                ));
            }
        }
    }
    if compared == 0 {
        print("nothing to compare: no database has a trusted state of both auditors");
        worst = worst.max(Exit::Incomplete);
    }
    Ok(worst)
}

fn exported(path: &Path) -> Result<Theirs, CommandError> {
    let (export, raw) = Export::read(path).map_err(|failure| {
        if has_checkpoints(path) {
            return CommandError::Key(format!(
                "{}: the file has checkpoints: give the public key of the auditor that signed them: --peer-key KEY",
                path.display()
            ));
        }
        match (&failure, path.to_str()) {
            (StoreError::NoFile { .. }, Some(text)) if is_host_and_port(text) => {
                CommandError::Key(format!(
                    "there is no file {text}; for the monitoring port of another auditor write immuaudit compare http://{text}"
                ))
            }
            _ => failure.into(),
        }
    })?;
    Ok(Theirs {
        databases: export.databases,
        came_as: Answer::EXPORT,
        address: None,
        raw,
    })
}

/// Returns whether a text has the form `HOST:PORT`.
fn is_host_and_port(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// Fetches the states that a running auditor shows at its monitoring port. The URL may omit `/states`.
fn shown(settings: &Settings, url: &Url, roots: &Roots) -> Result<Theirs, String> {
    let whole = url.expose();
    let url = match whole.split_once("://") {
        Some((_, host)) if !host.trim_end_matches('/').contains('/') => {
            Url::read(&format!("{}/states", whole.trim_end_matches('/')))?
        }
        _ => url.clone(),
    };
    let proxy = settings.monitoring.proxies.of(&url);
    let proxy = proxy.map_err(|problem| problem.to_string())?;
    let client = Client::new(&url, roots, proxy.as_ref(), FETCH_TIMEOUT);
    let answer = client.get().header("accept", "application/json").call();
    let mut answer = answer.map_err(|error| {
        format!(
            "{}: check that it runs, and that its monitoring port can be reached from here",
            client.why(&error)
        )
    })?;
    if !answer.status().is_success() {
        let status = client.refused(answer.status().as_u16());
        return Err(format!(
            "it responds with {status}: check that the URL is that of its monitoring port"
        ));
    }
    let body = answer.body_mut().with_config().limit(MAX_FETCHED_BYTES);
    let raw = body.read_to_vec().map_err(|error| client.why(&error))?;
    let databases = shown_states(&raw)
        .ok_or("its response is not a list of states: check that the URL is that of its /states")?;
    Ok(Theirs {
        databases,
        came_as: Answer::STATES,
        address: Some(url.to_string()),
        raw,
    })
}

fn line(comparison: &Comparison) -> String {
    let name = Escaped::new(&comparison.database);
    match &comparison.result {
        Compared::Agree(state) => format!("{name}: agrees, at transaction {}", state.tx),
        Compared::Ahead { agreed, theirs } => format!(
            "{name}: both agree at transaction {}; the other auditor is ahead, at {}",
            agreed.tx, theirs.tx
        ),
        Compared::NotYet { shown, theirs } => format!(
            "{name}: not comparable yet: this server shows {shown} transactions, but the other auditor trusts {}; compare again after the server has caught up",
            theirs.tx
        ),
        Compared::NotHere => format!("{name}: this auditor has no trusted state of it"),
        Compared::NotProven(verdict, reason) => {
            format!("{name}: neither state is proven to extend the other: {verdict}: {reason}")
        }
        Compared::Pending(why) => format!(
            "{name}: the other auditor has another history, but it could not be tested against the server: {why}"
        ),
        Compared::GivenUp { given_up, agreed } => {
            let agreed = agreed.map_or(String::new(), |agreed| {
                format!("; both agree at transaction {}", agreed.tx)
            });
            format!(
                "{name}: the other auditor's history was given up here: transaction {}, hash {}, was trusted here until {given_up}{agreed}\n  it contradicts nothing: compare an export of an auditor that trusts the present history",
                given_up.state.tx, given_up.state.hash
            )
        }
        Compared::Disagrees {
            theirs,
            here,
            parting,
        } => format!(
            "{name}: disagreement: the other auditor claims that transaction {tx} has hash {there}, but here it has {here}; either the server showed it another history, or its states are wrong: nothing but these states contradicts the server\n  {}\n  to find out: compare its signed checkpoints (immuaudit checkpoint export there, immuaudit compare FILE --peer-key KEY here) with the server's key in --server-signing-pub-key",
            parted(parting),
            tx = theirs.tx,
            there = theirs.hash,
        ),
        Compared::Local(failure) => format!("{name}: local failure: {failure}"),
        Compared::SplitView {
            reason,
            raised,
            parting,
            ..
        } => format!(
            "{name}: split-view: {reason}\n  {}\n  {}",
            parted(parting),
            finding_lines(raised.listed(), raised.unwritten.as_ref()).join("\n  ")
        ),
    }
}

/// Describes from which transaction on two histories differ.
fn parted(parting: &Parting) -> String {
    let unknown = match parting.unknown {
        0 => String::new(),
        count => format!(
            " ({} between without a proof)",
            counted(number(count), "state")
        ),
    };
    let first = parting.other.tx;
    match parting.same {
        Some(same) if same.tx.checked_add(1) == Some(first) => {
            format!(
                "the histories are the same up to transaction {}, and differ from {first} on",
                same.tx
            )
        }
        Some(same) => format!(
            "the histories are the same up to at least transaction {}, and differ at the latest from transaction {first} on{unknown}",
            same.tx
        ),
        None => format!(
            "no common state was found: the histories differ at the latest from transaction {first} on{unknown}"
        ),
    }
}
