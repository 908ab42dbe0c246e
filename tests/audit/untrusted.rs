//! Databases without a trusted state: any number of them is counted together, in memory, metrics,
//! log and notifications.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::http::{Answer, get};
use crate::support::notify_scene::{is_tampering, wait_until};
use crate::support::program::{Program, Running, member, status};
use crate::support::receiver::{Received, Receiver};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Lie, Options};

const REFUSED: &str = "immuaudit_untrusted_databases{server=\"tested\",verdict=\"refused\"}";

/// A ledger of `defaultdb` and others, and an auditor that notifies a receiver.
struct Scene {
    ledger: Embedded,
    receiver: Receiver,
    folder: TempDir,
    program: Program,
}

impl Scene {
    /// Starts a ledger and an auditor that trusts `defaultdb`.
    fn new(options: Options, args: &[&str]) -> Scene {
        let ledger = Embedded::start(options).expect("a ledger");
        ledger.grow("defaultdb", 3);
        let (receiver, folder) = (Receiver::start(), TempDir::new());
        let program = Program::new(ledger.port(), &folder.join("state"));
        program.once().ends_with(0);
        let url = receiver.url();
        let program = program.with(&[
            "--audit-interval",
            "100ms",
            "--audit-notification-url",
            &url,
        ]);
        Scene {
            ledger,
            receiver,
            folder,
            program: program.with(args),
        }
    }

    fn create(&self, count: usize) {
        for number in 0..count {
            let name = format!("new{number:02}");
            self.ledger.create_database(&name);
            self.ledger.grow(&name, 1);
        }
    }

    fn drop_all(&self, count: usize) {
        (0..count).for_each(|number| self.ledger.drop_database(&format!("new{number:02}")));
    }

    fn server_notifications(&self) -> Vec<Received> {
        let received = self.receiver.received();
        let server_notifications = |received: &Received| member(&received.body, "db").is_empty();
        received.into_iter().filter(server_notifications).collect()
    }
}

fn metrics(running: &Running) -> Answer {
    let log = running.log();
    let port = log.split("status page on http://").nth(1);
    let port = port.and_then(|rest| rest.split('/').next()?.rsplit(':').next()?.parse().ok());
    get(port.expect("a port"), "/metrics", "*/*")
}

fn page(running: &Running) -> String {
    let log = running.log();
    let port = log.split("status page on http://").nth(1);
    let port = port.and_then(|rest| rest.split('/').next()?.rsplit(':').next()?.parse().ok());
    get(port.expect("a port"), "/", "text/html").body
}

#[test]
fn new_names_in_every_list_add_no_series_and_send_one_notification() {
    let scene = Scene::new(Options::default(), &[]);
    scene.ledger.lie(Lie::FreshNames);
    let mut running = scene.program.start(&[]);
    running.wait_for_times("INFO  cycle ", 3);
    let (series, resident) = {
        let metrics = metrics(&running);
        assert!(metrics.sample(REFUSED) > 100.0, "{}", metrics.body);
        (metrics.body.lines().count(), status(running.id(), "VmRSS"))
    };
    running.wait_for_times("INFO  cycle ", 12);
    let now = metrics(&running);
    assert_eq!(now.sample("immuaudit_databases{server=\"tested\"}"), 1.0);
    // new series for calls may be added
    let lines = now.body.lines().count();
    assert!(
        lines <= series + 60 && now.body.len() < 100_000,
        "{}",
        now.body
    );
    let resident = (
        resident.expect("a process"),
        status(running.id(), "VmRSS").expect("a process"),
    );
    assert!(resident.1 < resident.0 + 8_000, "{resident:?} KiB");
    assert!(resident.1 < 48 << 10, "{resident:?} KiB");
    assert!(
        page(&running).contains(" without a trusted state"),
        "{}",
        page(&running)
    );
    let log = running.log();
    assert!(
        log.matches(" without a trusted state (").count() <= 3,
        "{log}"
    );
    assert!(log.lines().count() < 100, "{log}");
    scene.ledger.be_honest();
    wait_until("the end is reported", || {
        scene.server_notifications().len() == 2
    });
    let all = scene.receiver.received();
    assert_eq!(all.len(), 2, "{all:#?}");
    assert_eq!(member(&all[0].body, "verdict"), "refused");
    assert!(
        member(&all[0].body, "reason").contains("such as "),
        "{all:#?}"
    );
    assert_eq!(metrics(&running).sample(REFUSED), 0.0);
}

#[test]
fn a_few_untrusted_databases_are_named_once_and_their_end_reported() {
    let scene = Scene::new(Options::default(), &["--no-first-use"]);
    scene.create(2);
    let mut running = scene.program.start(&[]);
    running.wait_for_times("INFO  cycle ", 6);
    wait_until("a notification", || {
        !scene.server_notifications().is_empty()
    });
    let received = scene.server_notifications();
    let reason = member(&received[0].body, "reason");
    assert!(
        reason.contains("2 refused") && reason.contains("new00"),
        "{reason}"
    );
    assert!(!is_tampering(&received[0]), "{received:#?}");
    assert_eq!(metrics(&running).sample(REFUSED), 2.0);
    assert!(page(&running).contains("new00"), "{}", page(&running));
    let log = running.log();
    assert_eq!(
        log.matches("2 databases without a trusted state").count(),
        1,
        "{log}"
    );
    // a change of the names is stored too
    scene.ledger.drop_database("new01");
    let notified = scene.folder.join("state/tested/notified");
    let notified = || fs::read_to_string(&notified).expect("a file");
    wait_until("one database remains", || !notified().contains("new01"));
    assert!(notified().contains("new00"), "{}", notified());
    // a new process does not repeat the notification
    running.signal("TERM");
    running.end();
    let mut running = scene.program.start(&[]);
    running.wait_for_times("INFO  cycle ", 3);
    assert_eq!(scene.server_notifications().len(), 1);
    scene.drop_all(1);
    wait_until("the end is reported", || {
        scene.server_notifications().len() == 2
    });
    let received = scene.server_notifications();
    assert!(
        member(&received[1].body, "reason").starts_with("no database waits to be trusted"),
        "{received:#?}"
    );
    running.signal("TERM");
    running.end();
}

#[test]
fn untrusted_databases_share_one_notification_for_each_check() {
    let args = ["--no-first-use", "--audit-notify", "every-check"];
    let scene = Scene::new(Options::default(), &args);
    scene.create(3);
    let mut running = scene.program.start(&[]);
    wait_until("notifications", || scene.server_notifications().len() >= 3);
    running.signal("TERM");
    running.end();
    let cycles = running.log().matches("INFO  cycle ").count();
    let received = scene.server_notifications();
    assert!(received.len() <= cycles + 1, "{cycles}: {received:#?}");
    for received in &received {
        assert!(
            member(&received.body, "reason").contains("3 refused"),
            "{received:#?}"
        );
    }
}

#[test]
fn once_prints_sixteen_untrusted_databases_and_counts_the_others() {
    let scene = Scene::new(Options::default(), &["--no-first-use"]);
    scene.create(40);
    let run = scene.program.once();
    run.ends_with(1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 1 + 16 + 1, "{run:#?}");
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("\"refused\""))
            .count(),
        16,
        "{run:#?}"
    );
    let rest = lines.iter().find(|line| line.contains("\"database\":null"));
    assert!(
        member(rest.expect("one of the rest"), "reason").contains("40 refused"),
        "{run:#?}"
    );
    let text = scene.program.run(&["--once"]).stdout;
    assert_eq!(text.lines().count(), 1 + 16 + 1, "{text}");
    assert!(text.contains("24 more databases: "), "{text}");
    // the last checked database is stored in addition to the reported ones
    let known = scene.program.run(&["status", "--json"]);
    let known = known.ends_with(1).stdout.lines().count();
    assert!((18..=19).contains(&known), "{known}");
    assert_eq!(scene.server_notifications().len(), 1);
}

#[test]
fn sixteen_untrusted_databases_have_alarms_and_others_are_counted() {
    let options = Options::default().signed();
    let scene = Scene::new(options, &[]);
    let other = Embedded::start(Options::default().signed()).expect("a ledger");
    let key = scene.folder.public_key_of(&other);
    let key = ["--server-signing-pub-key", &key];
    scene.create(40);
    let mut running = scene.program.with(&key).start(&[]);
    running.wait_for_times("INFO  cycle ", 4);
    let metrics = metrics(&running);
    let bad_signatures =
        "immuaudit_untrusted_databases{server=\"tested\",verdict=\"bad-signature\"}";
    assert_eq!(metrics.sample(bad_signatures), 24.0, "{}", metrics.body);
    let open = |line: &&str| line.starts_with("immuaudit_open_alarms{") && line.ends_with(" 1");
    assert_eq!(
        metrics.body.lines().filter(open).count(),
        17,
        "{}",
        metrics.body
    );
    running.signal("TERM");
    running.end();
    wait_until("notifications", || scene.server_notifications().len() == 1);
    assert!(is_tampering(&scene.server_notifications()[0]));
    let all = scene.receiver.received();
    assert_eq!(all.len(), 1 + 17, "{all:#?}");
    let evidence = fs::read_dir(scene.folder.join("state/tested/evidence")).expect("a directory");
    assert_eq!(evidence.count(), 17);
}

#[test]
fn a_forgotten_unlisted_database_has_no_row_but_a_vanished_one_has() {
    let scene = Scene::new(Options::default(), &[]);
    scene.create(2);
    let mut running = scene.program.start(&[]);
    let databases =
        |running: &Running| metrics(running).sample("immuaudit_databases{server=\"tested\"}");
    running.wait_for_times("INFO  cycle ", 3);
    assert_eq!(databases(&running), 3.0);
    scene.drop_all(2);
    running.wait_for_times("rolled-back", 4);
    assert_eq!(databases(&running), 3.0);
    scene
        .program
        .run(&["states", "forget", "new00"])
        .ends_with(0);
    scene
        .program
        .run(&["alarm", "close", "--database", "new00"])
        .ends_with(0);
    wait_until("no row of the database", || databases(&running) == 2.0);
    let body = metrics(&running).body;
    assert!(!body.contains("new00") && body.contains("new01"), "{body}");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(databases(&running), 2.0);
    running.signal("TERM");
    running.end();
}
