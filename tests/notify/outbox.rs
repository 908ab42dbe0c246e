//! Receivers that are down, slow or respond with an error. Their notifications wait in the outbox
//! and arrive later; they delay neither another receiver nor the audit.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, thread};

use crate::support::http::get;
use crate::support::notify_scene::{Scene, id, is_tampering, wait_until};
use crate::support::program::Run;
use crate::support::receiver::Receiver;
use crate::support::watched::port_of;
use immuaudit::drill::Lie;

#[test]
fn once_tries_an_unreachable_receiver_once_and_keeps_its_exit_code() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/secret-token");
    scene.roll_back();
    let program = scene.program(&["--audit-notification-url", &url]);
    let run: Run = program.once();
    run.ends_with(2);
    assert!(run.stderr.contains("not notified yet"), "{}", run.stderr);
    assert!(!run.stderr.contains("secret-token"), "{}", run.stderr);
    let waiting = scene.waiting();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let holding = immuaudit::sys::holding(&waiting[0]).expect("a file");
    assert_eq!(holding.open.mode() & 0o077, 0);
    // the next run reaches the receiver, and the finding is sent once
    let receiver = Receiver::on_port(port);
    program.once().ends_with(2);
    receiver.wait_for(is_tampering);
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn a_damaged_notification_is_reported_once_and_its_alarm_is_sent_again() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let program = scene.program(&["--audit-notification-url", &receiver.url()]);
    program.once().ends_with(2);
    let waiting = scene.waiting();
    fs::write(&waiting[0], "{\"db\":\"defau").expect("a file");
    let tried = receiver.received().len();
    receiver.answer("200 OK");
    let aside = format!("{}.damaged", waiting[0].display());
    for [reported, sent] in [[1, 1], [0, 0]] {
        let before = receiver.received().len();
        let run = program.once();
        run.ends_with(2);
        let reports = run.stderr.matches("cannot be sent").count();
        assert_eq!(reports, reported, "{}", run.stderr);
        assert_eq!(run.stderr.contains(&aside), reported == 1, "{}", run.stderr);
        assert_eq!(receiver.received().len() - before, sent);
    }
    assert!(is_tampering(&receiver.received()[tried]));
    assert_eq!(scene.waiting(), [PathBuf::from(aside)]);
}

/// Puts a file in place of the outboxes, so that none can be opened. Returns where they are now.
fn block_outboxes(scene: &Scene) -> (PathBuf, PathBuf) {
    let outboxes = scene.folder.join("state/tested/outbox");
    let aside = scene.folder.join("aside");
    fs::rename(&outboxes, &aside).expect("outboxes");
    fs::write(&outboxes, "").expect("a file");
    (outboxes, aside)
}

fn unblock_outboxes((outboxes, aside): &(PathBuf, PathBuf)) {
    fs::remove_file(outboxes).expect("a file");
    fs::rename(aside, outboxes).expect("outboxes");
}

#[test]
fn an_alarm_whose_notification_is_damaged_is_sent_again_although_the_outbox_opens_late() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let program = scene.notifying(&receiver);
    program.once().ends_with(2);
    fs::write(&scene.waiting()[0], "{\"db\":\"defau").expect("a file");
    let tried = receiver.received().len();
    receiver.answer("200 OK");
    let blocked = block_outboxes(&scene);
    let mut running = program.start(&[]);
    running.wait_for_cycles(2);
    assert_eq!(receiver.received().len(), tried);
    unblock_outboxes(&blocked);
    wait_until("the alarm is sent again", || {
        receiver.received().len() > tried
    });
    running.wait_for_cycles(3);
    assert_eq!(receiver.received().len(), tried + 1);
    assert!(is_tampering(&receiver.received()[tried]));
}

/// `SIGHUP` starts the deliveries again if the settings of receivers have changed.
#[cfg(unix)]
#[test]
fn a_reload_loses_no_change_that_waits_in_memory() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    let config = scene.folder.join("settings.toml");
    let table = |when: &str| {
        let url = receiver.url();
        let table = format!("[[receiver]]\nname = \"one\"\nurl = \"{url}\"\nwhen = \"{when}\"\n");
        fs::write(&config, table).expect("a file");
    };
    table("changes");
    let config = config.display().to_string();
    let program = scene.program(&["--audit-interval", "1h", "--config", &config]);
    program.once().ends_with(0);
    fs::create_dir_all(scene.folder.join("state/tested/outbox")).expect("outboxes");
    let blocked = block_outboxes(&scene);
    scene.ledger.lie(Lie::Garbage);
    let mut running = program.start(&[]);
    wait_until("a failed attempt", || !receiver.received().is_empty());
    unblock_outboxes(&blocked);
    let tried = receiver.received().len();
    table("tampering"); // so that only the waiting change can be sent
    running.signal("HUP");
    running.wait_for("the settings were read again and are in use");
    receiver.answer("200 OK");
    wait_until("the change is sent", || {
        scene.waiting().is_empty() && receiver.received().len() > tried
    });
    let received = receiver.received();
    assert!(received[tried].body.contains("\"verdict\":\"malformed\""));
}

#[cfg(unix)]
#[test]
fn a_stop_stores_a_change_that_waits_in_memory() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    let program = scene.notifying(&receiver).with(&["--audit-interval", "1h"]);
    program.once().ends_with(0);
    fs::create_dir_all(scene.folder.join("state/tested/outbox")).expect("outboxes");
    let blocked = block_outboxes(&scene);
    scene.ledger.lie(Lie::Garbage);
    let mut running = program.start(&[]);
    wait_until("a failed attempt", || !receiver.received().is_empty());
    running.wait_for("not notified yet");
    unblock_outboxes(&blocked);
    running.signal("TERM");
    running.end();
    assert_eq!(scene.waiting().len(), 1);
    // a change that is on disk is not lost
    let mut running = program.start(&[]);
    running.wait_for("not notified yet");
    running.signal("TERM");
    running.end();
    assert!(
        !running.log().contains("notification lost"),
        "{}",
        running.log()
    );
    // one that cannot be stored is lost, and the log says so
    let receiver = Receiver::start();
    receiver.answer("500 No");
    let blocked = block_outboxes(&scene);
    scene.ledger.be_honest();
    let other = scene.notifying(&receiver);
    let mut running = other.with(&["--audit-interval", "1h"]).start(&[]);
    wait_until("a failed attempt", || !receiver.received().is_empty());
    running.wait_for("not notified yet");
    running.signal("TERM");
    running.end();
    assert!(
        running.log().contains("ERROR notification lost"),
        "{}",
        running.log()
    );
    unblock_outboxes(&blocked);
}

#[test]
fn the_outbox_contains_no_password() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let secrets = [
        "--audit-notification-password",
        "hunter2",
        "--audit-notification-secret",
        "hunter3, and as long as it has to be",
    ];
    scene
        .program(&["--audit-notification-url", &receiver.url()])
        .with(&secrets)
        .once()
        .ends_with(2);
    let waiting = scene.waiting();
    assert_eq!(waiting.len(), 1);
    let text = fs::read_to_string(&waiting[0]).expect("a file");
    assert!(
        text.contains("\"db\":\"defaultdb\"") && !text.contains("hunter"),
        "{text}"
    );
}

#[test]
fn a_notification_survives_a_kill_and_is_delivered_with_its_id() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let program = scene.notifying(&receiver);
    let mut running = program.start(&[]);
    let first = receiver.wait_for(is_tampering);
    let second = receiver.wait_for(|received| {
        is_tampering(received) && received.head != first.head || receiver.received().len() > 1
    });
    running.signal("KILL");
    running.end();
    receiver.answer("200 OK");
    let before = receiver.received().len();
    let _running = program.start(&[]);
    wait_until("it is delivered", || scene.waiting().is_empty());
    let all = receiver.received();
    assert!(all.len() > before);
    assert_eq!(id(&first), id(&second));
    assert!(
        all.iter().all(|received| id(received) == id(&first)),
        "{all:?}"
    );
}

#[test]
fn a_slow_receiver_delays_neither_another_one_nor_the_audit() {
    let (scene, slow, quick) = (Scene::new(), Receiver::start(), Receiver::start());
    slow.answer("slow");
    let urls = format!("{},{}", slow.url(), quick.url());
    let args = ["--audit-interval", "100ms", "--audit-notify", "every-check"];
    let program = scene
        .program(&args)
        .with(&["--audit-notification-url", &urls]);
    let mut running = program.start(&[]);
    running.wait_for("status page on");
    wait_until("five arrive at the quick one", || {
        quick.received().len() >= 5
    });
    assert_eq!(slow.received().len(), 1);
    scene.roll_back();
    quick.wait_for(is_tampering);
    let metrics = get(port_of(&running), "/metrics", "*/*");
    let label =
        |number: u32, port: u16| format!("{{receiver=\"{number}:http://127.0.0.1:{port}\"}}");
    assert!(
        metrics.sample(&format!(
            "immuaudit_notifications_sent_total{}",
            label(2, quick.port)
        )) >= 5.0
    );
    assert!(
        metrics.sample(&format!(
            "immuaudit_notifications_pending{}",
            label(1, slow.port)
        )) >= 1.0
    );
    // pending notifications are merged: one in delivery, one change and one finding at most
    assert!(
        metrics.sample(&format!(
            "immuaudit_notifications_pending{}",
            label(1, slow.port)
        )) <= 3.0
    );
    assert!(!metrics.body.contains("token"), "{}", metrics.body);
}

#[test]
fn retry_after_is_obeyed() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("503 Later\r\nRetry-After: 3600");
    scene.roll_back();
    let mut running = scene.notifying(&receiver).start(&[]);
    running.wait_for("not notified yet");
    thread::sleep(Duration::from_secs(3)); // without the header there would be a second try by now
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn a_notification_is_sent_if_the_outbox_is_not_writable() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    // a file at the path of the outbox directory: root cannot write there either
    let outbox = scene.folder.join("state/tested/outbox");
    let _ = fs::remove_dir_all(&outbox);
    fs::write(&outbox, "in the way").expect("a file");
    scene.roll_back();
    let run = scene
        .program(&["--audit-notification-url", &receiver.url()])
        .once();
    run.ends_with(2);
    assert!(run.stderr.contains("the outbox"), "{}", run.stderr);
    receiver.wait_for(is_tampering);
    assert_eq!(receiver.received().len(), 1);
    assert!(fs::metadata(&outbox).expect("the file").is_file());
}

#[test]
fn a_notification_is_sent_if_the_outbox_disappears_during_a_run() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let args = [
        "--audit-interval=100ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for("cycle finished server=");
    let outbox = scene.folder.join("state/tested/outbox");
    fs::remove_dir_all(&outbox).expect("the outbox");
    scene.roll_back();
    receiver.wait_for(is_tampering);
    running.wait_for("the outbox");
    running.wait_for("notified receiver=");
}

/// A receiver that fails, one that is busy, one that redirects, and one that is not listening.
#[test]
fn a_notification_waits_until_a_failing_receiver_accepts_it() {
    for failure in [
        "500 Broken",
        "503 Busy\r\nRetry-After: 1",
        "302 Away\r\nLocation: /x",
        "down",
    ] {
        let (scene, receiver) = (Scene::new(), Receiver::start());
        let port = receiver.port;
        let url = receiver.url();
        let is_down = failure == "down";
        let url = match is_down {
            true => {
                let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
                url.replace(&port.to_string(), &free.expect("a port").port().to_string())
            }
            false => url,
        };
        receiver.answer(failure);
        scene.roll_back();
        let args = ["--audit-interval=100ms", "--audit-notification-url", &url];
        let mut running = scene.program(&args).start(&[]);
        running.wait_for("not notified yet");
        assert_eq!(scene.waiting().len(), 1, "{failure}");
        let back = is_down.then(|| {
            let port = url
                .split(':')
                .nth(2)
                .and_then(|rest| rest.split('/').next());
            let address = format!("127.0.0.1:{}", port.expect("a port"));
            Receiver::on(TcpListener::bind(address).expect("the port"))
        });
        let well = back.as_ref().unwrap_or(&receiver);
        well.answer("200 OK");
        running.wait_for("notified receiver=");
        well.wait_for(is_tampering);
        wait_until("the outbox is empty", || scene.waiting().is_empty());
        let ids: Vec<String> = well.received().iter().map(id).collect();
        assert!(ids.iter().all(|each| *each == ids[0]), "{ids:?}");
    }
}

#[test]
fn a_delivery_without_a_response_times_out_and_is_retried() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("slow");
    scene.roll_back();
    let args = [
        "--audit-interval=100ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for("no response in time");
    receiver.answer("200 OK");
    running.wait_for("notified receiver=");
    let ids: Vec<String> = receiver.received().iter().map(id).collect();
    assert!(
        ids.len() >= 2 && ids.iter().all(|each| *each == ids[0]),
        "{ids:?}"
    );
}

#[test]
fn an_unreachable_receiver_is_retried_less_and_less_often() {
    let scene = Scene::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let url = format!("http://{}/", free.expect("a port"));
    scene.roll_back();
    let args = [
        "--audit-interval=50ms",
        "--log-level=debug",
        "--audit-notification-url",
        &url,
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for_times("cycle finished server=", 60);
    let tries = running.log().matches("not notified yet").count();
    assert!((1..=4).contains(&tries), "{tries} tries in 3 seconds");
    assert_eq!(scene.waiting().len(), 1);
}
