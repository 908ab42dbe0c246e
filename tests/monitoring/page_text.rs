//! The text of the status page about an alarm depends on the kind of the alarm.

use std::time::Duration;

use crate::support::value_scene::{ALL, DB, Scene};
use immuaudit::audit::{Auditor, CycleError};
use immuaudit::clock::{self, Clock};
use immuaudit::config::Values;
use immuaudit::drill::Lie;
use immuaudit::report::{InstanceInfo, ReceiverStats, StatusRegistry, page};
use immuaudit::server::Calls;
use immuaudit::trust::{Acknowledgement, Store};

const VALUES: &str = "A stored value differs from the written value";
const WELL: &str = "All is well";
const ATTENTION: &str = "Needs attention";
const HISTORY: &str = "contradicts its earlier history";

/// Runs a cycle, publishes it and returns the page.
fn page_after_cycle(registry: &StatusRegistry, auditor: &mut Auditor) -> String {
    let cycle = auditor.cycle(|outcome| registry.publish(outcome));
    registry.publish_cycle(&cycle, None);
    page(&registry.snapshot())
}

fn registry() -> StatusRegistry {
    StatusRegistry::new(about(), Calls::new(Clock::system()))
}

fn about() -> InstanceInfo {
    InstanceInfo {
        server: "tested".into(),
        address: "127.0.0.1:3322".into(),
        interval: Duration::from_secs(300),
        values: Values::NONE,
        call_timeout: Duration::from_secs(10),
        config: String::new(),
        started: clock::now(),
    }
}

#[test]
fn an_alarm_about_a_value_offers_no_adoption() {
    let scene = Scene::of_sixty();
    let (registry, mut auditor) = (registry(), scene.auditor(ALL));
    let good = page_after_cycle(&registry, &mut auditor);
    assert!(
        good.contains("The database extends its trusted state"),
        "{good}"
    );
    scene.embedded.lie(Lie::EditedValue);
    page_after_cycle(&registry, &mut auditor);
    scene.embedded.be_honest(); // the alarms stay
    let page = page_after_cycle(&registry, &mut auditor);
    assert!(page.contains("The database has an open alarm."), "{page}");
    assert!(page.contains(VALUES) && !page.contains(HISTORY), "{page}");
    assert!(
        page.contains("alarm close") && !page.contains("alarm adopt"),
        "{page}"
    );
    scene.embedded.lie(Lie::ClaimsOlder);
    let page = page_after_cycle(&registry, &mut auditor);
    assert!(page.contains(VALUES) && page.contains(HISTORY), "{page}");
    assert!(page.contains("alarm adopt"), "{page}");
}

/// Runs a cycle, publishes the progress of its values as the loop does, and returns the page.
fn with_values(registry: &StatusRegistry, auditor: &mut Auditor) -> String {
    page_after_cycle(registry, auditor);
    let progress = auditor.values_read(DB).expect("values were read");
    registry.publish_values(progress, &auditor.acknowledged(DB));
    page(&registry.snapshot())
}

#[test]
fn absent_values_change_the_title_until_acknowledged() {
    let scene = Scene::of_sixty();
    let (registry, mut auditor) = (registry(), scene.auditor(ALL));
    let good = with_values(&registry, &mut auditor);
    assert!(
        good.contains(WELL) && good.contains("<td data-l=\"Edit found\">"),
        "{good}"
    );
    scene.embedded.lie(Lie::AbsentValues);
    let page = with_values(&registry, &mut auditor);
    assert!(!page.contains(WELL) && page.contains(ATTENTION), "{page}");
    assert!(
        page.contains("The database has 60 transactions whose values are absent"),
        "{page}"
    );
    assert!(page.contains("class=\"attention\""), "{page}");
    let store = Store::open_shared(&scene.location()).expect("a directory");
    let absent_to = Some(60);
    let change = Acknowledgement {
        absent_to,
        ..Acknowledgement::default()
    };
    store
        .acknowledge(DB, change, "somebody", clock::now())
        .expect("written");
    let page = with_values(&registry, &mut auditor);
    assert!(page.contains(WELL) && !page.contains(ATTENTION), "{page}");
}

#[test]
fn a_late_notification_changes_the_title() {
    let scene = Scene::of_sixty();
    let (registry, mut auditor) = (registry(), scene.auditor(ALL));
    let receiver = ReceiverStats::new("https://pager.example");
    registry.register_receivers(vec![receiver.clone()]);
    let clock = Clock::system();
    let before = |seconds| clock.instant().checked_sub(Duration::from_secs(seconds));
    receiver.waiting(1, before(5));
    let page = page_after_cycle(&registry, &mut auditor);
    assert!(page.contains(WELL), "not yet late: {page}");
    receiver.waiting(1, before(120));
    let page = page_after_cycle(&registry, &mut auditor);
    assert!(!page.contains(WELL) && page.contains(ATTENTION), "{page}");
    assert!(
        page.contains("Notifications to 1 receiver are not delivered."),
        "{page}"
    );
    assert!(page.contains("https://pager.example"), "{page}");
}

#[test]
fn only_the_alarms_of_an_unselected_database_count() {
    let scene = Scene::of_sixty();
    let (registry, mut auditor) = (registry(), scene.auditor(ALL));
    for (alarms, title) in [(0, WELL), (1, "Tampering")] {
        registry.restore("left", None, alarms, None);
        registry.select(|database| database != "left");
        auditor.cycle(|outcome| registry.publish(outcome));
        let page = page(&registry.snapshot());
        assert!(page.contains("not audited"), "{page}");
        let starting = "Starting"; // no cycle is published, which would remove the row
        let is_right = page.contains(if alarms == 0 { starting } else { title });
        assert!(is_right, "{page}");
    }
}

#[test]
fn the_server_appears_once_and_times_have_date_and_age() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    let named = registry();
    let page = page_after_cycle(&named, &mut auditor);
    assert!(
        page.contains("Server tested at 127.0.0.1:3322, audited every 5 min."),
        "{page}"
    );
    let mut about = about();
    about.server.clone_from(&about.address);
    let registry = StatusRegistry::new(about, Calls::new(Clock::system()));
    let page = page_after_cycle(&registry, &mut auditor);
    assert!(
        page.contains("Server 127.0.0.1:3322, audited every 5 min."),
        "{page}"
    );
    let now = clock::now().to_string();
    let today = &now[..10];
    assert!(
        page.contains(&format!("<time datetime=\"{today}")),
        "{page}"
    );
    assert!(
        page.contains("just now") || page.contains(" ago<small>"),
        "{page}"
    );
    assert!(
        page.contains("http-equiv=\"refresh\"") && !page.contains("<script"),
        "{page}"
    );
}

#[test]
fn skipped_databases_are_reported_with_the_selecting_setting() {
    let one = CycleError::TooMany(1).to_string();
    assert!(one.contains("1 is left out"), "{one}");
    let many = CycleError::TooMany(290_001).to_string();
    assert!(many.contains("290001 are left out"), "{many}");
    assert!(many.contains("--audit-databases"), "{many}");
    let one = CycleError::NotReached(1).to_string();
    assert!(one.contains("for 1 database without"), "{one}");
}
