//! The status page: one document without scripts, which loads nothing and shows the worst first.

mod headline;
mod html;
mod table;

use ring::digest;

use self::html::{escaped, put};
use super::ago::ago;
use super::overall::{Overall, overall};
use super::status_registry::Snapshot;
use crate::clock::{self, Timestamp};
use crate::ledger::encode_base64;
use crate::text::{counted, counted_with};

/// The number of seconds after which a browser loads the page again.
const RELOAD_SECONDS: u32 = 30;

const STYLE: &str = include_str!("page.css");

/// Returns the status page of this moment.
pub fn page(snapshot: &Snapshot) -> String {
    let now = clock::now();
    let mut html = String::new();
    let all = overall(snapshot);
    let (title, text) = (all.title(), headline::sentences(snapshot, all));
    let server = escaped(&snapshot.instance.server);
    put(
        &mut html,
        format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta http-equiv=\"refresh\" content=\"{RELOAD_SECONDS}\"><link rel=\"icon\" href=\"data:,\">\
             <title>{title} - {server}</title><style>{STYLE}</style></head><body>\n\
             <header class=\"{}\"><h1>{title}</h1><p>{text}</p></header>\n<main>\n\
             <p class=\"dim\">{} As of <time>{now}</time>; this page reloads itself every {RELOAD_SECONDS} seconds.</p>\n",
            all.word(),
            about(snapshot, now),
        ),
    );
    if let Some(trouble) = &snapshot.server.trouble {
        put(
            &mut html,
            format_args!("<p>Last cycle: {}</p>\n", escaped(trouble)),
        );
    }
    if all == Overall::Tampered {
        let rows = || snapshot.databases.values().filter(|row| row.is_alarming());
        if rows().any(|row| row.alarms_of_values) {
            html.push_str(VALUE_ALARM);
        }
        // the kind of an alarm of an earlier run is not known
        if rows().any(|row| row.alarms_of_history || !row.alarms_of_values) || rows().count() == 0 {
            html.push_str(ALARM);
        }
    }
    table::table(&mut html, snapshot, now);
    notifications(&mut html, snapshot);
    put(
        &mut html,
        format_args!(
            "</main>\n<footer><p class=\"dim\">immuaudit {}. For programs: <a href=\"/status.json\">\
             status.json</a>, <a href=\"/metrics\">metrics</a>, <a href=\"/states\">states</a>.</p>\
             </footer></body></html>\n",
            env!("CARGO_PKG_VERSION")
        ),
    );
    html
}

/// Returns the only allowed source of the page's style, as a CSP source.
pub fn page_style() -> String {
    let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
    format!("sha256-{}", encode_base64(hash.as_ref()))
}

/// The meaning of an alarm, and the next step.
const ALARM: &str = "<section class=\"alarm\"><h2>What this means, and what to do</h2>\n\
    <p>The server's history contradicts its earlier history: committed transactions were changed, removed or hidden. Network problems or load cannot cause this.</p>\n<ol>\
    <li>Do not change the server or its data, and restore nothing over them.</li>\
    <li>On the auditor's host, <code>immuaudit alarm list</code> names the evidence file of each alarm: \
    copy it to a safe place.</li>\
    <li>Find out who changed the server: an operator who restored an old backup, a replica that was promoted too early, or an intruder. Data that was read since the last proof is in doubt.</li>\
    <li>When the change is explained, use one of the two commands that <code>immuaudit alarm list</code> names: <code>alarm close</code> closes an alarm and keeps the trusted state; <code>alarm adopt</code> trusts the state that the server showed instead. Until then the alarm stays on this page.</li></ol></section>\n";

/// The meaning of an alarm about a value, and the next step.
const VALUE_ALARM: &str = "<section class=\"alarm\"><h2>A stored value differs from the written value</h2>\n\
    <p>The history of the ledger is proven, but a stored value or entry does not match its committed hash: it was changed on the server, or the server's disk is damaged.</p>\n<ol>\
    <li>Do not change the server or its data, and restore nothing over them.</li>\
    <li>On the auditor's host, <code>immuaudit alarm list</code> names the evidence file of each alarm: \
    copy it to a safe place.</li>\
    <li><code>immuaudit locate DATABASE</code> reads the whole history, and lists every corrupt transaction.</li>\
    <li>Restore the values from a backup or a replica. Then close the alarm with <code>immuaudit alarm close</code>: the next check reads the transaction again, and opens the alarm again if it is still corrupt.</li></ol></section>\n";

/// Returns sentences about the server and the audit of it. The server is named once if its name is its address.
fn about(snapshot: &Snapshot, now: Timestamp) -> String {
    let about = &snapshot.instance;
    let mut text = format!("Server {}", escaped(&about.server));
    if about.server != about.address {
        text.push_str(&format!(" at {}", escaped(&about.address)));
    }
    text.push_str(&format!(", audited every {}.", interval(about.interval)));
    if let Some(ended) = snapshot.server.ended {
        let age = ago(now.since(ended));
        text.push_str(&format!(
            " The last cycle ended <time datetime=\"{ended}\">{age}</time>."
        ));
    }
    text
}

fn notifications(html: &mut String, snapshot: &Snapshot) {
    let waiting = snapshot
        .notifications
        .iter()
        .filter(|counts| counts.pending > 0);
    for counts in waiting {
        put(
            html,
            format_args!(
                "<p>{} for receiver {}, the oldest for {}.</p>\n",
                counted_with(counts.pending, "notification", ["waits", "wait"]),
                escaped(&counts.receiver),
                counted(counts.oldest.as_secs(), "second")
            ),
        );
    }
}

fn interval(interval: std::time::Duration) -> String {
    match interval.as_millis() {
        millis if millis % 60_000 == 0 => format!("{} min", millis / 60_000),
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{millis} ms"),
    }
}
