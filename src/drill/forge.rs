//! Forged ledgers, from which a server runs a lie (protocol.md §4).
//!
//! Each is made from the honest ledger, whose last transaction is the auditor's trusted state.

use super::ledger::{Ledger, NewEntry, NewTransaction};
use super::lie::Lie;
use crate::ledger::{Digest, HeaderFields, TxHeader};

/// Returns the ledger that the server shows under the lie.
pub(super) fn forge(lie: Lie, honest: &Ledger) -> Ledger {
    let last = honest.last();
    let mut forged = honest.clone();
    match lie {
        Lie::OtherHash => {
            forged.truncate(last.saturating_sub(1));
            grow(&mut forged, 1);
        }
        Lie::Fork | Lie::ForkInOneDatabase | Lie::Alternating => {
            forged.truncate(last / 2);
            grow(&mut forged, last - last / 2 + 3);
        }
        Lie::Rollback => forged.truncate(last / 2),
        Lie::Emptied => forged.truncate(0),
        Lie::OtherIdentity => {
            forged.truncate(0);
            grow(&mut forged, last + 7);
        }
        // the trusted header is a leaf of the fork's tree, so that its inclusion can be proven
        Lie::ForkBehindTheSource => {
            forged.truncate(last / 2);
            grow(&mut forged, last - last / 2);
            if let Some(trusted) = honest.tx(last) {
                forged.hold(trusted.header.clone());
            }
            grow(&mut forged, 3);
        }
        Lie::SwappedInTree | Lie::SwappedLater => {
            hold_others(&mut forged, last, last);
            let after = if lie == Lie::SwappedInTree { 1 } else { 2 };
            for size in last..last + after {
                forged.write(NewTransaction {
                    tree_size: Some(size),
                    ..another(size)
                });
            }
        }
        Lie::WrittenBehindAnother => {
            forged.write(NewTransaction {
                prev_alh: Some(Digest::of(&[b"another history"])),
                ..another(0)
            });
        }
        // the trusted transaction's tree lags behind: the new tree takes in other transactions in place of those after
        // it
        Lie::SwappedBeforeTheSource => {
            let end = last.saturating_sub(2);
            hold_others(&mut forged, tree_of(honest, last) + 1, end);
            forged.write(NewTransaction {
                tree_size: Some(end),
                ..another(0)
            });
        }
        Lie::TwoHistoriesLinear => {
            hold_others(
                &mut forged,
                tree_of(honest, last) + 1,
                last.saturating_sub(1),
            );
            for size in [last, last + 1] {
                forged.write(NewTransaction {
                    tree_size: Some(size),
                    ..another(size)
                });
            }
        }
        _ => {}
    }
    forged
}

/// Returns a transaction with one entry that no honest ledger holds.
fn another(number: u64) -> NewTransaction {
    NewTransaction {
        entries: vec![NewEntry::set(format!("forged/{number}"), "another history")],
        ..NewTransaction::default()
    }
}

fn grow(ledger: &mut Ledger, by: u64) {
    for number in 0..by {
        ledger.write(another(number));
    }
}

fn tree_of(ledger: &Ledger, tx: u64) -> u64 {
    ledger.tx(tx).map_or(0, |stored| stored.header.bl_tx_id())
}

/// Puts a chain of other transactions into the tree, in the places of `from..=to`.
fn hold_others(ledger: &mut Ledger, from: u64, to: u64) {
    let before = from.checked_sub(1).and_then(|tx| ledger.state_at(tx));
    let mut prev_alh = before.map_or(Digest::OF_NOTHING, |state| state.hash);
    for id in from..=to {
        let Some(stored) = ledger.tx(id) else { return };
        let Some(header) = with(&stored.header, |fields| {
            fields.prev_alh = prev_alh;
            fields.eh = Digest::of(&[b"another history", &id.to_be_bytes()]);
        }) else {
            return;
        };
        prev_alh = header.alh();
        ledger.hold(header);
    }
}

/// Returns the header with a change; `None` if the result is no valid header.
fn with(header: &TxHeader, change: impl FnOnce(&mut HeaderFields)) -> Option<TxHeader> {
    let mut fields = header.fields().clone();
    change(&mut fields);
    TxHeader::new(fields).ok()
}
