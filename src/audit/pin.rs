//! States that the operator pins: held once against what is trusted.

use super::auditor::{Auditor, Conclusion};
use super::policy::Pin;
use super::proof::{self, Proof};
use super::verdict::{Reason, Verdict};
use crate::trust::{Tampering, Trusted};

impl Auditor {
    /// The pin of a database that was not held against its trusted state in this run.
    pub(super) fn pin_to_hold(&mut self, database: &str) -> Option<Pin> {
        let (index, pin) = self
            .policy
            .pins
            .iter()
            .enumerate()
            .find(|(index, pin)| pin.database == database && !self.pins_held.contains(index))?;
        let pin = pin.clone();
        self.pins_held.insert(index);
        Some(pin)
    }

    /// The pinned state and the trusted one must prove each other.
    pub(super) fn hold_pin(
        &mut self,
        pin: &Pin,
        trusted: Option<&Trusted>,
    ) -> Option<Result<(), Conclusion>> {
        let Some(trusted) = trusted.map(|trusted| trusted.state) else {
            return Some(Ok(()));
        };
        if trusted == pin.state {
            return Some(Ok(()));
        }
        let contradicts = |why| {
            let reason = Reason::PinContradicts {
                pin: pin.state,
                why: Box::new(why),
            };
            Conclusion::new(Verdict::Tampered(Tampering::SplitView), reason)
        };
        if trusted.tx == pin.state.tx {
            return Some(Err(contradicts(Reason::OtherHash { tx: trusted.tx })));
        }
        let (source, target) = if pin.state.tx < trusted.tx {
            (pin.state, trusted)
        } else {
            (trusted, pin.state)
        };
        let limits = self.demands().limits();
        let proof = proof::extend(&mut self.server, &pin.database, &source, &target, limits);
        Some(match proof {
            Proof::Holds(_) => Ok(()),
            Proof::Fails(Verdict::Tampered(Tampering::Inconsistent), why) => Err(contradicts(why)),
            Proof::Fails(verdict, why) => Err(Conclusion::new(verdict, why)),
            Proof::Behind => Ok(()), // the check itself tells what that is
            Proof::Stopped => return None,
        })
    }
}
