//! What of a history stands, what does not, since when, and how that is known.

use crate::audit::{CorruptionReport, Listed, Located, ServerView};
use crate::locate::{Undecided, Window};
use crate::text::{Escaped, counted};
use crate::trust::{Alarm, Tampering};

pub(super) fn lines(lines: &mut Vec<String>, located: &Located, values: Option<&CorruptionReport>) {
    let mut section = |title: &str, text: Vec<String>| {
        lines.push(format!("\n{title}"));
        lines.extend(text.into_iter().map(|line| format!("  {line}")));
    };
    section("What happened", vec![happened(&located.present, values).1]);
    match &located.present {
        ServerView::Shows {
            window,
            listed,
            refused,
        } => {
            let alarm = values_alarm(&located.alarms);
            section("Intact", stands(window, values));
            section("Rewritten or missing", stands_not(window, values, alarm));
            section("Time", since(window, &located.alarms));
            let mut how = how_known(window, located);
            if *listed == Listed::Hidden {
                how.push("the server does not list the database any more, but it opens".into());
            }
            if let Some((verdict, reason)) = refused {
                how.push(format!(
                    "the state itself would not be accepted: {verdict}: {reason}"
                ));
            }
            section("Proof", how);
        }
        ServerView::Emptied(lost) | ServerView::Vanished(lost) => {
            section("Intact", vec!["nothing".into()]);
            let all = format!(
                "transactions 1..{} are gone, audited {} to {}",
                lost.newest.state.tx, lost.oldest.audited, lost.newest.audited
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

/// In a word, and in words.
pub(super) fn happened(
    present: &ServerView,
    values: Option<&CorruptionReport>,
) -> (&'static str, String) {
    let broken = values.is_some_and(|values| values.total() > 0);
    let (word, text) = match present {
        ServerView::Shows { window, listed, .. } => match window {
            window if window.is_replaced() => (
                "replaced",
                "another history is shown, of which nothing that was trusted is a part",
            ),
            window if window.precedes_memory() => (
                "rewritten",
                "history was rewritten at or before the oldest state that this auditor remembers, or another server answers",
            ),
            window if window.broken.is_some() => ("rewritten", "history was rewritten"),
            window if window.lost().is_some() => (
                "rolled-back",
                "the database is back at an earlier time: transactions are gone",
            ),
            window if window.contradicted.is_some() => (
                "contradicted",
                "the oldest state that this auditor remembers is refuted, and a newer one is proven: the server \
                 contradicts itself, or the auditor's files were damaged",
            ),
            window if window.is_whole() && broken => (
                "values",
                "all headers and states stand, but values are not what was written",
            ),
            window if window.is_whole() => match listed {
                Listed::Hidden => ("hidden", "the database is hidden; its history stands"),
                _ => (
                    "nothing",
                    "what the server shows now continues everything that was trusted",
                ),
            },
            _ => (
                "undecided",
                "not all that was trusted is proven, and nothing is proven to be rewritten",
            ),
        },
        ServerView::Emptied(_) => ("emptied", "the database is there, without any transaction"),
        ServerView::Vanished(_) => ("vanished", "the database is gone"),
        ServerView::NothingTrusted => (
            "unknown",
            "nothing is trusted of this database here, so nothing can be located",
        ),
        ServerView::NotShown(failure) => {
            return ("unknown", format!("the server shows no state: {failure}"));
        }
        ServerView::Local(failure) => return ("unknown", format!("local failure: {failure}")),
    };
    (word, text.into())
}

/// Returns the transactions whose headers are proven, and whether their values were read.
fn stands(window: &Window, values: Option<&CorruptionReport>) -> Vec<String> {
    let Some(point) = window.stands else {
        return vec![match window.is_replaced() {
            true => "nothing".into(),
            false => "nothing is proven to stand".into(),
        }];
    };
    let looked_at = match values {
        None => {
            "this looked at headers and states, not at values, which immuaudit sweep reads".into()
        }
        Some(values) => format!(
            "the values of {} were read",
            counted(values.passed, "transaction")
        ),
    };
    vec![
        format!(
            "the headers of transactions 1..{}, audited by {}, are proven to be what they were",
            point.tx, point.audited
        ),
        looked_at,
    ]
}

/// Returns an open alarm about a value, if there is one.
fn values_alarm(alarms: &[Alarm]) -> Option<&Alarm> {
    alarms.iter().find(|alarm| alarm.kind == Tampering::Value)
}

/// The number of transactions with different values that are listed.
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

fn stands_not(
    window: &Window,
    values: Option<&CorruptionReport>,
    alarm: Option<&Alarm>,
) -> Vec<String> {
    let mut lines = Vec::new();
    match (window.first_differing(), window.broken, window.doubtful()) {
        _ if window.is_replaced() => lines.push(format!(
            "transaction 1, audited by {}, is another one already",
            window.oldest.audited
        )),
        _ if window.precedes_memory() => lines.push(format!(
            "transaction {}, the first that was ever audited ({}), is another one already; of the transactions before \
             it this auditor has no proof of its own",
            window.oldest.state.tx, window.oldest.audited
        )),
        (Some(first), ..) => lines.push(format!(
            "transaction {} is the first that was rewritten; it was audited by {}; nothing from it on is what it was",
            first.tx, first.audited
        )),
        (None, Some(broken), Some(doubtful)) => lines.push(format!(
            "the rewrite begins in {}..{}, which was audited by {}; nothing from {} on is what it was",
            doubtful.start(), doubtful.end(), broken.audited, broken.tx
        )),
        (_, None, Some(doubtful)) => lines.push(format!(
            "{}..{} is not proven, one way or the other",
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
            "transactions {}..{} are gone; the last of them was audited {}",
            lost.start(),
            lost.end(),
            window.newest.audited
        ));
    }
    lines.extend(values.and_then(|values| values_differ(values, alarm)));
    if lines.is_empty() {
        lines.push("no header: every trusted state is proven to be part of what is shown".into());
    }
    lines
}

fn since(window: &Window, alarms: &[Alarm]) -> Vec<String> {
    let mut lines = vec![format!(
        "the last audit that found the history whole reached transaction {}, {}",
        window.newest.state.tx, window.newest.audited
    )];
    if let Some(first) = alarms.iter().map(|alarm| alarm.raised).min() {
        lines.push(format!(
            "the first alarm was raised {first}: whatever was done was done between the two, or shown since"
        ));
    }
    lines
}

fn how_known(window: &Window, located: &Located) -> Vec<String> {
    let mut lines = vec![
        format!(
            "the server shows transaction {}, hash {}",
            window.shown.tx, window.shown.hash
        ),
        format!(
            "old states held against that one state: {}, in {} calls; each yes and each no is a proof that ends in it",
            window.questions, located.calls
        ),
    ];
    lines.push(match located.mirrored {
        Some(last) => format!("the mirror has the hash of every transaction up to {last}"),
        None => {
            "no mirror is kept (--audit-mirror): the window is as wide as audits lie apart".into()
        }
    });
    for Undecided { tx, why } in window.undecided.iter().take(3) {
        lines.push(format!("not decided at transaction {tx}: {why}"));
    }
    if !window.undecided.is_empty() {
        lines.push(format!(
            "{} questions had no proof in the answer: the window is the wider for it, and no less right",
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
