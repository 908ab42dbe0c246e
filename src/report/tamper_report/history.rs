//! The intact and the rewritten parts of a history, their time, and the proof.

use crate::audit::{CorruptionReport, Listed, Located, ServerView};
use crate::locate::{Grounds, Undecided, Window};
use crate::text::{Escaped, counted};
use crate::trust::{Alarm, Tampering};

pub(super) fn lines(lines: &mut Vec<String>, located: &Located, values: Option<&CorruptionReport>) {
    let mut section = |title: &str, text: Vec<String>| {
        lines.push(format!("\n{title}"));
        lines.extend(text.into_iter().map(|line| format!("  {line}")));
    };
    section("What happened", vec![happened(located, values).1]);
    match &located.present {
        ServerView::Shows {
            window,
            listed,
            refused,
        } => {
            let alarm = values_alarm(&located.alarms);
            section("Intact", intact(window, values));
            section(
                "Rewritten or missing",
                rewritten_lines(window, values, alarm),
            );
            section("Time", since(window, &located.alarms));
            let mut how = how_known(window, located);
            if *listed == Listed::Hidden {
                how.push("the server does not list the database any more, but the database can be opened".into());
            }
            if let Some((verdict, reason)) = refused {
                how.push(format!(
                    "a check would refuse the state: {verdict}: {reason}"
                ));
            }
            section("Proof", how);
        }
        ServerView::Emptied(lost) | ServerView::Vanished(lost) => {
            section("Intact", vec!["nothing".into()]);
            let all = format!(
                "transactions 1..{}, {} to {}, are missing",
                lost.newest.state.tx, lost.oldest.accepted, lost.newest.accepted.at
            );
            section("Rewritten or missing", vec![all]);
        }
        ServerView::NotShown(_) | ServerView::NothingTrusted | ServerView::Local(_) => {}
    }
    if !located.alarms.is_empty() {
        let alarms = located.alarms.iter().map(alarm_line);
        section("Open alarms", alarms.collect());
    }
}

/// Returns the finding as one word, and as a text.
pub(super) fn happened(
    located: &Located,
    values: Option<&CorruptionReport>,
) -> (&'static str, String) {
    let is_split = located.alarms.iter().any(is_split);
    let broken = values.is_some_and(|values| values.total() > 0);
    let (word, text) = match &located.present {
        ServerView::Shows { window, listed, .. } => match window {
            window if window.is_replaced() => (
                "replaced",
                "the server shows another history, which contains no trusted state",
            ),
            window if window.precedes_memory() => (
                "rewritten",
                "history was rewritten at or before the oldest state that this auditor has stored, or another server responds",
            ),
            window if window.broken.is_some() => ("rewritten", "history was rewritten"),
            window if window.lost().is_some() => (
                "rolled-back",
                "the database was rolled back to an earlier state: transactions are missing",
            ),
            window if window.contradicted.is_some() => (
                "contradicted",
                "the oldest stored state is disproven, but a newer one is proven: the server contradicts itself, or the auditor's files were damaged",
            ),
            window if window.is_intact() && broken => (
                "values",
                "all headers and states are intact, but values differ from the written ones",
            ),
            window if window.is_intact() => match listed {
                Listed::Hidden => (
                    "hidden",
                    "the database is hidden, but its history is intact",
                ),
                _ if is_split => (
                    "split-view",
                    "the server's history extends every trusted state of this auditor, but another auditor was shown another history",
                ),
                _ => (
                    "nothing",
                    "the server's history extends every trusted state",
                ),
            },
            _ => (
                "undecided",
                "not every trusted state is proven, but no rewrite is proven either",
            ),
        },
        ServerView::Emptied(_) => ("emptied", "the database exists, but has no transactions"),
        ServerView::Vanished(_) => ("vanished", "the database is gone"),
        ServerView::NothingTrusted => (
            "unknown",
            "this auditor has no trusted state of the database, so there is nothing to compare",
        ),
        ServerView::NotShown(failure) => {
            return ("unknown", format!("the server shows no state: {failure}"));
        }
        ServerView::Local(failure) => return ("unknown", format!("local failure: {failure}")),
    };
    (word, text.into())
}

/// Returns the transactions whose headers are proven, and whether their values were read.
fn intact(window: &Window, values: Option<&CorruptionReport>) -> Vec<String> {
    let Some(point) = window.intact else {
        return vec![match window.is_replaced() {
            true => "nothing".into(),
            false => "no transaction is proven to be intact".into(),
        }];
    };
    let looked_at = match values {
        None => "only headers and states were verified; immuaudit sweep reads the values".into(),
        Some(values) => format!(
            "the values of {} were read",
            counted(values.passed, "transaction")
        ),
    };
    vec![
        format!(
            "the headers of transactions 1..{}, {}, are proven to be unchanged",
            point.tx,
            point.accepted.at_the_latest()
        ),
        looked_at,
    ]
}

/// Returns an open alarm about a value, if there is one.
fn values_alarm(alarms: &[Alarm]) -> Option<&Alarm> {
    alarms
        .iter()
        .find(|alarm| alarm.kind == Tampering::BadValue)
}

/// The maximum number of transactions with different values that are listed, so that the report stays readable.
const MAX_LISTED_TXS: usize = 8;

/// Returns the transactions whose values differ, and the alarm about them.
fn values_differ(values: &CorruptionReport, alarm: Option<&Alarm>) -> Option<String> {
    if values.total() == 0 {
        return None;
    }
    let broken = values.groups.values().flatten();
    let mut txs: Vec<u64> = broken.map(|broken| broken.tx).collect();
    txs.sort_unstable();
    txs.dedup();
    let named: Vec<String> = txs
        .iter()
        .take(MAX_LISTED_TXS)
        .map(u64::to_string)
        .collect();
    let more = values.total().saturating_sub(named.len() as u64);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if values.total() == 1 {
        "transaction"
    } else {
        "transactions"
    };
    let about = alarm.map_or_else(String::new, |alarm| {
        format!(": alarm {}", Escaped::new(&alarm.id))
    });
    Some(format!(
        "values of {noun} {}{more} differ from what was written{about}",
        named.join(", ")
    ))
}

fn rewritten_lines(
    window: &Window,
    values: Option<&CorruptionReport>,
    alarm: Option<&Alarm>,
) -> Vec<String> {
    let mut lines = Vec::new();
    match (window.first_differing(), window.broken, window.doubtful()) {
        _ if window.is_replaced() => lines.push(format!(
            "transaction 1, {}, already differs",
            window.oldest.accepted.at_the_latest()
        )),
        _ if window.precedes_memory() => lines.push(format!(
            "transaction {}, the oldest stored one ({}), already differs; this auditor has no proof of the transactions before it",
            window.oldest.state.tx, window.oldest.accepted
        )),
        (Some(first), ..) => lines.push(format!(
            "transaction {} is the first that was rewritten; it was {}; from it on, the history differs from the trusted one",
            first.tx,
            first.accepted.at_the_latest()
        )),
        (None, Some(broken), Some(doubtful)) => lines.push(format!(
            "the rewrite begins in {}..{}, which was {}; from {} on, the history differs from the trusted one",
            doubtful.start(),
            doubtful.end(),
            broken.accepted.at_the_latest(),
            broken.tx
        )),
        (_, None, Some(doubtful)) => lines.push(format!(
            "for {}..{} neither a match nor a rewrite is proven",
            doubtful.start(),
            doubtful.end()
        )),
        _ => {}
    }
    lines.extend(
        window
            .contradicted
            .map(|contradicted| contradicted.to_string()),
    );
    if let Some(lost) = window.lost() {
        lines.push(format!(
            "transactions {}..{} are missing; the last of them was {}",
            lost.start(),
            lost.end(),
            window.newest.accepted
        ));
    }
    lines.extend(values.and_then(|values| values_differ(values, alarm)));
    if lines.is_empty() {
        lines.push(
            "no header: every trusted state is proven to be part of the server's history".into(),
        );
    }
    lines
}

fn since(window: &Window, alarms: &[Alarm]) -> Vec<String> {
    let (tx, accepted) = (window.newest.state.tx, window.newest.accepted);
    let mut lines = vec![match accepted.by {
        Grounds::Audit => format!(
            "the last successful audit reached transaction {tx}, {}",
            accepted.at
        ),
        Grounds::Pin | Grounds::Adoption => {
            format!("transaction {tx} was {accepted}; no audit has proven a later state since")
        }
    }];
    let first = |split| {
        // the other auditor of an imported state may have seen another history at any time
        let alarms = alarms.iter().filter(|alarm| !alarm.is_about_import());
        let alarms = alarms.filter(|alarm| is_split(alarm) == split);
        alarms.map(|alarm| alarm.raised).min()
    };
    if let Some(first) = first(false) {
        lines.push(format!(
            "the first alarm was raised {first}: the change was made, or first shown, between these two times"
        ));
    }
    if let Some(first) = first(true) {
        lines.push(format!(
            "the split view was found {first}: the server showed another auditor another history before that"
        ));
    }
    lines
}

fn is_split(alarm: &Alarm) -> bool {
    alarm.kind == Tampering::SplitView
}

fn how_known(window: &Window, located: &Located) -> Vec<String> {
    let mut lines = vec![
        format!(
            "the server shows transaction {}, hash {}",
            window.shown.tx, window.shown.hash
        ),
        format!(
            "old states compared with that state: {}, in {} calls; a proof that ends in that state backs each match and mismatch",
            window.questions, located.calls
        ),
    ];
    lines.push(match located.mirrored {
        Some(last) => format!("the mirror has the hash of every transaction up to {last}"),
        None => {
            "there is no mirror (--audit-keep-hashes), so the range is as wide as the distance between two audits".into()
        }
    });
    for Undecided { tx, why } in window.undecided.iter().take(3) {
        lines.push(format!("not decided at transaction {tx}: {why}"));
    }
    if !window.undecided.is_empty() {
        lines.push(format!(
            "{} probes were not answered with a proof, so the range is wider, but still correct",
            window.undecided.len()
        ));
    }
    lines
}

fn alarm_line(alarm: &Alarm) -> String {
    format!(
        "{} {} raised {}: {}\n    evidence: {}",
        alarm.id,
        alarm.kind,
        alarm.raised,
        alarm.reason,
        alarm.evidence.display()
    )
}
