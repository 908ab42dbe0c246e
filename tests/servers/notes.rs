//! Checkpoints with Go's libraries `golang.org/x/mod/sumdb/note` and
//! `github.com/transparency-dev/formats`: each side verifies what the other signed, and refuses a
//! changed note.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::program::Program;
use crate::support::real::built;
use crate::support::temp_dir::TempDir;
use immuaudit::checkpoint::{SignedNote, SignerKey, VerifierKey, confirmed};
use immuaudit::drill::{Embedded, Options};

fn go(notes: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(notes)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("its stdin");
    stdin.write_all(input.as_bytes()).expect("a pipe");
    drop(stdin);
    child.wait_with_output().expect("its end")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Returns an auditor with a signing key and its public key.
fn auditor(folder: &TempDir, server: &Embedded) -> (Program, String) {
    let key = folder.join("key").display().to_string();
    let program = Program::new(server.port(), &folder.join("state"));
    program.once().ends_with(0);
    let run = program.run(&["key", "new", "--name", "zone-a.example.com/audit", &key]);
    let public = run.ends_with(0).stdout.trim().to_owned();
    (program.with(&["--audit-signing-key", &key]), public)
}

#[test]
fn go_verifies_the_auditors_checkpoints_and_refuses_changed_ones() {
    let Some(notes) = built("notes") else { return };
    let folder = TempDir::new();
    let server = Embedded::start(Options::default().signed()).expect("a ledger");
    server.grow("defaultdb", 5);
    let (program, public) = auditor(&folder, &server);
    let run = program.run(&["checkpoint", "export"]);
    let note = run.ends_with(0).stdout.clone();
    let opened = text(&go(&notes, &["open", &public], &note));
    let (signed, body) = opened.split_once('\n').expect("a line");
    assert!(signed.starts_with("zone-a.example.com/audit "), "{opened}");
    assert!(body.starts_with("immudb/tested/defaultdb\n5\n"), "{opened}");
    assert!(note.starts_with(body));
    let ours = SignedNote::read(note.as_bytes()).expect("a note");
    let key = VerifierKey::read(&public).expect("a key");
    let time = confirmed(&ours, &key).expect("confirmed").time;
    assert!(signed.ends_with(&format!(" {time}")), "{signed}: {time}");
    for changed in [
        note.replacen("\n5\n", "\n6\n", 1),
        note.replacen("defaultdb", "defaultdc", 1),
        note.replacen("immudb-signature", "immudb-signaturf", 1),
    ] {
        assert!(!go(&notes, &["open", &public], &changed).status.success());
    }
}

#[test]
fn the_auditor_verifies_gos_checkpoints_and_refuses_changed_ones() {
    let Some(notes) = built("notes") else { return };
    let folder = TempDir::new();
    let keys = text(&go(&notes, &["key", "zone-b"], ""));
    let (private, public) = keys.trim().split_once('\n').expect("two lines");
    let ours = SignerKey::read(private).expect("a key");
    assert_eq!(ours.public().to_string(), public);
    let body = "immudb/tested/defaultdb\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let note = text(&go(&notes, &["sign", private], body));
    let read = SignedNote::read(note.as_bytes()).expect("a note");
    assert!(confirmed(&read, ours.public()).is_ok());
    let program = Program::new(1, &folder.join("state"));
    let file = folder.join("note");
    let verify = |text: &str, code| {
        fs::write(&file, text).expect("a file");
        let path = file.display().to_string();
        let run = program.run(&["checkpoint", "verify", &path, "--key", public]);
        run.ends_with(code);
    };
    verify(&note, 0);
    verify(&note.replacen("\n5\n", "\n6\n", 1), 1);
    verify(&note.replacen("zone-b", "zone-c", 1), 1);
}
