//! A finding that a command made: its alarm, and a part that could not be stored.

use super::alarm::alarm_lines;
use crate::text::Escaped;
use crate::trust::{Alarm, StoreError};

/// Returns the lines about the alarm of a finding, which is `listed` if it is on the list of alarms, and about a part
/// that could not be stored.
pub fn finding_lines(listed: Option<&Alarm>, unwritten: Option<&StoreError>) -> Vec<String> {
    let mut lines = listed.map(alarm_lines).unwrap_or_default();
    lines.extend(unwritten.map(|failure| match listed {
        Some(alarm) => format!(
            "alarm {} is open, but its evidence is not stored: {failure}",
            Escaped::new(&alarm.id)
        ),
        None => format!("not stored: {failure}"),
    }));
    lines
}
