//! Evidence is verified offline, and `compare` finds out whether two auditors were shown two
//! histories of one database. The other auditor is an exported file or a URL.

use std::fs;
use std::path::{Path, PathBuf};

use crate::other_auditor::{compare, watching};
use crate::support::program::{Program, Run, copied};
use crate::support::proxy::{Body, Proxy};
use crate::support::receiver::Receiver;
use crate::support::secure::{Secure, certificates};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Emulated, Lie, NewEntry, Options};
use immuaudit::ledger::Digest;

const DATABASE: &str = "defaultdb";

fn started(options: Options) -> Embedded {
    let server = Embedded::start(options).expect("an embedded ledger");
    server.grow(DATABASE, 20);
    server
}

/// Starts a ledger and an auditor that has checked it once.
fn audited(folder: &TempDir) -> (Embedded, Program) {
    let server = started(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    (server, program)
}

/// Returns the evidence files in an auditor's directory.
fn all_evidence(program: &Program) -> Vec<PathBuf> {
    let directory = program.dir.join("tested/evidence").join(DATABASE);
    let files = fs::read_dir(directory).expect("evidence");
    files.map(|file| file.expect("a file").path()).collect()
}

/// Returns the only evidence file in an auditor's directory.
fn evidence(program: &Program) -> PathBuf {
    let mut files = all_evidence(program);
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn verify_file(program: &Program, file: &Path, more: &[&str]) -> Run {
    let args = ["evidence", "verify", file.to_str().expect("UTF-8")];
    program.run(&[&args[..], more].concat())
}

fn verify(program: &Program, more: &[&str]) -> Run {
    verify_file(program, &evidence(program), more)
}

/// Asserts that the run printed a disagreement, and that no alarm is open.
fn is_a_disagreement_at_20(program: &Program, run: &Run) {
    let expected = "disagreement: the other auditor claims that transaction 20 has hash";
    assert!(run.ends_with(1).stdout.contains(expected), "{run:#?}");
    program.run(&["status"]).ends_with(0);
}

/// Replaces members of a file and adapts its checksum, which has no key.
fn forge(file: &Path, members: &[&str], text: &str) {
    let whole = fs::read_to_string(file).expect("a file");
    let (body, checksum) = whole.trim_end().rsplit_once('\n').expect("a checksum");
    let forged: String = body
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((name, _)) if members.contains(&name) => format!("{name} = \"{text}\"\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let label = checksum.trim_end_matches(|c: char| c.is_ascii_hexdigit());
    let digest = Digest::of(&[forged.as_bytes()]);
    fs::write(file, format!("{forged}{label}{digest}\n")).expect("a file");
}

#[test]
fn text_of_an_evidence_file_is_printed_escaped() {
    let folder = TempDir::new();
    let (server, program) = audited(&folder);
    server.lie(Lie::Rollback);
    program.once().is(2, DATABASE, "rolled-back");
    let file = evidence(&program);
    let name = file.file_name().expect("a name");
    let located = program.dir.join("tested/located").join(DATABASE).join(name);
    let nasty = "\\u001b[2Jx\\nIt proves: everything\\u202e";
    let show = || program.run(&["evidence", "show", file.to_str().expect("UTF-8")]);
    for member in ["server", "program", "database", "alarm"] {
        let before = fs::read(&file).expect("a file");
        forge(&file, &[member], nasty);
        let printed = show().ends_with(0).stdout.clone();
        assert!(printed.contains("u{1b}[2Jx"), "{member}: {printed}");
        let plain = |c: char| matches!(c, ' '..='~' | '\n');
        assert!(printed.chars().all(plain), "{member}: {printed:?}");
        assert!(!printed.contains("\nIt proves"), "{member}: {printed}");
        fs::write(&file, before).expect("a file");
    }
    forge(&located, &["report"], "\\u001b[2Jx\\u202e\\u009b");
    let printed = show().ends_with(0).stdout.clone();
    assert!(printed.ends_with("\n?[2Jx??\n"), "{printed:?}");
}

#[test]
fn the_printed_close_command_includes_a_separate_state_folder() {
    let folder = TempDir::new();
    let server = started(Options::default());
    let roots = folder.join("the roots").display().to_string();
    let program =
        Program::new(server.port(), &folder.join("trust")).with(&["--roots-filepath", &roots]);
    program.once().is(0, DATABASE, "first-seen");
    server.lie(Lie::Rollback);
    let message = program.run(&["--once"]);
    let line = message
        .stdout
        .lines()
        .find_map(|line| line.split_once("to close it and keep the trusted state: "));
    let command = line.expect("a command").1;
    let done = copied(command);
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(printed.contains("is closed"), "{command}: {done:?}");
}

#[test]
fn two_signed_states_of_one_transaction_are_proof_against_the_server() {
    let folder = TempDir::new();
    let server = started(Options::default().signed());
    let key = folder.public_key_of(&server);
    let key = ["--server-signing-pub-key", &key];
    let program = Program::new(server.port(), &folder.join("trust"));
    let signed = program.with(&key);
    signed.once().is(0, DATABASE, "first-seen");
    server.lie(Lie::OtherHash);
    signed.once().is(2, DATABASE, "inconsistent");
    drop(server); // verified offline from here on
    let run = verify(&program, &key);
    assert!(
        run.ends_with(2).stdout.contains("proof against the server"),
        "{run:#?}"
    );
    let run = verify(&program, &[]);
    let part = "only people who trust this auditor";
    assert!(run.ends_with(2).stdout.contains(part), "{run:#?}");
}

/// The signature of 0.9.0 fits a state of any database, so an honest server can have signed both states.
#[test]
fn two_states_that_a_0_9_0_signed_are_no_proof_against_it() {
    for (lie, verdict) in [
        (Lie::OtherHash, "inconsistent"),
        (Lie::ClaimsOlder, "rolled-back"),
    ] {
        let folder = TempDir::new();
        let options = Options {
            server: Emulated::V0_9_0,
            ..Options::default()
        };
        let server = started(options.signed());
        let key = folder.public_key_of(&server);
        let key = ["--server-signing-pub-key", &key];
        let program = Program::new(server.port(), &folder.join("trust")).with(&key);
        program.once().is(0, DATABASE, "first-seen");
        server.lie(lie);
        program.once().is(2, DATABASE, verdict);
        let run = verify(&program, &[]);
        let part = "only people who trust this auditor";
        assert!(run.ends_with(2).stdout.contains(part), "{run:#?}");
    }
}

#[test]
fn signed_states_prove_a_rollback_but_not_their_order() {
    let folder = TempDir::new();
    let server = started(Options::default().signed());
    let key = folder.public_key_of(&server);
    let key = ["--server-signing-pub-key", &key];
    let program = Program::new(server.port(), &folder.join("trust")).with(&key);
    program.once().is(0, DATABASE, "first-seen");
    server.lie(Lie::ClaimsOlder);
    program.once().is(2, DATABASE, "rolled-back");
    let run = verify(&program, &[]);
    let part = "the server signed both states";
    assert!(run.ends_with(2).stdout.contains(part), "{run:#?}");
}

#[test]
fn edited_evidence_is_damaged_and_proves_nothing() {
    let folder = TempDir::new();
    let (server, program) = audited(&folder);
    server.lie(Lie::OtherHash);
    program.once().is(2, DATABASE, "inconsistent");
    let file = evidence(&program);
    let text = fs::read_to_string(&file).expect("evidence");
    fs::write(&file, text.replacen("inconsistent", "rolled-back ", 1)).expect("a file");
    verify(&program, &[]).ends_with(3);
    // edited together with its checksum: the stored responses do not prove the new claim
    let text = text.replacen("kind = \"inconsistent\"", "kind = \"rolled-back\"", 1);
    let (content, _) = text.split_once("# sha256: ").expect("a checksum");
    let checksum = immuaudit::ledger::Digest::of(&[content.as_bytes()]);
    fs::write(&file, format!("{content}# sha256: {checksum}\n")).expect("a file");
    let run = verify(&program, &[]);
    assert!(
        run.ends_with(1).stdout.contains("does not prove"),
        "{run:#?}"
    );
    let nowhere = folder.join("nowhere.toml");
    let args = ["evidence", "show", nowhere.to_str().expect("UTF-8")];
    program.run(&args).ends_with(3);
}

/// Returns another auditor of the same server, with its own directory.
fn another(program: &Program, folder: &TempDir) -> Program {
    Program::new(program.port, &folder.join("other"))
}

#[test]
fn auditors_of_one_history_agree_in_both_directions() {
    let folder = TempDir::new();
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

/// Starts a replica, and a primary with `by` more transactions.
fn lagging(by: u64) -> (Embedded, Embedded) {
    let primary = started(Options::default());
    let replica = Embedded::start(Options::default()).expect("an embedded ledger");
    replica.put_ledger(DATABASE, primary.ledger(DATABASE).expect("a database"));
    primary.grow(DATABASE, by);
    (primary, replica)
}

/// Starts two servers whose histories differ after transaction `common`, and audits each. Returns
/// the comparison of the first auditor with the export of the second, which trusted a state at each
/// of `steps`.
fn compare_after_a_fork(common: u64, steps: &[u64]) -> Run {
    let folder = TempDir::new();
    let whole = Embedded::start(Options::default()).expect("an embedded ledger");
    whole.grow(DATABASE, common);
    let common = whole.ledger(DATABASE).expect("a database");
    let mut another = common.clone();
    let other_server = Embedded::start(Options::default()).expect("an embedded ledger");
    other_server.put_ledger(DATABASE, common);
    let other = Program::new(other_server.port(), &folder.join("other"));
    other_server.grow(DATABASE, steps[steps.len() - 1] - another.last());
    let long = other_server.ledger(DATABASE).expect("a database");
    for step in steps {
        let mut ledger = long.clone();
        ledger.truncate(*step);
        other_server.put_ledger(DATABASE, ledger);
        other.once().ends_with(0);
    }
    while another.last() < steps[steps.len() - 1] + 5 {
        another.commit(vec![NewEntry::set("shown", "here alone")]);
    }
    whole.put_ledger(DATABASE, another);
    let program = Program::new(whole.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    compare(&program, &other, &folder)
}

#[test]
fn compare_reports_the_last_common_and_first_different_state() {
    for (common, steps, expected) in [
        // the server proves state 12 of the other auditor; 17 is the first state that it does not
        // prove
        (
            14,
            &[3, 7, 9, 12, 17, 18, 21, 25][..],
            "the histories are the same up to at least transaction 12, and differ at the latest from transaction 17 on\n",
        ),
        (
            14,
            &[3, 13, 14, 15, 16, 30],
            "the histories are the same up to transaction 14, and differ from 15 on\n",
        ),
        (
            2,
            &[3, 7, 9],
            "no common state was found: the histories differ at the latest from transaction 3 on\n",
        ),
        (
            20,
            &[3, 7, 9, 30],
            "the histories are the same up to at least transaction 9, and differ at the latest from transaction 30 on\n",
        ),
    ] {
        let run = compare_after_a_fork(common, steps);
        let stdout = &run.ends_with(1).stdout;
        assert!(stdout.contains("disagreement"), "{run:#?}");
        assert!(stdout.contains(expected), "{common}, {steps:?}: {run:#?}");
    }
}

#[test]
fn a_lagging_replica_agrees_up_to_its_own_state() {
    let folder = TempDir::new();
    let (primary, replica) = lagging(0);
    let behind = Program::new(replica.port(), &folder.join("trust"));
    behind.once().is(0, DATABASE, "first-seen");
    let ahead = Program::new(primary.port(), &folder.join("other"));
    ahead.once().is(0, DATABASE, "first-seen");
    primary.grow(DATABASE, 30);
    ahead.once().is(0, DATABASE, "consistent");
    // both auditors trusted transaction 20
    let run = compare(&behind, &ahead, &folder);
    let expected = "agree at transaction 20; the other auditor is ahead, at 50";
    assert!(run.ends_with(0).stdout.contains(expected), "{run:#?}");
    // the replica gets some of the transactions, and proves the older state against its newer one
    let mut ledger = primary.ledger(DATABASE).expect("a database");
    ledger.truncate(35);
    replica.put_ledger(DATABASE, ledger);
    behind.once().is(0, DATABASE, "consistent");
    let calls = replica.calls();
    let run = compare(&behind, &ahead, &folder);
    assert!(run.ends_with(0).stdout.contains(expected), "{run:#?}");
    assert!(replica.calls() != calls, "the server was asked");
    // in the other direction the primary proves the state of the replica
    let run = compare(&ahead, &behind, &folder);
    assert!(
        run.ends_with(0)
            .stdout
            .contains("agrees, at transaction 35"),
        "{run:#?}"
    );
    behind.run(&["alarm", "list"]).ends_with(0);
}

#[test]
fn a_replica_proves_an_older_state_that_its_auditor_never_trusted() {
    let folder = TempDir::new();
    let (primary, replica) = lagging(10);
    let ahead = Program::new(primary.port(), &folder.join("other"));
    ahead.once().is(0, DATABASE, "first-seen"); // at 30
    replica.put_ledger(DATABASE, primary.ledger(DATABASE).expect("a database"));
    replica.grow(DATABASE, 0);
    primary.grow(DATABASE, 5);
    let mut between = primary.ledger(DATABASE).expect("a database");
    replica.put_ledger(DATABASE, between.clone());
    primary.grow(DATABASE, 15);
    ahead.once().is(0, DATABASE, "consistent"); // at 50
    let behind = Program::new(replica.port(), &folder.join("trust"));
    behind.once().is(0, DATABASE, "first-seen"); // at 35
    let run = compare(&behind, &ahead, &folder);
    let expected = "agree at transaction 30; the other auditor is ahead, at 50";
    assert!(run.ends_with(0).stdout.contains(expected), "{run:#?}");

    // a replica that rewrote a state of the other auditor is detected, although it lags behind
    between.truncate(25);
    for number in 0..10 {
        between.commit(vec![NewEntry::set("forged", number.to_string())]);
    }
    replica.put_ledger(DATABASE, between);
    let fresh = Program::new(replica.port(), &folder.join("fresh"));
    fresh.once().is(0, DATABASE, "first-seen");
    let run = compare(&fresh, &ahead, &folder);
    assert!(run.ends_with(1).stdout.contains("disagreement"), "{run:#?}");
}

#[test]
fn states_are_not_comparable_while_a_replica_lags_behind() {
    let folder = TempDir::new();
    let (primary, replica) = lagging(30);
    let behind = Program::new(replica.port(), &folder.join("trust"));
    behind.once().is(0, DATABASE, "first-seen");
    let ahead = Program::new(primary.port(), &folder.join("other"));
    ahead.once().is(0, DATABASE, "first-seen");
    let run = compare(&behind, &ahead, &folder);
    let expected =
        "not comparable yet: this server shows 20 transactions, but the other auditor trusts 50";
    assert!(run.ends_with(1).stdout.contains(expected), "{run:#?}");
    behind.run(&["alarm", "list"]).ends_with(0);
    // with all transactions, the replica proves its own older state against the other's
    replica.put_ledger(DATABASE, primary.ledger(DATABASE).expect("a database"));
    let run = compare(&behind, &ahead, &folder);
    assert!(
        run.ends_with(0)
            .stdout
            .contains("agrees, at transaction 50"),
        "{run:#?}"
    );
}

/// The server has the transaction, but reports that it was not found.
#[test]
fn a_server_that_only_claims_to_lag_behind_is_malformed() {
    let folder = TempDir::new();
    let server = started(Options::default());
    let proxy = Proxy::before(server.port());
    let program = Program::new(proxy.port, &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    server.grow(DATABASE, 5);
    let other = Program::new(server.port(), &folder.join("other"));
    other.once().is(0, DATABASE, "first-seen");
    proxy.distort(|call, _, reply| {
        if call == "VerifiableTxById" {
            reply.body = Body::Error(2, "tx not found".into());
        }
    });
    let run = compare(&program, &other, &folder);
    assert!(run.ends_with(1).stdout.contains("malformed"), "{run:#?}");
}

#[test]
fn every_damaged_file_has_the_remedy_of_its_own_kind() {
    let folder = TempDir::new();
    let (server, program) = audited(&folder);
    let export = program.run(&["states", "export"]).stdout;
    server.lie(Lie::OtherHash);
    program.once().is(2, DATABASE, "inconsistent");
    let whole = fs::read_to_string(evidence(&program)).expect("a file");
    let file = folder.join("file.toml");
    let name = file.to_str().expect("UTF-8");
    let commands = [
        (
            &["evidence", "verify", name][..],
            &whole,
            "use the evidence file that immuaudit alarm list names",
        ),
        (
            &["evidence", "show", name],
            &whole,
            "use the evidence file that immuaudit alarm list names",
        ),
        (
            &["compare", name],
            &export,
            "immuaudit states export > FILE",
        ),
    ];
    for (args, whole, remedy) in commands {
        let cut = &whole[..whole.len() / 2];
        for (content, what) in [(cut, "cut off"), ("", "is empty"), ("x\n", "cut off")] {
            fs::write(&file, content).expect("a file");
            let run = program.run(args);
            let text = &run.ends_with(3).stderr;
            assert!(
                text.contains(what) && text.contains(remedy),
                "{args:?}: {text}"
            );
            assert!(!text.contains("every finding"), "{args:?}: {text}");
        }
        fs::remove_file(&file).expect("a file");
        let run = program.run(args);
        let text = &run.ends_with(3).stderr;
        let advice = match args[0] {
            "compare" => remedy,
            _ => "immuaudit evidence list names the evidence file",
        };
        assert!(
            text.contains("there is no file") && text.contains(advice),
            "{args:?}: {text}"
        );
    }
}

#[test]
fn one_transaction_with_two_hashes_is_a_disagreement_without_asking_the_server() {
    let folder = TempDir::new();
    let (server, program) = audited(&folder);
    let second = Embedded::start(Options::default()).expect("an embedded ledger");
    for number in 0..20 {
        second.set(DATABASE, "another", &number.to_string());
    }
    let other = Program::new(second.port(), &folder.join("other"));
    other.once().is(0, DATABASE, "first-seen");
    drop((server, second));
    let run = compare(&program, &other, &folder);
    is_a_disagreement_at_20(&program, &run);
}

#[test]
fn two_histories_without_a_common_transaction_are_a_split_view() {
    let folder = TempDir::new();
    let (server, program) = audited(&folder);
    let second = Embedded::start(Options::default()).expect("an embedded ledger");
    for number in 0..15 {
        second.set(DATABASE, "another", &number.to_string());
    }
    let other = Program::new(second.port(), &folder.join("other"));
    other.once().is(0, DATABASE, "first-seen");
    let run = compare(&program, &other, &folder);
    let expected = "claims that transaction 15 has hash";
    assert!(run.ends_with(1).stdout.contains(expected), "{run:#?}");
    // the trusted state has not changed, and no alarm is open
    server.grow(DATABASE, 1);
    program.once().is(0, DATABASE, "consistent");
}

#[test]
fn an_unavailable_server_leaves_the_comparison_undecided() {
    let folder = TempDir::new();
    let (server, program) = audited(&folder);
    server.grow(DATABASE, 1);
    let other = another(&program, &folder);
    other.once().is(0, DATABASE, "first-seen");
    drop(server);
    compare(&program, &other, &folder).ends_with(1);
    program.run(&["status"]).ends_with(0);
}

#[test]
fn the_states_of_a_running_auditor_are_compared_by_url() {
    let folder = TempDir::new();
    let (server, program) = audited(&folder);
    server.grow(DATABASE, 5);
    let (_running, url) = watching(&another(&program, &folder));
    for url in [url.trim_end_matches('/'), &url, &format!("{url}states")] {
        let run = program.run(&["compare", url]);
        assert!(run.ends_with(0).stdout.contains("agrees"), "{run:#?}");
    }
    // another page, a missing page, a closed port and a URL with a password: each has its own error
    let run = program.run(&["compare", &format!("{url}version")]);
    let why = "not a list of states";
    assert!(run.ends_with(1).stderr.contains(why), "{run:#?}");
    let run = program.run(&["compare", &format!("{url}nowhere")]);
    assert!(run.ends_with(1).stderr.contains("status 404"), "{run:#?}");
    let run = program.run(&["compare", "http://127.0.0.1:1/states?token=secret"]);
    assert!(
        run.ends_with(1).stderr.contains("no connection") || run.stderr.contains("connection:"),
        "{run:#?}"
    );
    assert!(!run.stderr.contains("secret"), "{run:#?}");
    let run = program.run(&["compare", "https://user:password@localhost/"]);
    assert!(
        run.ends_with(3).stderr.contains("expected http"),
        "{run:#?}"
    );
    assert!(!run.stderr.contains("password@"), "{run:#?}");
    program.run(&["status"]).ends_with(0);
}

#[test]
fn a_running_auditor_that_was_shown_another_history_disagrees() {
    let folder = TempDir::new();
    let (_server, program) = audited(&folder);
    let second = Embedded::start(Options::default()).expect("an embedded ledger");
    for number in 0..20 {
        second.set(DATABASE, "another", &number.to_string());
    }
    let other = Program::new(second.port(), &folder.join("other"));
    let (_running, url) = watching(&other);
    let run = program.run(&["compare", &url]);
    is_a_disagreement_at_20(&program, &run);
}

/// The response at the URL may have any content. It raises no alarm, and only printable ASCII is
/// printed.
#[test]
fn an_invalid_response_to_compare_raises_no_alarm() {
    let folder = TempDir::new();
    let (_server, program) = audited(&folder);
    let hash = "00".repeat(32);
    let deep = "[".repeat(1 << 20);
    let many = format!("{{\"states\":[{}]}}", "0,".repeat(3 << 20));
    let endless = "[1,".repeat(8 << 20);
    let escaped =
        format!(r#"{{"states":[{{"database":"a\u001b[31m\n\u202eb","tx":1,"hash":"{hash}"}}]}}"#);
    for (body, expected) in [
        ("", 1),
        ("{}", 1),
        ("[[[", 1),
        (
            r#"{"states":[{"database":"defaultdb","tx":-1,"hash":""}]}"#,
            1,
        ),
        (r#"{"states":[{"database":"defaultdb"}]}"#, 1),
        (r#"{"states":[]}"#, 1),
        (&deep, 1),
        (&many, 1),
        (&endless, 1),
        (&escaped, 1),
    ] {
        let receiver = Receiver::start();
        receiver.answer("200 OK");
        receiver.body(body);
        let run = program.run(&["compare", &receiver.url()]);
        assert_eq!(run.code, Some(expected), "{:.60}: {run:#?}", body);
        let raw = |c: char| !matches!(c, ' '..='~' | '\n');
        assert!(
            !run.stdout.contains(raw) && !run.stderr.contains(raw),
            "{run:#?}"
        );
    }
    // a redirect is not followed
    let (to, from) = (Receiver::start(), Receiver::start());
    from.answer(&format!("302 Found\r\nLocation: {}", to.url()));
    program.run(&["compare", &from.url()]).ends_with(1);
    assert!(to.received().is_empty());
    program.run(&["status"]).ends_with(0);
}

/// Each lie is found by a sample and by a sweep, and the evidence of both is verified.
#[test]
fn evidence_of_corrupt_values_is_verified_for_samples_and_sweeps() {
    for lie in [
        Lie::EditedValue,
        Lie::EditedKey,
        Lie::ValueWithMatchingHash,
        Lie::CorruptValueReported,
    ] {
        for args in [&["--once", "--audit-sample", "5"][..], &["sweep"]] {
            let folder = TempDir::new();
            let (server, program) = audited(&folder);
            server.lie(lie);
            program.run(args).ends_with(2);
            let files = all_evidence(&program);
            let runs = files.iter().map(|file| verify_file(&program, file, &[]));
            // a last file may only count the findings that exceed the number of evidence files
            let only_counts = |run: &Run| run.stdout.contains("it only counts further findings");
            let (counts, shows): (Vec<Run>, Vec<Run>) = runs.partition(only_counts);
            assert!(counts.len() <= 1 && !shows.is_empty(), "{files:?}");
            for run in shows {
                assert!(
                    run.ends_with(2).stdout.contains("checked again"),
                    "{run:#?}"
                );
            }
        }
    }
}

/// The server hides behind an error of old servers, but its headers show another history.
#[test]
fn evidence_of_headers_alone_shows_another_history() {
    let folder = TempDir::new();
    let server = started(Options::default());
    let proxy = Proxy::before(server.port());
    let program = Program::new(proxy.port, &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    let mut forged = server.ledger(DATABASE).expect("a database");
    forged.truncate(19);
    for value in ["another", "and", "more"] {
        forged.commit(vec![NewEntry::set("key", value)]);
    }
    server.put_ledger(DATABASE, forged);
    proxy.distort(|call, _, reply| {
        if call == "VerifiableTxById" {
            reply.body = Body::Error(2, "binary linking mismatch at tx 20".into());
        }
    });
    program.once().is(2, DATABASE, "inconsistent");
    let run = verify(&program, &[]);
    assert!(run.ends_with(2).stdout.contains("20"), "{run:#?}");
}

#[test]
fn a_running_auditor_behind_tls_is_verified_by_the_given_ca_only() {
    let folder = TempDir::new();
    certificates(&folder);
    let (server, program) = audited(&folder);
    let state = server.state(DATABASE).expect("a state");
    let states = format!(
        r#"{{"states":[{{"database":"{DATABASE}","tx":{},"hash":"{}"}}]}}"#,
        state.tx, state.hash
    );
    let compare = |ca: &str, host: &str| {
        let mut secure = Secure::start(&folder, "200 OK", &states);
        let url = format!("https://{host}:{}/states", secure.port);
        let ca = format!("--ca={}", folder.join(ca).display());
        let run = program.run(&["compare", &url, &ca]);
        (run, secure.received_text())
    };
    let (run, received_text) = compare("ca.pem", "127.0.0.1");
    assert!(run.ends_with(0).stdout.contains("agrees"), "{run:#?}");
    assert!(
        received_text.starts_with("GET /states HTTP/1.1\r\n"),
        "{received_text}"
    );
    // another CA, and a host name that is not in the certificate
    for (ca, host) in [("other.pem", "127.0.0.1"), ("ca.pem", "localhost")] {
        let (run, received_text) = compare(ca, host);
        assert!(run.ends_with(1).stderr.contains("TLS"), "{run:#?}");
        assert_eq!(received_text, "", "{ca} {host}");
    }
}
