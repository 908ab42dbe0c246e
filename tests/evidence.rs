//! Evidence stands alone, and two auditors find out that they were shown two histories.

mod support;

use std::fs;
use std::path::PathBuf;

use immuaudit::drill::{Embedded, Lie, Options};
use support::place::Place;
use support::program::{Program, Run};

const DATABASE: &str = "defaultdb";

fn started(options: Options) -> Embedded {
    let server = Embedded::start(options).expect("an embedded ledger");
    server.grow(DATABASE, 20);
    server
}

/// The one file of evidence in an auditor's directory.
fn evidence(program: &Program) -> PathBuf {
    let directory = program.dir.join("tested/evidence").join(DATABASE);
    let mut files = fs::read_dir(directory).expect("evidence");
    files.next().expect("a file").expect("a file").path()
}

fn verify(program: &Program, more: &[&str]) -> Run {
    let file = evidence(program);
    let words = ["evidence", "verify", file.to_str().expect("UTF-8")];
    program.run(&[&words[..], more].concat())
}

#[test]
fn two_signed_states_of_one_transaction_are_proof_against_the_server() {
    let folder = Place::new();
    let server = started(Options::default().signed());
    let key = folder.join("server.pub");
    fs::write(&key, server.public_pem().expect("a key")).expect("a file");
    let key = ["--server-signing-pub-key", key.to_str().expect("UTF-8")];
    let program = Program::new(server.port(), &folder.join("trust"));
    let signed = program.with(&key);
    signed.once().is(0, DATABASE, "first-seen");
    server.lie(Lie::OtherHash);
    signed.once().is(2, DATABASE, "inconsistent");
    drop(server); // offline from here on
    let run = verify(&program, &key);
    assert!(
        run.ends_with(2).stdout.contains("proof against the server"),
        "{run:#?}"
    );
    let run = verify(&program, &[]);
    let word = "only those who trust this auditor";
    assert!(run.ends_with(2).stdout.contains(word), "{run:#?}");
}

#[test]
fn an_older_state_that_is_signed_was_shown_and_its_order_is_the_auditors_word() {
    let folder = Place::new();
    let server = started(Options::default().signed());
    let key = folder.join("server.pub");
    fs::write(&key, server.public_pem().expect("a key")).expect("a file");
    let key = ["--server-signing-pub-key", key.to_str().expect("UTF-8")];
    let program = Program::new(server.port(), &folder.join("trust")).with(&key);
    program.once().is(0, DATABASE, "first-seen");
    server.lie(Lie::ClaimsOlder);
    program.once().is(2, DATABASE, "rolled-back");
    let run = verify(&program, &[]);
    let word = "both states bear the server's signature";
    assert!(run.ends_with(2).stdout.contains(word), "{run:#?}");
}

#[test]
fn evidence_that_was_edited_is_damaged_and_proves_nothing() {
    let folder = Place::new();
    let server = started(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    server.lie(Lie::OtherHash);
    program.once().is(2, DATABASE, "inconsistent");
    let file = evidence(&program);
    let text = fs::read_to_string(&file).expect("evidence");
    fs::write(&file, text.replacen("inconsistent", "rolled-back ", 1)).expect("a file");
    verify(&program, &[]).ends_with(3);
    // edited, and its checksum with it: the answers do not show what is claimed now
    let text = text.replacen("kind = \"inconsistent\"", "kind = \"rolled-back\"", 1);
    let (content, _) = text.split_once("# sha256: ").expect("a checksum");
    let checksum = immuaudit::ledger::Digest::of(&[content.as_bytes()]);
    fs::write(&file, format!("{content}# sha256: {checksum}\n")).expect("a file");
    let run = verify(&program, &[]);
    assert!(run.ends_with(1).stdout.contains("not shown"), "{run:#?}");
    let nowhere = folder.join("nowhere.toml");
    let words = ["evidence", "show", nowhere.to_str().expect("UTF-8")];
    program.run(&words).ends_with(3);
}

/// Another auditor of the same server, in a directory of its own.
fn another(program: &Program, folder: &Place) -> Program {
    Program::new(program.port, &folder.join("other"))
}

fn compare(program: &Program, other: &Program, folder: &Place) -> Run {
    let export = other.run(&["roots", "export"]);
    let file = folder.join("export.toml");
    fs::write(&file, &export.ends_with(0).stdout).expect("a file");
    program.run(&["compare", file.to_str().expect("UTF-8")])
}

#[test]
fn auditors_of_one_history_agree_whoever_saw_it_last() {
    let folder = Place::new();
    let server = started(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    let other = another(&program, &folder);
    program.once().is(0, DATABASE, "first-seen");
    let run = compare(&program, &program, &folder);
    assert!(run.ends_with(0).stdout.contains("agrees"), "{run:#?}");
    server.grow(DATABASE, 5);
    other.once().is(0, DATABASE, "first-seen");
    for (one, two) in [(&program, &other), (&other, &program)] {
        let run = compare(one, two, &folder);
        assert!(run.ends_with(0).stdout.contains("agrees"), "{run:#?}");
    }
}

#[test]
fn one_transaction_with_two_hashes_is_a_split_view_without_asking_the_server() {
    let folder = Place::new();
    let server = started(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    let second = Embedded::start(Options::default()).expect("an embedded ledger");
    for number in 0..20 {
        second.set(DATABASE, "another", &number.to_string());
    }
    let other = Program::new(second.port(), &folder.join("other"));
    other.once().is(0, DATABASE, "first-seen");
    drop((server, second));
    let run = compare(&program, &other, &folder);
    assert!(run.ends_with(2).stdout.contains("split-view"), "{run:#?}");
    program.run(&["status"]).ends_with(2);
    let run = verify(&program, &[]);
    let due = "another hash for transaction 20";
    assert!(run.ends_with(2).stdout.contains(due), "{run:#?}");
}

#[test]
fn two_histories_that_share_no_transaction_are_told_apart_by_the_server() {
    let folder = Place::new();
    let server = started(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    let second = Embedded::start(Options::default()).expect("an embedded ledger");
    for number in 0..15 {
        second.set(DATABASE, "another", &number.to_string());
    }
    let other = Program::new(second.port(), &folder.join("other"));
    other.once().is(0, DATABASE, "first-seen");
    let run = compare(&program, &other, &folder);
    assert!(run.ends_with(2).stdout.contains("split-view"), "{run:#?}");
    let run = verify(&program, &[]);
    assert!(run.ends_with(2).stdout.contains("refused"), "{run:#?}");
    // what is trusted is as before
    server.grow(DATABASE, 1);
    program.once().is(2, DATABASE, "consistent");
}

#[test]
fn a_server_that_is_away_proves_nothing_either_way() {
    let folder = Place::new();
    let server = started(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    server.grow(DATABASE, 1);
    let other = another(&program, &folder);
    other.once().is(0, DATABASE, "first-seen");
    drop(server);
    compare(&program, &other, &folder).ends_with(1);
    program.run(&["status"]).ends_with(0);
}
