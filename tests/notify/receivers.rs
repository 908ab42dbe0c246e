//! Receivers that are added, removed, corrected, or fail and recover: which of them are notified of
//! tampering, when, and how often. The tests run the program with real sockets.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::notify_scene::{Scene, id, is_tampering, wait_until};
use crate::support::program::{Program, member};
use crate::support::receiver::{Received, Receiver};
use immuaudit::drill::{Embedded, Options};

const URL: &str = "--audit-notification-url";

fn tampering_notices(receiver: &Receiver) -> Vec<Received> {
    let received = receiver.received().into_iter();
    received.filter(is_tampering).collect()
}

/// Returns a URL at which no server listens.
fn mistyped() -> String {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    format!("http://{}/hook", free.expect("a port"))
}

/// Returns a program for runs with `--once`, as under cron, with this receiver.
fn cron(scene: &Scene, url: &str) -> Program {
    scene.program(&[URL, url])
}

#[test]
fn a_corrected_url_gets_the_pending_notification_once() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let wrong = mistyped();
    scene.roll_back();
    cron(&scene, &wrong).once().ends_with(2);
    assert_eq!(scene.waiting().len(), 1);
    let right = cron(&scene, &receiver.url());
    let run = right.once();
    run.ends_with(2);
    let line = run.stderr.lines();
    let named = |line: &&str| line.contains("is not configured any more");
    let line = line
        .clone()
        .find(named)
        .unwrap_or_else(|| panic!("{run:?}"));
    assert!(line.contains("handed_over=1"), "{line}");
    assert!(line.contains("unknown:1:http://127.0.0.1:"), "{line}");
    for _ in 0..2 {
        let run = right.once();
        run.ends_with(2);
        assert!(!run.stderr.contains("configured any more"), "{run:?}");
    }
    let tampering_notices = tampering_notices(&receiver);
    assert_eq!(tampering_notices.len(), 1, "{tampering_notices:?}");
    let body = &tampering_notices[0].body;
    assert_eq!(member(body, "verdict"), "rolled-back");
    assert_eq!(member(body, "db"), "defaultdb");
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
    // the first URL was never notified: if a receiver listens there later, it gets the notification
    // too
    let port = wrong
        .rsplit(':')
        .next()
        .and_then(|rest| rest.split('/').next());
    let address = format!("127.0.0.1:{}", port.expect("a port"));
    let back = Receiver::on(TcpListener::bind(address).expect("the port"));
    cron(&scene, &wrong).once().ends_with(2);
    assert_eq!(back.received().len(), 1);
    assert_eq!(id(&back.received()[0]), id(&tampering_notices[0]));
}

#[test]
fn an_added_receiver_is_notified_of_an_open_alarm_and_others_are_not() {
    let (scene, first, second) = (Scene::new(), Receiver::start(), Receiver::start());
    scene.roll_back();
    cron(&scene, &first.url()).once().ends_with(2);
    let both = cron(&scene, &format!("{},{}", first.url(), second.url()));
    for _ in 0..3 {
        both.once().ends_with(2);
    }
    let (heard, added) = (tampering_notices(&first), tampering_notices(&second));
    assert_eq!((heard.len(), added.len()), (1, 1), "{heard:?} {added:?}");
    assert_eq!(id(&heard[0]), id(&added[0]));
    let alarm = scene.program(&[]).open_alarm("defaultdb");
    assert_eq!(member(&added[0].body, "alarm"), alarm);
    // another order makes no new receiver; another query does, because it may address another
    // reader
    let heard = || {
        (
            tampering_notices(&first).len(),
            tampering_notices(&second).len(),
        )
    };
    let other_order = format!("{},{}", second.url(), first.url());
    cron(&scene, &other_order).once().ends_with(2);
    assert_eq!(heard(), (1, 1));
    let reader = format!("{}?to=reader", second.url());
    cron(&scene, &format!("{other_order},{reader}"))
        .once()
        .ends_with(2);
    assert_eq!(heard(), (1, 2));
    cron(&scene, &reader).once().ends_with(2);
    assert_eq!(heard(), (1, 2));
}

/// Receivers are identified by URL: by position, the second reader would inherit the delivery
/// records of the first one.
#[test]
fn a_pending_notification_survives_the_removal_of_another_reader() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let reader = |name: &str| format!("{}?to={name}", receiver.url());
    scene.roll_back();
    cron(&scene, &reader("a")).once().ends_with(2);
    receiver.answer("500 No");
    let both = format!("{},{}", reader("a"), reader("b"));
    cron(&scene, &both).once().ends_with(2);
    receiver.answer("204 No Content");
    let before = tampering_notices(&receiver).len();
    cron(&scene, &reader("b")).once().ends_with(2);
    assert_eq!(tampering_notices(&receiver).len(), before + 1);
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn an_added_receiver_gets_separate_notifications_of_two_alarms() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    scene.ledger.grow("defaultdb", 20);
    scene.program(&[]).once().ends_with(0);
    for last in [15, 10] {
        let mut ledger = scene.ledger.ledger("defaultdb").expect("a database");
        ledger.truncate(last);
        scene.ledger.put_ledger("defaultdb", ledger);
        scene.program(&[]).once().is(2, "defaultdb", "rolled-back");
    }
    for _ in 0..2 {
        cron(&scene, &receiver.url()).once().ends_with(2);
    }
    let tampering_notices = tampering_notices(&receiver);
    assert_eq!(tampering_notices.len(), 2, "{tampering_notices:?}");
    assert_ne!(
        member(&tampering_notices[0].body, "alarm"),
        member(&tampering_notices[1].body, "alarm")
    );
}

#[test]
fn a_closed_alarm_is_not_handed_over() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let whole = scene.ledger.ledger("defaultdb").expect("a database");
    let mut cut = scene.ledger.ledger("defaultdb").expect("a database");
    cut.truncate(1);
    scene.ledger.put_ledger("defaultdb", cut);
    cron(&scene, &mistyped()).once().ends_with(2);
    scene.ledger.put_ledger("defaultdb", whole);
    let alarm = scene.program(&[]).open_alarm("defaultdb");
    let closed = scene.program(&[]).run(&["alarm", "close", &alarm]);
    closed.ends_with(0);
    cron(&scene, &receiver.url()).once().ends_with(0);
    assert!(tampering_notices(&receiver).is_empty());
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn an_auditor_that_is_restarted_notifies_of_an_open_alarm_once() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    scene.roll_back();
    let program = cron(&scene, &receiver.url()).with(&["--audit-interval", "50ms"]);
    for _ in 0..3 {
        let mut running = program.start(&[]);
        running.wait_for_cycles(3);
        receiver.wait_for(is_tampering);
        wait_until("it is delivered", || scene.waiting().is_empty());
        running.signal("TERM");
        running.end();
    }
    assert_eq!(receiver.received().len(), 1, "{:?}", receiver.received());
}

/// The state after a kill between the write of the outbox and the write of the delivery record.
#[test]
fn a_pending_notification_without_its_record_is_sent_once() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let program = cron(&scene, &receiver.url());
    program.once().ends_with(2);
    let records = scene.folder.join("state/tested/receivers");
    assert!(records.is_dir());
    fs::remove_dir_all(&records).expect("the records");
    receiver.answer("200 OK");
    for _ in 0..2 {
        program.once().ends_with(2);
    }
    let received = receiver.received();
    assert_eq!(
        received.len(),
        2,
        "one that failed, one that did not: {received:?}"
    );
    assert_eq!(id(&received[0]), id(&received[1]));
}

#[test]
fn pending_notifications_without_a_receiver_are_reported_and_kept() {
    let scene = Scene::new();
    scene.roll_back();
    cron(&scene, &mistyped()).once().ends_with(2);
    let run = scene.program(&[]).once();
    let named = "notifications wait for a receiver that is not configured";
    assert!(run.ends_with(2).stderr.contains(named), "{}", run.stderr);
    assert_eq!(scene.waiting().len(), 1);
}

#[test]
fn a_receiver_with_status_429_gets_one_request_per_run() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let names: Vec<String> = (0..12).map(|n| format!("db{n}")).collect();
    for name in &names {
        scene.ledger.create_database(name);
        scene.ledger.grow(name, 3);
    }
    scene.program(&[]).once().ends_with(0);
    scene.roll_back();
    receiver.answer("429 Slowly\r\nRetry-After: 3600");
    let program = cron(&scene, &receiver.url());
    program.once().ends_with(2);
    let waiting = scene.waiting().len();
    assert!(waiting >= 10, "{waiting}");
    assert_eq!(receiver.received().len(), 1, "{:?}", receiver.received());
    // each process tries once
    program.once().ends_with(2);
    assert_eq!(receiver.received().len(), 2);
    receiver.answer("200 OK");
    program.once().ends_with(2);
    assert_eq!(receiver.received().len(), 2 + waiting);
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

/// Writes a program that appends a line to the file `record` and then sleeps for `seconds`. Returns
/// its path and the path of `record`.
fn script(scene: &Scene, seconds: u32) -> (String, PathBuf) {
    let (script, record) = (scene.folder.join("page"), scene.folder.join("record"));
    let text = format!(
        "#!/bin/sh\necho called >>{}\nsleep {seconds}\n",
        record.display()
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("its mode");
    (script.display().to_string(), record)
}

#[test]
fn a_program_that_takes_seven_seconds_is_run_once_under_cron() {
    let scene = Scene::new();
    let (script, record) = script(&scene, 7);
    scene.roll_back();
    let program = scene.program(&["--audit-exec", &script]);
    for _ in 0..2 {
        program.once().ends_with(2);
    }
    let record = fs::read_to_string(record).expect("it ran");
    assert_eq!(record.lines().count(), 1, "{record}");
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn quiet_still_reports_undelivered_notifications_on_stderr() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let run = cron(&scene, &receiver.url()).run(&["--once", "--quiet"]);
    run.ends_with(2);
    let wanted = format!(
        "tested: 1 notification waits for receiver 1:http://127.0.0.1:{}: status 500; the next run tries again",
        receiver.port
    );
    assert!(run.stderr.contains(&wanted), "{run:?}");
    receiver.answer("200 OK");
    let run = cron(&scene, &receiver.url()).run(&["--once", "--quiet"]);
    assert_eq!(run.ends_with(2).stderr, "");
}

#[test]
fn an_outage_of_six_databases_is_one_notification_and_so_is_its_end() {
    let (mut scene, receiver) = (Scene::new(), Receiver::start());
    for n in 1..6 {
        scene.ledger.create_database(&format!("db{n}"));
        scene.ledger.grow(&format!("db{n}"), 3);
    }
    let program = cron(&scene, &receiver.url());
    program.once().ends_with(0);
    scene.ledger.stop();
    for _ in 0..2 {
        program.once().ends_with(1);
    }
    let received = receiver.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let body = &received[0].body;
    assert!(body.contains("\"verdict\":\"unreachable\""), "{body}");
    assert!(body.contains("\"database_count\":6"), "{body}");
    assert!(body.contains("\"databases\":[\"db1\",\"db2\""), "{body}");
    assert!(
        body.contains("6 of 6 databases unreachable (db1, "),
        "{body}"
    );
    scene.ledger.restart().expect("its port is free");
    // the alarm about one of the databases is a separate notification
    let mut ledger = scene.ledger.ledger("db3").expect("a database");
    ledger.truncate(1);
    scene.ledger.put_ledger("db3", ledger);
    program.once().ends_with(2);
    let received = receiver.received();
    assert_eq!(received.len(), 3, "{received:?}");
    let accusation = tampering_notices(&receiver);
    assert_eq!(member(&accusation[0].body, "db"), "db3");
    let ends = |received: &&Received| received.body.contains("5 databases reachable again (");
    assert_eq!(received.iter().filter(ends).count(), 1, "{received:?}");
}

/// Forty databases with signatures by another key: an auditor raises separate alarms for as many as
/// its limit allows, and one alarm without a database name for the rest.
#[test]
fn an_alarm_about_untrusted_databases_reaches_each_receiver_once() {
    let (mut scene, first, second) = (Scene::new(), Receiver::start(), Receiver::start());
    for number in 0..40 {
        let name = format!("new{number:02}");
        scene.ledger.create_database(&name);
        scene.ledger.grow(&name, 1);
    }
    let other = Embedded::start(Options::default().signed()).expect("a ledger");
    let key = scene.folder.public_key_of(&other);
    let key = ["--server-signing-pub-key", &key];
    let of_all = |receiver: &Receiver| -> Vec<Received> {
        let tampering_notices = tampering_notices(receiver).into_iter();
        tampering_notices
            .filter(|of| member(&of.body, "db").is_empty())
            .collect()
    };
    cron(&scene, &first.url()).with(&key).once().ends_with(2);
    assert_eq!(of_all(&first).len(), 1);
    let both = format!("{},{}", first.url(), second.url());
    let both = cron(&scene, &both).with(&key);
    // a first cycle without a list of databases sends nothing about them
    scene.ledger.stop();
    both.once().ends_with(2);
    scene.ledger.restart().expect("its port is free");
    assert_eq!(of_all(&second).len(), 0);
    for _ in 0..2 {
        both.once().ends_with(2);
    }
    assert_eq!((of_all(&first).len(), of_all(&second).len()), (1, 1));
    assert_eq!(id(&of_all(&first)[0]), id(&of_all(&second)[0]));
    // a receiver that never accepted the notification is removed and added again
    let away = Receiver::start();
    away.answer("500 No");
    let three = format!("{},{}", first.url(), away.url());
    let three = cron(&scene, &three).with(&key);
    three.once().ends_with(2);
    let tries = of_all(&away).len();
    assert!(tries > 0);
    cron(&scene, &first.url()).with(&key).once().ends_with(2);
    assert_eq!(of_all(&first).len(), 1);
    away.answer("204 No Content");
    for _ in 0..2 {
        three.once().ends_with(2);
    }
    assert_eq!((of_all(&first).len(), of_all(&away).len()), (1, tries + 1));
}
