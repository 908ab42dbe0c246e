//! States that the operator pins. Each is compared with the server's state until the pin is proven.

use std::cmp::Ordering;

use crate::audit::auditor::Auditor;
use crate::audit::check::proof::{self, ExtensionResult};
use crate::audit::check::state::CheckResult;
use crate::audit::report_outcome::PendingOutcome;
use crate::audit::verdict::{Reason, Verdict};
use crate::config::Pin;
use crate::ledger::State;
use crate::trust::{Tampering, TrustOrigin, TrustedState};

impl Auditor {
    /// Adds the pins to the result of a database's check; the worst result counts. A pin is only compared with a state
    /// that is proven. Returns `None` if the program is asked to end.
    pub(in crate::audit) fn with_pins(
        &mut self,
        database: &str,
        conclusion: PendingOutcome,
    ) -> Option<PendingOutcome> {
        let shown = match (conclusion.verdict, conclusion.shown) {
            (Verdict::FirstSeen | Verdict::Consistent, Some(shown)) => shown,
            _ => return Some(conclusion),
        };
        for (index, pin) in self.pins_to_hold(database) {
            match self.hold_pin(&pin, shown)? {
                Ok(()) => {
                    self.databases.of(database).compared_pins.insert(index);
                }
                Err((verdict, reason)) => {
                    return Some(PendingOutcome {
                        verdict,
                        reason,
                        ..conclusion
                    });
                }
            }
        }
        Some(conclusion)
    }

    /// Replaces `rolled-back` by `unprovable` if the server has never shown the pinned state, because a replica may
    /// lag. A replica that never catches up becomes overdue. A pin that replaced damaged files is not such a pin, and
    /// an empty database is not a replica that lags.
    pub(in crate::audit) fn excuse_lag_behind_a_pin(
        &self,
        database: &str,
        trusted: Option<&TrustedState>,
        finding: CheckResult,
    ) -> CheckResult {
        let pin = trusted.filter(|trusted| trusted.how == TrustOrigin::Pinned);
        let Some(pin) = pin.map(|trusted| trusted.state) else {
            return finding;
        };
        let shown_before = self.databases.get(database).is_some_and(|record| {
            record.repaired || record.trusted_tx().is_some_and(|tx| tx >= pin.tx)
        });
        match finding {
            CheckResult::Refused {
                reason: Reason::Fewer,
                shown: Some(shown),
                signature,
                ..
            } if !shown_before => CheckResult::Refused {
                verdict: Verdict::Unprovable,
                reason: Reason::PinAhead {
                    pin,
                    shown: shown.tx,
                },
                shown: Some(shown),
                signature,
            },
            finding => finding,
        }
    }

    /// Returns the pins of a database that are not proven in this run yet.
    fn pins_to_hold(&self, database: &str) -> Vec<(usize, Pin)> {
        let record = self.databases.get(database);
        let held =
            |index: &usize| record.is_some_and(|record| record.compared_pins.contains(index));
        let pins = self.policy.pins.iter().cloned().enumerate();
        pins.filter(|(index, pin)| pin.database == database && !held(index))
            .collect()
    }

    /// Checks that the server's state extends the pinned state.
    fn hold_pin(&mut self, pin: &Pin, shown: State) -> Option<Result<(), (Verdict, Reason)>> {
        let contradicts = |why| {
            let reason = Reason::PinContradicts {
                pin: pin.state,
                why: Box::new(why),
            };
            Err((Verdict::Tampered(Tampering::SplitView), reason))
        };
        if shown == pin.state {
            return Some(Ok(()));
        }
        match shown.tx.cmp(&pin.state.tx) {
            Ordering::Equal => return Some(contradicts(Reason::OtherHash { tx: shown.tx })),
            Ordering::Less => {
                // a replica may lag behind; one that never reaches the pin becomes overdue
                let reason = Reason::PinAhead {
                    pin: pin.state,
                    shown: shown.tx,
                };
                return Some(Err((Verdict::Unprovable, reason)));
            }
            Ordering::Greater => {}
        }
        let range = self.policy.max_fetch;
        let proof = proof::extend(&mut self.server, &pin.database, &pin.state, &shown, range);
        Some(match proof {
            ExtensionResult::Extends(_) => Ok(()),
            ExtensionResult::NotExtended(Verdict::Tampered(Tampering::Inconsistent), why) => {
                contradicts(why)
            }
            ExtensionResult::NotExtended(verdict, why) => Err((verdict, why)),
            // the server sent a newer state just now
            ExtensionResult::ServerBehind => Err((Verdict::Malformed, Reason::UnbackedHash)),
            ExtensionResult::Stopped => return None,
        })
    }
}
