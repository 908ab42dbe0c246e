//! The disagreements with peers of which the receivers were notified.

use std::collections::BTreeSet;

use crate::audit::Outcome;
use crate::clock::Timestamp;

/// The open disagreements of one database at its last check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disagreements {
    /// The peers, and the time at which the disagreement with each was found.
    Known(BTreeSet<(String, Timestamp)>),
    /// The disagreements of an earlier run, which stored no names: all that were found until then.
    UpTo(Timestamp),
}

impl Default for Disagreements {
    /// Returns an empty set of known disagreements.
    fn default() -> Disagreements {
        Disagreements::Known(BTreeSet::new())
    }
}

impl Disagreements {
    /// Returns the disagreements of an outcome.
    pub(super) fn of(outcome: &Outcome) -> Disagreements {
        let open = outcome.peers.iter().filter_map(|peer| {
            let disagreement = peer.disagreement.as_ref()?;
            Some((peer.peer.to_string(), disagreement.found))
        });
        Disagreements::Known(open.collect())
    }

    /// Returns whether a disagreement is new since the check before.
    pub(super) fn has_news(&self, before: &Disagreements) -> bool {
        let Disagreements::Known(now) = self else {
            return false;
        };
        match before {
            Disagreements::Known(known) => !now.is_subset(known),
            Disagreements::UpTo(time) => now.iter().any(|(_, found)| found > time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(open: &[(&str, u64)]) -> Disagreements {
        let open = open.iter();
        let open = open.map(|(peer, at)| (peer.to_string(), Timestamp::from_unix(*at)));
        Disagreements::Known(open.collect())
    }

    #[test]
    fn a_further_peer_that_disagrees_is_news_while_one_is_open_and_the_same_one_is_not() {
        let (none, one) = (Disagreements::default(), known(&[("a", 5)]));
        let both = known(&[("a", 5), ("b", 9)]);
        assert!(one.has_news(&none) && both.has_news(&one));
        assert!(!both.has_news(&both) && !one.has_news(&both) && !none.has_news(&one));
        // closed by an operator, and found again
        assert!(known(&[("a", 7)]).has_news(&one));
        // a disagreement that an earlier run reported is not reported again
        let earlier = Disagreements::UpTo(Timestamp::from_unix(5));
        assert!(!one.has_news(&earlier) && both.has_news(&earlier));
    }
}
