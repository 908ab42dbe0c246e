//! Two auditors as programs: one serves its checkpoints, and the other compares them with its
//! trusted states.

use crate::support::blocked::Blocked;
use crate::support::http::get;
use crate::support::in_process::location;
use crate::support::peers::{note_by, other, signer};
use crate::support::program::{Program, Run, Running, member};
use crate::support::temp_dir::TempDir;
use crate::support::watched::port_of;
use immuaudit::checkpoint::print_list;
use immuaudit::drill::{Embedded, Options, SigningKey};
use immuaudit::ledger::{State, StateShape};
use immuaudit::trust::Store;

const DATABASE: &str = "defaultdb";

/// A ledger and its auditor, which signs and serves the proven states.
struct Zone {
    ledger: Embedded,
    folder: TempDir,
    _running: Running,
    /// The argument `--audit-peer` for other auditors.
    peer: String,
    port: u16,
}

impl Zone {
    fn new(options: Options, name: &str, length: u64) -> Zone {
        let ledger = Embedded::start(options).expect("a ledger");
        ledger.grow(DATABASE, length);
        let folder = TempDir::new();
        let program = Program::new(ledger.port(), &folder.join("state"));
        let key = folder.join("key").display().to_string();
        let public = program.run(&["key", "new", "--name", name, &key]);
        let public = public.ends_with(0).stdout.trim().to_owned();
        let mut running = program.start(&["--audit-interval=1s", "--audit-signing-key", &key]);
        running.wait_for("cycle finished server=");
        let port = port_of(&running);
        let peer = format!(
            "--audit-peer=http://127.0.0.1:{}={public}",
            port_of(&running)
        );
        Zone {
            ledger,
            folder,
            _running: running,
            peer,
            port,
        }
    }
}

fn auditor(ledger: &Embedded, folder: &TempDir, args: &[&str]) -> Program {
    Program::new(ledger.port(), &folder.join("other"))
        .with(&["--json"])
        .with(args)
}

/// Returns the JSON members of the only peer of the database.
#[track_caller]
fn peer(run: &Run) -> String {
    let line = run.line(DATABASE);
    let peers = line.split("\"peers\":[").nth(1).expect("peers");
    peers.split(']').next().expect("an end").to_owned()
}

#[test]
fn a_confirmed_auditor_is_good_and_its_status_has_the_agreement() {
    let zone = Zone::new(Options::default(), "zone-a", 12);
    let program = auditor(
        &zone.ledger,
        &zone.folder,
        &[&zone.peer, "--audit-peers-required=1"],
    );
    let run = program.run(&["--once"]);
    let message = peer(run.ends_with(0));
    assert!(
        message.contains("\"peer\":\"zone-a\",\"state\":\"agrees\""),
        "{message}"
    );
    let status = program.run(&["status"]);
    let known = peer(status.ends_with(0));
    assert!(known.contains("\"agreed_tx\":12"), "{known}");
    // with another key the peer's checkpoints are invalid: it counts as silent, and no alarm is
    // raised
    let (url, key) = zone.peer.rsplit_once('=').map_or(("", ""), |parts| parts);
    let url = url.trim_end_matches('=');
    assert!(
        url.starts_with("--audit-peer=http://") || key.is_empty(),
        "{url}"
    );
    let other_key = "zone-b+4a8a84aa+BHy7xs+Wk/TAnW4LKKlPt/oZYoFISsdd5yxg41dhGD3U";
    let port = zone.peer.split("127.0.0.1:").nth(1).expect("a port");
    let port = port.split('=').next().expect("a port");
    let with_other_key = format!("--audit-peer=http://127.0.0.1:{port}={other_key}");
    let run = auditor(&zone.ledger, &zone.folder, &[&with_other_key]).run(&["--once"]);
    let message = peer(run.ends_with(0));
    assert!(message.contains("\"state\":\"silent\""), "{message}");
}

/// Runs `--once` until its exit code is not 0, which takes as long as the peer's first checkpoint.
fn once_until_it_fails(program: &Program) -> Run {
    let mut run = program.run(&["--once"]);
    for _ in 0..100 {
        if run.code != Some(0) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        run = program.run(&["--once"]);
    }
    run
}

#[test]
fn two_signed_histories_are_a_split_view_that_is_proven_offline() {
    let options = Options::default().signed();
    let zone = Zone::new(options.clone(), "zone-a", 12);
    let view = Embedded::start(options).expect("a ledger");
    view.set(DATABASE, "forged", "forged");
    view.grow(DATABASE, 20);
    let pem = zone.folder.join("server.pem");
    std::fs::write(&pem, view.public_pem().expect("a key")).expect("a file");
    let key = format!("--server-signing-pub-key={}", pem.display());
    let program = auditor(&view, &zone.folder, &[&zone.peer, &key]);
    // the first check: checkpoints that are older contradict nothing
    let run = once_until_it_fails(&program);
    run.is(2, DATABASE, "split-view");
    assert_eq!(member(run.line(DATABASE), "state_verdict"), "consistent");
    assert!(peer(&run).contains("\"state\":\"split\""), "{run:?}");
    let evidence = member(run.line(DATABASE), "evidence").to_owned();
    drop(view); // the evidence is verified without the server
    let offline = Program::new(9, &zone.folder.join("elsewhere"));
    let verified = offline.run(&["evidence", "verify", &evidence, &key]);
    assert!(
        verified
            .ends_with(2)
            .stdout
            .contains("proof against the server"),
        "{verified:?}"
    );
    let unknown = offline.run(&["evidence", "verify", &evidence]);
    assert!(
        unknown.ends_with(1).stdout.contains("a disagreement"),
        "{unknown:?}"
    );
    let shown = offline.run(&["evidence", "show", &evidence, &key]);
    assert!(
        shown
            .ends_with(0)
            .stdout
            .contains("immudb/tested/defaultdb"),
        "{shown:?}"
    );
}

#[test]
fn two_unsigned_histories_are_a_disagreement_until_acknowledged() {
    let zone = Zone::new(Options::default(), "zone-a", 12);
    let view = Embedded::start(Options::default()).expect("a ledger");
    view.set(DATABASE, "forged", "forged");
    view.grow(DATABASE, 20);
    let program = auditor(&view, &zone.folder, &[&zone.peer]);
    let run = once_until_it_fails(&program);
    run.ends_with(1);
    assert!(peer(&run).contains("\"state\":\"disagrees\""), "{run:?}");
    program.run(&["status"]).ends_with(1);
    let alone = auditor(&view, &zone.folder, &[]);
    let closed = alone.run(&["acknowledge", DATABASE, "--disagreement"]);
    closed.ends_with(0);
    alone.run(&["--once"]).ends_with(0);
}

#[test]
fn an_auditor_cannot_be_its_own_peer() {
    let zone = Zone::new(Options::default(), "zone-a", 3);
    let key = zone.folder.join("key").display().to_string();
    // only commands that sign read the key
    let nowhere = auditor(
        &zone.ledger,
        &zone.folder,
        &["--audit-signing-key", "nowhere"],
    );
    assert!(!nowhere.run(&["alarm", "list"]).stderr.contains("nowhere"));
    let refused = nowhere.run(&["--once"]);
    assert!(
        refused.ends_with(3).stderr.contains("nowhere"),
        "{refused:?}"
    );
    let program = auditor(
        &zone.ledger,
        &zone.folder,
        &[&zone.peer, "--audit-signing-key", &key],
    );
    let run = program.run(&["--once"]);
    assert!(
        run.ends_with(3)
            .stderr
            .contains("an auditor cannot be its own peer"),
        "{run:?}"
    );
}

#[test]
fn checkpoints_from_a_file_are_compared_without_network() {
    let zone = Zone::new(Options::default(), "zone-a", 12);
    let program = auditor(&zone.ledger, &zone.folder, &[]);
    program.run(&["--once"]).ends_with(0);
    let files = Program::new(9, &zone.folder.join("other"));
    let key = zone
        .peer
        .split('=')
        .skip(2)
        .collect::<Vec<&str>>()
        .join("=");
    let file = zone.folder.join("checkpoints");
    let fetched = get(zone.port, "/checkpoints", "*/*").body;
    std::fs::write(&file, &fetched).expect("a file");
    let compare = |file: &str, key: &str| files.run(&["compare", file, "--peer-key", key]);
    let path = file.display().to_string();
    let same = compare(&path, &key);
    assert!(
        same.ends_with(0).stdout.contains("peer zone-a: agrees"),
        "{same:?}"
    );
    // this older state could only be compared with a proof of the server, and there is no server
    zone.ledger.grow(DATABASE, 1);
    program.run(&["--once"]).ends_with(0);
    let known = compare(&path, &key);
    assert!(
        known.ends_with(0).stdout.contains("peer zone-a: behind"),
        "{known:?}"
    );
    let other_key = "zone-b+4a8a84aa+BHy7xs+Wk/TAnW4LKKlPt/oZYoFISsdd5yxg41dhGD3U";
    let unsigned = compare(&path, other_key);
    assert!(
        unsigned
            .ends_with(1)
            .stderr
            .contains("1 checkpoint is invalid, the first: it is not signed by this key"),
        "{unsigned:?}"
    );
    let no_file = compare("nowhere", &key);
    assert!(
        no_file.ends_with(3).stderr.contains("cannot be read"),
        "{no_file:?}"
    );
    let url = files.run(&["compare", "http://127.0.0.1:9/", "--peer-key", &key]);
    assert!(url.ends_with(3).stderr.contains("--peer-key"), "{url:?}");
    // another history, signed by the auditor alone
    let view = Embedded::start(Options::default()).expect("a ledger");
    view.set(DATABASE, "forged", "forged");
    view.grow(DATABASE, 20);
    let folder = TempDir::new();
    let elsewhere = Program::new(view.port(), &folder.join("state"));
    elsewhere.once().ends_with(0);
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    std::fs::write(&file, get(zone.port, "/checkpoints", "*/*").body).expect("a file");
    let split = elsewhere.run(&["compare", &path, "--peer-key", &key]);
    assert!(
        split
            .ends_with(1)
            .stdout
            .contains("disagreement: zone-a says"),
        "{split:?}"
    );
}

/// An auditor of a server that signs, and checkpoints by another auditor with the server's signature.
struct SignedView {
    folder: TempDir,
    ledger: Embedded,
    key: SigningKey,
    program: Program,
}

impl SignedView {
    fn new() -> SignedView {
        let key = SigningKey::generate().expect("a key");
        let options = Options {
            key: Some(key.clone()),
            ..Options::default()
        };
        let ledger = Embedded::start(options).expect("a ledger");
        ledger.grow(DATABASE, 10);
        let folder = TempDir::new();
        let pem = folder.join("server.pem");
        std::fs::write(&pem, key.public_pem()).expect("a file");
        let argument = format!("--server-signing-pub-key={}", pem.display());
        let program = Program::new(ledger.port(), &folder.join("state")).with(&[&argument]);
        program.once().ends_with(0);
        SignedView {
            folder,
            ledger,
            key,
            program,
        }
    }

    fn state(&self) -> State {
        self.ledger.state(DATABASE).expect("a state")
    }

    /// Returns a checkpoint of a state, made `later` seconds from now.
    fn note(&self, state: State, later: u64) -> String {
        let signature = self.key.sign(StateShape::WithDatabase, DATABASE, &state);
        let time = immuaudit::clock::now().unix() + later;
        let of = ("tested", DATABASE);
        note_by(&signer("zone-b"), of, state, signature, time)
    }

    fn compare(&self, notes: &[&str]) -> Run {
        let file = self.folder.join("checkpoints");
        std::fs::write(&file, print_list(notes.iter().copied())).expect("a file");
        let public = signer("zone-b").public().to_string();
        let file = file.display().to_string();
        self.program.run(&["compare", &file, "--peer-key", &public])
    }
}

#[test]
fn every_checkpoint_of_a_joined_file_is_compared() {
    let view = SignedView::new();
    let monday = view.note(other(view.state()), 1);
    let tuesday = view.note(view.state(), 2);
    for notes in [[&monday, &tuesday], [&tuesday, &monday]] {
        let run = view.compare(&notes.map(String::as_str));
        let printed = &run.ends_with(2).stdout;
        for expected in ["split-view: ", "peer zone-b: agrees"] {
            assert!(printed.contains(expected), "{expected}: {run:?}");
        }
    }
}

#[test]
fn a_split_view_of_a_file_that_cannot_be_stored_is_reported_as_not_stored() {
    let view = SignedView::new();
    let store = Store::open_shared(&location(view.folder.join("state"))).expect("a store");
    let forged = view.note(other(view.state()), 1);
    let blocked = Blocked::new(&store, DATABASE);
    let run = view.compare(&[&forged]);
    let printed = &run.ends_with(2).stdout;
    assert!(printed.contains("split-view: "), "{run:?}");
    assert!(printed.contains("not stored: "), "{run:?}");
    assert!(!printed.contains("evidence: "), "{run:?}");
    drop(blocked);
    let run = view.compare(&[&forged]);
    let printed = &run.ends_with(2).stdout;
    assert!(!printed.contains("not stored"), "{run:?}");
    assert!(printed.contains("evidence: "), "{run:?}");
}
