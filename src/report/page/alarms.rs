//! The meaning of the open alarms, and the next steps: a section for each kind of alarm.

use crate::report::database_status::DatabaseStatus;
use crate::report::status_registry::Snapshot;
use crate::trust::Tampering;

/// Appends the sections about the kinds of open alarms.
pub fn sections(html: &mut String, snapshot: &Snapshot) {
    let rows = || snapshot.databases.values().filter(|row| row.is_alarming());
    let any = |kind: Tampering| rows().any(|row| row.alarm_kinds.contains(&kind));
    for (kind, section) in [
        (Tampering::BadValue, VALUE),
        (Tampering::SplitView, SPLIT_VIEW),
        (Tampering::BadSignature, SIGNATURE),
    ] {
        if any(kind) {
            html.push_str(section);
        }
    }
    let of_history = [Tampering::Inconsistent, Tampering::RolledBack];
    // the kind is not known if the list of alarms cannot be read, or if no trusted database is the cause
    let is_unknown = |row: &DatabaseStatus| row.alarm_kinds.is_empty();
    if of_history.into_iter().any(any) || rows().any(|row| is_unknown(row)) || rows().count() == 0 {
        html.push_str(HISTORY);
    }
}

/// The meaning of an alarm about the history, and the next steps.
const HISTORY: &str = "<section class=\"alarm\"><h2>What this means, and what to do</h2>\n\
    <p>The server's history contradicts its earlier history: committed transactions were changed, removed or hidden. Network problems or load cannot cause this.</p>\n<ol>\
    <li>Do not change the server or its data, and restore nothing over them.</li>\
    <li>On the auditor's host, <code>immuaudit alarm list</code> names the evidence file of each alarm: \
    copy it to a safe place.</li>\
    <li>Find out who changed the server: an operator who restored an old backup, a replica that was promoted too early, or an intruder. Data that was read since the last proof is in doubt.</li>\
    <li>When the change is explained, use a command that <code>immuaudit alarm list</code> names: <code>alarm close</code> closes an alarm and keeps the trusted state; <code>alarm adopt</code>, which is named only if the evidence has another state, trusts that state instead. Until then the alarm stays on this page.</li></ol></section>\n";

/// The meaning of an alarm about a value, and the next steps.
const VALUE: &str = "<section class=\"alarm\"><h2>A stored value differs from the written value</h2>\n\
    <p>The history of the ledger is proven, but a stored value or entry does not match its committed hash: it was changed on the server, or the server's disk is damaged.</p>\n<ol>\
    <li>Do not change the server or its data, and restore nothing over them.</li>\
    <li>On the auditor's host, <code>immuaudit alarm list</code> names the evidence file of each alarm: \
    copy it to a safe place.</li>\
    <li><code>immuaudit locate DATABASE</code> reads the whole history, and lists every corrupt transaction.</li>\
    <li>Restore the values from a backup or a replica. Then close the alarm with <code>immuaudit alarm close</code>: the next check reads the transaction again, and opens the alarm again if it is still corrupt.</li></ol></section>\n";

/// The meaning of an alarm about a split view, and the next steps.
const SPLIT_VIEW: &str = "<section class=\"alarm\"><h2>Two auditors were shown different histories</h2>\n\
    <p>The history that this auditor is shown may be intact. But the server showed another history to another auditor, and at most one of the two is the history that was written.</p>\n<ol>\
    <li>On both auditors' hosts, copy the evidence file that <code>immuaudit alarm list</code> names to a safe place.</li>\
    <li>Find out which history other auditors and the users were shown, and who or what sends different responses to different clients.</li>\
    <li><code>immuaudit compare FILE</code> with the other auditor's <code>immuaudit states export</code> finds the first transaction that differs.</li>\
    <li>Close the alarm with <code>immuaudit alarm close</code> only when it is explained and the other operator agrees. Until then the alarm stays on this page.</li></ol></section>\n";

/// The meaning of an alarm about a signature, and the next steps.
const SIGNATURE: &str = "<section class=\"alarm\"><h2>A state is not signed as it must be</h2>\n\
    <p>The server's state has no signature by a key in <code>--server-signing-pub-key</code>: another server responds, or the server has another signing key or none.</p>\n<ol>\
    <li>On the auditor's host, <code>immuaudit alarm list</code> names the evidence file of each alarm: \
    copy it to a safe place.</li>\
    <li>Find out which server responds, and who changed its signing key. If the key was renewed on purpose, add the new one to <code>--server-signing-pub-key</code>.</li>\
    <li>Then close the alarm with <code>immuaudit alarm close</code>. Until then the alarm stays on this page.</li></ol></section>\n";
