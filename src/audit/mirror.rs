//! `--audit-keep-hashes`: the hash of every transaction up to the trusted one, stored when it is proven.
//!
//! Headers are added only if each one chains to the hash before it, and if the last one is the trusted state or is
//! proven against it.

use std::fmt;
use std::time::Instant;

use super::auditor::Auditor;
use super::budget::MAX_CALL_OVERRUN;
use super::verdict::Reason;
use crate::audit::check::membership::{self, Membership};
use crate::ledger::{Digest, TxHeader};
use crate::server::{ServerError, ServerErrorKind};
use crate::trust::{Extended, Mirror, StoreError, TrustedState};
use crate::wire::Entries;

/// The number of mirrors whose files stay open.
const MAX_OPEN_MIRRORS: usize = 16;

/// The reason why a mirror is not complete.
#[derive(Debug)]
pub enum Unmirrored {
    /// The mirrors of all databases have reached their limit.
    Full {
        /// The limit in bytes.
        most: u64,
    },
    /// The server did not respond.
    Failure(ServerError),
    /// The server's headers do not lead from the stored hashes to the trusted state.
    NotProven {
        /// The first transaction that is not proven.
        tx: u64,
        /// The reason.
        why: String,
    },
    /// The auditor's own files cannot be read or written.
    Local(StoreError),
    /// The program is asked to end.
    Stopped,
}

impl fmt::Display for Unmirrored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmirrored::Full { most } => write!(
                f,
                "all mirrors together have reached the {most} bytes of --audit-keep-hashes-max: raise the limit"
            ),
            Unmirrored::Failure(failure) => write!(f, "{failure}"),
            Unmirrored::NotProven { tx, why } => {
                write!(
                    f,
                    "transaction {tx} is not proven to extend the mirror: {why}"
                )
            }
            Unmirrored::Local(failure) => write!(f, "{failure}"),
            Unmirrored::Stopped => f.write_str("asked to stop"),
        }
    }
}

impl From<StoreError> for Unmirrored {
    fn from(failure: StoreError) -> Unmirrored {
        Unmirrored::Local(failure)
    }
}

impl From<ServerError> for Unmirrored {
    fn from(failure: ServerError) -> Unmirrored {
        match failure.kind {
            ServerErrorKind::Stopped => Unmirrored::Stopped,
            _ => Unmirrored::Failure(failure),
        }
    }
}

/// Whether a mirror is complete.
enum Filled {
    InPart,
    ToTheEnd,
}

/// The number of transactions that one call asks for: every server returns as many.
const TXS_PER_CALL: u32 = 1_000;
/// The number of last transactions of a run that are tried if an old server cannot prove the last one.
const MAX_TRIED_ENDS: usize = 8;

impl Auditor {
    /// Stores the hash of every transaction, as long as all mirrors together take at most `most` bytes.
    #[must_use]
    pub fn with_mirror(self, most: Option<u64>) -> Auditor {
        Auditor {
            mirror_most: most,
            ..self
        }
    }

    /// Continues the mirrors of the databases whose state was proven in the last check. Each continues until it is
    /// complete or cannot be extended, which is reported once. After `slice` no further hashes are requested. The calls
    /// for those that were requested may last until `until`, so that the mirror of a slow server grows too.
    pub fn mirror(&mut self, slice: Instant, until: Instant) -> Vec<(String, Unmirrored)> {
        let mut failures = Vec::new();
        let before = self.server.limit(until + MAX_CALL_OVERRUN);
        while let (Some(most), Some(database)) = (self.mirror_most, self.next_unmirrored()) {
            if self.now() >= slice {
                break;
            }
            self.mirrored_last = Some(database.clone());
            let (words, why) = match self.mirror_database(&database, most, slice) {
                Ok(Filled::InPart) => break,
                // this auditor set the short deadline, so the server is not at fault
                Err(Unmirrored::Failure(failure)) if failure.kind == ServerErrorKind::CutShort => {
                    break;
                }
                Ok(Filled::ToTheEnd) => (None, None),
                Err(Unmirrored::Stopped) => break,
                Err(why) => (Some(why.to_string()), Some(why)),
            };
            let record = self.databases.of(&database);
            record.to_mirror = false;
            let known = std::mem::replace(&mut record.unmirrored, words.clone());
            failures.extend(why.filter(|_| known != words).map(|why| (database, why)));
        }
        self.server.restore(before);
        failures
    }

    /// Returns the next database to mirror after the last one, so that a long history does not delay the others.
    fn next_unmirrored(&self) -> Option<String> {
        let names = self.databases.names(|database| database.to_mirror);
        let behind = |name: &&String| self.mirrored_last.as_ref().is_some_and(|last| *name > last);
        names.iter().find(behind).or(names.first()).cloned()
    }

    fn mirror_database(
        &mut self,
        database: &str,
        most: u64,
        until: Instant,
    ) -> Result<Filled, Unmirrored> {
        let Some(trusted) = self.store.load(database)? else {
            return Ok(Filled::ToTheEnd);
        };
        let known = self.databases.of(database).mirror.take();
        let mut mirror = match known.filter(|known| known.since() == trusted.since) {
            Some(mirror) => mirror,
            None => Box::new(self.store.open_mirror(database, trusted.since)?),
        };
        let done = self.fill(&mut mirror, &trusted, most, until);
        let open = self.databases.iter().filter(|(_, of)| of.mirror.is_some());
        if open.count() >= MAX_OPEN_MIRRORS {
            self.databases
                .iter_mut()
                .for_each(|(_, of)| of.mirror = None);
        }
        self.databases.of(database).mirror = Some(mirror);
        done
    }

    fn fill(
        &mut self,
        mirror: &mut Mirror,
        trusted: &TrustedState,
        most: u64,
        until: Instant,
    ) -> Result<Filled, Unmirrored> {
        let mut run = TXS_PER_CALL;
        while mirror.next() <= trusted.state.tx {
            if self.now() >= until {
                return Ok(Filled::InPart);
            }
            let next = mirror.next();
            let headers = self.headers(trusted, next, &mut run)?;
            let hashes = self.proven(mirror, trusted, next, headers)?;
            let space = most.saturating_sub(self.store.mirrored_bytes()?);
            if mirror.extend(next, &hashes, space)? == Extended::Full {
                return Err(Unmirrored::Full { most });
            }
        }
        Ok(Filled::ToTheEnd)
    }

    /// Returns the headers from `next`, as many as one call returns.
    fn headers(
        &mut self,
        trusted: &TrustedState,
        next: u64,
        run: &mut u32,
    ) -> Result<Vec<TxHeader>, Unmirrored> {
        let database = trusted.database.as_str();
        let left = trusted.state.tx.saturating_sub(next).saturating_add(1);
        let due = (*run).min(u32::try_from(left).unwrap_or(u32::MAX));
        let mut most = due;
        let txs = self
            .server
            .run_of_txs(database, next, &mut most, Entries::Excluded)?;
        if most < due {
            *run = most;
        }
        Ok(txs.into_iter().map(|tx| tx.header).collect())
    }

    /// Returns the hashes of the transactions after the stored ones, up to the last transaction that is proven.
    fn proven(
        &mut self,
        mirror: &Mirror,
        trusted: &TrustedState,
        next: u64,
        headers: Vec<TxHeader>,
    ) -> Result<Vec<Digest>, Unmirrored> {
        let not_proven = |why: &str| Unmirrored::NotProven {
            tx: next,
            why: why.into(),
        };
        let before = match next {
            1 => Some(Digest::OF_NOTHING),
            _ => mirror.alh(next - 1),
        };
        let mut before = before
            .ok_or_else(|| not_proven("the stored hash of the transaction before it is damaged"))?;
        let mut hashes = Vec::with_capacity(headers.len());
        for (id, header) in (next..=trusted.state.tx).zip(headers) {
            if header.id() != id {
                break;
            }
            if *header.prev_alh() != before {
                // the first header contradicts the mirror; a later one only ends the run
                match hashes.is_empty() {
                    true => return Err(not_proven("its history differs from the stored one")),
                    false => break,
                }
            }
            before = header.alh();
            hashes.push(before);
        }
        let mut why = String::from("the server does not return it");
        for _ in 0..MAX_TRIED_ENDS {
            let Some(end) = hashes.last().copied() else {
                break;
            };
            let tx = next + u64::try_from(hashes.len()).unwrap_or(u64::MAX) - 1;
            if tx == trusted.state.tx && end == trusted.state.hash {
                return Ok(hashes);
            }
            match self.place(trusted, tx)? {
                Ok(proven) if proven == end => return Ok(hashes),
                Ok(_) => why = "its hash differs from the proven one".into(),
                Err(reason) => why = reason.to_string(),
            }
            hashes.pop();
        }
        Err(not_proven(&why))
    }

    fn place(
        &mut self,
        trusted: &TrustedState,
        tx: u64,
    ) -> Result<Result<Digest, Reason>, Unmirrored> {
        let range = self.policy.max_fetch;
        let (database, state) = (trusted.database.as_str(), &trusted.state);
        let entries = Entries::Excluded;
        match membership::prove_membership(&mut self.server, database, tx, state, entries, range) {
            Membership::Proven(tx) => Ok(Ok(tx.header.alh())),
            Membership::Unproven(_, reason) => Ok(Err(reason)),
            Membership::Failed(failure) => Err(failure.into()),
            Membership::Stopped => Err(Unmirrored::Stopped),
        }
    }
}
