//! A transaction straight from its bytes (protocol.md §2): scans bring them by the thousand, and the
//! generated messages would cost more than all the hashing does. What is no transaction's own (field
//! 3 and 4 of `Tx`: entries in other shapes) is passed over.
//!
//! Of what comes again the last counts.

use super::budget::{Value, next_field};
use super::decode::{Tx, digest};
use super::malformed::Malformed;
use crate::ledger::{HeaderFields, KvMetadata, TxEntry, TxHeader, TxMetadata};

/// `Tx`.
pub(super) fn tx(bytes: &[u8]) -> Result<Tx, Malformed> {
    let mut header = None;
    let mut entries = Vec::new();
    each("Tx", bytes, |number, value| {
        match (number, value) {
            (1, Value::Bytes(part)) => header = Some(Header::read(part)?),
            (2, Value::Bytes(part)) => entries.push(entry(part)?),
            _ => {}
        }
        Ok(())
    })?;
    let header = header.ok_or(Malformed::absent("Tx", "header"))?;
    Ok(Tx {
        header: header.check()?,
        entries,
    })
}

/// `TxList`: the bytes of each transaction.
pub(super) fn txs(bytes: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut txs = Vec::new();
    each("TxList", bytes, |number, value| {
        if let (1, Value::Bytes(tx)) = (number, value) {
            txs.push(tx);
        }
        Ok(())
    })?;
    Ok(txs)
}

/// Hands over each field of a message.
fn each<'a>(
    message: &'static str,
    mut rest: &'a [u8],
    mut take: impl FnMut(u64, Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !rest.is_empty() {
        let field = next_field(&mut rest).ok_or(Malformed::NotProtobuf { message })?;
        take(field.number, field.value)?;
    }
    Ok(())
}

/// `TxHeader`, as it comes.
#[derive(Default)]
struct Header<'a> {
    id: u64,
    prev_alh: &'a [u8],
    ts: i64,
    nentries: i32,
    eh: &'a [u8],
    bl_tx_id: u64,
    bl_root: &'a [u8],
    version: i32,
    metadata: Option<TxMetadata>,
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Result<Header<'a>, Malformed> {
        let mut header = Header::default();
        each("TxHeader", bytes, |number, value| {
            match (number, value) {
                (1, Value::Varint(id)) => header.id = id,
                (2, Value::Bytes(alh)) => header.prev_alh = alh,
                (3, Value::Varint(ts)) => header.ts = int64(ts),
                (4, Value::Varint(number)) => header.nentries = int32(number),
                (5, Value::Bytes(root)) => header.eh = root,
                (6, Value::Varint(id)) => header.bl_tx_id = id,
                (7, Value::Bytes(root)) => header.bl_root = root,
                (8, Value::Varint(version)) => header.version = int32(version),
                (9, Value::Bytes(part)) => header.metadata = Some(tx_metadata(part)?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(header)
    }

    fn check(self) -> Result<TxHeader, Malformed> {
        Ok(TxHeader::new(HeaderFields {
            id: self.id,
            prev_alh: digest("TxHeader", "prevAlh", self.prev_alh)?,
            ts: self.ts,
            nentries: self.nentries,
            eh: digest("TxHeader", "eH", self.eh)?,
            bl_tx_id: self.bl_tx_id,
            bl_root: digest("TxHeader", "blRoot", self.bl_root)?,
            version: self.version,
            metadata: self.metadata,
        })?)
    }
}

fn tx_metadata(bytes: &[u8]) -> Result<TxMetadata, Malformed> {
    let mut metadata = TxMetadata::default();
    each("TxMetadata", bytes, |number, value| {
        match (number, value) {
            (1, Value::Varint(id)) => metadata.truncated_tx_id = id,
            (2, Value::Bytes(extra)) => metadata.extra = extra.to_vec(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(metadata)
}

fn entry(bytes: &[u8]) -> Result<TxEntry, Malformed> {
    let (mut key, mut h_value, mut value): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    let mut metadata = None;
    each("TxEntry", bytes, |number, field| {
        match (number, field) {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => h_value = bytes,
            (4, Value::Bytes(part)) => metadata = Some(kv_metadata(part)?),
            (5, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
        Ok(())
    })?;
    Ok(TxEntry {
        h_value: digest("TxEntry", "hValue", h_value)?,
        metadata,
        key: key.to_vec(),
        value: value.to_vec(),
    })
}

fn kv_metadata(bytes: &[u8]) -> Result<KvMetadata, Malformed> {
    let mut metadata = KvMetadata::default();
    each("KVMetadata", bytes, |number, value| {
        match (number, value) {
            (1, Value::Varint(deleted)) => metadata.deleted = deleted != 0,
            (2, Value::Bytes(part)) => metadata.expires_at = Some(expiration(part)?),
            (3, Value::Varint(hidden)) => metadata.non_indexable = hidden != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok(metadata)
}

fn expiration(bytes: &[u8]) -> Result<i64, Malformed> {
    let mut at = 0;
    each("Expiration", bytes, |number, value| {
        if let (1, Value::Varint(time)) = (number, value) {
            at = int64(time);
        }
        Ok(())
    })?;
    Ok(at)
}

/// A signed number as protobuf has it: two's complement.
#[allow(clippy::cast_possible_wrap)] // that is what it is
fn int64(number: u64) -> i64 {
    number as i64
}

/// A 32-bit number as protobuf has it: sign-extended to 64 bits on the wire.
#[allow(clippy::cast_possible_truncation)] // what is past it is cut off, as by every decoder
fn int32(number: u64) -> i32 {
    number as i32
}

#[cfg(test)]
mod tests {
    use protobuf::Message;

    use super::*;
    use crate::wire::decode::from_tx;
    use crate::wire::{budget, proto};

    /// By the generated messages.
    fn generated(bytes: &[u8]) -> Result<Tx, Malformed> {
        let message = "Tx";
        let parsed = proto::Tx::parse_from_bytes(bytes);
        from_tx(parsed.map_err(|_| Malformed::NotProtobuf { message })?)
    }

    fn sample() -> Vec<u8> {
        let entry = |number: u8| proto::TxEntry {
            key: vec![0, number],
            h_value: vec![number; 32],
            value: vec![0, number, number],
            metadata: protobuf::MessageField::some(proto::KVMetadata {
                deleted: number == 1,
                expiration: protobuf::MessageField::some(proto::Expiration {
                    expires_at: i64::from(number) - 2,
                    ..Default::default()
                }),
                non_indexable: number == 2,
                ..Default::default()
            }),
            ..Default::default()
        };
        let header = proto::TxHeader {
            id: 300,
            prev_alh: vec![1; 32],
            ts: -5,
            nentries: 3,
            eh: vec![2; 32],
            bl_tx_id: 299,
            bl_root: vec![3; 32],
            version: 1,
            metadata: protobuf::MessageField::some(proto::TxMetadata {
                truncated_tx_id: 7,
                extra: vec![9; 5],
                ..Default::default()
            }),
            ..Default::default()
        };
        let tx = proto::Tx {
            header: protobuf::MessageField::some(header),
            entries: (1..=3).map(entry).collect(),
            kv_entries: vec![proto::Entry::default()],
            ..Default::default()
        };
        tx.write_to_bytes().unwrap()
    }

    #[test]
    fn a_transaction_is_what_the_generated_messages_make_of_it() {
        let bytes = sample();
        let read = tx(&bytes).unwrap();
        assert_eq!(read, generated(&bytes).unwrap());
        assert_eq!((read.header.ts(), read.entries.len()), (-5, 3));
        let twice = bytes.repeat(2);
        assert_eq!(tx(&twice), generated(&twice));
        assert_eq!(tx(&[]), generated(&[]));
    }

    #[test]
    fn a_changed_byte_makes_the_same_of_both() {
        let bytes = sample();
        for at in 0..bytes.len() {
            for change in [1, 2, 8, 0x10, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                // as it is called: what the budget refuses is not decoded
                if budget::check(&budget::TX, &changed).is_ok() {
                    assert_eq!(tx(&changed), generated(&changed), "byte {at}, {change:#x}");
                }
            }
            let cut = &bytes[..at];
            if budget::check(&budget::TX, cut).is_ok() {
                assert_eq!(tx(cut), generated(cut), "cut to {at} bytes");
            }
        }
    }
}
