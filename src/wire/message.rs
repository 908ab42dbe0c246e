//! Protobuf's wire format, read in place: a message is read without a copy, and unused fields cost nothing.

use super::malformed::Malformed;
use crate::ledger::{Digest, Reason};

/// The highest field number of the program's messages, plus one.
const MAX_FIELDS: usize = 10;

/// A message whose fields are complete. If a field comes several times, the last one counts, as in protobuf; a
/// sub-message that comes twice is refused instead of merged.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub name: &'static str,
    all: &'a [u8],
    /// By field number, the last varint; 0 if there was none, as in protobuf 3.
    numbers: [u64; MAX_FIELDS],
    /// By field number, the last length-delimited value.
    parts: [Option<&'a [u8]>; MAX_FIELDS],
    /// By field number, the number of its values.
    times: [usize; MAX_FIELDS],
}

impl<'a> Message<'a> {
    /// Reads the fields of a message.
    ///
    /// # Errors
    /// The bytes are no protobuf message.
    pub fn new(name: &'static str, bytes: &'a [u8]) -> Result<Message<'a>, Malformed> {
        let mut message = Message {
            name,
            all: bytes,
            numbers: [0; MAX_FIELDS],
            parts: [None; MAX_FIELDS],
            times: [0; MAX_FIELDS],
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let field = next_field(&mut rest).ok_or(message.no_protobuf())?;
            let Ok(at) = usize::try_from(field.number) else {
                continue;
            };
            match field.value {
                Value::Number(number) => {
                    if let Some(slot) = message.numbers.get_mut(at) {
                        *slot = number;
                    }
                }
                Value::Bytes(bytes) => {
                    if let (Some(slot), Some(times)) =
                        (message.parts.get_mut(at), message.times.get_mut(at))
                    {
                        *slot = Some(bytes);
                        *times += 1;
                    }
                }
                Value::Fixed => {}
            }
        }
        Ok(message)
    }

    pub fn no_protobuf(&self) -> Malformed {
        Malformed::NotProtobuf { message: self.name }
    }

    /// Returns a field of type `uint64`.
    pub fn number(&self, field: usize) -> u64 {
        self.numbers.get(field).copied().unwrap_or(0)
    }

    /// Returns a field of type `int64`.
    pub fn signed(&self, field: usize) -> i64 {
        i64::from_ne_bytes(self.number(field).to_ne_bytes())
    }

    /// Returns a field of type `int32`.
    ///
    /// # Errors
    /// The number is out of range.
    pub fn signed_32(&self, field: usize) -> Result<i32, Malformed> {
        i32::try_from(self.signed(field)).map_err(|_| self.no_protobuf())
    }

    /// Returns a field of type `bool`.
    pub fn flag(&self, field: usize) -> bool {
        self.number(field) != 0
    }

    /// Returns a field of type `bytes`; empty if the field is absent.
    pub fn bytes(&self, field: usize) -> &'a [u8] {
        self.parts.get(field).copied().flatten().unwrap_or_default()
    }

    /// Returns a field of type `bytes` as a digest, which the error calls `what`.
    ///
    /// # Errors
    /// The length is not a digest's.
    pub fn digest(&self, field: usize, what: &'static str) -> Result<Digest, Malformed> {
        Digest::try_from(self.bytes(field)).map_err(|bad| Malformed::Field {
            message: self.name,
            reason: Reason::DigestLength { what, bytes: bad.0 },
        })
    }

    /// Returns a field of type `string`.
    ///
    /// # Errors
    /// The bytes are no UTF-8.
    pub fn text(&self, field: usize) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(field)).map_err(|_| self.no_protobuf())
    }

    /// Returns a sub-message.
    ///
    /// # Errors
    /// The field exists twice, or its bytes are no message.
    pub fn part(&self, field: usize, name: &'static str) -> Result<Option<Message<'a>>, Malformed> {
        if self.times(field) > 1 {
            return Err(Malformed::Twice {
                message: self.name,
                part: name,
            });
        }
        let bytes = self.parts.get(field).copied().flatten();
        bytes.map(|bytes| Message::new(name, bytes)).transpose()
    }

    /// Returns how often a repeated field of type `bytes` or of sub-messages exists.
    pub fn times(&self, field: usize) -> usize {
        self.times.get(field).copied().unwrap_or(0)
    }

    /// Returns each of these fields, in order.
    pub fn each(&self, field: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.all;
        let fields = std::iter::from_fn(move || next_field(&mut rest));
        let each = fields.filter_map(move |found| match found.value {
            Value::Bytes(bytes) if usize::try_from(found.number) == Ok(field) => Some(bytes),
            _ => None,
        });
        each.take(self.times(field)) // the fields after the last one are not read
    }
}

/// One field of a message.
pub(super) struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
}

pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// 4 or 8 bytes; no message of the program has such a field.
    Fixed,
}

/// Takes the next field from the front; `None` if the bytes are no field, also for groups.
pub(super) fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let tag = varint(rest)?;
    let number = tag >> 3;
    let value = match tag & 7 {
        0 => Value::Number(varint(rest)?),
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
            return None; // more than 64 bits
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
    fn bytes_that_are_no_protobuf_are_refused() {
        for bad in [
            &[0x0a, 0x05, 0x00][..],
            &[0x0b],
            &[0xff; 11],
            &[0x00, 0x00],
            &[0x0a],
        ] {
            let refused = Malformed::NotProtobuf { message: "Tx" };
            assert_eq!(Message::new("Tx", bad).err(), Some(refused), "{bad:?}");
        }
    }

    #[test]
    fn a_field_of_another_wire_type_is_another_field() {
        // field 1 as a varint, as bytes, and as eight fixed bytes
        let bytes = [8, 5, 10, 1, b'x', 9, 0, 0, 0, 0, 0, 0, 0, 0, 10, 1, b'y'];
        let message = Message::new("Tx", &bytes).unwrap();
        assert_eq!((message.number(1), message.bytes(1)), (5, &b"y"[..]));
        assert_eq!(message.each(1).collect::<Vec<_>>(), [b"x", b"y"]);
        assert_eq!((message.number(2), message.bytes(2)), (0, &b""[..]));
    }

    #[test]
    fn a_part_is_there_once() {
        let twice = [10, 0, 10, 0];
        let once = Message::new("Tx", &twice[2..]).unwrap();
        assert!(once.part(1, "TxHeader").unwrap().is_some());
        assert!(once.part(2, "TxHeader").unwrap().is_none());
        let twice = Message::new("Tx", &twice).unwrap();
        let refused = Malformed::Twice {
            message: "Tx",
            part: "TxHeader",
        };
        assert_eq!(twice.part(1, "TxHeader").err(), Some(refused));
    }

    #[test]
    fn a_negative_number_is_read_as_one() {
        let mut bytes = vec![8];
        bytes.extend([0xff; 9]);
        bytes.push(1);
        let message = Message::new("Tx", &bytes).unwrap();
        assert_eq!(message.signed_32(1), Ok(-1));
        let large = [8, 0x80, 0x80, 0x80, 0x80, 0x10];
        assert!(Message::new("Tx", &large).unwrap().signed_32(1).is_err());
    }
}
