//! All alarms of one database in a few lines.

use std::collections::BTreeMap;

use super::alarm::close_all_command;
use crate::text::{Escaped, counted, number};
use crate::trust::{Alarm, Tampering};

/// Kinds of tampering, the worst first: those about the whole history before those about one entry or one signature.
const WORST_FIRST: [Tampering; 5] = [
    Tampering::Inconsistent,
    Tampering::SplitView,
    Tampering::RolledBack,
    Tampering::BadValue,
    Tampering::BadSignature,
];

/// Returns the lines about all listed alarms of one database: their number, the worst kind, and the first and last
/// time. If several are open, also the command that closes all of them. `None` if there are none.
pub fn alarm_summary(alarms: &[Alarm]) -> Option<String> {
    let first = alarms.first()?;
    let open = alarms.iter().filter(|alarm| alarm.is_open()).count();
    let all = alarms.len();
    let count = match open == all {
        true => counted(number(open), "open alarm"),
        false => format!("{}, {open} of them open", counted(number(all), "alarm")),
    };
    let mut kinds: BTreeMap<usize, (Tampering, u64)> = BTreeMap::new();
    for alarm in alarms {
        let place = WORST_FIRST.iter().position(|kind| *kind == alarm.kind);
        let place = place.unwrap_or(WORST_FIRST.len());
        kinds.entry(place).or_insert((alarm.kind, 0)).1 += 1;
    }
    let kinds: Vec<String> = kinds
        .values()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let raised = alarms.iter().map(|alarm| alarm.raised).min()?;
    let seen = alarms.iter().map(|alarm| alarm.last_seen).max()?;
    let mut text = format!(
        "{}: {count}, worst first: {}; first raised {raised}, last seen {seen}",
        Escaped::new(&first.database),
        kinds.join(", ")
    );
    if open > 1 {
        let command = close_all_command(first);
        text.push_str(&format!(
            "\n  to close all of them and keep the trusted state: {command}"
        ));
    }
    Some(text)
}
