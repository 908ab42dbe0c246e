//! The content of a notification about databases that cannot be reached, and that can be reached again.

use crate::audit::Verdict;
use crate::json::Json;
use crate::text::{counted, number};

/// The maximum number of databases in one notification. The page and `immuaudit status` list all.
const MAX_NAMES: usize = 16;
/// The words between the number and the names of the databases that can be reached again.
const BACK: &str = " reachable again (";

/// The content of a notification about the reachability of a server's databases.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reachability {
    /// The databases that cannot be reached after the cycle.
    pub away: Vec<String>,
    /// The databases that can be reached again.
    pub back: Vec<String>,
    /// The number of databases that were checked.
    pub of: usize,
    /// The reason why the first one cannot be reached.
    pub why: String,
}

impl Reachability {
    /// Returns the text.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.away.is_empty() {
            let count = self.away.len();
            let of = counted(number(self.of), "database");
            let names = named(&self.away);
            parts.push(format!(
                "{count} of {of} unreachable ({names}): {}",
                self.why
            ));
        }
        if !self.back.is_empty() {
            let count = counted(number(self.back.len()), "database");
            parts.push(format!("{count}{BACK}{})", named(&self.back)));
        }
        parts.join("; ")
    }

    /// Returns the databases to list: those that cannot be reached, otherwise those that can be reached again.
    pub fn names(&self) -> Vec<&str> {
        let all = match self.away.is_empty() {
            true => &self.back,
            false => &self.away,
        };
        all.iter().take(MAX_NAMES).map(String::as_str).collect()
    }
}

/// The databases that a notification about several databases names.
#[derive(Debug)]
pub(super) struct Summary {
    names: Vec<String>,
    count: Option<u64>,
    /// Whether it also says that other databases can be reached again, which are not among the names.
    has_others: bool,
}

impl Summary {
    /// Reads the body of a notification; `None` if it is no summary.
    pub fn of(body: &Json) -> Option<Summary> {
        let names = body.member("databases")?.list()?.iter();
        let text = |name| body.member(name).and_then(Json::text);
        let is_away = text("verdict") == Some(Verdict::Unreachable.word());
        Some(Summary {
            names: names.filter_map(Json::text).map(str::to_owned).collect(),
            count: body.member("database_count").and_then(Json::number),
            has_others: is_away && text("reason").is_some_and(|why| why.contains(BACK)),
        })
    }

    /// Returns whether two summaries are about the same databases, as far as they name them.
    pub fn has_databases_of(&self, other: &Summary) -> bool {
        let have_others = self.has_others || other.has_others;
        !have_others && (&self.names, self.count) == (&other.names, other.count)
    }
}

fn named(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    let more = if names.len() > MAX_NAMES { ", ..." } else { "" };
    format!("{}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_names_a_sample_and_counts_all() {
        let names = |count: usize| (0..count).map(|n| format!("d{n}")).collect::<Vec<_>>();
        let outage = Reachability {
            away: names(300),
            back: Vec::new(),
            of: 300,
            why: "no connection".into(),
        };
        let text = outage.text();
        assert!(
            text.starts_with("300 of 300 databases unreachable (d0, d1, "),
            "{text}"
        );
        assert!(text.ends_with("d15, ...): no connection"), "{text}");
        assert_eq!(outage.names().len(), MAX_NAMES);
        let some = Reachability {
            away: names(2),
            back: vec!["x".into()],
            of: 6,
            why: "late".into(),
        };
        assert_eq!(
            some.text(),
            "2 of 6 databases unreachable (d0, d1): late; 1 database reachable again (x)"
        );
    }
}
