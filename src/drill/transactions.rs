//! The calls that read transactions and entries, with their proofs (protocol.md §2 and §6).

use protobuf::MessageField;

use super::distort;
use super::emulate::Emulated;
use super::ledger::{Stored, unix};
use super::lie::Lie;
use super::message;
use super::status::{Reply, Status, tx_not_found};
use super::store::{ActiveLie, Store};
use crate::wire::proto::{self, EntryTypeAction};

impl Store {
    pub(super) fn verifiable_tx_by_id(
        &mut self,
        database: &str,
        request: &proto::VerifiableTxRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        if request.tx == 0 {
            return Err(self.illegal_arguments());
        }
        let spec = request.entries_spec.as_ref();
        let answer =
            self.verifiable_tx(database, request.tx, request.prove_since_tx, spec, active)?;
        Ok(message::bytes(&answer))
    }

    /// Returns a transaction, and the proof between it and `since` (0: the transaction itself), the smaller one
    /// first.
    pub(super) fn verifiable_tx(
        &mut self,
        database: &str,
        tx: u64,
        since: u64,
        spec: Option<&proto::EntriesSpec>,
        active: Option<&ActiveLie>,
    ) -> Result<proto::VerifiableTx, Status> {
        let (server, now) = (self.server, unix(&self.options.clock));
        let ledger = self.ledger(database, active)?;
        let last = ledger.last();
        if since > last {
            return Err(past_the_last(server, last, since));
        }
        let stored = shown(ledger.tx(tx), active)?;
        let (mut source, mut target) = match since {
            0 => (tx, tx),
            since => (tx.min(since), tx.max(since)),
        };
        if ActiveLie::is(active, Lie::OtherPair) {
            (source, target) = match source {
                1 => (1, target.saturating_sub(1).max(1)),
                _ => (source - 1, target),
            };
        }
        let neighbour = if tx > 1 { tx - 1 } else { tx + 1 };
        let beside = match ActiveLie::is(active, Lie::OtherTransaction) {
            true => ledger.tx(neighbour).unwrap_or(stored),
            false => stored,
        };
        let mut answered = proto::VerifiableTx {
            tx: MessageField::some(chosen(beside, spec, server, now)),
            ..Default::default()
        };
        let proof = ledger.dual_proof(source, target).ok_or_else(tx_not_found)?;
        let mut proof = proof.map_err(|unlinkable| cannot_prove(server, unlinkable.tx))?;
        let state = ledger.state_at(target).ok_or_else(tx_not_found)?;
        if !server.advances() {
            proof.linear_advance = None;
        }
        if ActiveLie::is(active, Lie::ForkBehindTheSource) {
            let honest = self.ledger(database, None)?.tx(source);
            proof.source = honest.map(|stored| stored.header.clone());
        }
        answered.dual_proof = MessageField::some(message::dual_proof(&proof));
        let claimed = self.claim(database, state);
        let signature = distort::signature(self, database, claimed, active);
        answered.signature = signature.as_ref().map(message::signature).into();
        distort::verifiable_tx(active, &mut answered);
        Ok(answered)
    }

    pub(super) fn tx_by_id(
        &mut self,
        database: &str,
        request: &proto::TxRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        if request.tx == 0 {
            return Err(self.illegal_arguments());
        }
        let (server, now) = (self.server, unix(&self.options.clock));
        let stored = shown(self.ledger(database, active)?.tx(request.tx), active)?;
        let mut tx = chosen(stored, request.entries_spec.as_ref(), server, now);
        distort::tx(active, &mut tx);
        distort::fetched(active, &mut tx);
        Ok(message::bytes(&tx))
    }

    pub(super) fn tx_scan(
        &mut self,
        database: &str,
        request: &proto::TxScanRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        let (server, now) = (self.server, unix(&self.options.clock));
        let Some(most) = server.scan_limit() else {
            return Err(Status::unimplemented("TxScan"));
        };
        if request.limit > most {
            return Err(Status::unknown(match server {
                Emulated::V1_11_1 | Emulated::WithoutLogin => format!(
                    "result size limit exceeded: the specified limit ({}) is larger than the maximum allowed one ({most})",
                    request.limit
                ),
                _ => "max key scan limit exceeded".into(),
            }));
        }
        if request.initial_tx == 0 {
            return Err(self.illegal_arguments());
        }
        let limit = match request.limit {
            0 => u64::from(most),
            limit => u64::from(limit),
        };
        let first = match ActiveLie::is(active, Lie::EndlessScan) {
            true => 1,
            false => request.initial_tx,
        };
        let ledger = self.ledger(database, active)?;
        let ids: Vec<u64> = match request.desc {
            false => (first..first.saturating_add(limit)).collect(),
            true => (1..=first).rev().take(limit as usize).collect(),
        };
        let hole = |tx: u64| {
            active.is_some_and(|active| {
                let holes = [Lie::ScanWithHoles, Lie::WithheldTransaction];
                holes.contains(&active.schedule.lie) && active.schedule.is_about(tx)
            })
        };
        let mut list = proto::TxList::default();
        for id in ids {
            let Some(stored) = ledger.tx(id) else { break };
            if !hole(id) {
                let mut tx = chosen(stored, request.entries_spec.as_ref(), server, now);
                distort::tx(active, &mut tx);
                list.txs.push(tx);
            }
        }
        Ok(message::bytes(&list))
    }

    fn illegal_arguments(&self) -> Status {
        let code = if self.server == Emulated::V0_9_0 {
            2
        } else {
            3
        };
        Status::new(code, "illegal arguments")
    }
}

/// Returns the transaction if it exists and is not withheld.
pub(super) fn shown<'a>(
    stored: Option<&'a Stored>,
    active: Option<&ActiveLie>,
) -> Result<&'a Stored, Status> {
    let stored = stored.ok_or_else(tx_not_found)?;
    let withheld = active.is_some_and(|active| {
        active.schedule.lie == Lie::WithheldTransaction
            && active.schedule.is_about(stored.header.id())
    });
    if withheld {
        Err(tx_not_found())
    } else {
        Ok(stored)
    }
}

fn past_the_last(server: Emulated, last: u64, since: u64) -> Status {
    match server {
        Emulated::V0_9_0 => tx_not_found(),
        Emulated::V0_9_2 | Emulated::V1_1_0 => Status::new(3, "illegal state"),
        _ => Status::unknown(format!(
            "illegal state: latest txID={last} is lower than specified as initial tx={since}"
        )),
    }
}

/// Returns the error of a server for a pair that it cannot prove (protocol.md §1).
pub(super) fn cannot_prove(server: Emulated, source: u64) -> Status {
    Status::unknown(match server.heeds_spec() {
        true => format!("tx data is corrupted: binary linking mismatch at tx {source}"),
        false => "tx data is corrupted".into(),
    })
}

/// Returns the transaction with the requested entries (protocol.md §2, *EntriesSpec*; §6).
fn chosen(
    stored: &Stored,
    spec: Option<&proto::EntriesSpec>,
    server: Emulated,
    now: i64,
) -> proto::Tx {
    let mut tx = message::tx(stored, server);
    let Some(spec) = spec.filter(|_| server.heeds_spec()) else {
        return tx;
    };
    let all = std::mem::take(&mut tx.entries);
    for (mut message, entry) in all.into_iter().zip(&stored.entries) {
        let kind = entry.key.first().copied().unwrap_or(0);
        let spec = match kind {
            0 => &spec.kv_entries_spec,
            1 => &spec.z_entries_spec,
            2 => &spec.sql_entries_spec,
            _ => continue, // servers send no document entries (protocol.md §6)
        };
        let action = spec
            .as_ref()
            .map(|spec| spec.action.enum_value_or_default());
        let metadata = entry.metadata.as_ref();
        let expires_at = metadata.and_then(|metadata| metadata.expires_at);
        let expired = expires_at.is_some_and(|at| at <= now);
        match action.unwrap_or(EntryTypeAction::EXCLUDE) {
            EntryTypeAction::EXCLUDE => {}
            EntryTypeAction::ONLY_DIGEST => tx.entries.push(message),
            EntryTypeAction::RAW_VALUE | EntryTypeAction::RESOLVE if expired => {}
            EntryTypeAction::RAW_VALUE => {
                message.value = entry.value.clone();
                tx.entries.push(message);
            }
            EntryTypeAction::RESOLVE => tx.kv_entries.push(proto::Entry {
                tx: stored.header.id(),
                key: entry.key.get(1..).unwrap_or_default().to_vec(),
                value: entry.value.get(1..).unwrap_or_default().to_vec(),
                ..Default::default()
            }),
        }
    }
    tx
}
