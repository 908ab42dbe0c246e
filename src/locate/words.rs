//! A window as text.

use std::fmt;

use super::window::{Acceptance, Contradicted, Grounds, Window};

impl Acceptance {
    /// Describes the acceptance of a transaction that a later state covered: an audit of it was not later.
    pub fn at_the_latest(self) -> String {
        match self.by {
            Grounds::Audit => format!("audited by {}", self.at),
            Grounds::Pin | Grounds::Adoption => self.to_string(),
        }
    }
}

/// Prints the grounds and the time.
impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grounds = match self.by {
            Grounds::Audit => "audited",
            Grounds::Pin => "pinned",
            Grounds::Adoption => "adopted",
        };
        write!(f, "{grounds} {}", self.at)
    }
}

impl fmt::Display for Contradicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "transaction {}, the oldest stored one ({}), is proven to differ, but the later transaction {} is proven to be the same: a correct server and undamaged files cannot show both, so compare the auditor's files with a backup of them",
            self.oldest.tx, self.oldest.accepted, self.proven.tx
        )
    }
}

/// Prints one line, for the alarm.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.intact {
            _ if self.is_replaced() => write!(
                f,
                "no trusted state is part of the history: transaction 1, {}, already differs",
                self.oldest.accepted.at_the_latest()
            )?,
            _ if self.precedes_memory() => write!(
                f,
                "no stored state is part of the history: transaction {}, the oldest stored one ({}), already differs, so {}the rewrite begins at or before it, or another server responds",
                self.oldest.state.tx,
                self.oldest.accepted,
                match self.oldest.accepted.by {
                    Grounds::Pin => "the pin is wrong, ",
                    Grounds::Audit | Grounds::Adoption => "",
                }
            )?,
            Some(point) if self.is_intact() => write!(
                f,
                "transactions up to {}, {}, are intact",
                point.tx, point.accepted
            )?,
            Some(point) => write!(
                f,
                "transactions up to {}, {}, are intact",
                point.tx,
                point.accepted.at_the_latest()
            )?,
            None => f.write_str("no transaction is proven to be intact")?,
        }
        match (self.broken, self.doubtful()) {
            _ if self.is_replaced() || self.precedes_memory() => {}
            (Some(first), _) if self.first_differing().is_some() => write!(
                f,
                "; transaction {}, {}, is the first that was rewritten",
                first.tx, first.accepted
            )?,
            (Some(broken), Some(doubtful)) => write!(
                f,
                "; the rewrite begins in {}..{}, {}",
                doubtful.start(),
                doubtful.end(),
                broken.accepted.at_the_latest()
            )?,
            (_, Some(doubtful)) => write!(
                f,
                "; {}..{} is not proven",
                doubtful.start(),
                doubtful.end()
            )?,
            (_, None) => {}
        }
        if let Some(contradicted) = self.contradicted {
            write!(f, "; but {contradicted}")?;
        }
        if let Some(lost) = self.lost() {
            write!(
                f,
                "; transactions {}..{} are missing",
                lost.start(),
                lost.end()
            )?;
        }
        if !self.undecided.is_empty() {
            write!(
                f,
                " ({} of {} probes were not answered with a proof, so the range is wider)",
                self.undecided.len(),
                self.questions
            )?;
        }
        Ok(())
    }
}
