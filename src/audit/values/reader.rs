//! The reader of one database's transactions: its state during a reading, and the end of a reading.

use std::time::{Duration, Instant};

use super::finding::{CorruptEntry, Corruption, UnreadReason};
use super::partial::Partials;
use super::record::Recorder;
use super::report::Report;
use super::scan::{Prefetch, Scan, Span};
use super::truncation::Truncation;
use crate::audit::capture;
use crate::audit::check::membership::{self, Membership};
use crate::audit::verdict::{Reason, Verdict};
use crate::ledger::{State, StateShape, TxHeader};
use crate::ranges::Ranges;
use crate::server::{Server, ServerError, ServerErrorKind};
use crate::text::Escaped;
use crate::trust::{Answer, Due, Unavailable};
use crate::wire::{Entries, Tx};

/// Reads transactions of one database that are in the history of one trusted state.
pub struct Reader<'a> {
    /// The server that is read.
    pub server: &'a mut Server,
    /// The database.
    pub database: &'a str,
    /// The state against which everything is proven.
    pub trusted: State,
    /// The shape of the server's states, by which immudb 0.9.0 is known.
    pub shape: Option<StateShape>,
    /// The sizes that the server's scans allow.
    pub scan: &'a mut Scan,
    /// The last truncation that a proven header records.
    pub truncation: Truncation,
    /// The transactions that were due before this reading.
    pub due_before: Ranges<Due>,
    /// The number of calls of the search for a truncation.
    pub searches: u32,
    /// Whether the reading returns to the transaction at which its time was over. If so, it need not decide yet about
    /// unknown facts.
    pub comes_back: bool,
    /// The time of the server's last response for the state. The state is requested while a transaction does not come.
    pub answered: Option<Instant>,
    /// The most transactions that are fetched one by one for a single proof.
    pub range: u64,
    /// The end of the time: nothing begins after it.
    pub until: Instant,
    /// Whether scans are requested before they are needed.
    pub prefetch: Prefetch,
    /// The transactions whose values were partly read.
    pub partials: &'a mut Partials,
    /// The recorder of findings; `None` if they are only reported.
    pub recorder: Option<Recorder<'a>>,
    /// The findings so far.
    pub report: Report,
}

/// The reason why the reading of values stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadInterrupted {
    /// The program is asked to end.
    Stopped,
    /// The server is unavailable now; the report has the reason.
    ServerUnavailable,
    /// The time is over.
    Late,
}

/// The result of reading one transaction.
#[derive(Debug)]
pub enum TxReadResult {
    /// The transaction is read, and its header is proven.
    Verified(TxHeader),
    /// The header is proven; the rest is corrupt or stays due.
    HeaderOnly(TxHeader),
    /// Nothing about the transaction is proven.
    Unproven,
}

impl TxReadResult {
    /// Returns the proven header.
    pub fn header(self) -> Option<TxHeader> {
        match self {
            TxReadResult::Verified(header) | TxReadResult::HeaderOnly(header) => Some(header),
            TxReadResult::Unproven => None,
        }
    }
}

/// The end of reading one transaction: the end of the whole reading, or a finding.
pub(super) enum Ended {
    Interrupted(ReadInterrupted),
    /// A finding that is not recorded yet.
    Broken(CorruptEntry),
    /// Findings that are already recorded.
    Recorded,
    Unread(UnreadReason),
    /// The number of values that the server does not have.
    Absent(u64),
}

impl From<ReadInterrupted> for Ended {
    fn from(interrupted: ReadInterrupted) -> Ended {
        Ended::Interrupted(interrupted)
    }
}

impl Reader<'_> {
    /// Sends the calls for windows of transactions, each with its first and its last one. Sends none to immudb 0.9.0,
    /// which mixes up the responses to concurrent calls.
    pub fn look_ahead(&mut self, windows: &[(u64, u64)]) {
        if self.shape != Some(StateShape::WithDatabase) {
            return;
        }
        self.scan.ahead.clear();
        for (first, last) in windows {
            let span = self.scan.fresh(*first, *last);
            if self.scan.is_of_one() || span.limit <= 1 {
                for tx in *first..=*last {
                    let (database, trusted) = (self.database, self.trusted.tx);
                    self.server
                        .prefetch_verifiable_tx(database, tx, trusted, Entries::Raw);
                }
            } else {
                self.begin_span(span);
            }
        }
    }

    /// Sends the call for a scan, and for the proof of its end.
    pub(super) fn begin_span(&mut self, span: Span) {
        self.scan.ahead.push_back(span);
        let (database, end) = (self.database, span.next().saturating_sub(1));
        let proof = (end < self.trusted.tx).then_some((end, self.trusted.tx));
        self.server
            .prefetch_tx_scan(database, span.first, span.limit, proof);
    }

    /// Returns whether the server is immudb 0.9.0, which mixes up the responses to concurrent clients. It is only
    /// accused if a second response shows the same.
    pub(super) fn mixes_up_answers(&self) -> bool {
        self.shape == Some(StateShape::WithoutDatabase)
    }

    /// Reports the result of reading a transaction whose header is proven.
    pub(super) fn end(
        &mut self,
        header: TxHeader,
        read: Result<Unavailable, Ended>,
    ) -> Result<TxReadResult, ReadInterrupted> {
        match read {
            Ok(unavailable) => {
                self.report.read(header.id(), unavailable);
                Ok(TxReadResult::Verified(header))
            }
            Err(ended) => self.settle(header.id(), Some(header), ended),
        }
    }

    pub(super) fn settle(
        &mut self,
        tx: u64,
        header: Option<TxHeader>,
        ended: Ended,
    ) -> Result<TxReadResult, ReadInterrupted> {
        match ended {
            Ended::Interrupted(interrupted) => return Err(interrupted),
            Ended::Broken(broken) => self.found(broken),
            Ended::Recorded => {}
            Ended::Unread(why) => self.report.add_unread(tx, why),
            Ended::Absent(_) => self.report.absent.insert(tx, tx, ()),
        }
        Ok(header.map_or(TxReadResult::Unproven, TxReadResult::HeaderOnly))
    }

    /// Records a finding with the responses since the transcript began.
    pub(super) fn found(&mut self, broken: CorruptEntry) {
        self.found_by(broken, |reader| reader.answers());
    }

    /// Records a finding with the responses that show it. A known finding, or one past the limit, is only counted.
    pub(super) fn found_by(
        &mut self,
        broken: CorruptEntry,
        answers: impl FnOnce(&mut Self) -> Vec<Answer>,
    ) {
        if !self.report.add_finding(&broken) || self.recorder.is_none() {
            return;
        }
        let answers = answers(self);
        let uuid = self.identity();
        if let Some(recorder) = &mut self.recorder {
            let raised = recorder.record(&broken, uuid, answers);
            self.report.alarms.add(raised, broken.tx);
        }
    }

    /// Ends the reading: leaves out what a truncation explains, and records the number of findings that were not
    /// recorded one by one.
    pub(super) fn finish(&mut self) {
        self.report.explain(self.truncation.before);
        self.report.note_largest(self.server.largest_answer());
        let Some(Verdict::Tampered(kind)) = self.report.verdict() else {
            return;
        };
        let (more, uuid) = (self.report.more_broken, self.identity());
        if let (Some(recorder), true) = (&mut self.recorder, more > 0) {
            let raised = recorder.record_flood(kind, more, uuid);
            self.report.alarms.add(raised, u64::MAX);
        }
    }

    fn identity(&self) -> Option<String> {
        self.server.identity().map(Escaped::to_string)
    }

    /// Returns the responses since the transcript began, each as long as evidence can hold it.
    pub(super) fn answers(&self) -> Vec<Answer> {
        capture::answers(self.server.transcript())
    }

    /// Returns the time of day in unix seconds, by which values expire.
    pub(super) fn unix_now(&self) -> i64 {
        i64::try_from(self.server.clock().now().unix()).unwrap_or(i64::MAX)
    }

    /// Returns whether there is time left.
    pub fn in_time(&self) -> bool {
        self.server.clock().instant() < self.until
    }

    /// Proves a transaction's place in the trusted history. Returns a refusal of the server; anything that ends the
    /// reading or accuses the server is an error.
    pub(super) fn prove_membership(
        &mut self,
        tx: u64,
        entries: Entries,
    ) -> Result<Result<Tx, ServerError>, Ended> {
        let trusted = self.trusted;
        self.prove_membership_in(tx, &trusted, entries)
    }

    /// Proves a transaction's place in the history that ends with `state`, like [`Self::prove_membership`].
    pub(super) fn prove_membership_in(
        &mut self,
        tx: u64,
        state: &State,
        entries: Entries,
    ) -> Result<Result<Tx, ServerError>, Ended> {
        match membership::prove_membership(
            self.server,
            self.database,
            tx,
            state,
            entries,
            self.range,
        ) {
            Membership::Proven(tx) => Ok(Ok(tx)),
            Membership::Stopped => Err(ReadInterrupted::Stopped.into()),
            Membership::Failed(failure) => Ok(Err(self.still_there(failure)?)),
            Membership::Unproven(verdict, reason) => Err(match verdict {
                Verdict::Tampered(_) => Ended::Broken(CorruptEntry {
                    tx,
                    alh: None,
                    entry: None,
                    what: match reason {
                        Reason::Failure(failure) => Corruption::Reported(failure),
                        reason => Corruption::Place(Escaped::new(&reason.to_string())),
                    },
                }),
                Verdict::Unreachable => Ended::Unread(UnreadReason::Slow),
                _ => Ended::Unread(UnreadReason::malformed(&reason)),
            }),
        }
    }

    /// Returns a failure that concerns the request. A failure that concerns the server ends the reading.
    pub(super) fn still_there(
        &mut self,
        failure: ServerError,
    ) -> Result<ServerError, ReadInterrupted> {
        match failure.kind {
            ServerErrorKind::Stopped => Err(ReadInterrupted::Stopped),
            ServerErrorKind::CutShort => Err(ReadInterrupted::Late),
            ServerErrorKind::Unreachable
            | ServerErrorKind::Deadline(_)
            | ServerErrorKind::RateLimited
            | ServerErrorKind::HeadersTooLarge
            | ServerErrorKind::BadLogin
            | ServerErrorKind::NoAuthentication
            | ServerErrorKind::NotLoggedIn
            | ServerErrorKind::Forbidden
            | ServerErrorKind::NoSuchDatabase
            | ServerErrorKind::Unloaded => {
                if self.server_answers()? {
                    return Ok(failure);
                }
                self.report.halted = Some(failure);
                Err(ReadInterrupted::ServerUnavailable)
            }
            _ => Ok(failure),
        }
    }

    /// Returns whether the server responds for the database's state. Such a server is not unavailable, even if other
    /// responses are missing.
    fn server_answers(&mut self) -> Result<bool, ReadInterrupted> {
        if self
            .answered
            .is_some_and(|when| self.server.clock().since(when) < MAX_RESPONSE_AGE)
        {
            return Ok(true);
        }
        match self.server.state(self.database) {
            Ok(_) => {
                self.answered = Some(self.server.clock().instant());
                Ok(true)
            }
            Err(failure) if failure.kind == ServerErrorKind::Stopped => {
                Err(ReadInterrupted::Stopped)
            }
            Err(_) => Ok(false),
        }
    }
}

/// The time for which a response for the state counts as a sign that the server can be reached.
const MAX_RESPONSE_AGE: Duration = Duration::from_secs(1);
