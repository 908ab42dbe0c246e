//! Lies that change honest messages.

use protobuf::Message;

use super::lie::Lie;
use super::message;
use super::store::{ActiveLie, Store};
use crate::ledger::{ClaimedState, Digest, Signature, State, StateShape};
use crate::wire::proto;

/// Returns a state's bytes, as the lie changes them.
pub(super) fn state(
    store: &mut Store,
    database: &str,
    mut claimed: ClaimedState,
    active: Option<&ActiveLie>,
) -> Vec<u8> {
    let server = store.server;
    if let Some(active) = active {
        claimed = self::claimed(store, database, claimed, active);
    }
    let mut bytes = message::state(&claimed, server);
    match active.map(|active| active.schedule.lie) {
        // after the newer fields also those of 0.9.0: txId in field 3 and txHash in field 4
        Some(Lie::BothShapes) => bytes.extend([&[0x18, 1, 0x22, 32][..], &[0xff; 32]].concat()),
        Some(Lie::LongStateHash) => {
            if let Ok(mut message) = proto::ImmutableState::parse_from_bytes(&bytes) {
                message.tx_hash.push(0);
                bytes = message::bytes(&message);
            }
        }
        _ => {}
    }
    bytes
}

/// Returns the signature of the state that a proof ends in.
pub(super) fn signature(
    store: &mut Store,
    database: &str,
    claimed: ClaimedState,
    active: Option<&ActiveLie>,
) -> Option<Signature> {
    match active.filter(|active| active.schedule.lie.group() == "signature") {
        Some(active) => self::claimed(store, database, claimed, active).signature,
        None => claimed.signature,
    }
}

/// Returns the state that the server claims under the lie.
fn claimed(
    store: &mut Store,
    database: &str,
    claimed: ClaimedState,
    active: &ActiveLie,
) -> ClaimedState {
    let honest = claimed.state;
    let made_up = |number: u64| Digest::of(&[b"made up", &number.to_be_bytes()]);
    let claim = |store: &Store, tx, hash| store.claim(database, State { tx, hash });
    match active.schedule.lie {
        Lie::ChangingState => claim(store, honest.tx, made_up(active.times)),
        Lie::PoisonedFirstUse => claim(store, honest.tx, made_up(0)),
        Lie::FarFuture => claim(store, 1 << 62, made_up(0)),
        Lie::LastState => claim(store, u64::MAX, made_up(0)),
        Lie::EmptyWithHash => claim(store, 0, honest.hash),
        Lie::ClaimsOlder => match older(store, database, honest.tx) {
            Some(older) => store.claim(database, older),
            None => claimed,
        },
        Lie::OlderSignature => {
            let older = older(store, database, honest.tx);
            let signature = older.and_then(|older| store.claim(database, older).signature);
            ClaimedState {
                signature,
                ..claimed
            }
        }
        Lie::Unsigned | Lie::SignatureDropped => ClaimedState {
            signature: None,
            ..claimed
        },
        Lie::GarbageSignature => ClaimedState {
            signature: claimed.signature.map(|signature| Signature {
                der: b"\x30\x84\xff\xff\xff\xff no signature".to_vec(),
                ..signature
            }),
            ..claimed
        },
        Lie::SignatureWithoutDatabase => {
            let key = store.options.key.as_ref();
            let bare = store.claim_as(StateShape::WithoutDatabase, database, honest, key);
            ClaimedState {
                signature: bare.signature,
                ..claimed
            }
        }
        Lie::OtherKey => store.claim_by_other_key(database, honest),
        Lie::OtherDatabaseSigned => store.claim("anotherdb", honest),
        Lie::OtherDatabase => ClaimedState {
            database: b"anotherdb".to_vec(),
            ..claimed
        },
        Lie::OldShape => {
            let key = store.options.key.as_ref();
            store.claim_as(StateShape::WithoutDatabase, database, honest, key)
        }
        _ => claimed,
    }
}

fn older(store: &mut Store, database: &str, last: u64) -> Option<State> {
    store
        .ledger(database, None)
        .ok()?
        .state_at((last / 2).max(1))
}

/// Changes a transaction and its proof as the lie does.
pub(super) fn verifiable_tx(active: Option<&ActiveLie>, answer: &mut proto::VerifiableTx) {
    let Some(lie) = active.map(|active| active.schedule.lie) else {
        return;
    };
    if let Some(tx) = answer.tx.as_mut() {
        self::tx(active, tx);
    }
    if lie == Lie::NoDualProof {
        answer.dual_proof.take();
    }
    let asked = answer.tx.as_ref().and_then(|tx| tx.header.as_ref());
    let is_about = match (active, asked) {
        (Some(active), Some(header)) => active.schedule.is_about(header.id),
        _ => true,
    };
    let Some(proof) = answer.dual_proof.as_mut() else {
        return;
    };
    let headers = [&mut proof.source_tx_header, &mut proof.target_tx_header];
    for header in headers.into_iter().filter_map(|header| header.as_mut()) {
        self::header(lie, header);
    }
    match lie {
        Lie::NoLinearProof => drop(proof.linear_proof.take()),
        Lie::NoHeaders => {
            proof.source_tx_header.take();
            proof.target_tx_header.take();
        }
        Lie::WithheldAdvance => drop(proof.linear_advance_proof.take()),
        Lie::ShortAdvance => {
            if let Some(advance) = proof.linear_advance_proof.as_mut() {
                advance.inclusion_proofs.pop();
            }
        }
        Lie::LongDigests => {
            proof.target_bl_tx_alh.push(0);
            let linear = proof.linear_proof.as_mut().map(|linear| &mut linear.terms);
            let lists = [
                Some(&mut proof.inclusion_proof),
                Some(&mut proof.consistency_proof),
                Some(&mut proof.last_inclusion_proof),
                linear,
            ];
            for term in lists.into_iter().flatten().flatten() {
                term.push(0);
            }
        }
        Lie::ManyTerms => {
            if let Some(linear) = proof.linear_proof.as_mut() {
                linear.terms.extend(vec![vec![0; Digest::LEN]; 100_000]);
            }
        }
        Lie::FlippedProof if is_about => {
            let linear = proof.linear_proof.as_mut();
            let term = linear.and_then(|linear| linear.terms.last_mut());
            if let Some(byte) = term.and_then(|term| term.last_mut()) {
                *byte ^= 1;
            }
        }
        _ => {}
    }
}

/// Changes a transaction that is read.
pub(super) fn tx(active: Option<&ActiveLie>, tx: &mut proto::Tx) {
    let Some(active) = active else { return };
    let lie = active.schedule.lie;
    let Some(header) = tx.header.as_mut() else {
        return;
    };
    self::header(lie, header);
    if !active.schedule.is_about(header.id) {
        return;
    }
    match lie {
        Lie::ForgedExpiry => tx.entries.retain(|entry| entry.value.is_empty()),
        Lie::ManyEntries => {
            let entry = proto::TxEntry {
                key: b"\0k".to_vec(),
                h_value: Digest::OF_NOTHING.as_bytes().to_vec(),
                ..proto::TxEntry::default()
            };
            tx.entries.extend(vec![entry; 100_000]);
        }
        Lie::AbsentValues => {
            for entry in &mut tx.entries {
                if entry.h_value != Digest::OF_NOTHING.as_bytes() {
                    entry.value.clear();
                    entry.special_fields.mut_unknown_fields().clear(); // vLen, the length
                }
            }
        }
        Lie::EntryLeftOut => drop(tx.entries.pop()),
        Lie::EditedKey => {
            if let Some(last) = tx
                .entries
                .first_mut()
                .and_then(|entry| entry.key.last_mut())
            {
                *last ^= 1;
            }
        }
        Lie::EditedValue => {
            let entry = tx.entries.iter_mut().find(|entry| !entry.value.is_empty());
            if let Some(last) = entry.and_then(|entry| entry.value.last_mut()) {
                *last ^= 1;
            }
        }
        Lie::ValueWithMatchingHash => {
            if let Some(entry) = tx.entries.first_mut() {
                let edited = b"\0edited".to_vec();
                entry.h_value = Digest::of(&[&edited]).as_bytes().to_vec();
                if !entry.value.is_empty() {
                    entry.value = edited;
                }
            }
        }
        _ => {}
    }
}

/// Changes a transaction that is fetched in addition to a proof.
pub(super) fn fetched(active: Option<&ActiveLie>, tx: &mut proto::Tx) {
    if let (true, Some(header)) = (ActiveLie::is(active, Lie::BrokenChain), tx.header.as_mut()) {
        header.prev_alh = Digest::of(&[b"broken"]).as_bytes().to_vec();
    }
}

fn header(lie: Lie, header: &mut proto::TxHeader) {
    match lie {
        Lie::UnknownVersion => header.version = 7,
        Lie::VersionDowngraded => {
            header.version = 0;
            header.metadata.take();
        }
        Lie::ExtremeFields => {
            header.ts = i64::MIN;
            header.nentries = if header.version == 0 {
                65_535
            } else {
                i32::MAX
            };
        }
        Lie::OutOfRange => {
            header.nentries = -1;
            header.bl_tx_id = u64::MAX;
        }
        _ => {}
    }
}

/// Changes an entry that is read by its key.
pub(super) fn entry(active: Option<&ActiveLie>, entry: &mut proto::Entry) {
    let Some(active) = active else { return };
    let edits = [Lie::EditedValue, Lie::ValueWithMatchingHash];
    if edits.contains(&active.schedule.lie) && active.schedule.is_about(entry.tx) {
        entry.value.push(b'!');
    }
}
