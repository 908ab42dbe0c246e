//! immuclient's and immugw's four gauges, exactly (protocol.md §7).

use super::database_status::DatabaseStatus;
use super::exposition::{Exposition, Labels, Type};
use super::status_registry::{ServerStatus, Snapshot, UNKNOWN_IDENTITY};
use crate::audit::Verdict;
use crate::clock::Timestamp;
use crate::ledger::State;

/// The prefix of the gauges, for users of another auditor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `immuclient_audit_`
    Immuclient,
    /// `immugw_audit_`
    Immugw,
}

/// Names without their prefixes, and their descriptions.
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

/// Writes the metrics of the immudb tools. Of several databases the worst decides, so that a later check does not
/// hide it; among equally bad ones the last checked. An empty database decides only if nothing else was checked:
/// `defaultdb` stays empty in most installations that have databases of their own.
pub fn legacy(text: &mut Exposition, snapshot: &Snapshot, prefix: Prefix) {
    let whole = &snapshot.server;
    // an open alarm counts without a check too, because no check of an unselected database follows
    let rows = snapshot
        .databases
        .values()
        .filter(|row| row.verdict.is_some() || row.open_alarms > 0);
    let decides = rows.max_by_key(|row| (badness(row), row.moment));
    let decides = decides.map(|row| Deciding {
        badness: badness(row),
        shown: row.shown,
        previous: row.previous,
        checked: row.checked,
    });
    // `max_by_key` takes the last of equals: a trusted database, because it has transactions to report
    let decides = untrusted(whole).into_iter().chain(decides);
    let decides = decides.max_by_key(|deciding| deciding.badness);
    // the first cycle may still learn the identity
    let unknown = whole.ended.map(|_| UNKNOWN_IDENTITY);
    let (Some(id), Some(deciding)) = (whole.identity.as_deref().or(unknown), decides) else {
        return write_legacy(text, prefix, &Labels::default(), [None; 4]); // nothing was checked yet
    };
    let labels = Labels::new(&[
        ("server_id", id),
        ("server_address", &snapshot.instance.address),
    ]);
    let tx = |state: Option<State>, none: i128| state.map_or(none, |state| i128::from(state.tx));
    let result = match deciding.badness {
        Badness::Good => 1,
        Badness::New => -1,
        Badness::Unproven => -2,
        Badness::Tampered => 0,
    };
    let missing = if result == -2 { -2 } else { -1 };
    let run_at = deciding.checked.map(|at| i128::from(at.unix()));
    write_legacy(
        text,
        prefix,
        &labels,
        [
            Some(result),
            Some(tx(deciding.shown, missing)),
            Some(tx(deciding.previous, missing)),
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

/// The database whose check the gauges show.
struct Deciding {
    badness: Badness,
    shown: Option<State>,
    previous: Option<State>,
    checked: Option<Timestamp>,
}

/// Returns the worst of the untrusted databases, if there are any.
fn untrusted(whole: &ServerStatus) -> Option<Deciding> {
    let badness = match whole.untrusted.worst? {
        Verdict::Tampered(_) => Badness::Tampered,
        verdict if verdict.is_proven() => Badness::New,
        _ => Badness::Unproven,
    };
    Some(Deciding {
        badness,
        shown: None,
        previous: None,
        checked: whole.ended,
    })
}

/// The badness of a database; the later, the worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Badness {
    /// First seen or empty: there was no state to compare with yet.
    New,
    /// Consistent.
    Good,
    /// Not proven.
    Unproven,
    /// Tampered with, or an alarm is open.
    Tampered,
}

fn badness(row: &DatabaseStatus) -> Badness {
    match row.verdict {
        _ if row.is_alarming() => Badness::Tampered,
        Some(Verdict::Consistent) => Badness::Good,
        Some(Verdict::FirstSeen | Verdict::Empty) | None => Badness::New,
        Some(_) => Badness::Unproven,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::clock::Clock;
    use crate::ledger::Digest;
    use crate::report::{InstanceInfo, StatusRegistry, Untrusted};
    use crate::server::Calls;
    use crate::trust::Tampering;

    /// Returns a server whose databases were checked one after the other, a millisecond apart.
    fn checked(rows: &[(&str, Verdict, u64)]) -> Snapshot {
        let clock = Clock::system();
        let (start, at) = (clock.instant(), Timestamp::from_unix(1_000_000));
        let about = InstanceInfo {
            server: "s".into(),
            address: "h:3322".into(),
            interval: Duration::from_secs(300),
            values: crate::config::Values::NONE,
            call_timeout: Duration::from_secs(10),
            config: String::new(),
            started: at,
        };
        let mut snapshot = StatusRegistry::new(about, Calls::new(clock)).snapshot();
        snapshot.server.identity = Some("id".into());
        for (order, (name, verdict, tx)) in (0..).zip(rows) {
            let row = row(
                name,
                *verdict,
                *tx,
                start + Duration::from_millis(order),
                at,
            );
            snapshot.databases.insert((*name).into(), Arc::new(row));
        }
        snapshot
    }

    fn row(
        name: &str,
        verdict: Verdict,
        tx: u64,
        moment: Instant,
        at: Timestamp,
    ) -> DatabaseStatus {
        let hash = Digest::of(&[b"x"]);
        let mut row = DatabaseStatus::new(name, moment);
        row.verdict = Some(verdict);
        row.checked = Some(at);
        row.shown = Some(State { tx, hash });
        row.previous = (tx > 0).then(|| State { tx: tx - 1, hash });
        row
    }

    /// Returns the result, the current and the previous root.
    fn gauges(snapshot: &Snapshot) -> Vec<String> {
        let mut text = Exposition::default();
        legacy(&mut text, snapshot, Prefix::Immuclient);
        let text = text.end();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let values = samples.filter_map(|line| line.rsplit(' ').next());
        values.take(3).map(str::to_owned).collect()
    }

    const TAMPERED: Verdict = Verdict::Tampered(Tampering::RolledBack);

    #[test]
    fn an_empty_database_decides_only_if_no_other_was_checked() {
        let empty = ("defaultdb", Verdict::Empty, 0);
        let shop = ("shop", Verdict::Consistent, 7);
        assert_eq!(gauges(&checked(&[empty])), ["-1", "0", "-1"]);
        for rows in [[empty, shop], [shop, empty]] {
            assert_eq!(gauges(&checked(&rows)), ["1", "7", "6"]);
        }
        // nor do empty databases without a trusted state
        let mut snapshot = checked(&[shop]);
        snapshot.server.untrusted = Untrusted {
            worst: Some(Verdict::Empty),
            ..Untrusted::default()
        };
        assert_eq!(gauges(&snapshot), ["1", "7", "6"]);
    }

    #[test]
    fn a_server_without_an_identity_has_gauges_after_the_first_cycle() {
        for (verdict, result) in [(TAMPERED, "0"), (Verdict::Unreachable, "-2")] {
            let mut snapshot = checked(&[("shop", verdict, 7)]);
            snapshot.server.identity = None;
            assert!(
                gauges(&snapshot).is_empty(),
                "the first cycle has not ended"
            );
            snapshot.server.ended = Some(Timestamp::from_unix(1_000_001));
            assert_eq!(gauges(&snapshot), [result, "7", "6"]);
        }
    }

    #[test]
    fn the_worst_decides_and_among_equals_the_one_that_was_checked_last() {
        let good = ("b", Verdict::Consistent, 5);
        let last = ("a", Verdict::Consistent, 9);
        assert_eq!(gauges(&checked(&[good, last])), ["1", "9", "8"]);
        let away = ("c", Verdict::Unreachable, 4);
        assert_eq!(gauges(&checked(&[away, good, last])), ["-2", "4", "3"]);
        let worst = ("d", TAMPERED, 3);
        assert_eq!(gauges(&checked(&[worst, away, good])), ["0", "3", "2"]);
        // also among equally bad ones, the last checked decides
        let other = ("a", TAMPERED, 2);
        assert_eq!(gauges(&checked(&[worst, other, good])), ["0", "2", "1"]);
    }
}
