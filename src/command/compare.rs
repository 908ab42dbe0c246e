//! `compare`: compares the trusted states of two auditors.

use std::path::Path;
use std::time::Duration;

use super::compare_checkpoints;
use super::setup::{self, CommandError};
use crate::audit::{Auditor, Compared, Comparison, Exit, Parting, Theirs};
use crate::config::{CompareSource, Roots, Settings, Url};
use crate::http::Client;
use crate::report::{alarm_lines, few_ranges, print, print_error};
use crate::stop::Stop;
use crate::text::{Escaped, counted, number};
use crate::trust::{Export, Store, shown_states};

/// The deadline for another auditor to send its trusted states.
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
                print_error(&format!("immuaudit: the other auditor: {why}"));
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
    let (export, raw) = Export::read(path)?;
    Ok(Theirs {
        databases: export.databases,
        came_as: "states export of another auditor",
        raw,
    })
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
    let mut answer = answer.map_err(|error| client.why(&error))?;
    if !answer.status().is_success() {
        let status = client.refused(answer.status().as_u16());
        return Err(format!("it responds with {status}"));
    }
    let body = answer.body_mut().with_config().limit(MAX_FETCHED_BYTES);
    let raw = body.read_to_vec().map_err(|error| client.why(&error))?;
    let databases = shown_states(&raw)
        .ok_or("its response is not a list of states: check that the URL is that of its /states")?;
    Ok(Theirs {
        databases,
        came_as: "states of another auditor",
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
        Compared::Local(failure) => format!("{name}: local failure: {failure}"),
        Compared::SplitView {
            reason,
            theirs,
            alarm,
            parting,
        } => {
            let kept = match alarm {
                Ok(alarm) => alarm_lines(alarm).join("\n  "),
                Err(failure) => format!("not stored: {failure}"),
            };
            format!(
                "{name}: split-view: {reason}; the other auditor trusts transaction {}, hash {}\n  {}\n  {kept}",
                theirs.tx,
                theirs.hash,
                parted(parting)
            )
        }
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
