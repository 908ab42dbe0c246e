//! States that the operator pins. Each is compared with the server's state until the pin is proven.

use std::cmp::Ordering;

use crate::audit::auditor::Auditor;
use crate::audit::check::proof::{self, ExtensionResult};
use crate::audit::check::state::CheckResult;
use crate::audit::report_outcome::PendingOutcome;
use crate::audit::verdict::{Reason, Verdict};
use crate::clock::Timestamp;
use crate::config::Pin;
use crate::ledger::{State, StateShape};
use crate::trust::{Tampering, TrustOrigin, TrustedState};

impl Auditor {
    /// Adds the pins to the result of a database's check; the worst result counts. A pin is only compared with a state
    /// that is proven. Returns `None` if the program is asked to end.
    pub(in crate::audit) fn with_pins(
        &mut self,
        database: &str,
        trusted: Option<&TrustedState>,
        conclusion: PendingOutcome,
    ) -> Option<PendingOutcome> {
        let shown = match (conclusion.verdict, conclusion.shown) {
            (Verdict::FirstSeen | Verdict::Consistent, Some(shown)) => shown,
            _ => return Some(conclusion),
        };
        let since = trusted.map(|trusted| trusted.since);
        let mut worst = None;
        for pin in self.pins_to_hold(database, since) {
            match self.hold_pin_repeatedly(&pin, shown)? {
                Ok(()) => self.note_held(&pin, since),
                Err(found) => {
                    // after tampering nothing is worse, and an unavailable server answers for no other pin
                    let ends = found.0.is_tampering() || found.0 == Verdict::Unreachable;
                    if found.0.is_tampering() || worst.is_none() {
                        worst = Some(found);
                    }
                    if ends {
                        break;
                    }
                }
            }
        }
        Some(match worst {
            None => conclusion,
            Some((verdict, reason)) => PendingOutcome {
                verdict,
                reason,
                ..conclusion
            },
        })
    }

    /// Returns the pins from which a database without a usable trusted state may begin, in order. The oldest is the
    /// first, so that the others are compared with the server's state even if it has not reached them. Damaged or
    /// lost files begin with the newest pin that the server had reached.
    pub(in crate::audit) fn pins_to_begin_with(&self, database: &str, repairs: bool) -> Vec<State> {
        let record = self.databases.get(database);
        let reached = record.and_then(|record| record.trusted_tx());
        let reached = reached.filter(|_| repairs);
        let pins = self.policy.pins.iter();
        let pins = pins.filter(|pin| pin.database == database);
        let mut states: Vec<State> = pins.map(|pin| pin.state).collect();
        states.sort_by_key(|pin| match reached {
            Some(reached) if pin.tx <= reached => (false, u64::MAX.saturating_sub(pin.tx)),
            _ => (true, pin.tx),
        });
        states
    }

    /// Records that a database began with a pin. A pin that replaces damaged or lost files counts as the state in them.
    /// Any other pin begins a new line of proofs. The transactions of the history that the operator gave up do not
    /// count for it.
    pub(in crate::audit) fn note_begin(&mut self, database: &str, repairs: bool) {
        let record = self.databases.of(database);
        record.repaired = repairs;
        if let (Some(last), false) = (&mut record.last, repairs) {
            last.trusted_tx = None;
        }
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
        let Some(trusted) = trusted.filter(|trusted| trusted.how == TrustOrigin::Pinned) else {
            return finding;
        };
        let pin = trusted.state;
        // the shape of a pinned state is stored once the server has shown that state
        let shown_before = trusted.shape.is_some()
            || self.databases.get(database).is_some_and(|record| {
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

    /// Returns the pins of a database that are not proven in this run yet. A pin that was proven for a history that the
    /// operator gave up counts for no other history.
    fn pins_to_hold(&self, database: &str, since: Option<Timestamp>) -> Vec<Pin> {
        let record = self.databases.get(database);
        let held = |pin: &Pin| {
            let compared = record.map_or(&[][..], |record| &record.compared_pins);
            compared
                .iter()
                .any(|(state, of)| *state == pin.state && Some(*of) == since)
        };
        let pins = self.policy.pins.iter();
        let pins = pins.filter(|pin| pin.database == database && !held(pin));
        pins.cloned().collect()
    }

    /// Records that a pin is proven.
    fn note_held(&mut self, pin: &Pin, since: Option<Timestamp>) {
        if let Some(since) = since {
            let compared = &mut self.databases.of(&pin.database).compared_pins;
            compared.retain(|(_, of)| *of == since);
            compared.push((pin.state, since));
        }
    }

    /// Checks that the server's state extends the pinned state. immudb 0.9.0 mixes up the responses to concurrent
    /// clients, so a contradiction counts only if the server shows it twice in a row.
    fn hold_pin_repeatedly(
        &mut self,
        pin: &Pin,
        shown: State,
    ) -> Option<Result<(), (Verdict, Reason)>> {
        let held = self.hold_pin(pin, shown)?;
        let mixes_up = self.shape == Some(StateShape::WithoutDatabase);
        match &held {
            Err((verdict, _)) if mixes_up && verdict.is_tampering() => self.hold_pin(pin, shown),
            _ => Some(held),
        }
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
