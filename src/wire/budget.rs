//! Bounds what decoding an answer may cost, before it is decoded.
//!
//! Two bytes on the wire can become an object of hundreds in memory, so a 4 MB answer could take a
//! gigabyte. This walks the bytes without storing anything and refuses what would grow so.

use super::malformed::Malformed;

/// A message's sub-messages by field number: what else is length-delimited counts as bytes.
pub(super) struct Shape {
    pub name: &'static str,
    pub parts: &'static [(u64, &'static Shape)],
}

const fn leaf(name: &'static str) -> Shape {
    Shape { name, parts: &[] }
}

const TX_HEADER: Shape = Shape {
    name: "TxHeader",
    parts: &[(9, &leaf("TxMetadata"))],
};
const KV_METADATA: Shape = Shape {
    name: "KVMetadata",
    parts: &[(2, &leaf("Expiration"))],
};
const TX_ENTRY: Shape = Shape {
    name: "TxEntry",
    parts: &[(4, &KV_METADATA)],
};
const REFERENCE: Shape = Shape {
    name: "Reference",
    parts: &[(4, &KV_METADATA)],
};
const INCLUSION_PROOF: Shape = leaf("InclusionProof");
const DUAL_PROOF: Shape = Shape {
    name: "DualProof",
    parts: &[
        (1, &TX_HEADER),
        (2, &TX_HEADER),
        (7, &leaf("LinearProof")),
        (
            8,
            &Shape {
                name: "LinearAdvanceProof",
                parts: &[(2, &INCLUSION_PROOF)],
            },
        ),
    ],
};
pub(super) const ENTRY: Shape = Shape {
    name: "Entry",
    parts: &[(4, &REFERENCE), (5, &KV_METADATA)],
};
pub(super) const TX: Shape = Shape {
    name: "Tx",
    parts: &[
        (1, &TX_HEADER),
        (2, &TX_ENTRY),
        (3, &ENTRY),
        (4, &leaf("ZEntry")),
    ],
};
pub(super) const TX_LIST: Shape = Shape {
    name: "TxList",
    parts: &[(1, &TX)],
};
pub(super) const VERIFIABLE_TX: Shape = Shape {
    name: "VerifiableTx",
    parts: &[(1, &TX), (2, &DUAL_PROOF), (3, &leaf("Signature"))],
};
pub(super) const VERIFIABLE_ENTRY: Shape = Shape {
    name: "VerifiableEntry",
    parts: &[(1, &ENTRY), (2, &VERIFIABLE_TX), (3, &INCLUSION_PROOF)],
};
pub(super) const STATE: Shape = Shape {
    name: "ImmutableState",
    parts: &[(4, &leaf("Signature"))],
};
pub(super) const STATE_090: Shape = Shape {
    name: "ImmutableState of 0.9.0",
    parts: &[(5, &leaf("Signature"))],
};
pub(super) const DATABASE_LIST: Shape = Shape {
    name: "DatabaseListResponse",
    parts: &[(1, &leaf("Database"))],
};
pub(super) const TOKEN: Shape = leaf("login");

/// What a decoded sub-message takes, about (the largest, a header, has 250 bytes).
const MESSAGE_COST: usize = 256;
/// What a decoded bytes field takes beside its bytes, about.
const BYTES_COST: usize = 48;
/// What any answer may take, however short.
const FREE: usize = 8 << 20;
/// What any byte of it may grow to: the shortest entries that honest servers send, of 44 bytes
/// each, with a deletion in each, grow to 18 times that.
const GROWTH: usize = 20;

/// Refuses bytes that are no protobuf, or that would decode to more than 8 MiB and twenty times
/// their own length.
pub(super) fn check(shape: &Shape, bytes: &[u8]) -> Result<(), Malformed> {
    let allowed = bytes.len().saturating_mul(GROWTH).saturating_add(FREE);
    let mut left = allowed;
    walk(shape, bytes, &mut left).map_err(|stop| match stop {
        Stop::NotProtobuf => Malformed::NotProtobuf {
            message: shape.name,
        },
        Stop::OverBudget => Malformed::OverBudget {
            message: shape.name,
        },
    })
}

enum Stop {
    NotProtobuf,
    OverBudget,
}

fn walk(shape: &Shape, mut rest: &[u8], left: &mut usize) -> Result<(), Stop> {
    while !rest.is_empty() {
        let field = next_field(&mut rest).ok_or(Stop::NotProtobuf)?;
        let part = shape
            .parts
            .iter()
            .find(|(number, _)| *number == field.number);
        let bytes = field.value.bytes();
        let cost = match (part, bytes) {
            (Some(_), Some(_)) => MESSAGE_COST,
            // an unknown field is kept by the decoder, whatever it is
            (_, bytes) => BYTES_COST.saturating_add(bytes.map_or(0, <[u8]>::len)),
        };
        *left = left.checked_sub(cost).ok_or(Stop::OverBudget)?;
        if let (Some((_, part)), Some(bytes)) = (part, bytes) {
            walk(part, bytes, left)?;
        }
    }
    Ok(())
}

/// One field of a message.
pub(super) struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
}

/// What a field carries, by its wire type.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Four bytes, or eight: no field of ours.
    Fixed,
}

impl<'a> Value<'a> {
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            Value::Varint(_) | Value::Fixed => None,
        }
    }
}

/// Takes the next field off the front; `None` where it is none, groups included.
pub(super) fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let tag = varint(rest)?;
    let number = tag >> 3;
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => {
            take(rest, 8)?;
            Value::Fixed
        }
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        5 => {
            take(rest, 4)?;
            Value::Fixed
        }
        _ => return None,
    };
    (number > 0).then_some(Field { number, value })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        if shift == 63 && *byte > 1 {
            return None; // past 64 bits
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_answer_that_would_grow_past_the_budget_is_refused() {
        let entry = [0x12, 0x00]; // an empty TxEntry
        let few = entry.repeat(1000);
        let many = entry.repeat(1 << 20);
        assert_eq!(check(&TX, &few), Ok(()));
        assert_eq!(
            check(&TX, &many),
            Err(Malformed::OverBudget { message: "Tx" })
        );
    }

    #[test]
    fn bytes_that_are_no_protobuf_are_refused() {
        for bad in [
            &[0x0a, 0x05, 0x00][..],
            &[0x0b],
            &[0xff; 11],
            &[0x00, 0x00],
            &[0x0a],
        ] {
            let refused = Malformed::NotProtobuf { message: "Tx" };
            assert_eq!(check(&TX, bad), Err(refused), "{bad:?}");
        }
    }
}
