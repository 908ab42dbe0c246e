//! The format of checkpoints and of signed notes, and the verification of cosignatures.

use crate::support::random::Random;
use immuaudit::checkpoint::{
    Checkpoint, CheckpointError, CosignatureError, KeyName, MAX_BYTES, MAX_NOTES, NoteError,
    Origin, SignedNote, SignerKey, confirmed, cosigned, print_list, read_list,
};
use immuaudit::ledger::{Digest, State, encode_base64};

fn key(name: &str, seed: u8) -> SignerKey {
    let name = KeyName::new(name).expect("a name");
    SignerKey::of_seed(name, &[seed; 32]).expect("a key")
}

fn checkpoint(database: &str, tx: u64) -> Checkpoint {
    Checkpoint {
        origin: Origin {
            server: "ledger".into(),
            database: database.into(),
        },
        state: State {
            tx,
            hash: Digest::new([7; 32]),
        },
        signature: None,
    }
}

#[test]
fn a_signed_checkpoint_is_read_unchanged_for_any_database_name() {
    let key = key("zone-a", 1);
    let mut random = Random::new(0x5eed_c0de);
    for tx in 1..200 {
        let length = 1 + random.below(40);
        let letters = (0..length).map(|_| char::from_u32(1 + random.below(0x2fff) as u32));
        let database: String = letters.flatten().collect();
        let checkpoint = checkpoint(&database, tx);
        let note = cosigned(&checkpoint, &key, 1_700_000_000 + tx);
        let read = SignedNote::read(note.to_string().as_bytes()).expect("a note");
        assert_eq!(read, note);
        assert_eq!(Checkpoint::read(read.text()).as_ref(), Ok(&checkpoint));
        let time = confirmed(&read, key.public()).map(|of| of.time);
        assert_eq!(time, Ok(1_700_000_000 + tx));
    }
}

#[test]
fn a_checkpoint_with_a_changed_byte_is_not_confirmed() {
    let key = key("zone-a", 1);
    let signed = cosigned(&checkpoint("defaultdb", 12), &key, 1_700_000_000);
    let note = signed.to_string();
    for at in 0..note.len() {
        for bit in [1, 4, 32] {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= bit;
            // unused bits at the end of base64 do not change the note
            let read = SignedNote::read(&bytes).ok().filter(|read| *read != signed);
            let Some(read) = read else {
                continue;
            };
            let found = confirmed(&read, key.public());
            // an unknown name or key ID, or a signature that does not match
            assert!(found.is_err(), "{at}: {}", String::from_utf8_lossy(&bytes));
            if at < note.find("\n\n").expect("its text") {
                assert_eq!(found, Err(CosignatureError::Wrong), "{at}");
            }
        }
    }
}

#[test]
fn a_wrong_signature_with_the_keys_name_and_id_invalidates_the_note() {
    let (a, b) = (key("zone-a", 1), key("zone-b", 2));
    let one = checkpoint("defaultdb", 12);
    let mut note = cosigned(&one, &a, 100);
    assert_eq!(confirmed(&note, b.public()), Err(CosignatureError::Absent));
    // another key with the same name is another key
    let renewed = key("zone-a", 3);
    assert_eq!(
        confirmed(&note, renewed.public()),
        Err(CosignatureError::Absent)
    );
    // during a rotation both keys sign; of several signatures by one key the first counts, as in Go
    note.signatures
        .extend(cosigned(&one, &renewed, 200).signatures);
    note.signatures.extend(cosigned(&one, &a, 300).signatures);
    let other = cosigned(&checkpoint("defaultdb", 13), &a, 400);
    note.signatures.extend(other.signatures);
    let time = |key: &SignerKey| confirmed(&note, key.public()).map(|of| of.time);
    assert_eq!((time(&a), time(&renewed)), (Ok(100), Ok(200)));
    // the first signature by this key is for another checkpoint
    note.signatures.reverse();
    assert_eq!(confirmed(&note, a.public()), Err(CosignatureError::Wrong));
    // a signature of the wrong length, and one with a time beyond the range of the clock
    for bytes in [vec![0; 71], vec![0; 73], vec![], vec![0xff; 72]] {
        let mut note = cosigned(&one, &a, 100);
        note.signatures[0].bytes = bytes;
        assert_eq!(confirmed(&note, a.public()), Err(CosignatureError::Wrong));
    }
}

#[test]
fn an_invalid_signed_note_is_refused_with_the_reason() {
    let signed = cosigned(&checkpoint("db", 12), &key("a", 1), 100).to_string();
    let (text, line) = signed.split_once("\n\n").expect("two parts");
    let dash = |rest: &str| format!("{text}\n\n\u{2014} {rest}\n");
    let five = encode_base64(&[1; 5]);
    for (note, why) in [
        (String::new(), NoteError::NoEmptyLine),
        ("\n".into(), NoteError::NoEmptyLine),
        ("\n\n".into(), NoteError::NoNewline),
        (format!("{text}\n"), NoteError::NoEmptyLine),
        (format!("{text}\n{line}"), NoteError::NoEmptyLine),
        (format!("{text}\n\n"), NoteError::NoNewline),
        (signed.trim_end().into(), NoteError::NoNewline),
        (format!("{signed}\n"), NoteError::NoNewline),
        (format!("{signed}more\n"), NoteError::NoSignatureLine),
        (signed.replace('\u{2014}', "-"), NoteError::NoSignatureLine),
        (
            signed.replace("\u{2014} ", "\u{2014}"),
            NoteError::NoSignatureLine,
        ),
        (
            signed.replace("\u{2014} ", " \u{2014} "),
            NoteError::NoSignatureLine,
        ),
        (
            signed.replace("\n\n", "\r\n\r\n"),
            NoteError::ControlCharacter,
        ),
        (
            signed.replace("ledger", "led\tger"),
            NoteError::ControlCharacter,
        ),
        (
            signed.replace("ledger", "led\0ger"),
            NoteError::ControlCharacter,
        ),
        (dash(""), NoteError::NoSignatureLine),
        (dash("a"), NoteError::NoSignatureLine),
        (dash("a "), NoteError::NoSignatureLine),
        (dash(&format!(" {five}")), NoteError::NoSignatureLine),
        (dash(&format!("a  {five}")), NoteError::NoSignatureLine),
        (dash(&format!("a+b {five}")), NoteError::NoSignatureLine),
        (
            dash(&format!("a\u{a0}b {five}")),
            NoteError::NoSignatureLine,
        ),
        (dash(&format!("a {five} ")), NoteError::NoSignatureLine),
        (dash(&format!("a {five}=")), NoteError::NoSignatureLine),
        (dash("a AAAA"), NoteError::NoSignatureLine),
        (dash("a AAAAAA=="), NoteError::NoSignatureLine),
        (dash("a ____"), NoteError::NoSignatureLine),
        (
            dash(&vec![format!("a {five}"); 101].join("\n\u{2014} ")),
            NoteError::TooManySignatures,
        ),
        (
            format!("{}{signed}", "x\n".repeat(MAX_BYTES / 2)),
            NoteError::TooLong,
        ),
    ] {
        assert_eq!(SignedNote::read(note.as_bytes()), Err(why), "{note:?}");
    }
    let mut bytes = signed.clone().into_bytes();
    bytes[0] = 0xff;
    assert_eq!(SignedNote::read(&bytes), Err(NoteError::NotUtf8));
    // Go accepts these too
    for line in [
        &format!("a {five}"),
        "a AAAAAAB=",
        &format!("{} {five}", "n".repeat(500)),
    ] {
        assert!(SignedNote::read(dash(line).as_bytes()).is_ok(), "{line}");
    }
}

#[test]
fn an_invalid_checkpoint_is_refused_with_the_reason() {
    let hash = encode_base64(&[7; 32]);
    let origin = "immudb/s/db";
    let key = encode_base64(&[4; 65]);
    for (text, why) in [
        ("\n".to_owned(), CheckpointError::Origin),
        (
            format!("example.com/log\n1\n{hash}\n"),
            CheckpointError::Origin,
        ),
        (
            format!("immudb/s/d b\n1\n{hash}\n"),
            CheckpointError::Origin,
        ),
        (format!("{origin}\n"), CheckpointError::Transaction),
        (
            format!("{origin}\n0\n{hash}\n"),
            CheckpointError::Transaction,
        ),
        (
            format!("{origin}\n01\n{hash}\n"),
            CheckpointError::Transaction,
        ),
        (
            format!("{origin}\n+1\n{hash}\n"),
            CheckpointError::Transaction,
        ),
        (
            format!("{origin}\n-1\n{hash}\n"),
            CheckpointError::Transaction,
        ),
        (
            format!("{origin}\n 1\n{hash}\n"),
            CheckpointError::Transaction,
        ),
        (
            format!("{origin}\n1.0\n{hash}\n"),
            CheckpointError::Transaction,
        ),
        (
            format!("{origin}\n18446744073709551616\n{hash}\n"),
            CheckpointError::Transaction,
        ),
        (format!("{origin}\n1\n"), CheckpointError::Hash),
        (format!("{origin}\n1\n{hash}=\n"), CheckpointError::Hash),
        (
            format!("{origin}\n1\n{}\n", encode_base64(&[7; 31])),
            CheckpointError::Hash,
        ),
        (
            format!("{origin}\n1\n{}\n", encode_base64(&[7; 33])),
            CheckpointError::Hash,
        ),
        (
            format!("{origin}\n1\n{hash}\n\nmore\n"),
            CheckpointError::Extension,
        ),
        (
            format!("{origin}\n1\n{hash}\nimmudb-signature {key}\n"),
            CheckpointError::Extension,
        ),
        (
            format!("{origin}\n1\n{hash}\nimmudb-signature ! !\n"),
            CheckpointError::Extension,
        ),
        (
            format!(
                "{origin}\n1\n{hash}\nimmudb-signature {key} {key}\nimmudb-signature {key} {key}\n"
            ),
            CheckpointError::Extension,
        ),
    ] {
        assert_eq!(Checkpoint::read(&text), Err(why), "{text:?}");
    }
    // a note may have an empty line in its text, but a checkpoint may not
    let empty = Checkpoint::read(&format!("{origin}\n1\n{hash}\n\n"));
    assert_eq!(empty, Err(CheckpointError::Extension));
    // an unknown line of a later version is signed with the rest and otherwise ignored
    let later = format!("{origin}\n1\n{hash}\nlater line\nimmudb-signature {key} {key}\n");
    assert!(Checkpoint::read(&later).is_ok_and(|of| of.signature.is_some()));
}

#[test]
fn a_list_of_notes_is_read_one_by_one_up_to_its_limit() {
    let key = key("a", 1);
    let notes: Vec<String> = (1..=3)
        .map(|tx| cosigned(&checkpoint("db", tx), &key, 100).to_string())
        .collect();
    let text = print_list(notes.iter().map(String::as_str));
    let read: Vec<String> = read_list(text.as_bytes())
        .into_iter()
        .map(|note| note.expect("a note").to_string())
        .collect();
    assert_eq!(read, notes);
    assert!(read_list(b"").is_empty());
    // concatenated files
    let joined: Vec<bool> = read_list(notes.concat().as_bytes())
        .iter()
        .map(Result::is_ok)
        .collect();
    assert_eq!(joined, [true; 3]);
    // an invalid note does not affect the notes after it
    let damaged = text.replacen("immudb/ledger", "\timmudb/ledger", 1);
    let good: Vec<bool> = read_list(damaged.as_bytes())
        .iter()
        .map(Result::is_ok)
        .collect();
    assert_eq!(good, [false, true, true]);
    // a list that is cut off at the limit ends with an error
    let many = notes[0].repeat(MAX_NOTES + 10);
    let read = read_list(many.as_bytes());
    assert_eq!(read.len(), MAX_NOTES + 1);
    assert_eq!(read.last(), Some(&Err(NoteError::TooMany)));
    let endless = "x\n\n".repeat(3 * MAX_NOTES);
    assert_eq!(read_list(endless.as_bytes()).len(), 1);
}
