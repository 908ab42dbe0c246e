//! Notifications about alarms. Each new and each reopened alarm sends one notification, whichever
//! process finds it; a repetition sends none. The tests run the program against the embedded
//! ledger.

use crate::support::http::get;
use crate::support::ledgers::rewritten;
use crate::support::notify_scene::{is_tampering, wait_until};
use crate::support::program::{Program, Run, Running, member};
use crate::support::receiver::{Received, Receiver};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

const DATABASE: &str = "defaultdb";

struct Scene {
    _folder: TempDir,
    server: Embedded,
    audit: Program,
    receiver: Receiver,
}

impl Scene {
    /// Returns a scene whose trusted state is transaction 25.
    fn new() -> Scene {
        let folder = TempDir::new();
        let receiver = Receiver::start();
        let server = Embedded::start(Options::default()).expect("an embedded ledger");
        server.grow(DATABASE, 25);
        let audit = Program::new(server.port(), &folder.join("trust"))
            .with(&["--audit-notification-url", &receiver.url()]);
        audit.once().is(0, DATABASE, "first-seen");
        Scene {
            _folder: folder,
            server,
            audit,
            receiver,
        }
    }

    /// Truncates the database of the server after transaction `last`.
    fn truncate(&self, last: u64) {
        let mut ledger = self.server.ledger(DATABASE).expect("a database");
        ledger.truncate(last);
        self.server.put_ledger(DATABASE, ledger);
    }

    fn tampering_notices(&self) -> Vec<Received> {
        let received = self.receiver.received().into_iter();
        received.filter(is_tampering).collect()
    }

    fn alarms(&self) -> Run {
        self.audit.run(&["alarm", "list", "--json"])
    }
}

/// Returns the alarm IDs in the notifications.
fn named(tampering_notices: &[Received]) -> Vec<&str> {
    let alarms = tampering_notices.iter();
    alarms
        .map(|received| member(&received.body, "alarm"))
        .collect()
}

#[test]
fn a_second_alarm_in_a_later_run_is_notified_and_a_repetition_is_not() {
    let scene = Scene::new();
    scene.truncate(20);
    for _ in 0..2 {
        scene.audit.once().is(2, DATABASE, "rolled-back");
    }
    assert_eq!(scene.tampering_notices().len(), 1);
    scene.truncate(15);
    for _ in 0..2 {
        scene.audit.once().is(2, DATABASE, "rolled-back");
    }
    let tampering_notices = scene.tampering_notices();
    let named = named(&tampering_notices);
    assert_eq!(named.len(), 2, "{tampering_notices:?}");
    assert_ne!(named[0], named[1]);
    assert_eq!(scene.alarms().ends_with(2).stdout.lines().count(), 2);
}

#[test]
fn an_alarm_that_opens_again_is_notified_again() {
    let scene = Scene::new();
    scene.truncate(20);
    scene.audit.once().is(2, DATABASE, "rolled-back");
    let alarm = scene.audit.open_alarm(DATABASE);
    scene.audit.run(&["alarm", "close", &alarm]).ends_with(0);
    for _ in 0..2 {
        scene.audit.once().is(2, DATABASE, "rolled-back");
    }
    assert_eq!(named(&scene.tampering_notices()), [&alarm, &alarm]);
}

/// A directory in place of the list is damage, which counts as an open alarm.
#[test]
fn a_damaged_list_of_alarms_closes_no_alarm() {
    let scene = Scene::new();
    let honest = scene.server.ledger(DATABASE).expect("a database");
    scene.truncate(20);
    scene.audit.once().is(2, DATABASE, "rolled-back");
    scene.server.put_ledger(DATABASE, honest);
    scene.audit.once().is(2, DATABASE, "consistent");
    let list = scene.audit.dir.join("tested/defaultdb.alarms");
    let aside = scene.audit.dir.join("aside");
    std::fs::rename(&list, &aside).expect("a list");
    std::fs::create_dir(&list).expect("a directory");
    scene.audit.once();
    std::fs::remove_dir(&list).expect("a directory");
    std::fs::rename(&aside, &list).expect("a list");
    scene.audit.once().is(2, DATABASE, "consistent");
    for received in scene.receiver.received() {
        assert!(
            !received.body.contains("\"open_alarms\":0"),
            "{received:#?}"
        );
    }
    // the closing is still news
    let alarm = scene.audit.open_alarm(DATABASE);
    scene.audit.run(&["alarm", "close", &alarm]).ends_with(0);
    scene.audit.once().is(0, DATABASE, "consistent");
    let received = scene.receiver.received();
    let last = &received.last().expect("a notification").body;
    assert_eq!(
        member(last, "reason"),
        "no alarm is open any more",
        "{last}"
    );
}

#[test]
fn databases_with_open_alarms_are_not_in_the_summary_of_an_outage() {
    let mut scene = Scene::new();
    for name in ["bank", "shop"] {
        scene.server.create_database(name);
        scene.server.grow(name, 5);
    }
    scene.audit.once();
    let honest = scene.server.ledger(DATABASE).expect("a database");
    scene.truncate(20);
    scene.audit.once().is(2, DATABASE, "rolled-back");
    scene.server.put_ledger(DATABASE, honest);
    scene.server.stop();
    scene.audit.once();
    scene.server.restart().expect("its port");
    scene.audit.once().is(2, DATABASE, "consistent");
    let received = scene.receiver.received();
    let good = |database: &str| {
        let mut of = received.iter().filter(|of| {
            member(&of.body, "verdict") == "consistent" && member(&of.body, "db") == database
        });
        of.next_back().map(|of| of.body.as_str())
    };
    let summary = good("").expect("a summary");
    assert!(
        summary.contains("\"databases\":[\"bank\",\"shop\"]"),
        "{summary}"
    );
    let own = good(DATABASE).expect("its own notification");
    assert!(own.contains("\"open_alarms\":1,"), "{own}");
}

#[test]
fn a_running_auditor_logs_who_decides_about_an_alarm() {
    for (command, message) in [
        ("close", "WARN  alarm closed "),
        ("adopt", "WARN  alarm adopted: its state is trusted now "),
    ] {
        let scene = Scene::new();
        let honest = scene.server.ledger(DATABASE).expect("a database");
        scene.truncate(20);
        let running = scene.audit.with(&["--audit-interval", "50ms"]);
        let mut running = running.start(&[]);
        wait_until("a notification", || scene.tampering_notices().len() == 1);
        let alarm = scene.audit.open_alarm(DATABASE);
        if command == "close" {
            scene.server.put_ledger(DATABASE, honest);
            running.wait_for_cycles(2);
        }
        let mut args = vec!["alarm", command, &alarm];
        args.extend((command == "adopt").then_some("--yes"));
        scene.audit.run(&args).ends_with(0);
        running.wait_for(message);
        let log = running.log();
        let line = log.lines().find(|line| line.contains(message));
        let line = line.expect("the line");
        let facts = format!("database={DATABASE} alarm={alarm} by=");
        assert!(line.contains(&facts) && line.contains(" at="), "{line}");
    }
}

#[test]
fn an_alarm_that_is_closed_during_a_run_and_reopens_is_notified() {
    let scene = Scene::new();
    scene.truncate(20);
    let running = scene.audit.with(&["--audit-interval", "50ms"]);
    let mut running = running.start(&[]);
    wait_until("a notification", || scene.tampering_notices().len() == 1);
    let alarm = scene.audit.open_alarm(DATABASE);
    scene.audit.run(&["alarm", "close", &alarm]).ends_with(0);
    wait_until("a second notification", || {
        scene.tampering_notices().len() == 2
    });
    running.wait_for_cycles(5);
    assert_eq!(named(&scene.tampering_notices()), [&alarm, &alarm]);
}

/// Returns a member of each notification, in the order in which they came.
fn members(scene: &Scene, name: &str) -> Vec<String> {
    let received = scene.receiver.received();
    let members = received.iter().map(|of| member(&of.body, name).to_owned());
    members.collect()
}

/// A slice of a sweep finds a corrupt value that the next cycle does not read. In this test the server alternates.
#[test]
fn a_corrupt_value_that_is_found_again_and_again_is_notified_once() {
    let scene = Scene::new();
    let args = ["--audit-interval", "50ms", "--audit-sample", "64"];
    let mut running = scene.audit.with(&args).start(&[]);
    running.wait_for_cycles(1);
    let verdicts = || members(&scene, "verdict");
    for round in 0..3 {
        scene
            .server
            .lie(LieSchedule::from(Lie::EditedValue).about(7));
        if round == 0 {
            wait_until("the alarm is sent", || verdicts().len() == 1);
        }
        running.wait_for_cycles(3);
        scene.server.be_honest();
        if round == 0 {
            wait_until("the good verdict is sent", || verdicts().len() == 2);
        }
        running.wait_for_cycles(3);
    }
    running.signal("TERM");
    running.end();
    assert_eq!(verdicts(), ["bad-value", "consistent"]);
    assert_eq!(scene.alarms().ends_with(2).stdout.lines().count(), 1);
}

/// Otherwise the last notification could be the good one while the server shows the rewrite in each later check.
#[test]
fn each_change_between_a_rewritten_and_the_trusted_history_is_notified() {
    let scene = Scene::new();
    let honest = scene.server.ledger(DATABASE).expect("a database");
    for _ in 0..2 {
        scene.truncate(20);
        for _ in 0..2 {
            scene.audit.once().is(2, DATABASE, "rolled-back");
        }
        scene.server.put_ledger(DATABASE, honest.clone());
        for _ in 0..2 {
            scene.audit.once().is(2, DATABASE, "consistent");
        }
    }
    let expected = ["rolled-back", "consistent", "rolled-back", "consistent"];
    assert_eq!(members(&scene, "verdict"), expected);
    assert_eq!(scene.alarms().ends_with(2).stdout.lines().count(), 1);
}

#[test]
fn a_good_verdict_names_the_open_alarms_and_the_closing_of_the_last_one_is_notified() {
    for command in ["close", "adopt"] {
        let scene = Scene::new();
        let honest = scene.server.ledger(DATABASE).expect("a database");
        scene.truncate(20);
        scene.audit.once().is(2, DATABASE, "rolled-back");
        if command == "close" {
            scene.server.put_ledger(DATABASE, honest.clone());
            scene.audit.once().is(2, DATABASE, "consistent");
            let received = scene.receiver.received();
            let body = &received[1].body;
            let open = "an alarm is still open: immuaudit alarm list prints it";
            assert_eq!(member(body, "reason"), open, "{body}");
            assert!(body.contains("\"open_alarms\":1,"), "{body}");
        }
        let alarm = scene.audit.open_alarm(DATABASE);
        let mut args = vec!["alarm", command, &alarm];
        args.extend((command == "adopt").then_some("--yes"));
        scene.audit.run(&args).ends_with(0);
        for _ in 0..2 {
            scene.audit.once().is(0, DATABASE, "consistent");
        }
        let received = scene.receiver.received();
        let body = &received.last().expect("a notification").body;
        assert_eq!(
            received.len(),
            2 + usize::from(command == "close"),
            "{received:#?}"
        );
        assert_eq!(member(body, "verdict"), "consistent", "{body}");
        assert_eq!(
            member(body, "reason"),
            "no alarm is open any more",
            "{body}"
        );
        assert!(body.contains("\"open_alarms\":0,"), "{body}");
    }
}

/// Returns the URL of the status page of a running auditor.
fn page_of(running: &mut Running) -> String {
    running.wait_for("status page on ");
    let log = running.log();
    let url = log.split("status page on ").nth(1).expect("its URL");
    url.split_whitespace().next().expect("a URL").to_owned()
}

#[test]
fn a_running_auditor_notifies_of_an_alarm_that_compare_opens() {
    let (folder, receiver) = (TempDir::new(), Receiver::start());
    let server = Embedded::start(Options::default().signed()).expect("an embedded ledger");
    server.grow(DATABASE, 20);
    let pem = folder.public_key_of(&server);
    let key = ["--server-signing-pub-key", &pem];
    let program = Program::new(server.port(), &folder.join("trust")).with(&key);
    program.once().is(0, DATABASE, "first-seen");
    // the other auditor was shown another history
    let honest = server.ledger(DATABASE).expect("a database");
    server.put_ledger(DATABASE, rewritten(&honest, 10, 20));
    let other = Program::new(server.port(), &folder.join("other"));
    let mut other = other.start(&["--audit-interval", "50ms"]);
    let states = page_of(&mut other);
    other.wait_for("INFO  cycle ");
    server.put_ledger(DATABASE, honest);
    let notifies = program.with(&["--audit-notification-url", &receiver.url()]);
    let mut running = notifies.start(&["--audit-interval", "50ms"]);
    let page = page_of(&mut running);
    running.wait_for_cycles(3);
    let tampering_notices = || -> Vec<Received> {
        let received = receiver.received().into_iter();
        received.filter(is_tampering).collect()
    };
    assert_eq!(tampering_notices().len(), 0);
    program.run(&["compare", &states]).ends_with(2);
    let alarm = program.open_alarm(DATABASE);
    wait_until("a notification", || tampering_notices().len() == 1);
    running.wait_for_cycles(5);
    assert_eq!(named(&tampering_notices()), [&alarm]);
    let port = page.trim_end_matches('/').rsplit(':').next();
    let port = port.and_then(|port| port.parse().ok()).expect("a port");
    let page = get(port, "/", "text/html").body;
    let expected = "Two auditors were shown different histories";
    assert!(page.contains(expected) && page.contains(&alarm), "{page}");
    assert!(!page.contains("alarm adopt"), "{page}");
    // an alarm that was closed and opened again is notified again
    program.run(&["alarm", "close", &alarm]).ends_with(0);
    running.wait_for_cycles(2);
    std::thread::sleep(std::time::Duration::from_millis(1_100)); // times are in whole seconds
    program.run(&["compare", &states]).ends_with(2);
    wait_until("a second notification", || tampering_notices().len() == 2);
    assert_eq!(named(&tampering_notices()), [&alarm, &alarm]);
}
