//! immudb's clients in other languages verify every response with their own code. They accept the
//! honest responses of the embedded ledger, and docs/verification.md has a table of the lies that
//! they refuse. `tests/support/clients.rs` describes their programs.

use std::{fs, thread};

use crate::support::clients::{LANGUAGES, Language};
use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Lag, Lie, Options, fill};

/// Starts a filled ledger of the newest version that a client verifies.
fn ledger(language: Language, options: Options) -> Embedded {
    let server = Embedded::start(Options {
        server: language.server(),
        ..options
    })
    .unwrap();
    fill_for(language, &server);
    server
}

fn fill_for(language: Language, server: &Embedded) {
    match language {
        // entries with metadata need headers of version 1, which this client does not know
        Language::Node => {
            for number in 1..=100 {
                let (key, value) = (format!("key/{number}"), format!("value {number}"));
                server.set("defaultdb", &key, &value);
            }
        }
        Language::Go | Language::Python => fill(server, "defaultdb"),
    }
}

/// Returns the argument for a client: the server's address, and a file with its public key if it
/// signs.
fn address(language: Language, server: &Embedded, folder: &TempDir) -> String {
    let port = server.port();
    match server.public_pem() {
        Some(pem) if language.takes_a_key() => {
            let file = folder.join(&format!("{port}.pem"));
            fs::write(&file, pem).unwrap();
            format!("{port}/defaultdb={}", file.display())
        }
        _ => format!("{port}/defaultdb"),
    }
}

/// Writes the keys that clients read next.
fn write_later(server: &Embedded) {
    server.grow("defaultdb", 2);
    server.set("defaultdb", "later", "written between two reads");
}

fn all_verified(lines: &[String], what: &str) {
    for line in lines {
        assert!(line.ends_with(" verified"), "{what}: {line:?}");
    }
}

fn verifies_an_honest_ledger(language: Language) {
    let lags = [Lag::None, Lag::By(3), Lag::Batches(6)];
    let mut servers = Vec::new();
    for lag in lags {
        let unsigned = Options {
            lag,
            ..Options::default()
        };
        if language.takes_a_key() {
            servers.push(ledger(language, unsigned.clone().signed()));
        }
        servers.push(ledger(language, unsigned));
    }
    let folder = TempDir::new();
    let addresses: Vec<String> = servers
        .iter()
        .map(|s| address(language, s, &folder))
        .collect();
    let Some(mut client) = language.start(&addresses) else {
        return;
    };
    all_verified(&client.begun(servers.len()), language.name());
    servers.iter().for_each(write_later);
    all_verified(&client.reads_again(servers.len()), language.name());
}

#[test]
fn the_go_client_verifies_an_honest_ledger() {
    verifies_an_honest_ledger(Language::Go);
}

#[test]
fn the_node_client_verifies_an_honest_ledger() {
    verifies_an_honest_ledger(Language::Node);
}

#[test]
fn the_python_client_verifies_an_honest_ledger() {
    verifies_an_honest_ledger(Language::Python);
}

#[test]
fn a_ledger_signed_by_another_key_is_refused() {
    for language in LANGUAGES.into_iter().filter(|l| l.takes_a_key()) {
        let server = ledger(language, Options::default().signed());
        let folder = TempDir::new();
        let other = Embedded::start(Options::default().signed()).unwrap();
        let file = folder.join("other.pem");
        fs::write(&file, other.public_pem().unwrap()).unwrap();
        let address = format!("{}/defaultdb={}", server.port(), file.display());
        let Some(mut client) = language.start(&[address]) else {
            continue;
        };
        let lines = client.begun(1);
        assert!(
            lines[0].contains(" refused: "),
            "{}: {lines:?}",
            language.name()
        );
    }
}

/// The clients of the newest server use two databases, with sessions, references and sorted sets,
/// while an auditor reads all values.
#[test]
fn an_auditor_reads_everything_that_the_clients_write() {
    let server = Embedded::start(Options {
        lag: Lag::By(3),
        ..Options::default().with_databases(&["second"])
    })
    .unwrap();
    for database in ["defaultdb", "second"] {
        fill(&server, database);
    }
    let folder = TempDir::new();
    let program = Program::new(server.port(), &folder.join("state"));
    let mut auditor = program.start(&["--audit-interval", "100ms", "--audit-sample", "50"]);
    auditor.wait_for_cycles(1);
    let addresses = ["defaultdb", "second"].map(|database| format!("{}/{database}", server.port()));
    let newer = LANGUAGES
        .into_iter()
        .filter(|l| l.server() == Options::default().server);
    let mut clients: Vec<_> = newer
        .filter_map(|language| language.start(&addresses))
        .collect();
    if clients.is_empty() {
        return; // reported as skipped, and an error in CI
    }
    for client in &mut clients {
        all_verified(&client.begun(2), client.language.name());
    }
    for database in ["defaultdb", "second"] {
        server.set(database, "later", "written between two reads");
    }
    for client in &mut clients {
        all_verified(&client.reads_again(2), client.language.name());
    }
    auditor.wait_for_cycles(3);
    let log = auditor.log();
    for verdict in ["tampering", "inconsistent", "rolled-back", "malformed"] {
        assert!(!log.contains(verdict), "{verdict} in {log}");
    }
    auditor.signal("TERM");
    assert_eq!(auditor.end(), Some(0), "{log}");
    let swept = program.run(&["sweep"]);
    swept.ends_with(0);
    for database in ["defaultdb", "second"] {
        let last = server.state(database).unwrap().tx;
        assert!(last > 200, "{last}");
        let whole = format!("{last} of {last} transactions read with all values");
        let status = program.run(&["status"]).stdout;
        assert!(
            status.contains(&whole),
            "{database}: no {whole:?} in {status}"
        );
    }
}

/// The lies about the calls of these clients: keys with their proofs.
const LIES: [Lie; 33] = [
    Lie::OtherHash,
    Lie::Fork,
    Lie::ForkBehindTheSource,
    Lie::Rollback,
    Lie::Emptied,
    Lie::OtherIdentity,
    Lie::SwappedInTree,
    Lie::SwappedLater,
    Lie::WrittenBehindAnother,
    Lie::SwappedBeforeTheSource,
    Lie::TwoHistoriesLinear,
    Lie::VersionDowngraded,
    Lie::FlippedProof,
    Lie::ExtremeFields,
    Lie::Unsigned,
    Lie::OtherKey,
    Lie::OlderSignature,
    Lie::GarbageSignature,
    Lie::SignatureWithoutDatabase,
    Lie::OtherDatabaseSigned,
    Lie::NoDualProof,
    Lie::NoLinearProof,
    Lie::NoHeaders,
    Lie::UnknownVersion,
    Lie::OtherPair,
    Lie::OtherTransaction,
    Lie::LongDigests,
    Lie::ManyTerms,
    Lie::OutOfRange,
    Lie::WithheldAdvance,
    Lie::ShortAdvance,
    Lie::EditedValue,
    Lie::ValueWithMatchingHash,
];

/// Returns whether a lie is possible for a client. The servers of the Node client have no versions
/// of headers and no linear advance proofs, and the client takes no key.
fn is_possible_for(lie: Lie, language: Language) -> bool {
    let newer = [
        Lie::VersionDowngraded,
        Lie::UnknownVersion,
        Lie::WithheldAdvance,
        Lie::ShortAdvance,
    ];
    language != Language::Node || lie.group() != "signature" && !newer.contains(&lie)
}

/// Returns a client's reaction to each lie, as a cell of the table; `None` if the client is not
/// installed.
fn measured(language: Language) -> Option<Vec<&'static str>> {
    let folder = TempDir::new();
    let servers: Vec<Embedded> = LIES.map(|lie| ledger(language, lie.options())).into();
    let addresses: Vec<String> = servers
        .iter()
        .map(|server| address(language, server, &folder))
        .collect();
    let mut client = language.start(&addresses)?;
    all_verified(&client.begun(servers.len()), language.name());
    for (lie, server) in LIES.into_iter().zip(&servers) {
        // a forging lie replaces the history before the new transactions are written; the other lies
        // need new transactions
        if !lie.forges() {
            write_later(server);
        }
        server.lie(lie);
        if lie.forges() {
            write_later(server);
        }
    }
    let lines = client.reads_again(servers.len());
    let cell = |(lie, line): (Lie, &String)| match line.split_once(' ') {
        _ if !is_possible_for(lie, language) => "–",
        Some((_, "verified")) => "accepted",
        Some((_, refused)) if refused.starts_with("refused: panic") => "crashes",
        Some((_, refused)) if refused.starts_with("refused: ") => "refused",
        _ => panic!("{} of {}: {line:?}", language.name(), lie.name()),
    };
    Some(LIES.into_iter().zip(&lines).map(cell).collect())
}

#[test]
fn other_clients_refuse_the_documented_lies() {
    let text = include_str!("../../docs/verification.md");
    let measured = thread::scope(|scope| {
        LANGUAGES
            .map(|language| scope.spawn(move || measured(language)))
            .map(|thread| thread.join().unwrap())
    });
    for (index, (language, measured)) in LANGUAGES.into_iter().zip(measured).enumerate() {
        let Some(measured) = measured else {
            continue;
        };
        let column = 1 + index;
        for (lie, measured) in LIES.into_iter().zip(measured) {
            let start = format!("| `{}` |", lie.name());
            let row = text.lines().rev().find(|line| line.starts_with(&start));
            let cells: Vec<&str> = row.unwrap_or_default().split('|').map(str::trim).collect();
            assert_eq!(
                cells.get(1 + column),
                Some(&measured),
                "{} of {} in docs/verification.md",
                language.name(),
                lie.name()
            );
        }
    }
}
