//! A window in words.

use std::fmt;

use super::window::{Contradicted, Window};

impl fmt::Display for Contradicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "transaction {}, the oldest one remembered (audited {}), is proven to be another, while transaction {} after \
             it is proven to be the same: an honest server and undamaged files cannot show both, so compare the \
             auditor's files with a backup of them",
            self.oldest.tx, self.oldest.audited, self.proven.tx
        )
    }
}

/// In one line, as the alarm carries it.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stands {
            _ if self.is_replaced() => write!(
                f,
                "nothing that was trusted is left: transaction 1, audited by {}, is another already",
                self.oldest.audited
            )?,
            _ if self.precedes_memory() => write!(
                f,
                "nothing that is remembered is left: transaction {}, the oldest one remembered (audited {}), is another \
                 already, so the rewrite begins at or before it, or another server answers",
                self.oldest.state.tx, self.oldest.audited
            )?,
            Some(point) if self.is_whole() => write!(
                f,
                "everything up to transaction {}, audited {}, still stands",
                point.tx, point.audited
            )?,
            Some(point) => write!(
                f,
                "everything up to transaction {}, audited by {}, still stands",
                point.tx, point.audited
            )?,
            None => f.write_str("nothing is proven to stand")?,
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
                "; transactions {}..{} are gone",
                lost.start(),
                lost.end()
            )?;
        }
        if !self.undecided.is_empty() {
            write!(
                f,
                " ({} of {} questions without a proof in the answer: the window is the wider for it)",
                self.undecided.len(),
                self.questions
            )?;
        }
        Ok(())
    }
}
