//! `locate` with real servers: 5,000 transactions with an audit every 50, a fork at a random
//! transaction, a rollback, and another server.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::program::{Program, Run, member};
use crate::support::random::Random;
use crate::support::real::{Real, copy, program};
use crate::support::temp_dir::TempDir;

const DATABASE: &str = "defaultdb";
const APART: u64 = 50;
const AUDITS: u64 = 100;

fn last(real: &Real) -> u64 {
    let shown = real.does(&["state", "--db", DATABASE]);
    shown.split_whitespace().next().unwrap().parse().unwrap()
}

fn number(run: &Run, name: &str) -> Option<u64> {
    member(run.line(DATABASE), name).parse().ok()
}

fn a_fork_is_located(version: &str) {
    let Some(server) = program(version) else {
        return;
    };
    let folder = TempDir::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = Random::new(u64::from(now.subsec_nanos()));
    let (data, fork) = (folder.join("data"), folder.join("fork"));
    let mut real = Real::start(&server, &data, &[]);
    let first = last(&real); // 1.0 to 1.4 themselves write a transaction
    let parted = 1 + random.below(APART * AUDITS - 2);
    println!("{version}: {parted} transactions are the same");
    let (plain, mirrored) = (folder.join("plain"), folder.join("mirrored"));
    let mut written = 0;
    for audit in 1..=AUDITS {
        let due = audit * APART;
        if written < parted && parted <= due {
            real.write_concurrently(DATABASE, "a", u32::try_from(parted - written).unwrap());
            written = parted;
            assert_eq!(last(&real), first + parted);
            copy(&real.stop(), &fork);
            real = Real::start(&server, &data, &[]);
        }
        if written < due {
            // different keys in each round, so that the first changed key can be identified
            let (prefix, number) = (format!("b{audit}"), u32::try_from(due - written).unwrap());
            if version == "1.11.1" {
                real.write_concurrently(DATABASE, &prefix, number);
            } else {
                real.write_concurrently(DATABASE, &prefix, number - 1);
                // the last transaction alone: by then the tree of an old server has caught up
                real.write(DATABASE, &format!("c{audit}"), 1);
            }
            written = due;
        }
        let auditor = Program::new(real.port, &plain).with(&["--audit-sample", "0"]);
        auditor.once().ends_with(0);
    }
    let all = first + APART * AUDITS;
    assert_eq!(last(&real), all);
    let auditor = Program::new(real.port, &plain);
    auditor
        .with(&["--audit-keep-hashes", "--audit-sample", "0"])
        .once()
        .ends_with(0);
    std::fs::create_dir(&mirrored).unwrap();

    // the fork replaces the server; the original runs on another port, as a restored backup
    let forked = Real::start(&server, &fork, &[]);
    forked.write(DATABASE, "forged", 1);
    let more = u32::try_from(APART * AUDITS - parted + 3).unwrap();
    forked.write_concurrently(DATABASE, "other", more);
    forked.write(DATABASE, "last", 1);
    let auditor = Program::new(forked.port, &plain).with(&["--audit-sample", "0"]);
    let run = auditor.once();
    run.is(2, DATABASE, "inconsistent");
    let reason = run.reason(DATABASE).to_owned();

    // with the mirror, the exact transaction
    let run = auditor.run(&["locate", DATABASE, "--json"]);
    println!("{version}: with the mirror: {}", run.line(DATABASE));
    run.ends_with(2);
    assert_eq!(number(&run, "first_rewritten"), Some(first + parted + 1));
    // a lagging tree, as in old servers, leaves parts out of its proofs, which then need calls of
    // their own
    assert!(number(&run, "questions").unwrap() <= 20);
    assert!(reason.contains("are intact"), "{reason}");

    // without the mirror, the range of 50 between two audits
    std::fs::rename(
        plain.join("tested/defaultdb.mirror"),
        folder.join("mirrored/defaultdb.mirror"),
    )
    .unwrap();
    let run = auditor.run(&["locate", DATABASE, "--json"]);
    println!("{version}: from the history: {}", run.line(DATABASE));
    run.ends_with(2);
    let before = parted / APART * APART;
    let due = (first + before + 1, first + before + APART);
    let found = (number(&run, "doubtful_from"), number(&run, "doubtful_to"));
    if parted < APART {
        assert_eq!(member(run.line(DATABASE), "happened"), "rewritten");
    } else {
        assert_eq!(found, (Some(due.0), Some(due.1)));
    }
    assert!(number(&run, "questions").unwrap() <= 15);
    if version == "1.11.1" {
        let calls = number(&run, "calls").unwrap();
        assert!(calls <= 20, "{calls}");
    }

    // offline with the mirror, and with the backup, which also names the changed keys
    let mirror = folder.join("mirrored/defaultdb.mirror");
    let mirror = mirror.to_str().unwrap();
    let run = auditor.run(&["locate", DATABASE, "--json", "--against", mirror]);
    assert_eq!(
        number(run.ends_with(2), "differs_at"),
        Some(first + parted + 1)
    );
    let against = format!("127.0.0.1:{}", real.port);
    let run = auditor.run(&["locate", DATABASE, "--json", "--against", &against]);
    let line = run.ends_with(2).line(DATABASE);
    assert_eq!(number(&run, "differs_at"), Some(first + parted + 1));
    assert_eq!(number(&run, "holds_trusted_to"), Some(all));
    let changed = "\"how\":\"added\",\"key\":\"forged-1-0\"";
    let begin = line.split("\"keys\":[").nth(1).unwrap();
    assert!(begin.contains(changed), "{begin}");
    let removed = ["b", "c"].map(|key| format!("\"how\":\"removed\",\"key\":\"{key}"));
    assert!(
        removed.iter().any(|removed| begin.contains(removed)),
        "{begin}"
    );
}

#[test]
fn a_fork_on_1_11_1_is_located_by_range_transaction_and_key() {
    a_fork_is_located("1.11.1");
}

#[test]
fn a_fork_on_1_2_4_is_located_by_range_transaction_and_key() {
    a_fork_is_located("1.2.4");
}

/// Restores an older copy, and then replaces the server by another one.
fn a_rollback_and_a_replacement(version: &str, server: &Path) {
    let folder = TempDir::new();
    let data = folder.join("data");
    let mut real = Real::start(server, &data, &[]);
    let first = last(&real);
    for (round, prefix) in ["a", "b", "c", "d"].into_iter().enumerate() {
        real.write(DATABASE, prefix, 10);
        Program::new(real.port, &folder.join("trust"))
            .once()
            .ends_with(0);
        if round == 1 {
            copy(&real.stop(), &folder.join("older"));
            real = Real::start(server, &data, &[]);
        }
    }
    real.stop();
    let real = Real::start(server, &folder.join("older"), &[]);
    let audit = Program::new(real.port, &folder.join("trust"));
    let run = audit.once();
    run.is(2, DATABASE, "rolled-back");
    assert!(
        run.reason(DATABASE).contains("are missing"),
        "{version}: {run:#?}"
    );
    let run = audit.run(&["locate", DATABASE, "--json"]);
    assert_eq!(
        member(run.ends_with(2).line(DATABASE), "happened"),
        "rolled-back"
    );
    assert_eq!(number(&run, "intact_tx"), Some(first + 20), "{version}");
    let lost = (number(&run, "lost_from"), number(&run, "lost_to"));
    assert_eq!(lost, (Some(first + 21), Some(first + 40)), "{version}");
    real.stop();

    let real = Real::start(server, &folder.join("other"), &[]);
    real.write(DATABASE, "other", 60);
    let audit = Program::new(real.port, &folder.join("trust"));
    audit.once().is(2, DATABASE, "inconsistent");
    let run = audit.run(&["locate", DATABASE, "--json"]);
    assert_eq!(
        member(run.ends_with(2).line(DATABASE), "happened"),
        "rewritten",
        "{version}: the transactions before the first audit are unknown"
    );
    assert_eq!(number(&run, "intact_tx"), None);
}

#[test]
fn a_rollback_and_a_replacement_are_located_on_every_version() {
    for version in ["1.11.1", "1.2.4", "0.9.2", "0.9.0"] {
        if let Some(server) = program(version) {
            a_rollback_and_a_replacement(version, &server);
        }
    }
}
