//! A window as text.

use std::fmt;

use super::window::{Contradicted, Window};

impl fmt::Display for Contradicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "transaction {}, the oldest stored one (audited {}), is proven to differ, but the later transaction {} is proven to be the same: a correct server and undamaged files cannot show both, so compare the auditor's files with a backup of them",
            self.oldest.tx, self.oldest.audited, self.proven.tx
        )
    }
}

/// Prints one line, for the alarm.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stands {
            _ if self.is_replaced() => write!(
                f,
                "no trusted state is part of the history: transaction 1, audited by {}, already differs",
                self.oldest.audited
            )?,
            _ if self.precedes_memory() => write!(
                f,
                "no stored state is part of the history: transaction {}, the oldest stored one (audited {}), already differs, so the rewrite begins at or before it, or another server responds",
                self.oldest.state.tx, self.oldest.audited
            )?,
            Some(point) if self.is_intact() => write!(
                f,
                "transactions up to {}, audited {}, are intact",
                point.tx, point.audited
            )?,
            Some(point) => write!(
                f,
                "transactions up to {}, audited by {}, are intact",
                point.tx, point.audited
            )?,
            None => f.write_str("no transaction is proven to be intact")?,
        }
        match (self.broken, self.doubtful()) {
            _ if self.is_replaced() || self.precedes_memory() => {}
            (Some(first), _) if self.first_differing().is_some() => write!(
                f,
                "; transaction {}, audited {}, is the first that was rewritten",
                first.tx, first.audited
            )?,
            (Some(broken), Some(doubtful)) => write!(
                f,
                "; the rewrite begins in {}..{}, audited by {}",
                doubtful.start(),
                doubtful.end(),
                broken.audited
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
