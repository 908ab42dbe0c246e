//! The report about untrusted databases, all together, for people and notifications.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{Cycle, Exit, MAX_REPORTED_UNTRUSTED, Verdict};
use crate::text::number;

/// The untrusted databases of the last cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untrusted {
    /// The number of databases with each verdict, by its word.
    pub by_verdict: BTreeMap<&'static str, u64>,
    /// The number of databases that were not reached.
    pub not_reached: u64,
    /// The number that cannot be trusted on first use: all except the empty ones.
    pub unproven: u64,
    /// The number that show tampering.
    pub tampering_count: u64,
    /// The worst verdict, if there is any.
    pub worst: Option<Verdict>,
    /// The text about all of them; empty if there are none.
    pub text: String,
    /// The first ones that cannot be trusted on first use.
    pub names: BTreeSet<String>,
}

/// The last report about untrusted databases, as far as it decides whether there is news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedReport {
    /// The number that could not be trusted on first use.
    pub unproven: u64,
    /// The number of them that showed tampering.
    pub tampering_count: u64,
    /// The exit code of the worst of them.
    pub worst: Exit,
    /// Their names, if they are few.
    pub names: BTreeSet<String>,
}

impl Default for UntrustedReport {
    fn default() -> UntrustedReport {
        Untrusted::default().last_report()
    }
}

impl UntrustedReport {
    /// Lowers the numbers to these, so that other databases are news when they come. Returns whether that changes
    /// anything.
    pub fn lower_to(&mut self, untrusted: &Untrusted) -> bool {
        let before = self.clone();
        self.unproven = self.unproven.min(untrusted.unproven);
        self.tampering_count = self.tampering_count.min(untrusted.tampering_count);
        self.worst = self.worst.min(untrusted.exit());
        if are_few(self.unproven) {
            self.names.retain(|name| untrusted.names.contains(name));
        }
        *self != before
    }
}

/// Returns whether the report names each of this many databases.
fn are_few(count: u64) -> bool {
    count <= MAX_REPORTED_UNTRUSTED as u64
}

/// Returns whether the number is at least twice the one before.
fn are_twice(count: u64, before: u64) -> bool {
    count / 2 >= before.max(1)
}

impl Untrusted {
    /// Returns the untrusted databases of a cycle.
    pub fn of(cycle: &Cycle) -> Untrusted {
        let untrusted = &cycle.untrusted;
        let by_verdict = untrusted.by_verdict();
        let tampering_count = untrusted
            .by_verdict()
            .filter(|(verdict, _)| verdict.is_tampering());
        Untrusted {
            tampering_count: number(tampering_count.map(|(_, count)| count).sum()),
            by_verdict: by_verdict
                .map(|(verdict, count)| (verdict.word(), number(count)))
                .collect(),
            not_reached: number(cycle.not_reached),
            unproven: number(untrusted.unproven()),
            worst: untrusted
                .by_verdict()
                .map(|(verdict, _)| verdict)
                .max_by_key(|verdict| verdict.exit()),
            text: match untrusted.is_empty() {
                true => String::new(),
                false => untrusted.to_string(),
            },
            names: untrusted.unproven_names().iter().cloned().collect(),
        }
    }

    /// Returns whether one of them shows tampering.
    pub fn is_tampering(&self) -> bool {
        self.tampering_count > 0
    }

    /// Returns the exit code of the worst of them.
    fn exit(&self) -> Exit {
        self.worst.map_or(Exit::Good, Verdict::exit)
    }

    /// Returns the report that is remembered once it is sent.
    pub fn last_report(&self) -> UntrustedReport {
        UntrustedReport {
            unproven: self.unproven,
            tampering_count: self.tampering_count,
            worst: self.exit(),
            names: self.names.clone(),
        }
    }

    /// Returns whether this is more than the last report: a worse verdict, more accusations, another name among
    /// few, or twice as many.
    pub fn is_more_than(&self, last_report: &UntrustedReport) -> bool {
        let are_more = match are_few(self.unproven) && are_few(last_report.unproven) {
            true => !self.names.is_subset(&last_report.names),
            false => are_twice(self.unproven, last_report.unproven),
        };
        are_more || self.exit() > last_report.worst || self.shows_more_tampering_than(last_report)
    }

    /// Returns whether more of them show tampering than in the last report: one more among few, or twice as many.
    pub fn shows_more_tampering_than(&self, last_report: &UntrustedReport) -> bool {
        match are_few(self.tampering_count) {
            true => self.tampering_count > last_report.tampering_count,
            false => are_twice(self.tampering_count, last_report.tampering_count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untrusted(unproven: u64, names: &[&str]) -> Untrusted {
        Untrusted {
            unproven,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Untrusted::default()
        }
    }

    #[test]
    fn new_names_are_news_once_most_reported_ones_are_gone() {
        let names: Vec<String> = (0..17).map(|number| format!("n{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut last_report = untrusted(17, &names[..16]).last_report();
        let left = untrusted(1, &["n03"]);
        assert!(last_report.lower_to(&left));
        assert!(!last_report.lower_to(&left));
        assert!(!left.is_more_than(&last_report));
        assert!(untrusted(2, &["n03", "x"]).is_more_than(&last_report));
        // the same with thousands of databases
        let mut last_report = untrusted(9_000, &names[..16]).last_report();
        last_report.lower_to(&untrusted(20, &names[..16]));
        assert!(!untrusted(39, &names[..16]).is_more_than(&last_report));
        assert!(untrusted(40, &names[..16]).is_more_than(&last_report));
    }

    #[test]
    fn another_name_among_few_is_news_and_among_thousands_only_twice_as_many_are() {
        let few = untrusted(2, &["a", "b"]);
        assert!(few.is_more_than(&UntrustedReport::default()));
        assert!(!few.is_more_than(&few.last_report()));
        assert!(!untrusted(1, &["b"]).is_more_than(&few.last_report()));
        assert!(untrusted(2, &["b", "c"]).is_more_than(&few.last_report()));
        let many = untrusted(9_000, &["x"]);
        assert!(many.is_more_than(&few.last_report()));
        assert!(!untrusted(9_999, &["y"]).is_more_than(&many.last_report()));
        assert!(untrusted(18_000, &["y"]).is_more_than(&many.last_report()));
    }

    fn tampering_count(count: u64, of: &Untrusted) -> Untrusted {
        Untrusted {
            tampering_count: count,
            worst: Some(Verdict::Tampered(crate::trust::Tampering::BadSignature)),
            ..of.clone()
        }
    }

    #[test]
    fn a_worse_verdict_or_further_tampering_is_news_without_a_new_name() {
        for of in [untrusted(2, &["a", "b"]), untrusted(9_000, &["x"])] {
            let with = |verdict| Untrusted {
                worst: Some(verdict),
                ..of.clone()
            };
            let refused = with(Verdict::Refused);
            assert!(!with(Verdict::Malformed).is_more_than(&refused.last_report()));
            let local = with(Verdict::LocalFailure);
            assert!(local.is_more_than(&refused.last_report()));
            assert!(!refused.is_more_than(&local.last_report()));
            let accused = tampering_count(1, &of);
            assert!(accused.is_more_than(&local.last_report()));
            assert!(!accused.is_more_than(&accused.last_report()));
            assert!(tampering_count(2, &of).is_more_than(&accused.last_report()));
            // after an accusation has ended, the next one is news
            let mut last_report = accused.last_report();
            last_report.lower_to(&refused);
            assert!(accused.is_more_than(&last_report));
        }
        let many = untrusted(9_000, &["x"]);
        let last_report = tampering_count(1_000, &many).last_report();
        assert!(!tampering_count(1_999, &many).is_more_than(&last_report));
        assert!(tampering_count(2_000, &many).is_more_than(&last_report));
    }
}
