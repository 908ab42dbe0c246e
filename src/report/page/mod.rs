//! The status page: one document without scripts, which loads nothing and shows the worst first.

mod alarms;
mod headline;
mod html;
mod table;

use ring::digest;

use self::html::{escaped, put};
use super::ago::ago;
use super::overall::{Overall, overall};
use super::status_registry::Snapshot;
use crate::clock::Timestamp;
use crate::ledger::encode_base64;
use crate::text::{counted, counted_with};

/// The number of seconds after which a browser loads the page again.
const RELOAD_SECONDS: u32 = 30;

const STYLE: &str = include_str!("page.css");

/// Returns the status page of this moment.
pub fn page(snapshot: &Snapshot) -> String {
    let now = snapshot.at;
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
        alarms::sections(&mut html, snapshot);
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
