//! Notifications about alarms. Each new and each reopened alarm sends one notification, whichever
//! process finds it; a repetition sends none. The tests run the program against the embedded
//! ledger.

use crate::support::notify_scene::{is_tampering, wait_until};
use crate::support::place::Place;
use crate::support::program::{Program, Run, member};
use crate::support::receiver::{Received, Receiver};
use immuaudit::drill::{Embedded, Options};

const DATABASE: &str = "defaultdb";

struct Scene {
    _folder: Place,
    server: Embedded,
    audit: Program,
    receiver: Receiver,
}

impl Scene {
    /// Returns a scene whose trusted state is transaction 25.
    fn new() -> Scene {
        let folder = Place::new();
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
