//! From the bytes of a peer's response to its checkpoints. Pure: no I/O and no clock, and no input makes it panic.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::word::Word;
use crate::checkpoint::{
    Checkpoint, CheckpointError, CosignatureError, KeyName, NoteError, SignedNote, VerifierKey,
    confirmed, read_list,
};
use crate::clock::Timestamp;

/// The maximum length of a checkpoint's signed note, in bytes: one is stored for each database and peer, also on disk.
/// The names of a server and a database, the server's signature and those of two dozen auditors are shorter.
pub const MAX_NOTE: usize = 4 << 10;

/// A peer's identity: its name, and the keys that verify its checkpoints. Any of the keys counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The name, which is in all its keys.
    pub name: KeyName,
    /// Its keys.
    pub keys: Vec<VerifierKey>,
}

/// The content of a peer's response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerResponse {
    /// The peer's checkpoints, by database.
    pub words: BTreeMap<String, Word>,
    /// Checkpoints of other servers, which the peer may also audit.
    pub of_others: usize,
    /// The number of refused parts of the response.
    pub refused: usize,
    /// The reason why the first of them is refused.
    pub why: Option<WordError>,
}

/// The reason why a part of a response is no checkpoint of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordError {
    /// The part is no signed note.
    Note(NoteError),
    /// Its text is no checkpoint.
    Checkpoint(CheckpointError),
    /// The part is longer than [`MAX_NOTE`].
    TooLong,
    /// The peer did not confirm it.
    Confirmed(CosignatureError),
}

impl std::error::Error for WordError {}

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WordError::Note(why) => write!(f, "{why}"),
            WordError::Checkpoint(why) => write!(f, "{why}"),
            WordError::TooLong => write!(f, "it is longer than {MAX_NOTE} bytes"),
            WordError::Confirmed(why) => write!(f, "{why}"),
        }
    }
}

/// Reads the checkpoints of `peer` for databases of `server`, by its label, from a response. Of several for one
/// database, the latest counts. The caller limits the number of bytes.
pub fn judge(bytes: &[u8], peer: &Witness, server: &str) -> PeerResponse {
    let mut latest = BTreeMap::new();
    let mut peer_response = read(bytes, peer, server, |database, word: Word| {
        let before = latest.get(&database);
        if before.is_none_or(|before: &Word| before.time < word.time) {
            latest.insert(database, word);
        }
    });
    peer_response.words = latest;
    peer_response
}

/// Reads the same from a file, which may join the checkpoints of several days. Returns all of them, by database and
/// time; `words` of the response is empty. Of several for one state with the same signature, the latest counts.
pub fn judge_file(
    bytes: &[u8],
    peer: &Witness,
    server: &str,
) -> (Vec<(String, Word)>, PeerResponse) {
    let mut words: Vec<(String, Word)> = Vec::new();
    let peer_response = read(bytes, peer, server, |database, word| {
        words.push((database, word));
    });
    words.sort_by(|(one, word), (other, later)| (one, later.time).cmp(&(other, word.time)));
    let mut states = HashSet::new();
    words.retain(|(database, word)| {
        let signature = word.signature.as_ref();
        let signature = signature.map(|of| (of.public_key.clone(), of.der.clone()));
        states.insert((database.clone(), word.state, signature))
    });
    words.sort_by(|(one, word), (other, later)| (one, word.time).cmp(&(other, later.time)));
    (words, peer_response)
}

/// Gives each checkpoint of `peer` for a database of `server` to `take`. Returns the counts of the others.
fn read(
    bytes: &[u8],
    peer: &Witness,
    server: &str,
    mut take: impl FnMut(String, Word),
) -> PeerResponse {
    let mut peer_response = PeerResponse::default();
    for note in read_list(bytes) {
        match word(note, peer, server) {
            Ok(Some((database, word))) => take(database, word),
            Ok(None) => peer_response.of_others = peer_response.of_others.saturating_add(1),
            Err(why) => {
                peer_response.refused = peer_response.refused.saturating_add(1);
                peer_response.why = peer_response.why.or(Some(why));
            }
        }
    }
    peer_response
}

/// Returns the database and the checkpoint of a note; `None` if it is of another server.
fn word(
    note: Result<SignedNote, NoteError>,
    peer: &Witness,
    server: &str,
) -> Result<Option<(String, Word)>, WordError> {
    let note = note.map_err(WordError::Note)?;
    let checkpoint = Checkpoint::read(note.text()).map_err(WordError::Checkpoint)?;
    if checkpoint.origin.server != server {
        return Ok(None);
    }
    let text = note.to_string();
    if text.len() > MAX_NOTE {
        return Err(WordError::TooLong);
    }
    let by = peer.keys.iter().map(|key| confirmed(&note, key));
    let mut latest: Result<Timestamp, CosignatureError> = Err(CosignatureError::Absent);
    for confirmed in by {
        match (confirmed, latest) {
            // a wrong signature under the name of a configured key: the whole note is refused
            (Err(CosignatureError::Wrong), _) => {
                return Err(WordError::Confirmed(CosignatureError::Wrong));
            }
            (Err(CosignatureError::Absent), _) => {}
            (Ok(confirmed), before) => {
                let at = Timestamp::from_unix(confirmed.time);
                latest = Ok(before.map_or(at, |before| before.max(at)));
            }
        }
    }
    let time = latest.map_err(WordError::Confirmed)?;
    let word = Word {
        state: checkpoint.state,
        time,
        signature: checkpoint.signature,
        note: text.into(),
    };
    Ok(Some((checkpoint.origin.database, word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Origin, SignerKey, cosigned, print_list};
    use crate::ledger::{Digest, State};

    fn key(name: &str, seed: u8) -> SignerKey {
        SignerKey::of_seed(KeyName::new(name).unwrap(), &[seed; 32]).unwrap()
    }

    fn peer(keys: &[&SignerKey]) -> Witness {
        Witness {
            name: keys[0].public().name.clone(),
            keys: keys.iter().map(|key| key.public().clone()).collect(),
        }
    }

    fn note(server: &str, database: &str, tx: u64, key: &SignerKey, time: u64) -> String {
        let checkpoint = Checkpoint {
            origin: Origin {
                server: server.into(),
                database: database.into(),
            },
            state: State {
                tx,
                hash: Digest::of(&[b"x"]),
            },
            signature: None,
        };
        cosigned(&checkpoint, key, time).to_string()
    }

    #[test]
    fn the_latest_checkpoint_of_each_database_counts_by_any_key() {
        let (old, new, other) = (key("a", 1), key("a", 2), key("b", 3));
        let notes = [
            note("s", "one", 7, &old, 1_000),
            note("s", "one", 9, &new, 1_002),
            note("s", "one", 8, &old, 1_001),
            note("s", "two", 5, &new, 1_000),
            note("t", "one", 5, &new, 2_000),     // another server
            note("s", "three", 5, &other, 1_000), // another auditor
        ];
        let bytes = print_list(notes.iter().map(String::as_str));
        let peer_response = judge(bytes.as_bytes(), &peer(&[&old, &new]), "s");
        let said: Vec<_> = peer_response
            .words
            .iter()
            .map(|(name, word)| (name.as_str(), word.state.tx))
            .collect();
        assert_eq!(said, [("one", 9), ("two", 5)]);
        assert_eq!((peer_response.of_others, peer_response.refused), (1, 1));
        assert_eq!(peer_response.words["one"].time, Timestamp::from_unix(1_002));
        assert_eq!(&*peer_response.words["one"].note, notes[1]);
        let why = WordError::Confirmed(CosignatureError::Absent);
        assert_eq!(peer_response.why, Some(why));
        assert_eq!(
            judge(bytes.as_bytes(), &peer(&[&other]), "s").words.len(),
            1
        );
    }

    #[test]
    fn every_checkpoint_of_a_file_counts() {
        let key = key("a", 1);
        let notes = [
            note("s", "two", 5, &key, 1_003),
            note("s", "one", 9, &key, 1_002),
            note("s", "one", 7, &key, 1_000),
            note("t", "one", 5, &key, 2_000), // another server
            note("s", "one", 9, &key, 1_004), // the same state
        ];
        let peer = peer(&[&key]);
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]] {
            let bytes = print_list(order.map(|at| notes[at].as_str()));
            let (words, counts) = judge_file(bytes.as_bytes(), &peer, "s");
            let said = words
                .iter()
                .map(|(name, word)| (name.as_str(), word.state.tx, word.time.unix()));
            let due = [("one", 7, 1_000), ("one", 9, 1_004), ("two", 5, 1_003)];
            assert!(said.eq(due), "{words:?}");
            assert_eq!((counts.of_others, counts.refused), (1, 0));
        }
    }

    #[test]
    fn a_changed_checkpoint_is_ignored() {
        let key = key("a", 1);
        let whole = note("s", "one", 7, &key, 1_000);
        for changed in [
            whole.replacen("\n7\n", "\n8\n", 1),
            whole.replacen("/one\n", "/two\n", 1),
            whole.replace('\u{2014}', "-"),
            whole[..whole.len() / 2].to_owned(),
            "<html>".to_owned(),
            whole.replace("immudb/", "log/"),
        ] {
            let peer_response = judge(changed.as_bytes(), &peer(&[&key]), "s");
            assert!(
                peer_response.words.is_empty() && peer_response.refused > 0,
                "{changed}"
            );
        }
        assert_eq!(judge(b"", &peer(&[&key]), "s"), PeerResponse::default());
    }

    #[test]
    fn a_checkpoint_longer_than_its_limit_is_refused() {
        let key = key("a", 1);
        let of = |length: usize| note("s", &"x".repeat(length), 7, &key, 1_000);
        let space = MAX_NOTE - of(1).len() + 1;
        let peer_response = judge(of(space).as_bytes(), &peer(&[&key]), "s");
        assert_eq!((peer_response.words.len(), peer_response.refused), (1, 0));
        let peer_response = judge(of(space + 1).as_bytes(), &peer(&[&key]), "s");
        assert_eq!((peer_response.words.len(), peer_response.refused), (0, 1));
        assert_eq!(peer_response.why, Some(WordError::TooLong));
    }

    #[test]
    fn a_checkpoint_counts_within_the_allowed_time_range() {
        use super::super::word::{Age, MAX_SKEW};
        use std::time::Duration;
        let key = key("a", 1);
        let bytes = note("s", "one", 7, &key, 100_000);
        let peer_response = judge(bytes.as_bytes(), &peer(&[&key]), "s");
        let age = |now| {
            peer_response.words["one"].age(Timestamp::from_unix(now), Duration::from_secs(900))
        };
        assert_eq!(age(100_000), Age::Fresh);
        assert_eq!(age(100_900), Age::Fresh);
        assert_eq!(age(100_901), Age::Stale(Duration::from_secs(901)));
        assert_eq!(age(100_000 - MAX_SKEW.as_secs()), Age::Fresh);
        assert_eq!(age(99_699), Age::Future(Duration::from_secs(301)));
    }
}
