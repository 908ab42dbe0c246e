//! The status page: one document without scripts, that loads nothing and says the worst first.

use std::fmt::Write;

use ring::digest;

use super::board::Snapshot;
use super::row::Row;
use super::timeline::{SLOTS, Shade};
use super::verdict::{Overall, overall};
use crate::audit::Verdict;
use crate::clock::{self, Timestamp};
use crate::ledger::encode_base64;
use crate::text::{counted, counted_with};

const STYLE: &str = include_str!("page.css");

/// The status page of this moment.
pub fn page(snapshot: &Snapshot) -> String {
    let now = clock::now();
    let mut html = String::new();
    let all = overall(snapshot);
    let (title, text) = headline(snapshot, all);
    let server = escaped(&snapshot.about.server);
    put(
        &mut html,
        format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta http-equiv=\"refresh\" content=\"30\"><link rel=\"icon\" href=\"data:,\">\
             <title>{title} - {server}</title><style>{STYLE}</style></head><body>\n\
             <header class=\"{}\"><h1>{title}</h1><p>{text}</p></header>\n<main>\n\
             <p class=\"dim\">Server {server} at {}, audited every {}. Shown as of {now}.</p>\n",
            all.word(),
            escaped(&snapshot.about.address),
            interval(snapshot.about.interval),
        ),
    );
    if let Some(trouble) = &snapshot.whole.trouble {
        put(
            &mut html,
            format_args!("<p>Last cycle: {}</p>\n", escaped(trouble)),
        );
    }
    if !snapshot.whole.untrusted.text.is_empty() {
        put(
            &mut html,
            format_args!(
                "<p>Last cycle: {}</p>\n",
                escaped(&snapshot.whole.untrusted.text)
            ),
        );
    }
    if all == Overall::Tampered {
        let rows = || snapshot.rows.values().filter(|row| row.is_alarming());
        if rows().any(|row| row.alarms_of_values) {
            html.push_str(VALUE_ALARM);
        }
        // an alarm of an earlier run may be of any kind
        if rows().any(|row| row.alarms_of_history || !row.alarms_of_values) || rows().count() == 0 {
            html.push_str(ALARM);
        }
    }
    table(&mut html, snapshot, now);
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

/// Returns what alone may style the page, as a CSP source.
pub fn page_style() -> String {
    let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
    format!("sha256-{}", encode_base64(hash.as_ref()))
}

/// What an alarm means, and the next step.
const ALARM: &str = "<section class=\"alarm\"><h2>What this means, and what to do</h2>\n\
    <p>The server showed something that contradicts what it had shown before: committed history was \
    changed, taken back or is hidden. It is no matter of network or load.</p>\n<ol>\
    <li>Leave the server and its data as they are; restore nothing over them.</li>\
    <li>On the auditor's host, <code>immuaudit alarm list</code> names the evidence file of each alarm: \
    copy it to a safe place.</li>\
    <li>Ask who changed the server: an old backup put back, a replica promoted too early, or an \
    intruder. Whatever was read since the last proof is in doubt.</li>\
    <li>Once it is explained, <code>immuaudit alarm list</code> names two commands: <code>alarm close</code> \
    closes an alarm and keeps the trusted state; <code>alarm adopt</code> trusts the state that the server \
    showed instead. Until then the alarm stays here.</li></ol></section>\n";

/// What an alarm about a value means, and the next step.
const VALUE_ALARM: &str = "<section class=\"alarm\"><h2>A stored value is not what was written</h2>\n\
    <p>The history of the ledger is proven as before, but a value that the server stores, or an entry, does not have \
    the hash that was committed: it was changed on the server, or its disk is damaged.</p>\n<ol>\
    <li>Leave the server and its data as they are; restore nothing over them.</li>\
    <li>On the auditor's host, <code>immuaudit alarm list</code> names the evidence file of each alarm: \
    copy it to a safe place.</li>\
    <li><code>immuaudit locate DATABASE</code> reads the whole history, and lists every transaction that is broken.</li>\
    <li>Take the values from a backup or a replica. Then close the alarm by <code>immuaudit alarm close</code>: the next \
    check reads the transaction again, and opens the alarm again if it is still broken.</li></ol></section>\n";

fn headline(snapshot: &Snapshot, all: Overall) -> (&'static str, String) {
    let rows = || snapshot.rows.values();
    let total = rows().count();
    let count = |select: fn(&Row) -> bool| rows().filter(|row| select(row)).count();
    match all {
        Overall::Good => (
            "All is well",
            match total {
                1 => "The database extends what it has shown before.".into(),
                _ => format!("Every one of {total} databases extends what it has shown before."),
            },
        ),
        Overall::Starting => ("Starting", "The first cycle is not done yet.".into()),
        Overall::Unproven if count(|row| !row.is_well()) == 0 => (
            "Not everything could be checked",
            "The last cycle was not complete. No tampering has been seen.".into(),
        ),
        Overall::Unproven => (
            "Not everything could be checked",
            format!(
                "{} of {} could not be proven or read in time. No tampering has been seen.",
                count(|row| !row.is_well()),
                counted(total as u64, "database")
            ),
        ),
        Overall::Stalled => (
            "The audit stands still",
            format!("No progress for {} seconds.", snapshot.stalled.as_secs()),
        ),
        Overall::Tampered if count(Row::is_alarming) == 0 => (
            "Tampering",
            "A database of which nothing is trusted yet contradicts itself.".into(),
        ),
        Overall::Tampered => (
            "Tampering",
            format!(
                "{} of {} {} an open alarm.",
                count(Row::is_alarming),
                counted(total as u64, "database"),
                if count(Row::is_alarming) == 1 {
                    "has"
                } else {
                    "have"
                }
            ),
        ),
    }
}

fn table(html: &mut String, snapshot: &Snapshot, now: Timestamp) {
    html.push_str(
        "<h2 id=\"databases\">Databases</h2>\n<table aria-labelledby=\"databases\"><thead><tr>\
         <th scope=\"col\">Database</th><th scope=\"col\">Verdict</th><th scope=\"col\">Since</th>\
         <th scope=\"col\">Transaction</th><th scope=\"col\">Last check</th>\
         <th scope=\"col\">Values read</th>\
         <th scope=\"col\">24 hours</th></tr></thead><tbody>\n",
    );
    let mut rows: Vec<&Row> = snapshot.rows.values().map(|row| &**row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(shade(row))); // stable: else by name
    for row in rows {
        self::row(html, row, now);
    }
    html.push_str("</tbody></table>\n");
}

fn row(html: &mut String, row: &Row, now: Timestamp) {
    let class = class(shade(row));
    let verdict = row.verdict.map_or("not checked yet", Verdict::word);
    let mut note = escaped(&row.why);
    if row.values_overdue {
        note.push_str(if note.is_empty() { "" } else { "; " });
        note.push_str("values overdue");
    }
    if let Some(alarm) = &row.alarm {
        let between = if note.is_empty() { "" } else { "; " };
        note.push_str(&format!("{between}alarm {}", escaped(alarm)));
    } else if row.open_alarms > 0 {
        note.push_str(&format!(" ({} open)", row.open_alarms));
    }
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| at.to_string());
    let tx = row
        .trusted
        .map_or("-".to_owned(), |state| state.tx.to_string());
    put(
        html,
        format_args!(
            "<tr class=\"{class}\"><th scope=\"row\" class=\"name\">{}</th>\
             <td class=\"verdict\" data-l=\"Verdict\">{verdict}<small>{note}</small></td>\
             <td data-l=\"Since\">{}</td><td data-l=\"Transaction\">{tx}</td>\
             <td data-l=\"Last check\">{}</td><td data-l=\"Values read\">{}</td><td>",
            escaped(&row.database),
            time(row.since),
            time(row.checked),
            values(row),
        ),
    );
    picture(html, row, now);
    html.push_str("</td></tr>\n");
}

/// How much of the ledger's values was read, and when all of them were.
fn values(row: &Row) -> String {
    let values = &row.values;
    let percent = (values.share(row.trusted) * 100.0).floor(); // no more than there is
    let mut text = match (percent < 1.0, values.covered) {
        (_, 0) => "none yet".to_owned(),
        (true, _) => "under 1 %".to_owned(),
        (false, _) => format!("{percent} %"),
    };
    if values.absent > 0 {
        text.push_str(&format!("<small>{} absent</small>", values.absent));
    }
    let behind = values.behind(row.trusted);
    if behind > 0 {
        text.push_str(&format!("<small>{behind} not reached yet</small>"));
    }
    if let Some(swept) = values.swept {
        text.push_str(&format!("<small>all by {}</small>", swept.ended));
    }
    text
}

/// A day of quarters of an hour, and the same in words.
fn picture(html: &mut String, row: &Row, now: Timestamp) {
    let slots: Vec<(u64, Shade)> = row.timeline.day(now).collect();
    let hours = |shade| slots.iter().filter(|(_, found)| *found == shade).count() as f64 / 4.0;
    put(
        html,
        format_args!(
            "<svg viewBox=\"0 0 {SLOTS} 10\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"Last 24 hours of {}: {} h proven, {} h unclear, {} h tampered\">",
            escaped(&row.database),
            hours(Shade::Good),
            hours(Shade::Unclear),
            hours(Shade::Bad),
        ),
    );
    for run in slots.chunk_by(|a, b| a.1 == b.1 && a.0 + 1 == b.0) {
        if let Some((first, shade)) = run.first() {
            let (class, length) = (class(*shade), run.len());
            put(
                html,
                format_args!(
                    "<rect class=\"s-{class}\" x=\"{first}\" width=\"{length}\" height=\"10\"/>"
                ),
            );
        }
    }
    html.push_str("</svg>");
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
                "<p>{} for receiver {}, the oldest for {} seconds.</p>\n",
                counted_with(counts.pending, "notification", ["waits", "wait"]),
                escaped(&counts.receiver),
                counts.oldest.as_secs()
            ),
        );
    }
}

fn shade(row: &Row) -> Shade {
    if row.is_alarming() {
        Shade::Bad
    } else if row.is_well() {
        Shade::Good
    } else {
        Shade::Unclear
    }
}

fn class(shade: Shade) -> &'static str {
    match shade {
        Shade::Good => "good",
        Shade::Unclear => "unclear",
        Shade::Bad => "bad",
    }
}

fn interval(interval: std::time::Duration) -> String {
    match interval.as_millis() {
        millis if millis % 60_000 == 0 => format!("{} min", millis / 60_000),
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{millis} ms"),
    }
}

/// Text between tags or in quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn put(to: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = to.write_fmt(text); // writing to a String cannot fail
}
