//! The reason of an outcome as one text.

use super::outcome::{Outcome, Overdue};
use super::peers::PeerReport;
use crate::locate::Window;

/// The text between two parts of a reason.
const SEPARATOR: &str = "; ";
/// The mark at the end of a text that was cut.
const CUT: &str = "[...]";

impl Outcome {
    /// Describes the failures of the auditor's own files that are not the verdict.
    fn own_failures_in_words(&self) -> impl Iterator<Item = String> {
        let unreadable = self.unreadable_alarms.iter().map(|failure| {
            let counts = match failure.hides_alarms() {
                true => ", so the database counts as one with an open alarm",
                false => "",
            };
            format!("the alarms of the database cannot be read{counts}: {failure}")
        });
        let unwritten = self.unwritten.iter();
        unreadable.chain(unwritten.map(|failure| format!("not stored: {failure}")))
    }

    /// Describes the verdict's reason, the rewritten range, what is overdue, and failures of the auditor's own files;
    /// empty if there is nothing to report.
    pub fn why(&self) -> String {
        joined([self.found(), self.late()])
    }

    /// Returns the same within this number of characters: what is overdue is complete, and the text before it is cut.
    pub fn why_within(&self, most: usize) -> String {
        let (found, late) = (self.found(), self.late());
        let end = match late.len() {
            0 => 0,
            length => length.saturating_add(SEPARATOR.len()),
        };
        let space = most.saturating_sub(end);
        let found = match found.char_indices().nth(space) {
            None => found,
            Some(_) => {
                let kept = space.saturating_sub(CUT.len());
                found.chars().take(kept).chain(CUT.chars()).collect()
            }
        };
        joined([found, late])
    }

    /// Describes the verdict's reason, the rewritten range, and failures of the auditor's own files.
    fn found(&self) -> String {
        let mut parts = vec![self.reason.to_string()];
        parts.extend(self.values.as_ref().map(|report| report.to_string()));
        parts.extend(self.window.iter().map(Window::to_string));
        parts.extend(self.peers.iter().map(PeerReport::to_string));
        parts.extend(self.own_failures_in_words());
        joined(parts)
    }

    /// Describes what is overdue.
    fn late(&self) -> String {
        joined(self.overdue().map(Overdue::to_string))
    }
}

/// Joins the parts that are not empty.
fn joined(parts: impl IntoIterator<Item = String>) -> String {
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audit::verdict::{Reason, Verdict};
    use crate::text::Escaped;

    #[test]
    fn a_shortened_reason_still_says_what_is_overdue() {
        let time = Duration::from_secs(9);
        let mut outcome = Outcome::sample("db", Verdict::Unreachable);
        assert_eq!(outcome.why_within(10), "");
        outcome.reason = Reason::OtherDatabase(Escaped::new(&"long ".repeat(50)));
        let whole = outcome.why();
        assert_eq!(outcome.why_within(whole.len()), whole);
        let short = outcome.why_within(60);
        assert!(short.len() <= 60 && short.ends_with(CUT), "{short}");
        (outcome.overdue, outcome.values_overdue) =
            (Some(Overdue::Unproven(time)), Some(Overdue::Cut(time)));
        let whole = outcome.why();
        for most in [150, whole.len() - 1, whole.len()] {
            let short = outcome.why_within(most);
            assert!(short.len() <= most, "{short}");
            for late in [Overdue::Unproven(time), Overdue::Cut(time)] {
                assert!(short.contains(&late.to_string()), "{short}");
            }
        }
    }
}
