//! What a database was held against, and what differs.

use super::{Compared, unix};
use crate::audit::{DiffTarget, Differences, Differing, KeyChange, MirrorDifferences};
use crate::text::Escaped;

pub(super) fn lines(lines: &mut Vec<String>, compared: &Compared) {
    match compared {
        Compared::Server {
            of,
            compared: Ok(differences),
        } => {
            lines.push(format!("\nHeld against {of}"));
            lines.extend(
                difference_lines(differences)
                    .into_iter()
                    .map(|l| format!("  {l}")),
            );
        }
        Compared::Mirror {
            of,
            compared: Ok(differences),
        } => {
            lines.push(format!("\nHeld against the mirror {of}"));
            lines.extend(
                mirror_lines(differences)
                    .into_iter()
                    .map(|l| format!("  {l}")),
            );
        }
        Compared::Server {
            of,
            compared: Err(not),
        }
        | Compared::Mirror {
            of,
            compared: Err(not),
        } => {
            lines.push(format!("\nNot held against {of}\n  {not}"));
        }
    }
}

fn difference_lines(differences: &Differences) -> Vec<String> {
    let mut lines = vec![format!(
        "it shows transaction {}, this one {}",
        differences.theirs.tx, differences.ours.tx
    )];
    match &differences.holds {
        Some(window) if window.is_whole() => lines.push(format!(
            "it holds everything that was trusted, up to transaction {}: a good one to restore from",
            window.newest.state.tx
        )),
        Some(window) => lines.push(format!("of what was trusted: {window}")),
        None => lines.push("nothing that was trusted could be held against it".into()),
    }
    lines.push(format!(
        "the two are the same up to transaction {}{}",
        differences.same,
        match differences.first {
            Some(tx) if tx == differences.same + 1 => format!(", and differ from {tx} on"),
            Some(tx) => format!(", and differ at {tx} at the latest"),
            None => String::new(),
        }
    ));
    for differing in &differences.differing {
        lines.extend(differing_lines(differing));
    }
    if differences.more > 0 {
        lines.push(format!("and {} more transactions differ", differences.more));
    }
    if differences.moved > 0 {
        lines.push(format!(
            "in {} transactions nothing differs but entries that stand in another one there",
            differences.moved
        ));
    }
    if differences.rechained > 0 {
        lines.push(format!(
            "{} transactions hold the same entries, and only follow on others",
            differences.rechained
        ));
    }
    let (ours, theirs) = (differences.ours.tx, differences.theirs.tx);
    if ours > theirs {
        lines.push(format!(
            "transactions {}..{ours} are on this one alone",
            theirs + 1
        ));
    } else if theirs > ours {
        lines.push(format!(
            "transactions {}..{theirs} are on that one alone",
            ours + 1
        ));
    }
    if differences.compared < ours.min(theirs) {
        lines.push(format!(
            "entries were compared up to transaction {} (--audit-max-range)",
            differences.compared
        ));
    }
    if let Some(why) = &differences.unproven {
        lines.push(format!("this list is not proven, and may be short: {why}"));
    }
    lines
}

fn differing_lines(differing: &Differing) -> Vec<String> {
    let mut lines = vec![format!(
        "transaction {} (written {}, there {}, as the servers say)",
        differing.tx,
        unix(differing.ours),
        unix(differing.theirs)
    )];
    for change in &differing.changes {
        let values = match (&change.theirs, &change.ours) {
            (None, None) => String::new(),
            (theirs, ours) => {
                let shown = |value: &Option<Escaped>| {
                    value
                        .as_ref()
                        .map_or("-".into(), |value| format!("\"{value}\""))
                };
                format!(": {} there, {} here", shown(theirs), shown(ours))
            }
        };
        lines.push(format!("  {} \"{}\"{values}", word(change.how), change.key));
    }
    if differing.changes.is_empty() {
        lines.push("  the same keys and values, in another order or with other metadata".into());
    }
    if differing.more > 0 {
        lines.push(format!("  and {} more keys", differing.more));
    }
    lines
}

pub(super) fn word(how: KeyChange) -> &'static str {
    match how {
        KeyChange::Added => "added",
        KeyChange::Removed => "removed",
        KeyChange::Changed => "changed",
    }
}

fn mirror_lines(differences: &MirrorDifferences) -> Vec<String> {
    let against = match differences.against {
        DiffTarget::OwnMirror => "the mirror kept here".to_owned(),
        DiffTarget::Server(shown) => {
            format!("what the server shows, transaction {}", shown.tx)
        }
    };
    let found = &differences.found;
    let same = found.holds.unwrap_or(0);
    let mut lines = vec![format!(
        "{} transactions could be compared with {against}",
        differences.compared
    )];
    lines.push(match found.broken {
        Some(first) if first == same + 1 => {
            format!("they are the same up to transaction {same}; {first} is the first that differs")
        }
        Some(broken) => format!(
            "they are the same up to transaction {same}; the first that differs is in {}..{broken}",
            same + 1
        ),
        None if same == differences.compared => "they are all the same".into(),
        None => format!("they are the same up to transaction {same}; more is not proven"),
    });
    for (tx, why) in found.unknown.iter().take(3) {
        lines.push(format!("not decided at transaction {tx}: {why}"));
    }
    lines
}
