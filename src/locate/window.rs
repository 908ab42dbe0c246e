//! The transactions between which a history was rewritten, and the lost ones.

use std::ops::RangeInclusive;

use super::bisect::{Found, bisect, max_probes};
use super::probe::Probe;
use crate::clock::Timestamp;
use crate::ledger::{Digest, State};
use crate::text::Escaped;

/// The grounds on which a state became the trusted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// An audit: the server showed the state, or a proof led to it.
    Audit,
    /// The operator gave the state (`--pin`).
    Pin,
    /// The operator adopted the state of an alarm's evidence.
    Adoption,
}

/// The time at which a state became the trusted one, and the grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The time.
    pub at: Timestamp,
    /// The grounds.
    pub by: Grounds,
}

/// A state that was trusted, and its acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Transaction and hash.
    pub state: State,
    /// The acceptance.
    pub accepted: Acceptance,
}

/// Stored hashes of single transactions.
pub trait TxHashes {
    /// Returns the last transaction whose hash is stored.
    fn last(&self) -> u64;
    /// Returns one transaction's hash.
    fn alh(&mut self, tx: u64) -> Option<Digest>;
}

/// A transaction, and the acceptance of the first trusted state that covered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The transaction.
    pub tx: u64,
    /// The acceptance.
    pub accepted: Acceptance,
}

/// A transaction that could not be decided, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The transaction.
    pub tx: u64,
    /// The reason.
    pub why: Escaped,
}

/// The oldest stored state is refuted, although a newer one, which extends it, is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradicted {
    /// The state that is refuted.
    pub oldest: Point,
    /// The newer state that is proven.
    pub proven: Point,
}

/// The part of the trusted history that the shown state still contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The shown state that everything was compared with.
    pub shown: State,
    /// The first state of the trusted line.
    pub oldest: Checkpoint,
    /// The last trusted state.
    pub newest: Checkpoint,
    /// The last transaction that is proven to be intact, with all before it.
    pub intact: Option<Point>,
    /// The first transaction that is proven to differ now.
    pub broken: Option<Point>,
    /// Whether the oldest state is refuted although a newer one is proven: by the server's own proofs, or because
    /// the auditor's files were damaged.
    pub contradicted: Option<Contradicted>,
    /// The transactions between the two that could not be decided.
    pub undecided: Vec<Undecided>,
    /// The number of probed states.
    pub questions: u32,
}

/// Compares a line of trusted states, each an ancestor of the next, with the shown state; `None` if the line is
/// empty. `ask` requests a proof that the shown history contains one old state, or another one in its place.
pub fn narrow(
    line: &[Checkpoint],
    mirror: Option<&mut dyn TxHashes>,
    shown: State,
    ask: &mut dyn FnMut(&State) -> Probe,
) -> Option<Window> {
    let (oldest, newest) = (*line.first()?, *line.last()?);
    let mut ask = |old: State| match old.tx == shown.tx {
        true => Probe::of_hashes(&old.hash, &shown.hash),
        false => ask(&old),
    };
    // transactions after the shown state are missing, which needs no proof
    let reached = line.partition_point(|point| point.state.tx <= shown.tx);
    let at = |index: u64| line.get(usize::try_from(index).ok()?).map(|p| p.state);
    let among = u64::try_from(reached).unwrap_or(u64::MAX);
    let found = bisect(0..among, max_probes(among), |index| match at(index) {
        Some(old) => ask(old),
        None => Probe::Unknown(Escaped::default()),
    });
    let tx = |index: u64| at(index).map_or(0, |state| state.tx);
    let mut window = Window {
        shown,
        oldest,
        newest,
        intact: None,
        broken: None,
        contradicted: None,
        undecided: Vec::new(),
        questions: 0,
    };
    window.take(line, &found, tx);
    window.ask_about_the_oldest(&found, &mut ask);
    if let (Some(mirror), false) = (mirror, found.ended) {
        let from = window.intact.map_or(1, |point| point.tx.saturating_add(1));
        let end = match window.broken {
            Some(point) => point.tx,
            None => newest.state.tx.min(shown.tx).saturating_add(1),
        };
        let end = end.min(mirror.last().saturating_add(1));
        let most = max_probes(end.saturating_sub(from));
        let found = bisect(from..end.max(from), most, |tx| match mirror.alh(tx) {
            Some(hash) => ask(State { tx, hash }),
            None => Probe::Unknown(Escaped::new("the mirror's block is damaged")),
        });
        window.take(line, &found, |tx| tx);
    }
    Some(window)
}

impl Window {
    fn take(&mut self, line: &[Checkpoint], found: &Found, tx: impl Fn(u64) -> u64) {
        let covered = |tx: u64| {
            let after = line.iter().find(|point| point.state.tx >= tx);
            Point {
                tx,
                accepted: after.map_or(self.newest.accepted, |point| point.accepted),
            }
        };
        if let Some(holds) = found.holds {
            self.intact = Some(covered(tx(holds)));
        }
        if let Some(broken) = found.broken {
            self.broken = Some(covered(tx(broken)));
        }
        let of = found.unknown.iter().map(|(at, why)| Undecided {
            tx: tx(*at),
            why: why.clone(),
        });
        self.undecided.extend(of);
        let after = self.intact.map_or(0, |point| point.tx);
        let before = self.broken.map_or(u64::MAX, |point| point.tx);
        self.undecided
            .retain(|undecided| after < undecided.tx && undecided.tx < before);
        self.questions += found.asked;
    }

    /// Probes the oldest state if a newer one was proven: a newer one commits to it, unless files or proofs are
    /// damaged.
    fn ask_about_the_oldest(&mut self, found: &Found, ask: &mut impl FnMut(State) -> Probe) {
        let newer = found.holds.is_some_and(|at| at > 0);
        if let (Some(proven), true, false) = (self.intact, newer, found.ended) {
            self.questions += 1;
            if matches!(ask(self.oldest.state), Probe::Differs(_)) {
                self.contradicted = Some(Contradicted {
                    oldest: Point {
                        tx: self.oldest.state.tx,
                        accepted: self.oldest.accepted,
                    },
                    proven,
                });
            }
        }
    }

    /// Returns whether the whole trusted history is intact.
    pub fn is_intact(&self) -> bool {
        let intact = self.intact.map_or(0, |point| point.tx);
        intact >= self.newest.state.tx && self.contradicted.is_none()
    }

    /// Returns the first transaction that is not proven to be intact; `None` if there is none after the last possible
    /// one, which a server may claim.
    fn first_in_doubt(&self) -> Option<u64> {
        self.intact.map_or(Some(1), |point| point.tx.checked_add(1))
    }

    /// Returns the first transaction that differs now, if it is known exactly.
    pub fn first_differing(&self) -> Option<Point> {
        let next = self.first_in_doubt()?;
        self.broken.filter(|broken| broken.tx == next)
    }

    /// Returns whether the server shows another history from the first transaction on.
    pub fn is_replaced(&self) -> bool {
        self.broken.is_some_and(|point| point.tx == 1)
    }

    /// Returns whether the oldest stored state already differs: the history was rewritten at or before it, or
    /// replaced. These two cannot be distinguished.
    pub fn precedes_memory(&self) -> bool {
        let broken = self.broken.map(|point| point.tx);
        let of_oldest = broken.is_some_and(|tx| tx == self.oldest.state.tx);
        self.intact.is_none() && of_oldest && !self.is_replaced()
    }

    /// Returns the transactions that were trusted and no longer exist.
    pub fn lost(&self) -> Option<RangeInclusive<u64>> {
        let (last, trusted) = (self.shown.tx, self.newest.state.tx);
        (last < trusted).then(|| last.saturating_add(1)..=trusted)
    }

    /// Returns the transactions that are not proven to be intact, up to the first that differs: a rewrite, if
    /// there is one, begins among them. `None` if all existing transactions are intact.
    pub fn doubtful(&self) -> Option<RangeInclusive<u64>> {
        let from = self.first_in_doubt()?;
        let to = match self.broken {
            Some(point) => point.tx,
            None => self.newest.state.tx.min(self.shown.tx),
        };
        (from <= to).then_some(from..=to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(history: u64, tx: u64) -> Digest {
        Digest::of(&[&history.to_be_bytes(), &tx.to_be_bytes()])
    }

    /// Returns a hash of one of two histories that part after a transaction.
    fn shown_at(parted: u64, tx: u64) -> Digest {
        hash(u64::from(tx > parted), tx)
    }

    struct Kept(u64);

    impl TxHashes for Kept {
        fn last(&self) -> u64 {
            self.0
        }

        fn alh(&mut self, tx: u64) -> Option<Digest> {
            Some(hash(0, tx))
        }
    }

    fn line(txs: impl Iterator<Item = u64>) -> Vec<Checkpoint> {
        let point = |tx| Checkpoint {
            state: State {
                tx,
                hash: hash(0, tx),
            },
            accepted: Acceptance {
                at: Timestamp::from_unix(tx.saturating_add(1_795_319_313)),
                by: Grounds::Audit,
            },
        };
        txs.map(point).collect()
    }

    fn narrowed(parted: u64, last: u64, mirror: Option<u64>) -> Window {
        let shown = State {
            tx: last,
            hash: shown_at(parted, last),
        };
        let mut kept = mirror.map(Kept);
        let mirror = kept.as_mut().map(|kept| kept as &mut dyn TxHashes);
        let line = line((10..=300).step_by(10));
        let mut ask = |old: &State| Probe::of_hashes(&old.hash, &shown_at(parted, old.tx));
        narrow(&line, mirror, shown, &mut ask).unwrap()
    }

    #[test]
    fn a_fork_is_located_between_two_audits_or_exactly_by_the_mirror() {
        for parted in 0..300 {
            let window = narrowed(parted, 310, None);
            let before = parted / 10 * 10;
            assert_eq!(window.doubtful(), Some(before + 1..=before + 10));
            assert_eq!(window.intact.map_or(0, |point| point.tx), before);
            assert!(
                !window.is_replaced(),
                "transactions 1 to 9 are not remembered"
            );
            assert_eq!(window.precedes_memory(), parted < 10);
            let window = narrowed(parted, 310, Some(300));
            assert_eq!(window.is_replaced(), parted == 0);
            assert!(!window.precedes_memory() || parted == 9);
            assert_eq!(window.first_differing().map(|p| p.tx), Some(parted + 1));
            assert!(window.questions <= 20, "{window:?}");
        }
        let whole = narrowed(300, 310, None);
        assert!(whole.is_intact() && whole.doubtful().is_none() && whole.questions == 2);
    }

    #[test]
    fn after_a_rollback_lost_and_intact_transactions_are_named() {
        for last in 1..300 {
            let window = narrowed(300, last, None);
            assert_eq!(window.lost(), Some(last + 1..=300));
            assert_eq!(window.intact.map_or(0, |p| p.tx), last / 10 * 10);
            assert_eq!(window.broken, None);
            let window = narrowed(300, last, Some(300));
            assert_eq!(window.intact.map(|point| point.tx), Some(last));
            assert_eq!(window.doubtful(), None);
        }
    }

    #[test]
    fn a_fork_that_is_shorter_is_both() {
        let window = narrowed(123, 200, Some(300));
        assert_eq!(window.first_differing().map(|point| point.tx), Some(124));
        assert_eq!(window.lost(), Some(201..=300));
    }

    #[test]
    fn a_mirror_that_ends_early_takes_nothing_away() {
        for parted in 0..300 {
            let window = narrowed(parted, 310, Some(155));
            let before = parted / 10 * 10;
            let intact = window.intact.map_or(0, |point| point.tx);
            assert!((before..=parted).contains(&intact), "{window:?}");
            let broken = window.broken.unwrap().tx;
            assert!((parted + 1..=before + 10).contains(&broken), "{window:?}");
        }
    }

    #[test]
    fn a_refuted_oldest_state_before_a_proven_one_is_a_contradiction() {
        for parted in [55, 300] {
            let shown = State {
                tx: 310,
                hash: shown_at(parted, 310),
            };
            let mut line = line((10..=300).step_by(10));
            line[0].state.hash = hash(7, 10);
            let mut ask = |old: &State| Probe::of_hashes(&old.hash, &shown_at(parted, old.tx));
            let window = narrow(&line, None, shown, &mut ask).unwrap();
            let contradicted = window.contradicted.unwrap();
            assert_eq!(contradicted.oldest.tx, 10);
            assert_eq!(contradicted.proven.tx, parted / 10 * 10);
            assert!(!window.is_intact() && !window.is_replaced() && !window.precedes_memory());
            let said = window.to_string();
            assert!(
                said.contains("transaction 10, the oldest stored one"),
                "{said}"
            );
        }
    }

    #[test]
    fn the_last_possible_transaction_is_a_transaction_like_any_other() {
        let last = u64::MAX;
        let line = line([last].into_iter());
        let shown = line[0].state;
        let mut kept = Kept(last);
        let mut ask = |old: &State| Probe::of_hashes(&old.hash, &hash(0, old.tx));
        let window = narrow(&line, Some(&mut kept), shown, &mut ask).unwrap();
        assert!(window.is_intact(), "{window:?}");
        assert_eq!((window.doubtful(), window.first_differing()), (None, None));
        // without the state, everything up to it is in doubt
        let other = State {
            hash: hash(7, last),
            ..shown
        };
        let window = narrow(&line, None, other, &mut ask).unwrap();
        assert_eq!(window.doubtful(), Some(1..=last));
        assert_eq!(window.lost(), None);
        // from a mirror, the transactions before it are probed
        let window = narrow(&line, Some(&mut kept), other, &mut ask).unwrap();
        assert_eq!(window.doubtful(), Some(last..=last));
    }
}
