//! Reads the transactions of a scan. Each transaction is compared with the next one. If it does not match, or an entry
//! or a value is wrong, it is read alone.

use super::contents::{Contents, Source};
use super::finding::{CorruptEntry, Corruption, UnreadReason};
use super::judge::{Judged, judge};
use super::reader::{Ended, ReadInterrupted, Reader, TxReadResult};
use crate::ledger::{Digest, TxHeader};
use crate::trust::{Answer, Unavailable};
use crate::wire::Tx;

/// The data that a scan requests of each entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// The value.
    Sent,
    /// Only its digest, because the values were dropped.
    Dropped,
}

/// The headers of a run, from its first transaction; `None` if one is not proven.
pub type Headers = Vec<Option<TxHeader>>;

impl Reader<'_> {
    /// Reads the transactions of a run whose last one is proven. First each is compared with the one after it,
    /// beginning with the last. Then they are read in order, as many as there is time for and at least one.
    pub(super) fn chain(
        &mut self,
        mut run: Vec<Tx>,
        values: Values,
    ) -> Result<Headers, ReadInterrupted> {
        let mut scanned = None; // the responses to the scan, copied only if they may be needed
        let Some(first) = run.first().map(|tx| tx.header.id()) else {
            return Ok(Vec::new());
        };
        let Some(linked) = self.link(&mut run, &mut scanned)? else {
            return self.read_alone(first);
        };
        let mut headers: Headers = Vec::with_capacity(run.len());
        let named = |(tx, linked): (Tx, Linked)| (tx.header.id(), linked);
        let mut left = run.into_iter().zip(linked.into_iter().rev());
        while let Some((tx, next)) = left.next() {
            if !headers.is_empty() && !next.is_read() && !self.in_time() {
                self.scan.had_time_for(headers.len());
                self.record_shown(tx.header.id(), next, &mut scanned);
                break;
            }
            let read = match next {
                Linked::Alone(header) => Ok(header.map(|header| *header)),
                Linked::Faultless => {
                    self.report.read(tx.header.id(), Unavailable::default());
                    Ok(Some(tx.header))
                }
                Linked::ToRead(judged) => match values {
                    Values::Sent => self.read_scanned(tx, *judged, &mut scanned),
                    Values::Dropped => self.read_dropped(tx),
                },
            };
            match read {
                Ok(header) => headers.push(header),
                Err(ReadInterrupted::Late) if !headers.is_empty() => break, // the headers read before are returned
                Err(interrupted) => {
                    self.record_all_shown(left.map(named), &mut scanned);
                    return Err(interrupted);
                }
            }
        }
        self.record_all_shown(left.map(named), &mut scanned);
        Ok(headers)
    }

    /// Records the corruption that a scan shows in transactions for which there is no time to read them alone. The
    /// next scan may not show it.
    fn record_all_shown(
        &mut self,
        left: impl Iterator<Item = (u64, Linked)>,
        scanned: &mut Option<Vec<Answer>>,
    ) {
        for (id, linked) in left {
            self.record_shown(id, linked, scanned);
        }
    }

    /// Records the corruption that a scan shows in one transaction, which stays due.
    fn record_shown(&mut self, id: u64, linked: Linked, scanned: &mut Option<Vec<Answer>>) {
        let Linked::ToRead(judged) = linked else {
            return;
        };
        let broken = match *judged {
            Judged::Broken(broken) => vec![broken],
            Judged::Complete(completed) => {
                self.report.more_broken += completed.more_broken;
                completed.broken
            }
            Judged::Incomplete | Judged::Malformed(_) => Vec::new(),
        };
        for broken in broken {
            self.record_from_scan(id, broken, scanned);
        }
    }

    fn record_from_scan(
        &mut self,
        id: u64,
        broken: CorruptEntry,
        scanned: &mut Option<Vec<Answer>>,
    ) {
        let answers = scanned.get_or_insert_with(|| self.answers()).clone();
        self.found_by(broken, |_| answers);
        self.report.add_unread(id, UnreadReason::Slow);
    }

    /// Compares each transaction of a run with the one after it, from the proven last one down, and verifies it. A
    /// transaction outside the chain is read alone; the entries of a faultless one are freed. Returns the results in
    /// this order; `None` if there was no time for all of them.
    fn link(
        &mut self,
        run: &mut [Tx],
        scanned: &mut Option<Vec<Answer>>,
    ) -> Result<Option<Vec<Linked>>, ReadInterrupted> {
        let Some(last) = run.last().map(|tx| &tx.header) else {
            return Ok(Some(Vec::new()));
        };
        let last_id = last.id();
        let mut due = match last_id == self.trusted.tx {
            true => Some(self.trusted.hash),
            false => Some(last.alh()),
        };
        // the hash of the next transaction, if that one is proven
        let mut behind = None;
        let mut linked: Vec<Linked> = Vec::with_capacity(run.len());
        let ids = || (0..=last_id).rev();
        for tx in run.iter_mut().rev() {
            let got = tx.header.alh();
            let next = match due {
                Some(due) if due == got => {
                    self.truncation.note(&tx.header);
                    let judged = judge(&got, tx);
                    match judged.is_faultless() {
                        true => {
                            tx.entries = Vec::new();
                            Linked::Faultless
                        }
                        false => Linked::ToRead(Box::new(judged)),
                    }
                }
                due if !self.in_time() => {
                    self.scan.had_time_for(1);
                    let id = tx.header.id();
                    if let Some(due) = due {
                        self.record_from_scan(
                            id,
                            CorruptEntry::other_header(id, due, got),
                            scanned,
                        );
                    }
                    self.record_all_shown(ids().zip(linked), scanned);
                    return Ok(None);
                }
                due => {
                    let due = due.map(|due| (due, behind));
                    match self.read_unlinked(tx.header.id(), got, due, scanned) {
                        Ok(next) => next,
                        Err(interrupted) => {
                            self.record_all_shown(ids().zip(linked), scanned);
                            return Err(interrupted);
                        }
                    }
                }
            };
            let header = match &next {
                Linked::Alone(header) => header.as_deref(),
                Linked::Faultless | Linked::ToRead(_) => Some(&tx.header),
            };
            due = header.map(|header| *header.prev_alh());
            behind = header.map(TxHeader::alh);
            linked.push(next);
        }
        Ok(Some(linked))
    }

    /// Reads a transaction alone that a scan shows with the hash `got`. The next transaction names the hash `due`,
    /// which comes with that transaction's own hash if it is proven.
    fn read_unlinked(
        &mut self,
        id: u64,
        got: Digest,
        due: Option<(Digest, Option<Digest>)>,
        scanned: &mut Option<Vec<Answer>>,
    ) -> Result<Linked, ReadInterrupted> {
        // copied before another call replaces them
        let mut answers = scanned.get_or_insert_with(|| self.answers()).clone();
        let before = self.report.findings();
        let alone = self.read_one(id).map(TxReadResult::header);
        let proven = alone.as_ref().ok().and_then(Option::as_ref);
        let found = proven.is_none() && self.report.findings() > before;
        if let (Some((due, behind)), false) = (due, found) {
            // if the transaction read alone shows no corruption, that of the scan is still reported
            let broken = match proven.map(TxHeader::alh) {
                // the wrong link belongs to the next transaction, as in the walk of a sweep
                Some(alh) if alh != due => CorruptEntry {
                    tx: id.saturating_add(1),
                    alh: behind,
                    entry: None,
                    what: Corruption::Chain { due, got: alh },
                },
                _ => CorruptEntry::other_header(id, due, got),
            };
            self.found_by(broken, |reader| {
                answers.splice(0..0, reader.answers()); // few, and about this transaction only
                answers
            });
        }
        Ok(Linked::Alone(alone?.map(Box::new)))
    }

    /// Reads a transaction of a scan without values, which were dropped; its header is proven.
    fn read_dropped(&mut self, tx: Tx) -> Result<Option<TxHeader>, ReadInterrupted> {
        let (header, alh) = (tx.header.clone(), tx.header.alh());
        let read = Contents::complete(&alh, tx, &[], self.unix_now())
            .and_then(|contents| self.read_contents(&header, contents, Source::Alone));
        self.end(header, read).map(TxReadResult::header)
    }

    /// Reads a transaction of a scan whose header is proven and that is not faultless. A corrupt transaction is also
    /// read alone, because those responses are shorter evidence.
    fn read_scanned(
        &mut self,
        tx: Tx,
        judged: Judged,
        scanned: &mut Option<Vec<Answer>>,
    ) -> Result<Option<TxHeader>, ReadInterrupted> {
        let header = tx.header.clone();
        let scanned = scanned.get_or_insert_with(|| self.answers());
        self.server.begin_transcript();
        let contents = match judged {
            Judged::Complete(completed) => Ok(Contents::new(completed, tx.entries)),
            Judged::Incomplete => self.judge(tx),
            Judged::Broken(broken) => Err(Ended::Broken(broken)),
            Judged::Malformed(_) => return self.read_again(header, None, Vec::new()),
        };
        let read = contents.and_then(|mut contents| match contents.completed.broken.pop() {
            Some(broken) => Err(Ended::Broken(broken)),
            None => self.read_contents(&header, contents, Source::Scan),
        });
        match read {
            Err(Ended::Broken(broken)) => {
                let mut answers = scanned.clone();
                answers.extend(self.answers());
                self.read_again(header, Some(broken), answers)
            }
            read => self.end(header, read).map(TxReadResult::header),
        }
    }

    /// Reads a transaction of a scan alone. If this finds nothing, the corruption that the scan showed is recorded,
    /// with the responses that showed it.
    fn read_again(
        &mut self,
        header: TxHeader,
        broken: Option<CorruptEntry>,
        answers: Vec<Answer>,
    ) -> Result<Option<TxHeader>, ReadInterrupted> {
        let before = self.report.findings();
        let alone = self.read_one(header.id());
        if let (Some(broken), true) = (broken, self.report.findings() == before) {
            self.found_by(broken, |_| answers);
        }
        Ok(alone?.header().or(Some(header)))
    }
}

/// The result of comparing a transaction of a scan with the one after it.
enum Linked {
    /// The transaction does not chain and was read alone; the header, if it is proven.
    Alone(Option<Box<TxHeader>>),
    /// The transaction and its values match the ledger.
    Faultless,
    /// The header is proven; the rest must be read.
    ToRead(Box<Judged>),
}

impl Linked {
    /// Returns whether no further call is needed.
    fn is_read(&self) -> bool {
        !matches!(self, Linked::ToRead(_))
    }
}
