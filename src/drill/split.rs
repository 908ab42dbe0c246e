//! Split views: a server that shows one user another history than the others, which no auditor can detect alone.

use super::ledger::Ledger;
use super::{NewEntry, NewTransaction};

/// The difference of the history that the second user gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// The history differs from the first transaction on.
    FromTheFirst,
    /// The history is the same until now, and differs from now on.
    FromNowOn,
}

impl Split {
    /// All differences.
    pub const ALL: &'static [Split] = &[Split::FromTheFirst, Split::FromNowOn];

    /// Returns its name in kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            Split::FromTheFirst => "split-view",
            Split::FromNowOn => "split-after-first-use",
        }
    }

    /// Returns a description of the server's behaviour.
    pub fn describe(self) -> &'static str {
        match self {
            Split::FromTheFirst => {
                "shows its second user another history, from the first transaction on"
            }
            Split::FromNowOn => "shows its second user another history from now on",
        }
    }

    /// Returns the second view of a ledger, which is as long as the first one. From now on, the first one has one
    /// transaction more.
    pub(super) fn of(self, first: &mut Ledger) -> Ledger {
        let mut second = first.clone();
        let common = match self {
            Split::FromTheFirst => 0,
            Split::FromNowOn => first.last(),
        };
        second.truncate(common);
        first.write(of_view("first"));
        for _ in common..first.last() {
            second.write(of_view("second"));
        }
        second
    }
}

fn of_view(view: &str) -> NewTransaction {
    NewTransaction {
        entries: vec![NewEntry::set("view", view)],
        ..NewTransaction::default()
    }
}
