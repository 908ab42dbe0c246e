//! The other side of a comparison, and the differences.

use super::{Compared, unix};
use crate::audit::{DiffTarget, Differences, Differing, KeyChange, MirrorDifferences};
use crate::text::Escaped;

pub(super) fn lines(lines: &mut Vec<String>, compared: &Compared) {
    match compared {
        Compared::Server {
            of,
            compared: Ok(differences),
        } => {
            lines.push(format!("\nCompared with {of}"));
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
            lines.push(format!("\nCompared with the mirror {of}"));
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
            lines.push(format!("\nNot compared with {of}\n  {not}"));
        }
    }
}

fn difference_lines(differences: &Differences) -> Vec<String> {
    let mut lines = vec![format!(
        "its last transaction is {}, and the last one of this server is {}",
        differences.theirs.tx, differences.ours.tx
    )];
    match &differences.holds {
        Some(window) if window.is_intact() => lines.push(format!(
            "it has the trusted history up to transaction {}, so it is a good source for a restore",
            window.newest.state.tx
        )),
        Some(window) => lines.push(format!("the trusted history there: {window}")),
        None => lines.push("no trusted state could be compared with it".into()),
    }
    lines.push(format!(
        "both are the same up to transaction {}{}",
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
            "{} transactions differ only in entries that are in another transaction there",
            differences.moved
        ));
    }
    if differences.rechained > 0 {
        lines.push(format!(
            "{} transactions have the same entries, but other transactions before them",
            differences.rechained
        ));
    }
    let (ours, theirs) = (differences.ours.tx, differences.theirs.tx);
    if ours > theirs {
        lines.push(format!(
            "transactions {}..{ours} are only on this server",
            theirs + 1
        ));
    } else if theirs > ours {
        lines.push(format!(
            "transactions {}..{theirs} are only on the other server",
            ours + 1
        ));
    }
    if differences.compared < ours.min(theirs) {
        lines.push(format!(
            "entries were compared up to transaction {} (--audit-max-fetch)",
            differences.compared
        ));
    }
    if let Some(why) = &differences.unproven {
        lines.push(format!(
            "this list is not proven and may be incomplete: {why}"
        ));
    }
    lines
}

fn differing_lines(differing: &Differing) -> Vec<String> {
    let mut lines = vec![format!(
        "transaction {} (written {}, there {}, according to the servers)",
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
        DiffTarget::OwnMirror => "this auditor's mirror".to_owned(),
        DiffTarget::Server(shown) => {
            format!("the server's history up to transaction {}", shown.tx)
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
        None => {
            format!("they are the same up to transaction {same}; later transactions are not proven")
        }
    });
    for (tx, why) in found.unknown.iter().take(3) {
        lines.push(format!("not decided at transaction {tx}: {why}"));
    }
    lines
}
