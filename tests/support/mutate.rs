//! Changes to protobuf messages, at the level of fields and of bytes. The same random numbers make
//! the same changes.

use super::random::Random;

/// A field of a message.
#[derive(Clone)]
struct Field {
    number: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
    Fixed32([u8; 4]),
}

/// The most levels of nested messages that are changed; immudb's deepest message has 5.
const DEPTH: u32 = 6;
/// The most bytes of a changed response.
const MAX_BYTES: usize = 4 << 20;

/// Makes one to three changes; parts of `others` are spliced in.
pub fn mutate(bytes: &[u8], others: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        changed = match random.below(3) {
            0 => change_bytes(changed, others, random),
            _ => change_message(&changed, others, random, DEPTH),
        };
    }
    changed.truncate(MAX_BYTES);
    changed
}

fn change_bytes(mut bytes: Vec<u8>, others: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let at = random.index(bytes.len() + 1);
    match random.below(8) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = *pick(&[0x00, 0x01, 0x7f, 0x80, 0xff], random),
        3 => bytes.truncate(at),
        4 if at < bytes.len() => drop(bytes.remove(at)),
        5 => bytes.insert(at, random.u64() as u8),
        6 => {
            let other = pick(others, random);
            let from = random.index(other.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
        _ => {
            let length = random.index(64);
            bytes.extend(random.bytes(length));
        }
    }
    bytes
}

fn change_message(bytes: &[u8], others: &[&[u8]], random: &mut Random, depth: u32) -> Vec<u8> {
    let Some(mut fields) = parse(bytes) else {
        return change_bytes(bytes.to_vec(), others, random);
    };
    if fields.is_empty() {
        return change_bytes(bytes.to_vec(), others, random);
    }
    let at = random.index(fields.len());
    // usually further inside, where most of a message is
    if let Value::Bytes(inner) = &fields[at].value {
        if depth > 0 && random.below(5) > 0 && parse(inner).is_some_and(|f| !f.is_empty()) {
            let inner = change_message(inner, others, random, depth - 1);
            fields[at].value = Value::Bytes(inner);
            return render(&fields);
        }
    }
    match random.below(8) {
        0 => drop(fields.remove(at)),
        1 => {
            let copy = fields[at].clone();
            let to = random.index(fields.len() + 1);
            fields.insert(to, copy);
        }
        2 => {
            let other = random.index(fields.len());
            fields.swap(at, other);
        }
        3 => {
            let size = render(&fields[at..=at]).len();
            let most = if random.below(200) == 0 {
                MAX_BYTES
            } else {
                1 << 12
            };
            let times = random.index(most / size.max(1) + 1);
            let copy = fields[at].clone();
            fields.extend(std::iter::repeat_n(copy, times));
        }
        4 => fields[at].number = 1 + random.below(12),
        5 => {
            fields[at].value = match random.below(4) {
                0 => Value::Varint(number(random)),
                1 => Value::Fixed64(random.u64().to_le_bytes()),
                2 => Value::Bytes(vec![]),
                _ => Value::Fixed32([0xff; 4]),
            }
        }
        _ => change_value(&mut fields[at].value, others, random),
    }
    render(&fields)
}

fn change_value(value: &mut Value, others: &[&[u8]], random: &mut Random) {
    match value {
        Value::Varint(old) => {
            *old = match random.below(3) {
                0 => old.wrapping_add(1),
                1 => old.wrapping_sub(1),
                _ => number(random),
            }
        }
        Value::Fixed64(bytes) => *bytes = random.u64().to_le_bytes(),
        Value::Fixed32(bytes) => *bytes = [random.u64() as u8; 4],
        Value::Bytes(bytes) => *bytes = change_bytes(std::mem::take(bytes), others, random),
    }
}

fn number(random: &mut Random) -> u64 {
    let edges = [
        0,
        1,
        2,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 32,
        u64::MAX >> 1,
        1 << 63,
        u64::MAX,
    ];
    match random.below(3) {
        0 => random.below(100),
        _ => *pick(&edges, random),
    }
}

fn pick<'a, T>(list: &'a [T], random: &mut Random) -> &'a T {
    &list[random.index(list.len())]
}

fn parse(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut bytes)?),
            1 => Value::Fixed64(take(&mut bytes, 8)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Value::Bytes(take(&mut bytes, length)?.to_vec())
            }
            5 => Value::Fixed32(take(&mut bytes, 4)?.try_into().ok()?),
            _ => return None,
        };
        let number = tag >> 3;
        if !(1..100).contains(&number) {
            return None; // bytes such as a digest, which only look like a message
        }
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn render(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        let mut tag = |kind| push_varint(&mut bytes, field.number << 3 | kind);
        match &field.value {
            Value::Varint(value) => {
                tag(0);
                push_varint(&mut bytes, *value);
            }
            Value::Fixed64(value) => {
                tag(1);
                bytes.extend(value);
            }
            Value::Bytes(value) => {
                tag(2);
                push_varint(&mut bytes, value.len() as u64);
                bytes.extend(value);
            }
            Value::Fixed32(value) => {
                tag(5);
                bytes.extend(value);
            }
        }
    }
    bytes
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
