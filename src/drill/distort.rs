//! Honest answers made into lies (attacks.md): the message, its bytes, or the way it is delivered.

use std::time::Duration;

use protobuf::Message;

use super::lie::Lie;
use super::message;
use super::service::Status;
use super::store::{Store, Told, random_word};
use super::transactions::cannot_prove;
use super::transport::{Answer, Outcome};
use crate::ledger::{ClaimedState, Digest, State, StateShape};
use crate::wire::{method, proto};

/// An error instead of the answer.
pub(super) fn refusal(
    store: &Store,
    told: Option<&Told>,
    call: &str,
    request: &[u8],
) -> Option<Status> {
    let told = told?;
    let proving = call == method::VERIFIABLE_TX_BY_ID;
    let status = match told.telling.lie {
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
            let raw = proto::EntryTypeAction::RAW_VALUE;
            let (first, last, spec) = asked_for(call, request)?;
            let kv = spec.and_then(|spec| spec.kv_entries_spec.into_option());
            let reads = kv.is_some_and(|kv| kv.action.enum_value_or_default() == raw);
            if !reads || !(first..=last).any(|tx| told.telling.is_about(tx)) {
                return None;
            }
            Status::unknown("data is corrupted: value length or digest mismatch")
        }
        Lie::CorruptLogReported => {
            let (first, last, _) = asked_for(call, request)?;
            let tx = (first..=last).find(|tx| told.telling.is_about(*tx))?;
            Status::unknown(format!("tx data is corrupted: ALH mismatch at tx {tx}"))
        }
        _ => return None,
    };
    Some(status)
}

/// The transactions that a request is about.
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

/// A token as it is handed out.
pub(super) fn token(told: Option<&Told>, token: String) -> String {
    match told.map(|told| told.telling.lie) {
        Some(Lie::LongToken) => token.repeat(150),
        Some(Lie::TokenWithLineBreak) => format!("{token}\r\nimmudb-uuid: x\u{e4}"),
        _ => token,
    }
}

/// The list of databases.
pub(super) fn names(told: Option<&Told>, mut names: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let others: Vec<Vec<u8>> = match told.map(|told| told.telling.lie) {
        Some(Lie::ImpossibleNames) => {
            let mut others: Vec<Vec<u8>> = vec![vec![0xff, 0xfe, 0x80], vec![b'x'; 5000]];
            let texts = [
                "",
                ".",
                "..",
                "../../../../etc/passwd",
                "a/b",
                "/",
                "\0",
                "nul\0byte",
                "a\nb",
                "\u{1b}[31m",
                " ",
                "-rf",
                "con",
                "%2e%2e%2f",
            ];
            others.extend(texts.map(|text| text.as_bytes().to_vec()));
            others
        }
        Some(Lie::CollidingNames) => {
            let texts = [
                "DEFAULTDB",
                "Defaultdb",
                "defaultdb ",
                "defaultdb.",
                "defaultdb\0",
                "default%64b",
                "defaultdb%00",
                "defaultdb_",
                "de\u{fb01}aultdb",
            ];
            texts.map(|text| text.as_bytes().to_vec()).to_vec()
        }
        Some(Lie::ManyNames) => (0..20_000)
            .map(|number| format!("db{number}").into_bytes())
            .collect(),
        Some(Lie::HtmlNames) => {
            let texts = [
                "<script>alert(1)</script>",
                "\"><img src=x>",
                "a\" onclick=\"b",
                "&lt;",
                "'`{}",
                "\u{202e}bdtluafed",
                "\u{2066}db\u{2069}",
                "db\u{200b}",
                "\u{feff}db",
                "{__name__=\"x\"}",
            ];
            texts.map(|text| text.as_bytes().to_vec()).to_vec()
        }
        Some(Lie::RepeatedNames) => vec![names.clone(); 49].concat(),
        _ => Vec::new(),
    };
    names.extend(others);
    names
}

/// A state's bytes.
pub(super) fn state(
    store: &mut Store,
    database: &str,
    mut claimed: ClaimedState,
    told: Option<&Told>,
) -> Vec<u8> {
    let honest = claimed.state;
    let made_up = |number: u64| Digest::of(&[b"made up", &number.to_be_bytes()]);
    let server = store.server;
    let Some(told) = told else {
        return message::state(&claimed, server);
    };
    let claim = |store: &Store, tx, hash| store.claim(database, State { tx, hash });
    claimed = match told.telling.lie {
        Lie::ChangingState => claim(store, honest.tx, made_up(told.times)),
        Lie::PoisonedFirstSight => claim(store, honest.tx, made_up(0)),
        Lie::FarFuture => claim(store, 1 << 62, made_up(0)),
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
    };
    let mut bytes = message::state(&claimed, server);
    match told.telling.lie {
        // txId in field 3 and txHash in field 4, as 0.9.0 has them, behind the newer ones
        Lie::BothShapes => bytes.extend([&[0x18, 1, 0x22, 32][..], &[0xff; 32]].concat()),
        Lie::LongStateHash => {
            if let Ok(mut message) = proto::ImmutableState::parse_from_bytes(&bytes) {
                message.tx_hash.push(0);
                bytes = message::bytes(&message);
            }
        }
        _ => {}
    }
    bytes
}

fn older(store: &mut Store, database: &str, last: u64) -> Option<State> {
    store
        .ledger(database, None)
        .ok()?
        .state_at((last / 2).max(1))
}

/// A transaction and its proof.
pub(super) fn verifiable_tx(told: Option<&Told>, answer: &mut proto::VerifiableTx) {
    let Some(lie) = told.map(|told| told.telling.lie) else {
        return;
    };
    if let Some(tx) = answer.tx.as_mut() {
        self::tx(told, tx);
    }
    if lie == Lie::NoDualProof {
        answer.dual_proof.take();
    }
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
        Lie::FlippedProof => {
            let linear = proof.linear_proof.as_mut();
            let term = linear.and_then(|linear| linear.terms.last_mut());
            if let Some(byte) = term.and_then(|term| term.last_mut()) {
                *byte ^= 1;
            }
        }
        _ => {}
    }
}

/// A transaction that is read.
pub(super) fn tx(told: Option<&Told>, tx: &mut proto::Tx) {
    let Some(told) = told else { return };
    let lie = told.telling.lie;
    let Some(header) = tx.header.as_mut() else {
        return;
    };
    self::header(lie, header);
    if !told.telling.is_about(header.id) {
        return;
    }
    match lie {
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

fn header(lie: Lie, header: &mut proto::TxHeader) {
    match lie {
        Lie::UnknownVersion => header.version = 7,
        Lie::VersionDowngraded => {
            header.version = 0;
            header.metadata.take();
        }
        Lie::OutOfRange => {
            header.nentries = -1;
            header.bl_tx_id = u64::MAX;
        }
        _ => {}
    }
}

/// An entry that is read by its key.
pub(super) fn entry(told: Option<&Told>, entry: &mut proto::Entry) {
    let Some(told) = told else { return };
    let edits = [Lie::EditedValue, Lie::ValueWithMatchingHash];
    if edits.contains(&told.telling.lie) && told.telling.is_about(entry.tx) {
        entry.value.push(b'!');
    }
}

/// How the reply is delivered.
pub(super) fn delivery(
    told: Option<&Told>,
    call: &str,
    reply: Result<Vec<u8>, Status>,
    uuid: &str,
) -> Answer {
    let mut answer = Answer {
        uuid: Some(uuid.into()),
        delay: None,
        gzip: false,
        outcome: match reply {
            Ok(bytes) => Outcome::Message(bytes),
            Err(status) => Outcome::Error(status),
        },
    };
    let Some(told) = told else { return answer };
    match told.telling.lie {
        Lie::UuidEveryAnswer => answer.uuid = Some(random_word(20)),
        Lie::UuidPath => answer.uuid = Some("../../../../etc/x".into()),
        Lie::NoUuid => answer.uuid = None,
        Lie::LongUuid => answer.uuid = Some("u".repeat(4000)),
        Lie::Slow => answer.delay = Some(Duration::from_millis(200)),
        _ => {}
    }
    // logging in stays possible, unless that very call is to be lied in
    let reads = matches!(
        call,
        method::CURRENT_STATE
            | method::VERIFIABLE_TX_BY_ID
            | method::TX_BY_ID
            | method::TX_SCAN
            | method::GET
            | method::VERIFIABLE_GET
    );
    if reads || told.telling.call.is_some() {
        replace(told.telling.lie, call, &mut answer);
    }
    answer
}

fn replace(lie: Lie, call: &str, answer: &mut Answer) {
    let outcome = &mut answer.outcome;
    match lie {
        Lie::EmptyReply => *outcome = Outcome::Message(Vec::new()),
        Lie::OkWithoutMessage => *outcome = Outcome::NoMessage,
        Lie::Garbage => *outcome = Outcome::Message(b"\xff\xfe no message at all \x0b".repeat(9)),
        Lie::NeverAnswers => *outcome = Outcome::Silence,
        Lie::HugeReply => *outcome = Outcome::Message(vec![0x0a; 200 << 20]),
        Lie::GzipBomb => {
            *outcome = Outcome::Message(vec![0; 64 << 20]);
            answer.gzip = true;
        }
        Lie::Truncated => {
            if let Outcome::Message(bytes) = outcome {
                bytes.truncate(bytes.len() / 2);
            }
        }
        // field 1, a transaction, of a million entries of two bytes each
        Lie::ManyParts if call == method::VERIFIABLE_TX_BY_ID => {
            if let Outcome::Message(bytes) = outcome {
                bytes.extend([0x0a, 0x80, 0x89, 0x7a]);
                bytes.extend([0x12, 0x00].repeat(1_000_000));
            }
        }
        _ => {}
    }
}
