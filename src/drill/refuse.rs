//! Lies that are errors instead of responses.

use protobuf::Message;

use super::lie::Lie;
use super::status::{Status, tx_not_found};
use super::store::{ActiveLie, Store};
use super::transactions::cannot_prove;
use crate::wire::{method, proto};

/// Returns the error that is sent instead of a response, if the lie sends one.
pub(super) fn refusal(
    store: &Store,
    active: Option<&ActiveLie>,
    call: &str,
    request: &[u8],
) -> Option<Status> {
    let active = active?;
    let proving = call == method::VERIFIABLE_TX_BY_ID;
    let status = match active.schedule.lie {
        Lie::ForgedLogLine => Status::unknown(
            "disk busy\r\n2026-01-01T00:00:00Z INFO defaultdb consistent tx=1000000\n\u{1b}[2J\u{1b}]0;all is well\u{7}\u{202e}",
        ),
        Lie::EndlessError => Status::unknown("busy ".repeat(1200)),
        Lie::OddStatus => Status::new(77, "no such status"),
        Lie::Excuse if proving => {
            let request = proto::VerifiableTxRequest::parse_from_bytes(request).ok()?;
            cannot_prove(store.server, request.prove_since_tx)
        }
        Lie::RollbackExcuse if proving => {
            let request = proto::VerifiableTxRequest::parse_from_bytes(request).ok()?;
            let since = request.prove_since_tx;
            let last = since.saturating_sub(1);
            Status::unknown(format!(
                "illegal state: latest txID={last} is lower than specified as initial tx={since}"
            ))
        }
        Lie::CorruptValueReported => {
            refuse_values(active, call, request)?;
            Status::unknown("data is corrupted: value length or digest mismatch")
        }
        Lie::AbsentValues if call == method::GET => {
            let request = proto::KeyRequest::parse_from_bytes(request).ok()?;
            active.schedule.is_about(request.at_tx).then_some(())?;
            Status::unknown(
                "data is corrupted: internal value consistency error - missing value prefix",
            )
        }
        Lie::SilentTransaction => {
            let (first, last, _) = asked_for(call, request)?;
            (first..=last).find(|tx| active.schedule.is_about(*tx))?;
            Status::new(14, "try again later")
        }
        Lie::ForgedTruncation => {
            refuse_values(active, call, request)?;
            Status::unknown("value is not available any more: truncated by retention")
        }
        Lie::WithheldHeaders if call == method::TX_BY_ID => tx_not_found(),
        Lie::CorruptLogReported => {
            let (first, last, _) = asked_for(call, request)?;
            let tx = (first..=last).find(|tx| active.schedule.is_about(*tx))?;
            Status::unknown(format!("tx data is corrupted: ALH mismatch at tx {tx}"))
        }
        _ => return None,
    };
    Some(status)
}

/// Returns `Some` if the request asks for the values of a transaction that the lie concerns.
fn refuse_values(active: &ActiveLie, call: &str, request: &[u8]) -> Option<()> {
    let (first, last) = values_asked_for(call, request)?;
    let concerned = (first..=last).any(|tx| active.schedule.is_about(tx));
    concerned.then_some(())
}

/// Returns whether a request asks for values of transactions before `before`.
pub(super) fn asks_for_dropped_values(before: u64, call: &str, request: &[u8]) -> bool {
    let asked = values_asked_for(call, request);
    before > 0 && asked.is_some_and(|(first, _)| first < before)
}

/// Returns the first and the last transaction whose values a request asks for.
fn values_asked_for(call: &str, request: &[u8]) -> Option<(u64, u64)> {
    let (first, last, spec) = asked_for(call, request)?;
    let kv = spec?.kv_entries_spec.into_option()?;
    let raw = kv.action.enum_value_or_default() == proto::EntryTypeAction::RAW_VALUE;
    raw.then_some((first, last))
}

/// Returns the first and the last transaction that a request concerns, with its entries spec.
fn asked_for(call: &str, request: &[u8]) -> Option<(u64, u64, Option<proto::EntriesSpec>)> {
    match call {
        method::TX_BY_ID => {
            let request = proto::TxRequest::parse_from_bytes(request).ok()?;
            Some((request.tx, request.tx, request.entries_spec.into_option()))
        }
        method::VERIFIABLE_TX_BY_ID => {
            let request = proto::VerifiableTxRequest::parse_from_bytes(request).ok()?;
            Some((request.tx, request.tx, request.entries_spec.into_option()))
        }
        method::TX_SCAN => {
            let request = proto::TxScanRequest::parse_from_bytes(request).ok()?;
            let last = request
                .initial_tx
                .saturating_add(u64::from(request.limit.max(1)) - 1);
            Some((request.initial_tx, last, request.entries_spec.into_option()))
        }
        _ => None,
    }
}
