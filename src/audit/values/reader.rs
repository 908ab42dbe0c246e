//! Reading one transaction whole: its place in the history, its entries, its values, and whatever
//! calls a server's version takes for that (protocol.md §6).

use std::time::{Duration, Instant};

use super::finding::{Broken, Shows, What, Why};
use super::judge::{Judged, judge};
use super::report::Report;
use super::run::Next;
use super::scan::Scan;
use super::truncation::Truncation;
use crate::audit::capture;
use crate::audit::proof::{self, Limits, Place};
use crate::audit::verdict::{Reason, Verdict};
use crate::ledger::{State, StateShape, TxHeader};
use crate::server::{Failure, Kind, Server};
use crate::text::Shown;
use crate::trust::Answer;
use crate::wire::{Entries, Tx};

/// Reads transactions of one database that are in the history of one trusted state.
pub struct Reader<'a> {
    /// Who is asked.
    pub server: &'a mut Server,
    /// Of which database.
    pub database: &'a str,
    /// What everything is proven against.
    pub trusted: State,
    /// The shape that the server's states have: 0.9.0 alone has its own.
    pub shape: Option<StateShape>,
    /// What the server's scans allow.
    pub scan: &'a mut Scan,
    /// The last truncation that a proven header records.
    pub truncation: Truncation,
    /// Calls that the search for one took.
    pub searches: u32,
    /// Whether the reading comes back to the transaction at which its time was over: then it need not
    /// decide on what is not known yet.
    pub comes_back: bool,
    /// When the server last answered for its state while a transaction did not come.
    pub answered: Option<Instant>,
    /// What a proof may cost, and when to stop reading.
    pub limits: Limits,
    /// Whether scans are asked for before they are needed.
    pub next: Next,
    /// What was found so far.
    pub report: Report,
}

/// Why the reading does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The program is asked to end.
    Stopped,
    /// The server cannot be asked now: the report says why.
    Away,
    /// The time is over.
    Late,
}

/// What came of one transaction.
#[derive(Debug)]
pub enum Done {
    /// It is read; the header is proven.
    Read(TxHeader),
    /// Its header is proven, the rest is broken or stays due.
    Known(TxHeader),
    /// Nothing about it is proven.
    Unknown,
}

impl Done {
    /// The proven header.
    pub fn header(self) -> Option<TxHeader> {
        match self {
            Done::Read(header) | Done::Known(header) => Some(header),
            Done::Unknown => None,
        }
    }
}

/// What ends the reading of one transaction: the whole reading's end, or a finding.
pub(super) enum Ended {
    Halt(Halt),
    Broken(Broken),
    Unread(Why),
    /// So many values are ones that the server does not have.
    Absent(u64),
}

impl From<Halt> for Ended {
    fn from(halt: Halt) -> Ended {
        Ended::Halt(halt)
    }
}

impl Reader<'_> {
    /// Reads one transaction; what is wrong with it goes into the report, once a second answer shows
    /// it too: a 0.9.0 that is asked by several at once mixes up what it answers.
    pub fn read_one(&mut self, tx: u64) -> Result<Done, Halt> {
        let before = std::mem::take(&mut self.report);
        let mut done = self.read_once(tx);
        if !self.report.broken.is_empty() && done.is_ok() {
            let first = std::mem::take(&mut self.report);
            done = self.read_once(tx);
            match (&done, self.report.broken.is_empty()) {
                (_, false) => {}
                (done, true) if self.shape == Some(StateShape::WithoutDatabase) => {
                    let why = match done {
                        Ok(Done::Read(_)) => {
                            "one answer contradicts the ledger, and the next does not"
                        }
                        _ => "there was no second answer",
                    };
                    self.report.add_unread(tx, Why::malformed(&why));
                }
                // no second answer takes back what the first one showed
                (_, true) => self.report.absorb(first),
            }
        }
        let one = std::mem::replace(&mut self.report, before);
        self.report.absorb(one);
        done
    }

    fn read_once(&mut self, tx: u64) -> Result<Done, Halt> {
        self.server.begin_transcript();
        let (shown, raw) = match self.fetch(tx) {
            Ok(fetched) => fetched,
            Err(ended) => return self.settle(tx, None, ended),
        };
        self.truncation.note(&shown.header);
        let header = shown.header.clone();
        let unavailable = self.report.unavailable.total();
        let judged = match raw {
            Raw::Sent => self.judge(shown),
            Raw::Refused(failure) => self.without_values(&header, failure),
        };
        self.end(header, unavailable, judged)
    }

    /// Reports the result of judging a transaction whose header is proven. `unavailable` is the number of values that
    /// were unavailable before.
    pub(super) fn end(
        &mut self,
        header: TxHeader,
        unavailable: u64,
        judged: Result<(), Ended>,
    ) -> Result<Done, Halt> {
        match judged {
            Ok(()) => {
                self.report.read(header.id(), unavailable);
                Ok(Done::Read(header))
            }
            Err(ended) => self.settle(header.id(), Some(header), ended),
        }
    }

    /// Begins to ask for transactions that are to be read one by one; not of a 0.9.0, which mixes up
    /// what it answers to several calls at once.
    pub fn look_ahead(&mut self, transactions: &[u64]) {
        if self.shape != Some(StateShape::WithDatabase) {
            return;
        }
        for tx in transactions {
            let (database, trusted) = (self.database, self.trusted.tx);
            self.server
                .begin_verifiable_tx(database, *tx, trusted, Entries::Raw);
        }
    }

    pub(super) fn settle(
        &mut self,
        tx: u64,
        header: Option<TxHeader>,
        ended: Ended,
    ) -> Result<Done, Halt> {
        match ended {
            Ended::Halt(halt) => return Err(halt),
            Ended::Broken(broken) => self.found(broken),
            Ended::Unread(why) => self.report.add_unread(tx, why),
            Ended::Absent(_) => self.report.absent.insert(tx, tx, ()),
        }
        Ok(header.map_or(Done::Unknown, Done::Known))
    }

    /// Reports a finding with the answers since the transcript began, if the report has room for them.
    pub(super) fn found(&mut self, broken: Broken) {
        let answers = match self.report.has_room() {
            true => self.answers(),
            false => Vec::new(),
        };
        self.report.found(Shows { broken, answers });
    }

    /// Returns the answers since the transcript began, as long as evidence keeps them.
    pub(super) fn answers(&self) -> Vec<Answer> {
        capture::answers(self.server.transcript())
    }

    /// Is there time left?
    pub fn in_time(&self) -> bool {
        Instant::now() < self.limits.until
    }

    /// The transaction with its place proven, and with its values where they come.
    fn fetch(&mut self, tx: u64) -> Result<(Tx, Raw), Ended> {
        let refused = match self.locate(tx, Entries::Raw)? {
            Ok(shown) => return Ok((shown, Raw::Sent)),
            Err(failure) => failure,
        };
        // is it the values, or the transaction?
        match self.locate(tx, Entries::Excluded)? {
            Ok(shown) => Ok((shown, Raw::Refused(refused))),
            Err(failure) => Err(match failure.kind {
                Kind::Corrupted | Kind::MaybeCorrupted => Ended::Broken(Broken {
                    tx,
                    alh: (tx == self.trusted.tx).then_some(self.trusted.hash),
                    entry: None,
                    what: What::Reported(failure),
                }),
                _ => Ended::Unread(Why::of_failure(failure)),
            }),
        }
    }

    /// Proves a transaction's place. What the server refuses comes back, what ends the reading or
    /// accuses is an end.
    pub(super) fn locate(
        &mut self,
        tx: u64,
        entries: Entries,
    ) -> Result<Result<Tx, Failure>, Ended> {
        let (database, trusted) = (self.database, self.trusted);
        match proof::locate(self.server, database, tx, &trusted, entries, self.limits) {
            Place::Proven(tx) => Ok(Ok(tx)),
            Place::Stopped => Err(Halt::Stopped.into()),
            Place::Failed(failure) => Ok(Err(self.still_there(failure)?)),
            Place::Unproven(verdict, reason) => Err(match verdict {
                Verdict::Tampered(_) => Ended::Broken(Broken {
                    tx,
                    alh: None,
                    entry: None,
                    what: match reason {
                        Reason::Failure(failure) => What::Reported(failure),
                        reason => What::Place(Shown::new(&reason.to_string())),
                    },
                }),
                Verdict::Unreachable => Ended::Unread(Why::Slow),
                _ => Ended::Unread(Why::malformed(&reason)),
            }),
        }
    }

    /// Returns a failure that concerns what was asked; one that concerns the server ends the reading.
    pub(super) fn still_there(&mut self, failure: Failure) -> Result<Failure, Halt> {
        match failure.kind {
            Kind::Stopped => Err(Halt::Stopped),
            // cut short by our own haste
            Kind::Deadline(time) if time < self.server.timeout() => Err(Halt::Late),
            Kind::Unreachable
            | Kind::Deadline(_)
            | Kind::RateLimited
            | Kind::BadLogin
            | Kind::NoAuthentication
            | Kind::NotLoggedIn
            | Kind::Forbidden
            | Kind::NoSuchDatabase
            | Kind::Unloaded => {
                if self.server_answers()? {
                    return Ok(failure);
                }
                self.report.halted = Some(failure);
                Err(Halt::Away)
            }
            _ => Ok(failure),
        }
    }

    /// Returns whether the server answers for the database's state: one that does is not away, whatever it
    /// does not answer.
    fn server_answers(&mut self) -> Result<bool, Halt> {
        if self
            .answered
            .is_some_and(|when| when.elapsed() < ANSWER_HOLDS)
        {
            return Ok(true);
        }
        match self.server.state(self.database) {
            Ok(_) => {
                self.answered = Some(Instant::now());
                Ok(true)
            }
            Err(failure) if failure.kind == Kind::Stopped => Err(Halt::Stopped),
            Err(_) => Ok(false),
        }
    }

    /// Judges a transaction that came with values, of a header that is proven.
    pub(super) fn judge(&mut self, shown: Tx) -> Result<(), Ended> {
        let alh = shown.header.alh();
        match judge(&alh, &shown) {
            Judged::Whole(completed) => self.finish(&shown.header, &shown.entries, completed),
            Judged::Incomplete => {
                let digests = self.digests(&shown.header)?;
                self.complete(&alh, &digests, &shown.entries)
            }
            Judged::Broken(broken) => Err(Ended::Broken(broken)),
            Judged::Malformed(why) => Err(Ended::Unread(why)),
        }
    }
}

/// How values came.
enum Raw {
    Sent,
    Refused(Failure),
}

/// The time for which an answer for the state counts as a sign that the server can be reached.
const ANSWER_HOLDS: Duration = Duration::from_secs(1);
