//! A proxy that changes the responses of real servers, and the verdict of each lie.

use std::path::Path;

use crate::support::program::Program;
use crate::support::proxy::{Body, Proxy, Reply};
use crate::support::real::{Real, program};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};
use immuaudit::ledger::{Digest, State};
use immuaudit::wire::{self, proto};
use protobuf::MessageField;

const DATABASE: &str = "defaultdb";
/// The most memory that the auditor may use, in KiB.
const MAX_MEMORY_KIB: u64 = 48 << 10;

/// A lie: its name, the expected verdicts, and the function that changes a response.
struct Lie {
    name: &'static str,
    expected: &'static [&'static str],
    alter: fn(&Before, &str, &[u8], &mut Reply),
}

/// The trusted state and responses that the proxy recorded before the lies.
#[derive(Clone)]
struct Before {
    state: State,
    /// The recorded response to `CurrentState`, and the recorded proof.
    answer: Vec<u8>,
    proof: Vec<u8>,
    /// Whether the server has the old form of the state message.
    old: bool,
    times: u64,
}

fn proof(reply: &mut Reply, change: impl FnOnce(&mut proto::DualProof)) {
    reply.message(|answer: &mut proto::VerifiableTx| {
        change(answer.dual_proof.mut_or_insert_default());
    });
}

fn state(before: &Before, reply: &mut Reply, change: impl FnOnce(&mut u64, &mut Vec<u8>)) {
    if before.old {
        reply.message(|state: &mut proto::ImmutableState090| {
            change(&mut state.tx_id, &mut state.tx_hash);
        });
    } else {
        reply.message(|state: &mut proto::ImmutableState| {
            change(&mut state.tx_id, &mut state.tx_hash);
        });
    }
}

const PROOF: &str = "VerifiableTxById";
const STATE: &str = "CurrentState";

#[rustfmt::skip]
const LIES: &[Lie] = &[
    Lie { name: "the trusted transaction with another hash", expected: &["inconsistent"], alter: |before, call, _, reply| if call == STATE {
        let tx = before.state.tx;
        state(before, reply, |id, hash| { *id = tx; hash[0] ^= 1; });
    } },
    Lie { name: "a state whose hash has a bit flipped", expected: &["inconsistent"], alter: |before, call, _, reply| if call == STATE {
        state(before, reply, |_, hash| hash[31] ^= 1);
    } },
    Lie { name: "a state that is older", expected: &["rolled-back"], alter: |before, call, _, reply| if call == STATE {
        state(before, reply, |id, _| *id = 2);
    } },
    Lie { name: "no transactions", expected: &["rolled-back"], alter: |before, call, _, reply| if call == STATE {
        state(before, reply, |id, hash| { *id = 0; *hash = Digest::OF_NOTHING.as_bytes().to_vec(); });
    } },
    Lie { name: "a state in the far future", expected: &["malformed"], alter: |before, call, _, reply| if call == STATE {
        state(before, reply, |id, _| *id += 1_000_000);
    } },
    Lie { name: "the state seen before, for ever", expected: &["consistent"], alter: |before, call, _, reply| if call == STATE {
        reply.body = Body::Messages(vec![before.answer.clone()]);
    } },
    Lie { name: "a hash of 31 bytes", expected: &["malformed"], alter: |before, call, _, reply| if call == STATE {
        state(before, reply, |_, hash| hash.truncate(31));
    } },
    Lie { name: "a linear term with a bit flipped", expected: &["inconsistent"], alter: |_, call, _, reply| if call == PROOF {
        proof(reply, |proof| proof.linear_proof.mut_or_insert_default().terms.last_mut().expect("a term")[5] ^= 8);
    } },
    Lie { name: "a source header with a bit flipped", expected: &["inconsistent"], alter: |_, call, _, reply| if call == PROOF {
        proof(reply, |proof| proof.source_tx_header.mut_or_insert_default().eh[0] ^= 1);
    } },
    Lie { name: "source and target swapped", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        proof(reply, |proof| std::mem::swap(&mut proof.source_tx_header, &mut proof.target_tx_header));
    } },
    Lie { name: "the last inclusion proof of another leaf", expected: &["inconsistent"], alter: |_, call, _, reply| if call == PROOF {
        proof(reply, |proof| { let term = proof.last_inclusion_proof.first_mut().expect("a term"); term.reverse(); });
    } },
    Lie { name: "one consistency term too many", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        proof(reply, |proof| proof.consistency_proof.push(vec![7; 32]));
    } },
    Lie { name: "one linear term too few", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        proof(reply, |proof| drop(proof.linear_proof.mut_or_insert_default().terms.pop()));
    } },
    Lie { name: "the proof of another pair", expected: &["malformed"], alter: |before, call, _, reply| if call == PROOF {
        reply.body = Body::Messages(vec![before.proof.clone()]);
    } },
    Lie { name: "no dual proof", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        reply.message(|answer: &mut proto::VerifiableTx| answer.dual_proof = MessageField::none());
    } },
    Lie { name: "a header of version 9", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        proof(reply, |proof| proof.target_tx_header.mut_or_insert_default().version = 9);
    } },
    Lie { name: "an excuse that is not so", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        reply.body = Body::Error(2, "tx data is corrupted: binary linking mismatch at tx 7".into());
    } },
    Lie { name: "a rollback that is not so", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        reply.body = Body::Error(3, "illegal state: latest txID=3 is lower than specified as initial tx=20".into());
    } },
    Lie { name: "half an answer", expected: &["malformed"], alter: |_, call, _, reply| if call == STATE {
        reply.change(|bytes| bytes.truncate(bytes.len() / 2));
    } },
    Lie { name: "two messages", expected: &["malformed"], alter: |_, call, _, reply| if call == STATE {
        if let Body::Messages(messages) = &mut reply.body { let first = messages[0].clone(); messages.push(first); }
    } },
    Lie { name: "a thousand messages", expected: &["malformed"], alter: |_, call, _, reply| if call == PROOF {
        if let Body::Messages(messages) = &mut reply.body { *messages = vec![messages[0].clone(); 1000]; }
    } },
    Lie { name: "no message", expected: &["malformed"], alter: |_, call, _, reply| if call == STATE {
        reply.body = Body::Messages(vec![]);
    } },
    Lie { name: "an empty message", expected: &["malformed"], alter: |_, call, _, reply| if call == STATE || call == PROOF {
        reply.body = Body::Messages(vec![vec![]]);
    } },
    Lie { name: "5 MB of zeros", expected: &["unreachable"], alter: |_, call, _, reply| if call == STATE {
        reply.body = Body::Messages(vec![vec![0; 5 << 20]]);
    } },
    Lie { name: "silence", expected: &["unreachable"], alter: |_, call, _, reply| if call == STATE {
        reply.body = Body::Silence;
    } },
    Lie { name: "silence where the proof is due", expected: &["unreachable"], alter: |_, call, _, reply| if call == PROOF {
        reply.body = Body::Silence;
    } },
    Lie { name: "an error with a forged log line", expected: &["refused"], alter: |_, call, _, reply| if call == STATE {
        reply.body = Body::Error(2, "no\r\n2026-01-01T00:00:00Z INFO  all is well \u{1b}[2J\u{202e}".into());
    } },
    Lie { name: "a wrong password all of a sudden", expected: &["refused"], alter: |_, call, _, reply| if call == "Login" {
        reply.body = Body::Error(2, "invalid user name or password".into());
    } },
    Lie { name: "no such database", expected: &["rolled-back"], alter: |_, call, _, reply| if call == "UseDatabase" {
        reply.body = Body::Error(5, "'defaultdb' does not exist".into());
    } },
    Lie { name: "a list without it", expected: &["rolled-back"], alter: |_, call, _, reply| if call == "DatabaseList" {
        reply.body = Body::Messages(vec![vec![]]);
    } },
    Lie { name: "no identity", expected: &["consistent"], alter: |_, _, _, reply| reply.uuid = None },
    Lie { name: "an identity that is a path", expected: &["consistent"], alter: |_, _, _, reply| reply.uuid = Some("../../../../etc/x".into()) },
    Lie { name: "an identity that changes", expected: &["consistent"], alter: |before, _, _, reply| reply.uuid = Some(format!("u{}", before.times)) },
    Lie { name: "unknown fields", expected: &["consistent"], alter: |_, call, _, reply| if call == STATE || call == PROOF {
        reply.change(|bytes| bytes.extend([0xf8, 0x07, 0x01, 0xfa, 0x07, 0x02, 0x0a, 0x0b]));
    } },
];

fn run_all_lies(server: &Path) {
    let folder = TempDir::new();
    let real = Real::start(server, &folder.join("data"), &[]);
    real.write(DATABASE, "a", 20);
    let proxy = Proxy::before(real.port);
    // one auditor for each lie; all of them trust the same state before the lies begin
    let auditor = |index: usize| {
        Program::new(proxy.port, &folder.join(&format!("trust{index}")))
            .with(&["--call-timeout", "4s"])
    };
    for index in 0..LIES.len() {
        auditor(index).once().is(0, DATABASE, "first-seen");
    }
    let (seen, kept) = std::sync::mpsc::channel();
    real.write(DATABASE, "b", 3);
    let witness = Program::new(proxy.port, &folder.join("witness"));
    witness.once().is(0, DATABASE, "first-seen");
    real.write(DATABASE, "c", 2);
    proxy.distort(move |call, _, reply| {
        if let Body::Messages(messages) = &reply.body {
            drop(seen.send((call.to_owned(), messages[0].clone())));
        }
    });
    witness.once().is(0, DATABASE, "consistent");
    proxy.be_honest();
    let passed: Vec<(String, Vec<u8>)> = kept.try_iter().collect();
    let of = |name: &str| {
        let found = passed.iter().find(|(call, _)| call == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.clone()
    };
    let answer = of(STATE);
    let trusted: u64 = {
        let run = auditor(0).run(&["status", "--json"]);
        let line = run.line(DATABASE);
        crate::support::program::member(line, "tx")
            .parse()
            .expect("a number")
    };
    real.write(DATABASE, "d", 4);
    let before = Before {
        state: State {
            tx: trusted,
            hash: Digest::ZERO,
        },
        old: wire::state(&answer).expect("a state").database.is_empty(),
        proof: of(PROOF),
        answer,
        times: 0,
    };
    for (index, lie) in LIES.iter().enumerate() {
        let mut before = before.clone();
        let alter = lie.alter;
        proxy.distort(move |call, request, reply| {
            before.times += 1;
            alter(&before, call, request, reply);
        });
        let (run, peak) = auditor(index).once_measured();
        let verdict = run.verdict(DATABASE);
        assert!(lie.expected.contains(&verdict), "{}: {run:#?}", lie.name);
        let tampered = ["inconsistent", "rolled-back", "bad-value"].contains(&verdict);
        let code = match verdict {
            _ if tampered => 2,
            "consistent" => 0,
            _ => 1,
        };
        assert_eq!(run.code, Some(code), "{}: {run:#?}", lie.name);
        let raw = |c: char| !matches!(c, ' '..='~' | '\n');
        assert!(!run.stderr.contains(raw), "{}: {}", lie.name, run.stderr);
        assert!(peak < MAX_MEMORY_KIB, "{}: {peak} KiB", lie.name);
        // the server is honest again
        proxy.be_honest();
        let run = auditor(index).once();
        let code = if tampered { 2 } else { 0 };
        assert_eq!(
            run.verdict(DATABASE),
            "consistent",
            "{}: {run:#?}",
            lie.name
        );
        assert_eq!(run.code, Some(code), "{}: {run:#?}", lie.name);
        println!("{:44} {verdict:12} {peak:6} KiB", lie.name);
    }
    println!("{} lies before {}", LIES.len(), server.display());
}

macro_rules! versions {
    ($($name:ident $version:literal,)+) => {
        $(#[test]
        fn $name() {
            if let Some(server) = program($version) {
                run_all_lies(&server);
            }
        })+
    };
}

versions! {
    lies_before_a_1_11_1_get_their_verdicts "1.11.1",
    lies_before_a_1_2_4_get_their_verdicts "1.2.4",
    lies_before_a_0_9_2_get_their_verdicts "0.9.2",
    lies_before_a_0_9_0_get_their_verdicts "0.9.0",
}

/// Responses that the proxy does not change are consistent.
#[test]
fn unchanged_responses_are_consistent() {
    let folder = TempDir::new();
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    server.grow(DATABASE, 5);
    let proxy = Proxy::before(server.port());
    let auditor = Program::new(proxy.port, &folder.join("trust"));
    auditor.once().is(0, DATABASE, "first-seen");
    server.grow(DATABASE, 5);
    auditor.once().is(0, DATABASE, "consistent");
}
