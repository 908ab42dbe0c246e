//! The last check of a database, as receivers know it. It decides whether the next check is news.

use super::disagreements::Disagreements;
use super::notification::{GOOD, standing};
use crate::audit::{Outcome, Verdict};
use crate::trust::Tampering;

/// The last check of a database, as receivers know it.
#[derive(Debug)]
pub(super) struct LastCheck {
    /// The verdict's word.
    pub verdict: String,
    /// Other verdicts that receivers may know, because an earlier process ended before they were on disk.
    pub unrecorded: Vec<String>,
    /// Whether values were absent without a known reason.
    pub absent: bool,
    /// The peers whose checkpoints contradicted the state that the server showed.
    pub disagreements: Disagreements,
    /// Whether the check opened an alarm that could not be written to disk.
    pub unlisted: bool,
    /// Whether an alarm was open.
    pub open: bool,
}

impl Default for LastCheck {
    /// Creates the last check of a database that was never checked: receivers know of no trouble.
    fn default() -> LastCheck {
        LastCheck {
            verdict: Verdict::Consistent.word().into(),
            unrecorded: Vec::new(),
            absent: false,
            disagreements: Disagreements::default(),
            unlisted: false,
            open: false,
        }
    }
}

impl LastCheck {
    /// Returns the check that came to this outcome, and whether the receivers are to be notified: the verdict changed,
    /// values became absent, a further peer disagrees, the check opened an alarm, or the last open alarm was closed.
    ///
    /// A slice of a sweep may find a corrupt value again that the next cycle does not read. If its alarm is open and
    /// known to receivers (`is_known`), it sends nothing. If they know of no other trouble, the good verdict after it
    /// sends nothing either: then the returned check keeps their verdict.
    pub fn next(&self, outcome: &Outcome, is_known: bool) -> (LastCheck, bool) {
        let mut now = LastCheck {
            verdict: outcome.verdict.word().to_owned(),
            unrecorded: Vec::new(),
            absent: outcome.absent_after(self.absent),
            disagreements: Disagreements::of(outcome),
            unlisted: !outcome.opened.is_empty() && outcome.alarm.is_none(),
            open: outcome.open_after(self.open),
        };
        // if an alarm cannot be written, every check opens it again
        let repeated = now.unlisted && self.unlisted;
        let opened = !outcome.opened.is_empty() && !repeated;
        let absent = now.absent && !self.absent;
        let contradicted = now.disagreements.has_news(&self.disagreements);
        let is_again = is_known
            && outcome.verdict == Verdict::Tampered(Tampering::BadValue)
            && self.known().all(|known| standing(known) == GOOD);
        let verdict = standing(&now.verdict);
        let changed = !is_again && self.known().any(|known| standing(known) != verdict);
        let is_news = changed || absent || contradicted || opened || self.is_closed_by(&now);
        if is_again && !is_news {
            now.verdict.clone_from(&self.verdict);
        }
        (now, is_news)
    }

    /// Returns whether an alarm was open in this check, and none is in the next one.
    pub fn is_closed_by(&self, next: &LastCheck) -> bool {
        self.open && !next.open
    }

    /// Returns whether receivers know of an outage, and of no other trouble of the database. "Reachable again" does not
    /// say that another trouble has ended.
    pub fn is_only_unreachable(&self) -> bool {
        let away = Verdict::Unreachable.word();
        let only = |known| known == away || standing(known) == GOOD;
        self.known().any(|known| known == away) && self.known().all(only)
    }

    /// Returns the words of the verdicts that receivers may know.
    fn known(&self) -> impl Iterator<Item = &str> {
        let unrecorded = self.unrecorded.iter().map(String::as_str);
        unrecorded.chain([&*self.verdict])
    }
}
