//! Findings that could not be stored: neither the list of alarms nor an evidence file has them, for example because the
//! disk is full. The server may show the trusted history again in the next cycle, so the finding and its responses stay
//! in memory.

use crate::clock::Timestamp;
use crate::trust::{Alarm, Answer, Finding, Raised, Store, StoreError};

/// The limit of findings in memory.
const MAX_UNSTORED: usize = 8;
/// The limit of the responses of all these findings, in bytes: those of two findings. The service has 64 MiB for
/// everything.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// The findings that could not be stored, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Unstored(Vec<UnstoredFinding>);

/// A finding that could not be stored.
#[derive(Debug)]
pub(super) struct UnstoredFinding {
    pub finding: Finding,
    pub alarm: Alarm,
    /// The time at which it was made.
    pub found: Timestamp,
    /// The cycle of the last attempt to store it.
    pub tried: u64,
}

impl Unstored {
    /// Writes evidence of a finding and opens its alarm. Keeps the finding if that fails. `now` is its time, and
    /// `cycle` the present cycle.
    pub fn record(
        &mut self,
        store: &Store,
        finding: Finding,
        now: Timestamp,
        cycle: u64,
    ) -> Raised {
        let raised = store.record_finding(&finding, now);
        let id = &raised.alarm.id;
        if !must_be_tried_again(store, &raised) {
            self.0.retain(|of| of.alarm.id != *id);
        } else if let Some(known) = self.0.iter_mut().find(|of| of.alarm.id == *id) {
            known.tried = cycle;
        } else {
            self.keep(UnstoredFinding {
                finding,
                alarm: raised.alarm.clone(),
                found: now,
                tried: cycle,
            });
            self.limit_answers();
        }
        raised
    }

    /// Tries to store the findings that are due. Returns the reason why one of them is still not stored.
    pub fn retry(
        &mut self,
        store: &Store,
        cycle: u64,
        is_due: impl Fn(&UnstoredFinding) -> bool,
    ) -> Option<StoreError> {
        let mut first_failure = None;
        let mut is_busy = false;
        for mut of in std::mem::take(&mut self.0) {
            if is_due(&of) && !is_busy {
                of.tried = cycle;
                let raised = store.record_finding(&of.finding, of.found);
                if !must_be_tried_again(store, &raised) {
                    continue;
                }
                is_busy = matches!(raised.unwritten, Some(StoreError::Busy { .. }));
                first_failure = first_failure.or(raised.unwritten);
            }
            self.0.push(of);
        }
        first_failure
    }

    /// Returns the first finding whose alarm `is` selects.
    pub fn find(&self, is: impl Fn(&Alarm) -> bool) -> Option<&Finding> {
        let found = self.0.iter().find(|of| is(&of.alarm));
        found.map(|of| &of.finding)
    }

    /// Returns the alarms of the findings of a database that are not among its `open` ones.
    pub fn alarms<'a>(
        &'a self,
        database: &'a str,
        open: &'a [Alarm],
    ) -> impl Iterator<Item = &'a Alarm> {
        let alarms = self.0.iter().map(|of| &of.alarm);
        let is_new = |alarm: &Alarm| open.iter().all(|open| open.id != alarm.id);
        alarms.filter(move |alarm| alarm.database == database && is_new(alarm))
    }

    /// Drops the responses of the later findings if all together are too large; the findings themselves stay. Those
    /// about transactions lose their responses first.
    fn limit_answers(&mut self) {
        let mut total: usize = 0;
        for of_transactions in [false, true] {
            let is_turn =
                |of: &&mut UnstoredFinding| of.alarm.is_about_transactions() == of_transactions;
            for of in self.0.iter_mut().filter(is_turn) {
                let sum = total.saturating_add(answer_bytes(&of.finding));
                match sum <= MAX_ANSWER_BYTES {
                    true => total = sum,
                    false => of.finding.answers.iter_mut().for_each(drop_reply),
                }
            }
        }
    }

    /// Adds a finding. If there are too many, a finding about a transaction is dropped, of a database with an earlier
    /// finding: many corrupt transactions displace neither a finding about a state nor the only one of a database.
    fn keep(&mut self, new: UnstoredFinding) {
        self.0.push(new);
        if self.0.len() <= MAX_UNSTORED {
            return;
        }
        let is_dispensable = |(at, of): (usize, &UnstoredFinding)| {
            let mut earlier = self.0.iter().take(at);
            of.alarm.is_about_transactions()
                && earlier.any(|earlier| earlier.alarm.database == of.alarm.database)
        };
        let last = self.0.len().saturating_sub(1);
        let mut from_the_end = self.0.iter().enumerate().rev();
        let found = from_the_end.find(|of| is_dispensable(*of));
        let at = found.map_or(last, |(at, _)| at);
        let alarm = self.0.remove(at).alarm;
        log::warn!(database:% = alarm.database, alarm:% = alarm.id; "a finding could neither be stored nor kept in memory: too many findings wait to be stored");
    }
}

/// Replaces a response by the reason why it is missing.
fn drop_reply(answer: &mut Answer) {
    answer.reply = Err("dropped, because too many findings waited to be stored".into());
}

/// Returns the bytes of a finding's responses and their requests.
fn answer_bytes(finding: &Finding) -> usize {
    let answers = finding.answers.iter();
    let bytes = answers.map(|answer| {
        let reply = answer.reply.as_ref().map_or(0, |bytes| bytes.len());
        reply.saturating_add(answer.request.len())
    });
    bytes.fold(0, usize::saturating_add)
}

/// Returns whether a finding is on disk: its alarm is listed, or its evidence counts as an open alarm.
pub(super) fn is_stored(store: &Store, raised: &Raised) -> bool {
    match &raised.unwritten {
        None => true,
        Some(_) if raised.is_listed => true,
        // another command changes the files: to read them would wait as long again
        Some(StoreError::Busy { .. }) => false,
        Some(_) => {
            let alarm = &raised.alarm;
            let open = store.open_alarms(Some(&alarm.database));
            open.is_ok_and(|open| open.iter().any(|open| open.id == alarm.id))
        }
    }
}

/// Returns whether a finding is not on disk and must be. A finding against a trusted state that was given up since is
/// not stored any more.
fn must_be_tried_again(store: &Store, raised: &Raised) -> bool {
    let is_given_up = matches!(raised.unwritten, Some(StoreError::Changed { .. }));
    !is_given_up && !is_stored(store, raised)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::trust::{Location, Tampering};

    fn unstored(kind: Tampering, reason: &str, bytes: usize) -> UnstoredFinding {
        let finding = Finding {
            database: "db".into(),
            kind,
            reason: reason.into(),
            trusted: None,
            claim: None,
            shown: None,
            uuid: None,
            identity_changed: false,
            answers: vec![Answer {
                call: "CurrentState".into(),
                request: Vec::new(),
                reply: Ok(Arc::new(vec![0; bytes])),
                shortened: None,
            }],
        };
        let location = Location {
            dir: PathBuf::new(),
            roots: None,
            server: "s".into(),
        };
        let now = Timestamp::from_unix(0);
        UnstoredFinding {
            alarm: Alarm::new(&finding, &location, PathBuf::new(), now),
            finding,
            found: now,
            tried: 0,
        }
    }

    #[test]
    fn the_responses_of_all_findings_are_limited_and_those_about_a_state_stay() {
        let half = MAX_ANSWER_BYTES / 2;
        let mut findings = Unstored(vec![
            unstored(Tampering::BadValue, "one", half),
            unstored(Tampering::BadValue, "two", half),
            unstored(Tampering::RolledBack, "emptied", half),
        ]);
        findings.limit_answers();
        let sizes = findings.0.iter().map(|of| answer_bytes(&of.finding));
        assert_eq!(sizes.collect::<Vec<_>>(), [half, 0, half]);
    }
}
