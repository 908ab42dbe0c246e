//! Databases that cannot be reached, and that can be reached again. Those of one cycle are one notification,
//! because an outage of a server is one event, however many databases it has. Tampering is never part of it.

use super::last_check::LastCheck;
use super::notification::{GOOD, Notification, standing};
use super::reachability::Reachability;
use crate::audit::{Cycle, Outcome, Verdict};
use crate::clock::Timestamp;

/// Changes of one cycle that are held until its end.
#[derive(Debug, Default)]
pub(super) struct Outage {
    away: Vec<Change>,
    back: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    database: String,
    /// The verdict's word.
    verdict: &'static str,
    why: String,
    /// The notification of this change only.
    notification: Notification,
}

impl Outage {
    /// Holds a change until the end of the cycle if other changes may share its cause. Otherwise returns the
    /// notification.
    pub fn hold(
        &mut self,
        before: &LastCheck,
        outcome: &Outcome,
        notification: Notification,
    ) -> Option<Notification> {
        let away = Verdict::Unreachable;
        let list = if outcome.verdict == away {
            &mut self.away
        } else if before.is_only_unreachable() && standing(outcome.verdict.word()) == GOOD {
            &mut self.back
        } else {
            return Some(notification);
        };
        list.push(Change {
            database: outcome.database.clone(),
            verdict: outcome.verdict.word(),
            why: outcome.why(),
            notification,
        });
        None
    }

    /// Returns the held changes: each database, and its verdict's word.
    pub fn changes(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.away.iter().chain(&self.back);
        all.map(|change| (change.database.as_str(), change.verdict))
    }

    /// Returns the held notifications: one for each change, and one for all if a cycle has several of a kind.
    pub fn release(
        &mut self,
        server: &str,
        cycle: Option<&Cycle>,
        now: Timestamp,
    ) -> Vec<Notification> {
        let (away, back) = (
            std::mem::take(&mut self.away),
            std::mem::take(&mut self.back),
        );
        match cycle {
            Some(cycle) if away.len() > 1 || back.len() > 1 => {
                let outcomes = cycle
                    .outcomes
                    .iter()
                    .filter(|outcome| !outcome.is_untrusted);
                let is_away = |outcome: &&Outcome| outcome.verdict == Verdict::Unreachable;
                let reachability = Reachability {
                    away: outcomes
                        .clone()
                        .filter(is_away)
                        .map(|outcome| outcome.database.clone())
                        .collect(),
                    of: outcomes.count(),
                    why: away.first().map_or("", |change| &change.why).to_owned(),
                    back: back.into_iter().map(|change| change.database).collect(),
                };
                vec![Notification::of_reachability(server, &reachability, now)]
            }
            _ => {
                let all = away.into_iter().chain(back);
                all.map(|change| change.notification).collect()
            }
        }
    }
}
