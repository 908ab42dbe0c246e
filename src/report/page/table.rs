//! The table of databases: two lines for each, of which the second has the reason.

use super::html::{age, escaped, put};
use crate::audit::Verdict;
use crate::clock::Timestamp;
use crate::report::ago::ago;
use crate::report::condition::Condition;
use crate::report::database_status::DatabaseStatus;
use crate::report::peers::peer_line;
use crate::report::status_registry::{InstanceInfo, Snapshot};
use crate::report::timeline::{SLOTS, Shade};
use crate::text::counted;

/// The columns of the table.
const COLUMNS: [&str; 8] = [
    "Database",
    "Verdict",
    "Since",
    "Last check",
    "Transaction",
    "Values read",
    "Edit found",
    "24 hours",
];

/// The meaning of the columns that need an explanation.
const LEGEND: &str = "<p class=\"dim\">Values read: at least this share of the transactions was read with values. Edit found: the probability that an edit of one random value is detected within a day. 24 hours: each quarter of an hour has the colour of its worst check.</p>\n";

/// Appends the table, the worst database first; then the databases without a trusted state in one line.
pub fn table(html: &mut String, snapshot: &Snapshot, now: Timestamp) {
    html.push_str("<h2 id=\"databases\">Databases</h2>\n");
    let untrusted = &snapshot.server.untrusted;
    if snapshot.databases.is_empty() && untrusted.text.is_empty() {
        html.push_str("<p>No database is known yet.</p>\n");
        return;
    }
    html.push_str("<table aria-labelledby=\"databases\"><thead><tr>");
    for name in COLUMNS {
        put(html, format_args!("<th scope=\"col\">{name}</th>"));
    }
    html.push_str("</tr></thead><tbody>\n");
    let mut rows: Vec<&DatabaseStatus> = snapshot.databases.values().map(|row| &**row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.facts().condition())); // stable, so equal ones stay sorted by name
    let accuses = untrusted.is_tampering();
    if accuses {
        untrusted_rows(html, snapshot);
    }
    for row in rows {
        self::row(html, row, &snapshot.instance, now);
    }
    if !accuses {
        untrusted_rows(html, snapshot);
    }
    html.push_str("</tbody></table>\n");
    html.push_str(LEGEND);
}

/// Appends the databases without a trusted state: one line for all of them.
fn untrusted_rows(html: &mut String, snapshot: &Snapshot) {
    let untrusted = &snapshot.server.untrusted;
    if untrusted.text.is_empty() {
        return;
    }
    let class = match (untrusted.is_tampering(), untrusted.unproven) {
        (true, _) => "bad",
        (false, 0) => "good",
        (false, _) => "unclear",
    };
    let count = untrusted.by_verdict.values().sum();
    put(
        html,
        format_args!(
            "<tr class=\"{class}\"><th scope=\"row\" class=\"name\">{}</th><td class=\"rest\" colspan=\"{}\">{}</td></tr>\n",
            counted(count, "other"),
            COLUMNS.len() - 1,
            escaped(&untrusted.text)
        ),
    );
}

fn row(html: &mut String, row: &DatabaseStatus, about: &InstanceInfo, now: Timestamp) {
    let class = class(shade(row));
    let verdict = match row.is_audited {
        true => row.verdict.map_or("not checked yet", Verdict::word),
        false => "not audited",
    };
    let note = note(row, now);
    let noted = if note.is_empty() { "" } else { " noted" };
    let tx = row
        .trusted
        .map_or("-".to_owned(), |state| state.tx.to_string());
    let found = row.chance(&about.values, about.interval, now);
    let found = found.map_or("-".to_owned(), |chance| chance.to_string());
    put(
        html,
        format_args!(
            "<tr class=\"{class}{noted}\"><th scope=\"row\" class=\"name\">{}</th>\
             <td class=\"verdict\" data-l=\"Verdict\">{verdict}</td>\
             <td data-l=\"Since\">{}</td><td data-l=\"Last check\">{}</td><td data-l=\"Transaction\">{tx}</td>\
             <td data-l=\"Values read\">{}</td><td data-l=\"Edit found\">{found}</td><td>",
            escaped(&row.database),
            age(row.since, now),
            age(row.checked, now),
            values(row, now),
        ),
    );
    picture(html, row, now);
    html.push_str("</td></tr>\n");
    if !note.is_empty() {
        put(
            html,
            format_args!(
                "<tr class=\"{class} note\"><td colspan=\"{}\">{note}</td></tr>\n",
                COLUMNS.len()
            ),
        );
    }
}

/// Returns the reason of the verdict and other facts about a database, with a line for each peer, escaped.
fn note(row: &DatabaseStatus, now: Timestamp) -> String {
    let mut parts = vec![row.why.clone()];
    parts.extend(row.facts().attention());
    match (&row.alarm, row.open_alarms) {
        (Some(alarm), 0..=1) => parts.push(format!("alarm {alarm}")),
        (Some(alarm), open) => parts.push(format!("alarm {alarm}, the last of {open} open alarms")),
        (None, 0) => {}
        (None, open) => parts.push(format!("{} open", counted(open as u64, "alarm"))),
    }
    parts.retain(|part| !part.is_empty());
    let why = Some(parts.join("; ")).filter(|why| !why.is_empty());
    let peers = row.peers.iter().map(|peer| peer_line(peer, now));
    let lines: Vec<String> = why.into_iter().chain(peers).collect();
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    lines.join("<br>")
}

/// Returns the share of the ledger's values that was read, and the time at which all of them were.
fn values(row: &DatabaseStatus, now: Timestamp) -> String {
    let values = &row.values;
    let percent = (values.share(row.trusted) * 100.0).floor(); // rounded down, so that 100% means all
    let mut text = match (percent < 1.0, values.covered) {
        (_, 0) => "none yet".to_owned(),
        (true, _) => "under 1%".to_owned(),
        (false, _) => format!("{percent}%"),
    };
    if values.absent > 0 {
        text.push_str(&format!("<small>{} absent</small>", values.absent));
    }
    if values.due > 0 {
        text.push_str(&format!("<small>{} not readable</small>", values.due));
    }
    let behind = values.behind(row.trusted);
    if behind > 0 {
        text.push_str(&format!("<small>{behind} not read yet</small>"));
    }
    if let Some(swept) = values.swept {
        let (ended, age) = (swept.ended, ago(now.since(swept.ended)));
        text.push_str(&format!(
            "<small>swept <time datetime=\"{ended}\" title=\"{ended}\">{age}</time></small>"
        ));
    }
    text
}

/// Appends a day of quarters of an hour as a picture, and as text.
fn picture(html: &mut String, row: &DatabaseStatus, now: Timestamp) {
    let slots: Vec<(u64, Shade)> = row.timeline.day(now).collect();
    let quarters = |shade| slots.iter().filter(|(_, found)| *found == shade).count();
    put(
        html,
        format_args!(
            "<svg viewBox=\"0 0 {SLOTS} 10\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"Last 24 hours of {}, in quarters of an hour by their worst check: {} proven, {} unclear, {} \
             tampered\">",
            escaped(&row.database),
            quarters(Shade::Good),
            quarters(Shade::Unclear),
            quarters(Shade::Bad),
        ),
    );
    for run in slots.chunk_by(|a, b| a.1 == b.1 && a.0 + 1 == b.0) {
        if let Some((first, shade)) = run.first() {
            let (class, length) = (self::class(*shade), run.len());
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

fn shade(row: &DatabaseStatus) -> Shade {
    match row.facts().condition() {
        Condition::Tampered => Shade::Bad,
        Condition::Unproven | Condition::Attention => Shade::Unclear,
        Condition::Good => Shade::Good,
    }
}

fn class(shade: Shade) -> &'static str {
    match shade {
        Shade::Good => "good",
        Shade::Unclear => "unclear",
        Shade::Bad => "bad",
    }
}
