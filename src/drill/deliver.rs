//! Lies in the delivery of a response, and in its parts outside of the ledger: tokens and names.

use std::time::Duration;

use super::lie::Lie;
use super::status::Status;
use super::store::{ActiveLie, Store};
use crate::wire::method;

/// The response to a caller.
pub(super) struct Answer {
    /// The `immudb-uuid` header.
    pub uuid: Option<String>,
    pub delay: Option<Duration>,
    pub gzip: bool,
    pub outcome: Outcome,
}

pub(super) enum Outcome {
    Message(Vec<u8>),
    NoMessage,
    Error(Status),
    Silence,
}

/// Returns the token that the client gets, as the lie changes it.
pub(super) fn token(active: Option<&ActiveLie>, token: String) -> String {
    match active.map(|active| active.schedule.lie) {
        Some(Lie::LongToken) => token.repeat(150),
        Some(Lie::TokenWithLineBreak) => format!("{token}\r\nimmudb-uuid: x\u{e4}"),
        _ => token,
    }
}

/// Returns the list of databases, with the names that the lie adds.
pub(super) fn names(active: Option<&ActiveLie>, mut names: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let others: Vec<Vec<u8>> = match active.map(|active| active.schedule.lie) {
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
        Some(Lie::ManyNames) => (0..300_000)
            .map(|number| format!("db{number}").into_bytes())
            .collect(),
        Some(Lie::FreshNames) => {
            let list = active.map_or(0, |active| active.times);
            (0..10_000)
                .map(|number| format!("fresh-{list}-{number}").into_bytes())
                .collect()
        }
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

/// Returns the reply as the client gets it: its identity, its delay and its encoding, as the lie changes them.
pub(super) fn delivery(
    active: Option<&ActiveLie>,
    call: &str,
    reply: Result<Vec<u8>, Status>,
    store: &Store,
) -> Answer {
    let mut answer = Answer {
        uuid: Some(store.uuid.clone()),
        delay: None,
        gzip: false,
        outcome: match reply {
            Ok(bytes) => Outcome::Message(bytes),
            Err(status) => Outcome::Error(status),
        },
    };
    let Some(active) = active else { return answer };
    match active.schedule.lie {
        Lie::UuidEveryAnswer => answer.uuid = Some(store.options.random.word(20)),
        Lie::UuidChanged => answer.uuid = Some(store.uuid.chars().rev().collect()),
        Lie::UuidPath => answer.uuid = Some("../../../../etc/x".into()),
        Lie::NoUuid => answer.uuid = None,
        Lie::LongUuid => answer.uuid = Some("u".repeat(4000)),
        Lie::Slow => answer.delay = Some(Duration::from_millis(200)),
        _ => {}
    }
    // the other calls, such as the login, are changed only if the schedule names a call
    let reads = matches!(
        call,
        method::CURRENT_STATE
            | method::VERIFIABLE_TX_BY_ID
            | method::TX_BY_ID
            | method::TX_SCAN
            | method::GET
            | method::VERIFIABLE_GET
    );
    if reads || active.schedule.call.is_some() {
        replace(active.schedule.lie, call, &mut answer);
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
        // field 1: a transaction with a million entries of two bytes each
        Lie::ManyParts if call == method::VERIFIABLE_TX_BY_ID => {
            if let Outcome::Message(bytes) = outcome {
                bytes.extend([0x0a, 0x80, 0x89, 0x7a]);
                bytes.extend([0x12, 0x00].repeat(1_000_000));
            }
        }
        _ => {}
    }
}
