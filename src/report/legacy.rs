//! immuclient's and immugw's four gauges, exactly (protocol.md §7).

use super::board::{Snapshot, Whole};
use super::exposition::{Exposition, Labels, Type};
use super::row::Row;
use crate::audit::Verdict;
use crate::clock::Timestamp;
use crate::ledger::State;

/// Whose gauges those who come from elsewhere know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `immuclient_audit_`
    Immuclient,
    /// `immugw_audit_`
    Immugw,
}

/// Names without their prefixes, and what they say.
const LEGACY: [(&str, &str, &str); 4] = [
    (
        "immuclient_audit_result_per_server",
        "immugw_audit_result_per_server",
        "Latest audit result (1 = ok, 0 = tampered, -1 = first or empty, -2 = not proven).",
    ),
    (
        "immuclient_audit_curr_root_per_server",
        "immugw_audit_curr_root_per_server",
        "Current root index used for the latest audit (-1 = none, -2 = error).",
    ),
    (
        "immuclient_audit_prev_root_per_server",
        "immugw_audit_prev_root_per_server",
        "Previous root index used for the latest audit (-1 = none, -2 = error).",
    ),
    (
        "immuclient_audit_run_at_per_server",
        "immugw_audit_run_at_per_server",
        "Timestamp in unix seconds at which the latest audit run.",
    ),
];

/// Of several databases the worst decides, so that none is hidden by the one checked after it.
pub fn legacy(text: &mut Exposition, snapshot: &Snapshot, prefix: Prefix) {
    let whole = &snapshot.whole;
    let rows = snapshot.rows.values().filter(|row| row.verdict.is_some());
    let worst = rows.max_by_key(|row| badness(row)).map(|row| Worst {
        badness: badness(row),
        shown: row.shown,
        previous: row.previous,
        checked: row.checked,
    });
    let worst = worst.into_iter().chain(untrusted(whole));
    let worst = worst.max_by_key(|worst| worst.badness);
    let (Some(id), Some(worst)) = (&whole.identity, worst) else {
        return write_legacy(text, prefix, &Labels::default(), [None; 4]); // nothing was checked yet
    };
    let labels = Labels::new(&[
        ("server_id", id.as_str()),
        ("server_address", &snapshot.about.address),
    ]);
    let tx = |state: Option<State>, none: i128| state.map_or(none, |state| i128::from(state.tx));
    let result = match worst.badness {
        Badness::Good => 1,
        Badness::New => -1,
        Badness::Unproven => -2,
        Badness::Tampered => 0,
    };
    let missing = if result == -2 { -2 } else { -1 };
    let run_at = worst.checked.map(|at| i128::from(at.unix()));
    write_legacy(
        text,
        prefix,
        &labels,
        [
            Some(result),
            Some(tx(worst.shown, missing)),
            Some(tx(worst.previous, missing)),
            run_at,
        ],
    );
}

fn write_legacy(text: &mut Exposition, prefix: Prefix, labels: &Labels, values: [Option<i128>; 4]) {
    for ((immuclient, immugw, help), value) in LEGACY.into_iter().zip(values) {
        let name = match prefix {
            Prefix::Immuclient => immuclient,
            Prefix::Immugw => immugw,
        };
        let mut family = text.family(name, Type::Gauge, help);
        if let Some(value) = value {
            family.sample(labels, value);
        }
    }
}

/// The worst of some databases.
struct Worst {
    badness: Badness,
    shown: Option<State>,
    previous: Option<State>,
    checked: Option<Timestamp>,
}

/// Returns the worst of the databases of which nothing is trusted, if there are any.
fn untrusted(whole: &Whole) -> Option<Worst> {
    let badness = match whole.untrusted.worst? {
        Verdict::Tampered(_) => Badness::Tampered,
        verdict if verdict.is_proven() => Badness::New,
        _ => Badness::Unproven,
    };
    Some(Worst {
        badness,
        shown: None,
        previous: None,
        checked: whole.ended,
    })
}

/// The later, the worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Badness {
    Good,
    New,
    Unproven,
    Tampered,
}

fn badness(row: &Row) -> Badness {
    match row.verdict {
        _ if row.is_alarming() => Badness::Tampered,
        Some(Verdict::Consistent) => Badness::Good,
        Some(Verdict::FirstSeen | Verdict::Empty) | None => Badness::New,
        Some(_) => Badness::Unproven,
    }
}
