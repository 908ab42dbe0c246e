//! Excerpts of responses that are too long for evidence: the same message without its values.

use protobuf::CodedOutputStream;

use super::message::{Value, next_field};

/// Field numbers from a `Tx` to the value of an entry: `entries`, `value`.
const FROM_TX: &[u64] = &[2, 5];
/// The same fields of a message whose field 1 is a `Tx` (`VerifiableTx`), or many (`TxList`).
const FROM_FIELD_1: &[u64] = &[1, 2, 5];

/// Returns a response to `call` (a method's name without its service) without the values of its entries. All other
/// fields stay byte for byte; only the lengths of the messages around the values change. `None` for other calls than
/// these three, or for bytes that are no message.
pub fn without_values(call: &str, answer: &[u8]) -> Option<Vec<u8>> {
    let path = match call {
        "TxById" => FROM_TX,
        "VerifiableTxById" | "TxScan" => FROM_FIELD_1,
        _ => return None,
    };
    without(answer, path)
}

/// Returns a message without the field at the end of `path`.
fn without(message: &[u8], path: &[u64]) -> Option<Vec<u8>> {
    let (number, deeper) = path.split_first()?;
    let mut kept = Vec::new();
    let mut stream = CodedOutputStream::vec(&mut kept);
    let mut rest = message;
    while !rest.is_empty() {
        let before = rest;
        let field = next_field(&mut rest)?;
        match field.value {
            Value::Bytes(_) if field.number == *number && deeper.is_empty() => {}
            Value::Bytes(part) if field.number == *number => {
                let part = without(part, deeper)?;
                let length = u64::try_from(part.len()).ok()?;
                stream.write_raw_varint64((number << 3) | 2).ok()?; // wire type 2, length-delimited
                stream.write_raw_varint64(length).ok()?;
                stream.write_raw_bytes(&part).ok()?;
            }
            _ => {
                let field = before.get(..before.len().checked_sub(rest.len())?)?;
                stream.write_raw_bytes(field).ok()?;
            }
        }
    }
    stream.flush().ok()?;
    drop(stream);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use protobuf::Message;

    use super::super::{proto, tx, tx_list};
    use super::*;

    fn scanned(values: &[&[u8]]) -> Vec<u8> {
        let entry = |value: &&[u8]| proto::TxEntry {
            key: b"\0key".to_vec(),
            h_value: vec![7; 32],
            v_len: 300,
            value: value.to_vec(),
            ..Default::default()
        };
        let header = proto::TxHeader {
            id: 300,
            prev_alh: vec![1; 32],
            eh: vec![2; 32],
            bl_root: vec![3; 32],
            nentries: i32::try_from(values.len()).unwrap(),
            version: 1,
            ..Default::default()
        };
        let of = proto::Tx {
            header: protobuf::MessageField::some(header),
            entries: values.iter().map(entry).collect(),
            ..Default::default()
        };
        of.write_to_bytes().unwrap()
    }

    #[test]
    fn values_are_left_out_and_everything_else_is_the_same() {
        let long = vec![9; 100_000];
        let whole = scanned(&[b"short", &long, b""]);
        let short = without_values("TxById", &whole).unwrap();
        assert_eq!(short, scanned(&[b"", b"", b""]));
        assert_eq!(tx(&short).unwrap().entries.len(), 3);
        let mut list = proto::TxList::default();
        list.txs.push(proto::Tx::parse_from_bytes(&whole).unwrap());
        let list = without_values("TxScan", &list.write_to_bytes().unwrap()).unwrap();
        assert_eq!(tx_list(&list).unwrap().len(), 1);
        assert!(list.len() < 1_000);
    }

    #[test]
    fn an_invalid_message_has_no_excerpt() {
        let whole = scanned(&[b"value"]);
        for length in 1..whole.len() {
            if let Some(short) = without_values("TxById", &whole[..length]) {
                assert!(short.len() <= length);
            }
        }
        assert_eq!(without_values("TxById", &[0x12, 9, 1]), None);
        assert_eq!(without_values("CurrentState", &whole), None);
    }
}
