//! What the status page says of an alarm depends on what the alarm is about.

mod support;

use std::time::Duration;

use immuaudit::audit::{Auditor, Trouble};
use immuaudit::clock::{self, Clock};
use immuaudit::drill::Lie;
use immuaudit::report::{About, Board, page};
use immuaudit::server::Calls;
use support::value_scene::{ALL, Scene};

const VALUES: &str = "A stored value is not what was written";
const HISTORY: &str = "contradicts what it had shown before";

/// The page after a cycle.
fn told(board: &Board, auditor: &mut Auditor) -> String {
    let cycle = auditor.cycle(|outcome| board.publish(outcome));
    board.publish_cycle(&cycle, None);
    page(&board.snapshot())
}

fn board() -> Board {
    let about = About {
        server: "tested".into(),
        address: "127.0.0.1:3322".into(),
        interval: Duration::from_secs(300),
        sweep: None,
        call_timeout: Duration::from_secs(10),
        config: String::new(),
        started: clock::now(),
    };
    Board::new(about, Calls::new(Clock::system()))
}

#[test]
fn an_alarm_about_a_value_offers_no_adoption_and_accuses_no_history() {
    let scene = Scene::of_sixty();
    let (board, mut auditor) = (board(), scene.auditor(ALL));
    let good = told(&board, &mut auditor);
    assert!(good.contains("The database extends what"), "{good}");
    scene.embedded.lie(Lie::EditedValue);
    told(&board, &mut auditor);
    scene.embedded.be_honest(); // the alarms stay
    let page = told(&board, &mut auditor);
    assert!(
        page.contains("1 of 1 database has an open alarm."),
        "{page}"
    );
    assert!(page.contains(VALUES) && !page.contains(HISTORY), "{page}");
    assert!(
        page.contains("alarm close") && !page.contains("alarm adopt"),
        "{page}"
    );
    scene.embedded.lie(Lie::ClaimsOlder);
    let page = told(&board, &mut auditor);
    assert!(page.contains(VALUES) && page.contains(HISTORY), "{page}");
    assert!(page.contains("alarm adopt"), "{page}");
}

#[test]
fn what_is_left_out_of_a_list_names_the_setting_that_selects_it() {
    let one = Trouble::TooMany(1).to_string();
    assert!(one.contains("1 is left out"), "{one}");
    let many = Trouble::TooMany(290_001).to_string();
    assert!(many.contains("290001 are left out"), "{many}");
    assert!(many.contains("--audit-databases"), "{many}");
    let one = Trouble::NotReached(1).to_string();
    assert!(one.contains("for 1 database of"), "{one}");
}
