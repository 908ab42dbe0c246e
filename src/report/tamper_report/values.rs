//! Corrupt transactions, grouped by their fault.

use super::unix;
use crate::audit::{CorruptTx, CorruptionReport};
use crate::text::counted;

/// The maximum number of corrupt transactions of one kind that are listed, so that the report stays readable.
const MAX_LISTED_TXS: usize = 20;

pub(super) fn lines(lines: &mut Vec<String>, values: &CorruptionReport) {
    lines.push(format!(
        "\nCorrupt values\n  {} of {} that were read; {} could not be read",
        counted(values.total(), "transaction"),
        values.passed,
        values.unread
    ));
    for (what, broken) in &values.groups {
        let times =
            |pick: fn(i64, i64) -> i64| broken.iter().filter_map(|broken| broken.ts).reduce(pick);
        let span = match (times(i64::min), times(i64::max)) {
            (Some(first), Some(last)) => format!(
                ", written {} to {} according to the server",
                unix(first),
                unix(last)
            ),
            _ => String::new(),
        };
        lines.push(format!(
            "  {what}: {}{span}",
            counted(broken.len() as u64, "transaction")
        ));
        for CorruptTx { said, ts, .. } in broken.iter().take(MAX_LISTED_TXS) {
            let at = ts.map_or(String::new(), |ts| format!(" (written {})", unix(ts)));
            lines.push(format!("    {said}{at}"));
        }
        if broken.len() > MAX_LISTED_TXS {
            let ids: Vec<String> = broken
                .iter()
                .skip(MAX_LISTED_TXS)
                .map(|broken| broken.tx.to_string())
                .collect();
            lines.push(format!("    and at transactions {}", ids.join(" ")));
        }
    }
    if values.more > 0 {
        lines.push(format!("  and {} more", values.more));
    }
    if let Some(failure) = &values.halted {
        lines.push(format!("  reading ended early: {failure}"));
    }
}
