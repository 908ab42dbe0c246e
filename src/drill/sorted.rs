//! Sorted sets: the storage of members, and the members of a scan. A member's key has the set, the score, the
//! member's own key and a transaction; its value is empty.

use super::lookup::Version;
use crate::wire::proto;

/// The kind byte of sorted sets.
const KIND: u8 = 1;

/// A stored member.
pub(super) struct Member<'a> {
    pub set: &'a [u8],
    pub score: f64,
    /// The key, without its kind byte.
    pub key: &'a [u8],
    /// The transaction of the value; 0: the latest.
    pub at_tx: u64,
}

impl Member<'_> {
    /// Returns the version of its key that is a member.
    pub fn version(&self) -> Version {
        match self.at_tx {
            0 => Version::Latest,
            at_tx => Version::At(at_tx),
        }
    }

    /// Returns the key under which the member is stored.
    pub fn stored_key(&self) -> Vec<u8> {
        [
            &prefix(self.set)[..],
            &self.score.to_bits().to_be_bytes(),
            &(len(self.key) + 1).to_be_bytes(),
            &[0],
            self.key,
            &self.at_tx.to_be_bytes(),
        ]
        .concat()
    }
}

/// Returns the beginning of the keys of all members of a set.
pub(super) fn prefix(set: &[u8]) -> Vec<u8> {
    [&[KIND], &len(set).to_be_bytes()[..], set].concat()
}

/// Reads a member from its stored key; `None` if the key is not a member's, because a client can write any key.
pub(super) fn member(key: &[u8]) -> Option<Member<'_>> {
    let (set, rest) = lengthened(key.strip_prefix(&[KIND])?)?;
    let (score, rest) = rest.split_first_chunk()?;
    let (key, rest) = lengthened(rest)?;
    Some(Member {
        set,
        score: f64::from_bits(u64::from_be_bytes(*score)),
        key: key.strip_prefix(&[0])?,
        at_tx: u64::from_be_bytes(rest.try_into().ok()?),
    })
}

/// Returns whether a scan asks for the member of this stored key.
pub(super) fn is_wanted(key: &[u8], request: &proto::ZScanRequest) -> bool {
    let Some(member) = member(key) else {
        return false;
    };
    let (min, max) = (&request.min_score, &request.max_score);
    if min.as_ref().is_some_and(|min| member.score < min.score)
        || max.as_ref().is_some_and(|max| member.score > max.score)
    {
        return false;
    }
    if request.seek_key.is_empty() {
        return true;
    }
    let seek = Member {
        set: &request.set,
        score: request.seek_score,
        key: &request.seek_key,
        at_tx: request.seek_at_tx,
    };
    let seek = seek.stored_key();
    match key == seek {
        true => request.inclusive_seek,
        false => request.desc == (key < &seek[..]),
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX - 1)
}

/// Returns the bytes after a length prefix, and the rest.
fn lengthened(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_as_it_was_written_and_nothing_else_is_one() {
        let member = Member {
            set: b"set",
            score: -1.5,
            key: b"key",
            at_tx: 7,
        };
        let key = member.stored_key();
        let read = super::member(&key).unwrap();
        assert_eq!((read.set, read.key), (&b"set"[..], &b"key"[..]));
        assert_eq!((read.score, read.at_tx), (-1.5, 7));
        for cut in 0..key.len() {
            assert!(super::member(&key[..cut]).is_none(), "{cut}");
        }
        assert!(super::member(&[&key[..], &[0]].concat()).is_none());
        assert!(super::member(&[[KIND; 1].as_slice(), &[0xff; 40]].concat()).is_none());
    }
}
