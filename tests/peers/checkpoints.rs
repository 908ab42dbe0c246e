//! Checkpoints in the program: it generates keys, signs and serves proven states, and exports and
//! verifies checkpoints.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::http::{Answer, get};
use crate::support::notify_scene::{Scene, wait_until};
use crate::support::program::{Program, Run, Running, member};
use immuaudit::checkpoint::{SignedNote, VerifierKey, confirmed, print_list, read_list};

/// Creates a key in a new file and returns its public key.
fn new_key(program: &Program, name: &str, file: &Path) -> String {
    let file = file.display().to_string();
    let run = program.run(&["key", "new", "--name", name, &file]);
    run.ends_with(0);
    assert!(run.stderr.contains("--audit-signing-key"), "{run:?}");
    let public = run.stdout.trim().to_owned();
    assert!(VerifierKey::read(&public).is_ok_and(|key| key.name.as_str() == name));
    public
}

fn port(running: &Running) -> u16 {
    let log = running.log();
    let port = log.split("status page on http://").nth(1);
    let port = port.and_then(|rest| rest.split('/').next()?.rsplit(':').next()?.parse().ok());
    port.expect("a port")
}

fn checkpoints(running: &Running) -> Answer {
    get(port(running), "/checkpoints", "*/*")
}

/// Returns the time of the first signature of this key.
fn time(note: &str, key: &str) -> u64 {
    let note = SignedNote::read(note.as_bytes()).expect("a note");
    let key = VerifierKey::read(key).expect("a key");
    confirmed(&note, &key).expect("confirmed").time
}

#[test]
fn a_new_key_is_private_and_only_its_public_key_is_printed() {
    let scene = Scene::new();
    let program = scene.program(&[]);
    let file = scene.folder.join("key");
    let public = new_key(&program, "n", &file);
    let holding = immuaudit::sys::holding(&file).expect("a file");
    let rights = if cfg!(unix) { 0o777 } else { 0o077 };
    assert_eq!(holding.open.mode() & rights, 0o600 & rights);
    let private = fs::read_to_string(&file).expect("a key");
    assert!(private.starts_with("PRIVATE+KEY+n+"));
    let path = file.display().to_string();
    let shown = program.run(&["key", "show", &path]);
    assert_eq!(shown.ends_with(0).stdout.trim(), public);
    let again = program.run(&["key", "new", "--name", "other", &path]);
    assert!(
        again.ends_with(3).stderr.contains("never overwritten"),
        "{again:?}"
    );
    assert_eq!(fs::read_to_string(&file).expect("a key"), private);
    for (args, message) in [
        (
            &["key", "new", "--name", "a b", "f"][..],
            "--name: \"a b\" is not valid",
        ),
        (
            &["key", "new", "f"],
            "expected immuaudit key new --name NAME FILE",
        ),
        (
            &["key", "show", "nowhere"],
            "nowhere: there is no such file",
        ),
        (&["key", "show", "--name", "a", &path], "--name"),
        (
            &["checkpoint", "verify", &path],
            "expected immuaudit checkpoint verify FILE --key KEY",
        ),
        (&["checkpoint", "export"], "--audit-signing-key"),
        (
            &["checkpoint", "show", "nowhere"],
            "nowhere: it cannot be read",
        ),
    ] {
        let run = program.run(args);
        let stderr = run.ends_with(3).stderr.to_lowercase();
        assert!(
            stderr.contains(&message.to_lowercase()),
            "{message}: {run:?}"
        );
    }
    // a private key that is given as a public key, or instead of its file name, is not printed:
    // PRIVATE+KEY+NAME+HASH+SEED, and the seed may contain plus signs
    let secret = private
        .trim()
        .splitn(5, '+')
        .nth(4)
        .expect("the seed")
        .to_owned();
    let parts: Vec<&str> = (0..secret.len() - 8)
        .map(|at| &secret[at..at + 8])
        .collect();
    let leaks = |run: &Run| parts.iter().any(|part| format!("{run:?}").contains(part));
    for args in [
        &["checkpoint", "verify", "f", "--key", private.trim()][..],
        &["config", "--audit-signing-key", private.trim()],
    ] {
        let run = program.run(args);
        assert!(!leaks(run.ends_with(3)), "{args:?}");
    }
    let wrong = program.run(&["checkpoint", "verify", "f", "--key", private.trim()]);
    assert!(wrong.stderr.contains("it is a private key"), "{wrong:?}");
    let twice = [
        "checkpoint",
        "verify",
        "f",
        "--key",
        &public,
        "--key",
        &public,
    ];
    assert!(
        program
            .run(&twice)
            .ends_with(3)
            .stderr
            .contains("different keys")
    );
    fs::write(&file, public.clone()).expect("a file");
    let wrong = program.run(&["config", "--check", "--audit-signing-key", &path]);
    let message = "it is a public key: give the file of immuaudit key new";
    assert!(wrong.ends_with(3).stderr.contains(message), "{wrong:?}");
    fs::write(&file, private).expect("a file");
    let config = program.run(&["config", "--audit-signing-key", &path]);
    assert!(!config.ends_with(0).stdout.contains(&secret));
}

#[test]
fn a_running_auditor_signs_only_proven_states_again_in_each_cycle() {
    let mut scene = Scene::new();
    scene.ledger.create_database("b_2");
    scene.ledger.grow("b_2", 2);
    let file = scene.folder.join("key");
    let public = new_key(&scene.program(&[]), "zone-a", &file);
    let path = file.display().to_string();
    let program = scene.program(&["--audit-signing-key", &path, "--audit-interval", "200ms"]);
    let mut running = program.start(&[]);
    running.wait_for_times("INFO  cycle ", 1);
    let all = checkpoints(&running).body;
    let notes = read_list(all.as_bytes());
    assert_eq!(notes.len(), 2, "{all}");
    let port = port(&running);
    let one = |name: &str| get(port, &format!("/checkpoints/{name}"), "*/*");
    assert!(all.contains(&one("defaultdb").body) && all.contains(&one("b_2").body));
    assert_eq!((one("other").status, one("").status), (404, 404));
    let first = one("defaultdb").body;
    let (file, signed) = (scene.folder.join("checkpoints"), time(&first, &public));
    fs::write(&file, &all).expect("a file");
    let file = file.display().to_string();
    let verify = |more: &[&str]| {
        let args = [&["checkpoint", "verify", &file][..], more].concat();
        scene.program(&[]).run(&args)
    };
    let verified = verify(&["--key", &public]);
    let message = "defaultdb of server tested: transaction 3, hash ";
    assert!(
        verified.ends_with(0).stdout.contains(message),
        "{verified:?}"
    );
    assert!(
        verified
            .stdout
            .contains("confirmed by 1 of 1 required: zone-a "),
        "{verified:?}"
    );
    // signed again, with the same state
    wait_until("a new time", || {
        time(&one("defaultdb").body, &public) > signed
    });
    assert_eq!(one("defaultdb").body.lines().nth(1), Some("3"));
    scene.ledger.stop();
    running.wait_for_times("unreachable", 4);
    let last = one("defaultdb").body;
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(one("defaultdb").body, last);
    scene.ledger.restart().expect("its port is free");
    scene.ledger.grow("defaultdb", 1);
    wait_until("it grew", || {
        one("defaultdb").body.lines().nth(1) == Some("4")
    });
    // a contradicting state is never signed
    scene.roll_back();
    running.wait_for_times("rolled-back", 2);
    assert_eq!(one("defaultdb").body.lines().nth(1), Some("4"));
    running.signal("TERM");
    running.end();
    // the export has the same state, with the time of its last proof
    let exported = program.run(&["checkpoint", "export"]);
    let exported = read_list(exported.ends_with(0).stdout.as_bytes());
    let texts: Vec<&str> = exported
        .iter()
        .map(|note| note.as_ref().expect("a note").text())
        .collect();
    assert_eq!(texts.len(), 2);
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("immudb/tested/defaultdb\n4\n")),
        "{texts:?}"
    );
}

#[test]
fn a_checkpoint_is_verified_offline_by_as_many_auditors_as_are_required() {
    let scene = Scene::new();
    let program = scene.program(&[]);
    let files = ["a", "b"].map(|name| scene.folder.join(name));
    let keys = ["zone-a", "zone-b"].map(String::from);
    let publics: Vec<String> = keys
        .iter()
        .zip(&files)
        .map(|(name, file)| new_key(&program, name, file))
        .collect();
    let export = |file: &Path| {
        let path = file.display().to_string();
        let run = program.run(&["checkpoint", "export", "--audit-signing-key", &path]);
        run.ends_with(0).stdout.clone()
    };
    let (one, other) = (export(&files[0]), export(&files[1]));
    // both signatures under one text
    let line = other.lines().last().expect("a signature");
    let both = format!("{one}{line}\n");
    let path = scene.folder.join("both");
    let verify = |text: &str, args: &[&str]| {
        fs::write(&path, text).expect("a file");
        let file = path.display().to_string();
        program.run(&[&["checkpoint", "verify", &file][..], args].concat())
    };
    let (a, b) = (publics[0].as_str(), publics[1].as_str());
    let two = ["--key", a, "--key", b, "--require", "2", "--json"];
    let run = verify(&both, &two);
    let message = "\"confirmed_by\":[\"zone-a\",\"zone-b\"]";
    assert!(run.ends_with(0).stdout.contains(message), "{run:?}");
    assert_eq!(member(&run.stdout, "database"), "defaultdb");
    verify(&one, &two).ends_with(1);
    verify(&one, &["--key", a, "--key", b]).ends_with(0);
    verify(&one, &["--key", b]).ends_with(1);
    // a changed text is reported as a wrong signature, not as an absent one
    let changed = both.replacen("\n3\n", "\n4\n", 1);
    let run = verify(&changed, &["--key", a]);
    assert!(
        run.ends_with(1)
            .stdout
            .contains("zone-a: its signature is wrong"),
        "{run:?}"
    );
    // an invalid note after a valid one is reported
    let run = verify(&format!("{both}\nno checkpoint\n"), &["--key", a]);
    assert!(
        run.ends_with(1).stderr.contains("checkpoint 2 is invalid"),
        "{run:?}"
    );
    // `show` prints the names of the signers and reads standard input too
    fs::write(&path, &both).expect("a file");
    let file = path.display().to_string();
    let shown = program.run(&["checkpoint", "show", &file]);
    let message = "names zone-a, zone-b as its signer (not verified";
    assert!(shown.ends_with(0).stdout.contains(message), "{shown:?}");
    let mut command = program.command(&["checkpoint", "show", "-"]);
    let piped = command
        .stdin(fs::File::open(&path).expect("a file"))
        .output();
    assert!(piped.expect("the program").status.success());
}

#[test]
fn a_state_that_an_operator_adopted_is_exported_once_it_is_proven() {
    let scene = Scene::new();
    let file = scene.folder.join("key");
    new_key(&scene.program(&[]), "zone-a", &file);
    let program = scene.program(&["--audit-signing-key", &file.display().to_string()]);
    let mut cut = scene.ledger.ledger("defaultdb").expect("a database");
    cut.truncate(2);
    scene.ledger.put_ledger("defaultdb", cut);
    program.once().ends_with(2);
    let line = |code: i32| {
        let run = program.run(&["checkpoint", "export"]);
        run.ends_with(code).stdout.lines().nth(1).map(str::to_owned)
    };
    assert_eq!(line(0), Some("3".into())); // the state that was trusted before
    let alarm = program.open_alarm("defaultdb");
    program
        .run(&["alarm", "adopt", &alarm, "--yes"])
        .ends_with(0);
    std::thread::sleep(Duration::from_millis(1_100)); // times are whole seconds
    assert_eq!(line(1), None);
    program.once().ends_with(0);
    assert_eq!(line(0), Some("2".into()));
}

/// After an operator gave up a history, only states of the new history are signed.
#[test]
fn a_history_that_was_given_up_is_never_signed_again() {
    let scene = Scene::new();
    let file = scene.folder.join("key");
    let public = new_key(&scene.program(&[]), "zone-a", &file);
    let path = file.display().to_string();
    let program = scene.program(&["--audit-signing-key", &path, "--audit-interval", "200ms"]);
    let mut running = program.start(&[]);
    running.wait_for_cycles(1);
    let port = port(&running);
    let one = || get(port, "/checkpoints/defaultdb", "*/*");
    assert_eq!(one().body.lines().nth(1), Some("3"));
    let adopt = |running: &mut Running| {
        running.wait_for_cycles(2);
        let alarm = program.open_alarm("defaultdb");
        program
            .run(&["alarm", "adopt", &alarm, "--yes"])
            .ends_with(0);
    };
    let mut cut = scene.ledger.ledger("defaultdb").expect("a database");
    cut.truncate(2);
    scene.ledger.put_ledger("defaultdb", cut);
    adopt(&mut running);
    wait_until("the adopted state is proven", || {
        one().body.lines().nth(1) == Some("2")
    });
    // the checkpoint has the server's signature of the new state
    let text = one().body;
    assert!(text.contains("\nimmudb-signature "), "{text}");
    let copy = scene.folder.join("copy");
    fs::write(&copy, text).expect("a file");
    let copy = copy.display().to_string();
    let verified = program.run(&["checkpoint", "verify", &copy, "--key", &public]);
    assert!(!verified.ends_with(0).stdout.contains("signature is wrong"));
    let mut cut = scene.ledger.ledger("defaultdb").expect("a database");
    cut.truncate(0);
    scene.ledger.put_ledger("defaultdb", cut);
    adopt(&mut running);
    wait_until("an empty database has none", || one().status == 404);
    running.wait_for_cycles(2);
    assert_eq!(one().status, 404);
    running.signal("TERM");
    running.end();
}

#[test]
fn the_signing_key_may_be_a_systemd_credential() {
    let scene = Scene::new();
    let mut program = scene.program(&[]);
    let directory = scene.folder.join("credentials");
    fs::create_dir(&directory).expect("a directory");
    new_key(&program, "zone-a", &directory.join("audit-signing-key"));
    program.run(&["checkpoint", "export"]).ends_with(3);
    let given = (
        "CREDENTIALS_DIRECTORY".into(),
        directory.display().to_string(),
    );
    program.variables = vec![given];
    let run = program.run(&["checkpoint", "export"]);
    assert!(
        run.ends_with(0).stdout.contains("\u{2014} zone-a "),
        "{run:?}"
    );
}

/// Two checkpoints with different hashes for one transaction: with the server's signatures they are
/// a proof, with the signatures of auditors alone they are not.
#[test]
fn two_hashes_of_one_transaction_are_proof_if_the_server_signed_both() {
    let scene = Scene::new();
    let other = Scene::new();
    for (scene, value) in [(&scene, "one"), (&other, "two")] {
        scene
            .ledger
            .set("defaultdb", "k", value)
            .expect("a transaction");
        scene.program(&[]).once().ends_with(0);
    }
    let (program, file) = (scene.program(&[]), scene.folder.join("key"));
    let public = new_key(&program, "zone-a", &file);
    let signing = file.display().to_string();
    let pem = |scene: &Scene| {
        let path = scene.folder.join("server.pub");
        fs::write(&path, scene.ledger.public_pem().expect("a key")).expect("a file");
        path.display().to_string()
    };
    let export = |scene: &Scene| {
        let program = scene.program(&["--audit-signing-key", &signing]);
        program
            .run(&["checkpoint", "export"])
            .ends_with(0)
            .stdout
            .clone()
    };
    let texts = [export(&scene), export(&other)];
    assert!(texts[0].contains("\nimmudb-signature "), "{}", texts[0]);
    let path = scene.folder.join("two");
    fs::write(&path, print_list(texts.iter().map(String::as_str))).expect("a file");
    let file = path.display().to_string();
    let verify = |args: &[&str]| {
        let args = [&["checkpoint", "verify", &file, "--key", &public][..], args].concat();
        program.run(&args)
    };
    let run = verify(&[]);
    assert!(run.ends_with(1).stderr.contains("has 2 hashes"), "{run:?}");
    // the keys of both servers in one file: its owner states that they are one server
    let both = scene.folder.join("both.pub");
    let pems = [pem(&scene), pem(&other)].map(|path| fs::read_to_string(path).expect("a key"));
    fs::write(&both, pems.concat()).expect("a file");
    let both = both.display().to_string();
    let run = verify(&["--server-signing-pub-key", &both]);
    let message = "the server signed two of them, so it showed two histories";
    assert!(run.ends_with(2).stderr.contains(message), "{run:?}");
    // the server's signatures are a proof without any cosignature, and an invalid checkpoint before
    // them does not hide it
    let other_key = scene.folder.join("other-key");
    let unknown = new_key(&program, "zone-b", &other_key);
    let unsigned = texts[1]
        .lines()
        .filter(|line| !line.starts_with("immudb-signature"));
    let unsigned: String = unsigned.map(|line| format!("{line}\n")).collect();
    let mixed = format!("{unsigned}\n{}\n{}", texts[1], texts[0]);
    fs::write(&path, mixed).expect("a file");
    let args = [
        "checkpoint",
        "verify",
        &file,
        "--key",
        &unknown,
        "--require",
        "1",
        "--server-signing-pub-key",
        &both,
    ];
    let run = program.run(&args);
    assert!(run.ends_with(2).stderr.contains(message), "{run:?}");
    fs::write(&path, print_list(texts.iter().map(String::as_str))).expect("a file");
    // with one of the keys alone, the other signature is invalid
    let run = verify(&["--server-signing-pub-key", &pem(&scene)]);
    let message = "the server's signature is wrong: the state is not signed by a configured key";
    assert!(run.ends_with(1).stdout.contains(message), "{run:?}");
}
