//! The condition of one database: the one decision that the status page, `/status.json` and `immuaudit status` use
//! (docs/verdicts.md).

use crate::audit::Exit;
use crate::text::counted_with;

/// The facts about one database that decide its condition: those of the running program, or those in its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the settings select the database; if not, only its alarms count.
    pub is_audited: bool,
    /// Whether an alarm is open, or cannot be excluded, or the last check accuses the server.
    pub is_alarming: bool,
    /// Whether the last check proved the state, and read all due values in time.
    pub is_complete: bool,
    /// Transactions that could not be read, or that wait to be read again after an alarm was closed.
    pub due: u64,
    /// New transactions that are not read yet, if all new ones are due.
    pub behind: u64,
    /// Transactions with absent values that are not acknowledged.
    pub absent: u64,
    /// Whether the state was signed before and is not signed now, and that is not acknowledged.
    pub is_unsigned: bool,
}

/// The condition of one database; the later the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Everything is proven and read.
    Good,
    /// The state is proven, but something else about the database needs attention.
    Attention,
    /// The state was not proven, or not read, in time.
    Unproven,
    /// An alarm is open.
    Tampered,
}

impl Facts {
    /// Returns the condition of the database.
    pub fn condition(&self) -> Condition {
        if self.is_alarming {
            Condition::Tampered
        } else if !self.is_audited {
            Condition::Good
        } else if !self.is_complete || self.due > 0 {
            Condition::Unproven
        } else if self.absent > 0 || self.behind > 0 || self.is_unsigned {
            Condition::Attention
        } else {
            Condition::Good
        }
    }

    /// Returns a clause for each fact that needs attention although the state is proven.
    pub fn attention(&self) -> Vec<String> {
        let mut clauses = Vec::new();
        if !self.is_audited {
            return clauses;
        }
        if self.absent > 0 {
            let of = counted_with(self.absent, "transaction", ["is", "are"]);
            clauses.push(format!(
                "the values of {of} absent on the server, and the ledger records no truncation"
            ));
        }
        if self.behind > 0 {
            let of = counted_with(self.behind, "new transaction", ["is", "are"]);
            clauses.push(format!("{of} not read yet"));
        }
        if self.is_unsigned {
            clauses.push("the state was signed before and is not signed now".into());
        }
        clauses
    }
}

impl Condition {
    /// Returns one word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Condition::Good => "good",
            Condition::Attention => "attention",
            Condition::Unproven => "unproven",
            Condition::Tampered => "tampered",
        }
    }

    /// Returns the exit code of a command that reports it.
    pub fn exit(self) -> Exit {
        match self {
            Condition::Good => Exit::Good,
            Condition::Attention | Condition::Unproven => Exit::Incomplete,
            Condition::Tampered => Exit::Tampered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_not_good_and_has_an_exit_code() {
        let good = Facts {
            is_audited: true,
            is_complete: true,
            ..Facts::default()
        };
        let of = |change: fn(&mut Facts)| {
            let mut facts = good;
            change(&mut facts);
            facts.condition()
        };
        assert_eq!(
            (good.condition(), good.condition().exit()),
            (Condition::Good, Exit::Good)
        );
        assert_eq!(of(|facts| facts.absent = 1), Condition::Attention);
        assert_eq!(of(|facts| facts.behind = 1), Condition::Attention);
        assert_eq!(of(|facts| facts.is_unsigned = true), Condition::Attention);
        assert_eq!(of(|facts| facts.due = 1), Condition::Unproven);
        assert_eq!(of(|facts| facts.is_complete = false), Condition::Unproven);
        assert_eq!(of(|facts| facts.is_alarming = true), Condition::Tampered);
        let unselected = Facts::default();
        assert_eq!(unselected.condition(), Condition::Good);
        let is_alarming = true;
        let alarming = Facts {
            is_alarming,
            ..unselected
        };
        assert_eq!(alarming.condition(), Condition::Tampered);
        let exits = [
            Condition::Attention,
            Condition::Unproven,
            Condition::Tampered,
        ];
        let exits = exits.map(|condition| condition.exit().code());
        assert_eq!(exits, [1, 1, 2]);
        assert_eq!(good.attention(), [""; 0]);
        assert_eq!(
            Facts {
                absent: 2,
                behind: 1,
                is_unsigned: true,
                ..good
            }
            .attention()
            .len(),
            3
        );
    }
}
