//! The states of another auditor, without its signature. They are no proof of tampering unless the
//! server signed them or also shows them to this auditor. A history that an operator gave up contradicts nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::other_auditor::{compare, watching};
use crate::support::blocked::link_to_nothing;
use crate::support::http::get;
use crate::support::ledgers::rewritten;
use crate::support::notify_scene::wait_until;
use crate::support::program::{Program, Run, member};
use crate::support::temp_dir::TempDir;
use crate::support::watched::port_of;
use immuaudit::drill::{Embedded, Ledger, Lie, NewEntry, Options};

const DATABASE: &str = "defaultdb";

/// Starts a ledger of 20 transactions.
fn ledger(options: Options) -> Embedded {
    let server = Embedded::start(options).expect("an embedded ledger");
    server.grow(DATABASE, 20);
    server
}

fn kept(server: &Embedded) -> Ledger {
    server.ledger(DATABASE).expect("a database")
}

/// Starts a server and two auditors of it. The first auditor trusts transaction 20, the second one a history that was
/// rewritten after transaction 10, up to `last`, which the server shows now. Also returns the first history.
fn forked(last: u64) -> (TempDir, Embedded, [Program; 2], Ledger) {
    let folder = TempDir::new();
    let server = ledger(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    let other = Program::new(server.port(), &folder.join("other"));
    program.once().is(0, DATABASE, "first-seen");
    let first = kept(&server);
    server.put_ledger(DATABASE, rewritten(&first, 10, last));
    other.once().is(0, DATABASE, "first-seen");
    (folder, server, [program, other], first)
}

/// Asserts that the run printed these parts, reported no split view, and opened no alarm.
#[track_caller]
fn opens_no_alarm(program: &Program, run: &Run, expected: &[&str]) {
    let stdout = &run.ends_with(1).stdout;
    for expected in expected {
        assert!(stdout.contains(expected), "{expected}: {run:#?}");
    }
    assert!(!stdout.contains("split-view"), "{run:#?}");
    program.run(&["alarm", "list"]).ends_with(0);
    program.run(&["status"]).ends_with(0);
}

/// Asserts that the run reported a split view with an alarm, and verifies its only evidence file.
#[track_caller]
fn is_a_split_view(program: &Program, run: &Run, keys: &[&str]) -> Run {
    assert!(run.ends_with(2).stdout.contains("split-view"), "{run:#?}");
    let list = program.run(&["alarm", "list", "--json"]);
    let evidence = member(list.ends_with(2).line(DATABASE), "evidence").to_owned();
    let args = ["evidence", "verify", &evidence];
    program.run(&[&args[..], keys].concat())
}

/// The server also shows the other auditor's history to this auditor, so its present and its earlier response are
/// known.
#[test]
fn a_claimed_state_that_the_server_also_shows_is_a_split_view() {
    for last in [12, 20, 27] {
        let (folder, server, [program, other], _) = forked(last);
        if last == 20 {
            // one transaction with two hashes needs no call: only the export contains the second one
            let run = compare(&program, &other, &folder);
            opens_no_alarm(&program, &run, &["disagreement"]);
            continue;
        }
        // the server has both transactions, so it can prove neither against the other
        if last == 12 {
            server.grow(DATABASE, 9);
        }
        let run = compare(&program, &other, &folder);
        let verified = is_a_split_view(&program, &run, &[]);
        assert!(
            verified.ends_with(2).stdout.contains("refused"),
            "{verified:#?}"
        );
        assert!(
            run.stdout.contains("the server shows it here too"),
            "{run:#?}"
        );
    }
}

#[test]
fn a_claimed_state_that_the_server_does_not_show_is_a_disagreement() {
    for last in [12, 20, 27] {
        let (folder, server, [program, other], first) = forked(last);
        let mut grown = first;
        while grown.last() < 30 {
            grown.commit(vec![NewEntry::set("honest", grown.last().to_string())]);
        }
        server.put_ledger(DATABASE, grown);
        let run = compare(&program, &other, &folder);
        let claimed = format!("claims that transaction {last} has hash ");
        opens_no_alarm(
            &program,
            &run,
            &["disagreement", &claimed, "but here it has"],
        );
    }
}

#[test]
fn a_claimed_state_that_the_server_signed_is_a_split_view_and_proof_with_its_key() {
    for last in [20, 15] {
        let folder = TempDir::new();
        let server = ledger(Options::default().signed());
        let pem = folder.public_key_of(&server);
        let key = ["--server-signing-pub-key", &pem];
        let program = Program::new(server.port(), &folder.join("trust"));
        let other = Program::new(server.port(), &folder.join("other"));
        program.once().is(0, DATABASE, "first-seen");
        let first = kept(&server);
        server.put_ledger(DATABASE, rewritten(&first, 10, last));
        let (_running, url) = watching(&other);
        server.put_ledger(DATABASE, first);
        // without the key the state is only a claim
        let run = program.run(&["compare", &url]);
        opens_no_alarm(&program, &run, &["disagreement"]);
        let run = program.with(&key).run(&["compare", &url]);
        let verified = is_a_split_view(&program, &run, &key);
        let expected = "proof against the server";
        assert!(
            verified.ends_with(2).stdout.contains(expected),
            "{verified:#?}"
        );
        assert!(
            run.stdout
                .contains("keep it open until both auditors' operators know"),
            "{run:#?}"
        );
        let alarm = program.open_alarm(DATABASE);
        let shown = program.run(&["alarm", "show", &alarm]);
        let expected = "the next comparison with the other auditor opens the alarm again";
        assert!(shown.ends_with(2).stdout.contains(expected), "{shown:#?}");
        let located = program
            .run(&["locate", DATABASE])
            .ends_with(2)
            .stdout
            .clone();
        for expected in [
            "but another auditor was shown another history",
            "the split view was found ",
            "run immuaudit states export for the other auditor",
        ] {
            assert!(located.contains(expected), "{expected}: {located}");
        }
        for wrong in ["than at the alarm", "alarm adopt", "the change was made"] {
            assert!(!located.contains(wrong), "{wrong}: {located}");
        }
        // without the key the evidence has only the statements of two auditors
        let verified = is_a_split_view(&program, &run, &[]);
        assert!(
            verified.ends_with(1).stdout.contains("a disagreement"),
            "{verified:#?}"
        );
    }
}

/// Serves one body under every path.
fn serving(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            let mut request = BufReader::new(&stream).lines();
            while request
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let written = (&stream).write_all((head + &body).as_bytes());
            written.expect("a response");
        }
    });
    format!("http://127.0.0.1:{port}")
}

/// The response of another auditor of many databases is longer than the evidence may be.
#[test]
fn evidence_of_a_large_response_contains_the_servers_signature() {
    let folder = TempDir::new();
    let server = ledger(Options::default().signed());
    let pem = folder.public_key_of(&server);
    let key = ["--server-signing-pub-key", &pem];
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    let first = kept(&server);
    server.put_ledger(DATABASE, rewritten(&first, 10, 20));
    let (running, _url) = watching(&Program::new(server.port(), &folder.join("other")));
    let shown = get(port_of(&running), "/states", "application/json").body;
    drop(running);
    server.put_ledger(DATABASE, first);
    let signature = "A".repeat(200);
    let others = (0..5_000).map(|number| {
        let hash = "ab".repeat(32);
        format!(r#"{{"database":"shop{number}","tx":1,"hash":"{hash}","signature":{{"public_key":"{signature}","signature":"{signature}"}}}},"#)
    });
    let list = r#""states":["#;
    assert!(shown.contains(list), "{shown}");
    let body = shown.replacen(list, &(list.to_owned() + &others.collect::<String>()), 1);
    assert!(body.len() > 2 << 20);
    let run = program.with(&key).run(&["compare", &serving(body)]);
    let verified = is_a_split_view(&program, &run, &key);
    let expected = "proof against the server";
    assert!(
        verified.ends_with(2).stdout.contains(expected),
        "{verified:#?}"
    );
}

/// The auditor's own export, from before an operator gave the history up.
#[test]
fn an_own_export_of_a_history_that_was_given_up_contradicts_nothing() {
    // rewritten with as many, more and fewer transactions, and rolled back
    for (common, last) in [(10, 25), (10, 30), (10, 15), (22, 22)] {
        let folder = TempDir::new();
        let server = ledger(Options::default());
        let program = Program::new(server.port(), &folder.join("trust"));
        program.once().is(0, DATABASE, "first-seen");
        server.grow(DATABASE, 5);
        program.once().is(0, DATABASE, "consistent");
        let export = program.run(&["states", "export"]).stdout;
        let file = folder.join("export.toml");
        fs::write(&file, export).expect("a file");
        let first = kept(&server);
        server.put_ledger(DATABASE, rewritten(&first, common, last));
        program.once().ends_with(2);
        let alarm = program.open_alarm(DATABASE);
        program
            .run(&["alarm", "adopt", "--yes", &alarm])
            .ends_with(0);
        program.once().is(0, DATABASE, "consistent");
        let file = file.to_str().expect("UTF-8");
        let expected = format!("by immuaudit alarm adopt {alarm}");
        let run = program.run(&["compare", file]);
        opens_no_alarm(
            &program,
            &run,
            &["given up here", "transaction 25, hash", &expected],
        );
        // the present history grows past the one that was given up
        let mut grown = kept(&server);
        while grown.last() < 40 {
            grown.commit(vec![NewEntry::set("later", grown.last().to_string())]);
        }
        server.put_ledger(DATABASE, grown);
        program.once().is(0, DATABASE, "consistent");
        let run = program.run(&["compare", file]);
        opens_no_alarm(&program, &run, &["given up here", &expected]);
    }
}

#[test]
fn a_history_that_was_given_up_by_forgetting_contradicts_nothing() {
    let folder = TempDir::new();
    let server = ledger(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    let file = folder.join("export.toml");
    fs::write(&file, program.run(&["states", "export"]).stdout).expect("a file");
    program.run(&["states", "forget", DATABASE]).ends_with(0);
    let first = kept(&server);
    server.put_ledger(DATABASE, rewritten(&first, 10, 20));
    program.once().is(0, DATABASE, "first-seen");
    let run = program.run(&["compare", file.to_str().expect("UTF-8")]);
    opens_no_alarm(
        &program,
        &run,
        &["given up here", "by immuaudit states forget"],
    );
}

#[test]
fn a_file_of_immuaudit_is_not_imported_and_its_own_command_is_named() {
    let folder = TempDir::new();
    let server = ledger(Options::default());
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    let file = folder.join("export.toml");
    fs::write(&file, program.run(&["states", "export"]).stdout).expect("a file");
    let key = folder.join("zone-a.key");
    let new = [
        "key",
        "new",
        "--name",
        "zone-a",
        key.to_str().expect("UTF-8"),
    ];
    program.run(&new).ends_with(0);
    let signs = ["checkpoint", "export", "--audit-signing-key"];
    let checkpoints = program.run(&[&signs[..], &[key.to_str().expect("UTF-8")]].concat());
    let signed = folder.join("zone-a.txt");
    fs::write(&signed, &checkpoints.ends_with(0).stdout).expect("a file");
    for (file, expected) in [
        (file, "immuaudit compare FILE;"),
        (signed, "immuaudit compare FILE --peer-key KEY;"),
        (
            program.dir.join("tested/defaultdb.state"),
            "copy its whole --dir",
        ),
        (program.dir.join("tested/outcomes"), "copy its whole --dir"),
    ] {
        let run = program.run(&["states", "import", &file.display().to_string()]);
        let text = &run.ends_with(3).stderr;
        assert!(text.contains(expected) && text.contains("--pin"), "{text}");
    }
}

#[test]
fn locate_after_a_wrong_signature_reports_no_other_history() {
    let folder = TempDir::new();
    let server = ledger(Options::default().signed());
    let pem = folder.public_key_of(&server);
    let key = ["--server-signing-pub-key", &pem];
    let program = Program::new(server.port(), &folder.join("trust")).with(&key);
    program.once().is(0, DATABASE, "first-seen");
    server.lie(Lie::Unsigned);
    program.once().is(2, DATABASE, "bad-signature");
    server.be_honest();
    let located = program
        .run(&["locate", DATABASE])
        .ends_with(2)
        .stdout
        .clone();
    assert!(located.contains("who changed its signing key"), "{located}");
    assert!(!located.contains("than at the alarm"), "{located}");
}

/// Comparisons are run by cron. Both histories grow in between, so each comparison is about other states.
#[test]
fn a_lasting_split_view_opens_one_alarm() {
    let folder = TempDir::new();
    let server = ledger(Options::default().signed());
    let pem = folder.public_key_of(&server);
    let key = ["--server-signing-pub-key", &pem];
    let program = Program::new(server.port(), &folder.join("trust")).with(&key);
    let other = Program::new(server.port(), &folder.join("other"));
    program.once().is(0, DATABASE, "first-seen");
    let mut first = kept(&server);
    let mut second = rewritten(&first, 10, 20);
    server.put_ledger(DATABASE, second.clone());
    let (running, url) = watching(&other);
    let mut compared = Vec::new();
    for last in [20, 24, 28] {
        while second.last() < last {
            second.commit(vec![NewEntry::set("another", second.last().to_string())]);
        }
        server.put_ledger(DATABASE, second.clone());
        let shown = || get(port_of(&running), "/states", "application/json").body;
        wait_until("the other auditor's state", || {
            shown().contains(&format!("\"tx\":{last}"))
        });
        while first.last() < last + 5 {
            first.commit(vec![NewEntry::set("honest", first.last().to_string())]);
        }
        server.put_ledger(DATABASE, first.clone());
        program.once().ends_with(if last == 20 { 0 } else { 2 });
        compared.push(program.run(&["compare", &url]));
    }
    let alarm = program.open_alarm(DATABASE);
    for run in compared {
        let stdout = &run.ends_with(2).stdout;
        assert!(
            stdout.contains("split-view") && stdout.contains(&alarm),
            "{run:#?}"
        );
    }
    let list = program.run(&["alarm", "list", "--json"]);
    assert_eq!(list.ends_with(2).stdout.lines().count(), 1, "{list:#?}");
}

#[test]
fn a_split_view_without_its_evidence_names_the_alarm_and_the_reason() {
    let (folder, server, [program, other], _) = forked(12);
    server.grow(DATABASE, 9);
    let servers = fs::read_dir(folder.join("trust")).expect("a directory");
    let mut servers = servers.map(|entry| entry.expect("an entry").path());
    let of_server = servers.find(|path| path.join("defaultdb.state").exists());
    let of_server = of_server.expect("a trusted state");
    // the list of alarms can be written, but no evidence
    link_to_nothing(&of_server.join("evidence"));
    let run = compare(&program, &other, &folder);
    let stdout = &run.ends_with(2).stdout;
    let alarm = program.open_alarm(DATABASE);
    let unstored = format!("alarm {alarm} is open, but its evidence is not stored: ");
    for expected in ["split-view", "immuaudit alarm close ", &unstored] {
        assert!(stdout.contains(expected), "{expected}: {run:#?}");
    }
}
