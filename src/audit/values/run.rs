//! Reading a run of transactions by scans: one call brings many, one proof covers them all, since
//! each `prevAlh` is the Alh before it (protocol.md §6, end).

use super::contents::{Contents, Source};
use super::finding::{Broken, What, Why};
use super::judge::{Judged, judge};
use super::reader::{Done, Ended, Halt, Reader};
use super::scan::{GROWTH, Next, Span};
use crate::ledger::{Digest, TxHeader};
use crate::server::{Failure, Scanned};
use crate::trust::{Answer, Unavailable};
use crate::wire::{Entries, Malformed, Tx};

/// What a scan asks for of each entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    /// Its value.
    Sent,
    /// Its digest alone: the values were dropped.
    Dropped,
}

/// Transactions whose values are taken for dropped together once the server refuses them together: a
/// truncation drops whole files, so values that are left lie behind those that are not.
const DROPPED_TOGETHER: u32 = 32;
/// Scans on their way while one is judged: the server is never without one.
const AHEAD: usize = 2;

/// The headers of a run, from its first transaction on; `None` where one is not proven.
pub type Headers = Vec<Option<TxHeader>>;

impl Reader<'_> {
    /// Reads `first`..=`last` (of which the trusted state's is the largest possible), as many as one
    /// scan brings and at least one.
    pub fn read_batch(&mut self, first: u64, last: u64) -> Result<Headers, Halt> {
        loop {
            let span = self.scan.span(first, last);
            let limit = span.limit;
            if self.scan.none || limit <= 1 {
                if !self.scan.none {
                    self.scan.went_well(1, 0);
                }
                return self.read_alone(first);
            }
            self.server.begin_transcript();
            match self.scan(span, last) {
                Ok(list) => return self.take(first, limit, list, Values::Sent),
                Err(failure) => {
                    let before = self.scan.limit;
                    self.scan.went_badly(&failure.kind, limit);
                    self.still_there(failure)?; // its transaction is found by halving
                    if !self.in_time() {
                        return Err(Halt::Late);
                    }
                    if limit <= DROPPED_TOGETHER && self.truncation.covers(span.next() - 1) {
                        if let Some(list) = self.dropped(span)? {
                            // the size was right, and more may be
                            let more = before.saturating_mul(GROWTH).min(DROPPED_TOGETHER);
                            self.scan.limit = more.max(before);
                            return self.take(first, limit, list, Values::Dropped);
                        }
                    }
                }
            }
        }
    }

    /// Returns the transactions of a span without their values, if the server has neither the values of the
    /// first nor those of the last.
    fn dropped(&mut self, span: Span) -> Result<Option<Vec<Result<Tx, Malformed>>>, Halt> {
        for tx in [span.first, span.next().saturating_sub(1)] {
            match self.server.tx(self.database, tx, Entries::Raw) {
                Ok(_) => return Ok(None),
                Err(failure) => drop(self.still_there(failure)?),
            }
        }
        let digests = self
            .server
            .tx_scan(self.database, span.first, span.limit, Entries::Digests)
            .and_then(Scanned::decode);
        match digests {
            Ok(list) => Ok(Some(list)),
            Err(failure) => {
                self.still_there(failure)?;
                Ok(None) // one by one, then
            }
        }
    }

    /// One scan; the next ones are asked for before this one is decoded.
    fn scan(&mut self, span: Span, last: u64) -> Result<Vec<Result<Tx, Malformed>>, Failure> {
        let scanned = self
            .server
            .tx_scan(self.database, span.first, span.limit, Entries::Raw)?;
        self.scan.went_well(span.limit, scanned.size());
        if self.next == Next::AskedAhead {
            self.ask_ahead(span, last);
        }
        scanned.decode()
    }

    /// Lets the server work on what comes behind `span`, and on the proofs of where that ends,
    /// while `span` is judged.
    fn ask_ahead(&mut self, span: Span, last: u64) {
        while self.scan.ahead.len() < AHEAD {
            let behind = self.scan.ahead.back().copied().unwrap_or(span);
            if behind.next() > last {
                return;
            }
            let next = self.scan.fresh(behind.next(), last);
            if next.limit <= 1 {
                return; // that one is no scan
            }
            self.scan.ahead.push_back(next);
            let (database, end) = (self.database, next.next().saturating_sub(1));
            let proof = (end < self.trusted.tx).then_some((end, self.trusted.tx));
            self.server
                .begin_tx_scan(database, next.first, next.limit, proof);
        }
    }

    fn read_alone(&mut self, tx: u64) -> Result<Headers, Halt> {
        self.read_one(tx).map(|done| vec![done.header()])
    }

    /// What a scan brought, in order and without holes; what is missing behind is read alone.
    fn take(
        &mut self,
        first: u64,
        limit: u32,
        list: Vec<Result<Tx, Malformed>>,
        values: Values,
    ) -> Result<Headers, Halt> {
        let due = (first..).take(usize::try_from(limit).unwrap_or(usize::MAX));
        let brought = list.len();
        let mut run: Vec<Tx> = Vec::with_capacity(brought);
        let mut malformed = false;
        for (id, tx) in due.zip(list) {
            match tx {
                Ok(tx) if tx.header.id() == id => run.push(tx),
                Ok(_) => break,
                Err(_) => {
                    malformed = true; // reading it alone tells what is wrong with it
                    break;
                }
            }
        }
        let next = first.saturating_add(len(&run));
        let whole = brought == run.len() && run.len() as u64 == u64::from(limit);
        if !whole && !malformed {
            self.report.add_unread(next, Why::Scan);
        }
        if !self.end_of(&mut run)? {
            return self.read_alone(first);
        }
        let mut headers = self.chain(run, values)?;
        if !whole {
            // a hole is no reason to believe that there is nothing
            let tx = first.saturating_add(headers.len() as u64);
            if tx == next {
                headers.extend(self.read_alone(tx)?);
            }
        }
        Ok(headers)
    }

    /// Shortens a run to where its last transaction is proven; is anything left?
    fn end_of(&mut self, run: &mut Vec<Tx>) -> Result<bool, Halt> {
        let mut tries = 0;
        while let Some(last) = run.last() {
            let (id, alh) = (last.header.id(), last.header.alh());
            if id == self.trusted.tx {
                return Ok(true); // held against the trusted hash by the chain
            }
            if tries > 0 && !self.in_time() {
                return Err(Halt::Late);
            }
            match self.locate(id, Entries::Excluded) {
                Ok(Ok(proven)) if proven.header.alh() == alh => return Ok(true),
                Err(Ended::Halt(halt)) => return Err(halt),
                // another place, an old server's pair that nothing proves, or no answer: an end
                // nearby does as well, and the reading of this one tells what it is
                _ => {
                    tries += 1;
                    let shorter = if tries < 3 {
                        run.len() - 1
                    } else {
                        run.len() / 2
                    };
                    run.truncate(shorter);
                }
            }
        }
        Ok(false)
    }

    /// Reads the transactions of a run whose last one is proven: first each is held against the one behind it, from
    /// the last one down, then they are read in order, as many as there is time for and at least one.
    fn chain(&mut self, run: Vec<Tx>, values: Values) -> Result<Headers, Halt> {
        let mut scanned = None; // what the scan was, copied only where it may be needed
        let mut linked = self.link(run, &mut scanned)?;
        let mut headers: Headers = Vec::with_capacity(linked.len());
        while let Some(next) = linked.pop() {
            if !headers.is_empty() && !next.is_read() && !self.in_time() {
                break;
            }
            let read = match next {
                Linked::Alone(header) => Ok(header),
                Linked::Faultless(header) => {
                    self.report.read(header.id(), Unavailable::default());
                    Ok(Some(header))
                }
                Linked::ToRead(tx, judged) => match values {
                    Values::Sent => self.read_scanned(tx, judged, &mut scanned),
                    Values::Dropped => self.read_dropped(tx),
                },
            };
            match read {
                Ok(header) => headers.push(header),
                Err(Halt::Late) if !headers.is_empty() => break, // these are read
                Err(halt) => return Err(halt),
            }
        }
        Ok(headers)
    }

    /// Holds each transaction of a run against the one behind it, from the proven last one down, and judges it. One
    /// that is not of the chain is read alone. Returns them in this order.
    fn link(
        &mut self,
        run: Vec<Tx>,
        scanned: &mut Option<Vec<Answer>>,
    ) -> Result<Vec<Linked>, Halt> {
        let mut due = match run.last() {
            Some(last) if last.header.id() == self.trusted.tx => Some(self.trusted.hash),
            Some(last) => Some(last.header.alh()),
            None => None,
        };
        let mut linked: Vec<Linked> = Vec::with_capacity(run.len());
        for tx in run.into_iter().rev() {
            let got = tx.header.alh();
            let next = match due {
                Some(due) if due == got => {
                    self.truncation.note(&tx.header);
                    let judged = judge(&got, &tx);
                    match judged.is_faultless() {
                        true => Linked::Faultless(tx.header),
                        false => Linked::ToRead(tx, judged),
                    }
                }
                _ => {
                    let behind = linked.last().and_then(Linked::alh);
                    let due = due.map(|due| (due, behind));
                    self.read_unlinked(tx.header.id(), got, due, scanned)?
                }
            };
            due = next.prev_alh();
            linked.push(next);
        }
        Ok(linked)
    }

    /// Reads a transaction alone that a scan shows with the hash `got`. The transaction behind it names the hash `due`;
    /// that transaction's own hash stands beside, if it is proven.
    fn read_unlinked(
        &mut self,
        id: u64,
        got: Digest,
        due: Option<(Digest, Option<Digest>)>,
        scanned: &mut Option<Vec<Answer>>,
    ) -> Result<Linked, Halt> {
        // before another call takes their place
        let mut answers = scanned.get_or_insert_with(|| self.answers()).clone();
        let before = self.report.findings();
        let alone = self.read_one(id).map(Done::header);
        let proven = alone.as_ref().ok().and_then(Option::as_ref);
        let found = proven.is_none() && self.report.findings() > before;
        if let (Some((due, behind)), false) = (due, found) {
            // not shown alone, what the scan showed stays shown
            let broken = match proven.map(TxHeader::alh) {
                // the link is the next transaction's: the walk of a sweep finds the same
                Some(alh) if alh != due => Broken {
                    tx: id.saturating_add(1),
                    alh: behind,
                    entry: None,
                    what: What::Chain { due, got: alh },
                },
                _ => Broken {
                    tx: id,
                    alh: Some(due),
                    entry: None,
                    what: What::Header { due, got },
                },
            };
            self.found_by(broken, |reader| {
                answers.splice(0..0, reader.answers()); // short, and of the transaction alone
                answers
            });
        }
        Ok(Linked::Alone(alone?))
    }

    /// Reads a transaction of a scan without values, which were dropped; its header is proven.
    fn read_dropped(&mut self, tx: Tx) -> Result<Option<TxHeader>, Halt> {
        let (header, alh) = (tx.header.clone(), tx.header.alh());
        let read = Contents::complete(&alh, tx, &[])
            .and_then(|contents| self.read_contents(&header, contents, Source::Alone));
        self.end(header, read).map(Done::header)
    }

    /// Reads a transaction of a scan whose header is proven, and that is not faultless. What is broken is read once
    /// more alone, since then the answers that show it are short.
    fn read_scanned(
        &mut self,
        tx: Tx,
        judged: Judged,
        scanned: &mut Option<Vec<Answer>>,
    ) -> Result<Option<TxHeader>, Halt> {
        let header = tx.header.clone();
        let scanned = scanned.get_or_insert_with(|| self.answers());
        self.server.begin_transcript();
        let contents = match judged {
            Judged::Whole(completed) => Ok(Contents::new(completed, tx.entries)),
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
            read => self.end(header, read).map(Done::header),
        }
    }

    /// Reads a transaction of a scan alone. If that finds nothing, what the scan showed to be broken is recorded, with
    /// the answers that showed it.
    fn read_again(
        &mut self,
        header: TxHeader,
        broken: Option<Broken>,
        answers: Vec<Answer>,
    ) -> Result<Option<TxHeader>, Halt> {
        let before = self.report.findings();
        let alone = self.read_one(header.id());
        if let (Some(broken), true) = (broken, self.report.findings() == before) {
            self.found_by(broken, |_| answers);
        }
        Ok(alone?.header().or(Some(header)))
    }
}

/// A transaction of a scan, held against the one behind it.
enum Linked {
    /// It is not of the chain, and was read alone; its header if that is proven.
    Alone(Option<TxHeader>),
    /// Nothing is wrong with it.
    Faultless(TxHeader),
    /// Its header is proven; the rest is to be read.
    ToRead(Tx, Judged),
}

impl Linked {
    fn header(&self) -> Option<&TxHeader> {
        match self {
            Linked::Alone(header) => header.as_ref(),
            Linked::Faultless(header) => Some(header),
            Linked::ToRead(tx, _) => Some(&tx.header),
        }
    }

    fn alh(&self) -> Option<Digest> {
        self.header().map(TxHeader::alh)
    }

    fn prev_alh(&self) -> Option<Digest> {
        self.header().map(|header| *header.prev_alh())
    }

    /// Returns whether no further call is needed.
    fn is_read(&self) -> bool {
        !matches!(self, Linked::ToRead(..))
    }
}

fn len(run: &[Tx]) -> u64 {
    u64::try_from(run.len()).unwrap_or(u64::MAX)
}
