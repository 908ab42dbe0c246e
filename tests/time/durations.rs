//! The measured durations of calls: from the start of a call until its response is there, whatever the
//! auditor does meanwhile.

use std::time::Duration;

use crate::support::simulated::{Simulation, taking};
use immuaudit::drill::{Delivery, Options, Sent};
use immuaudit::server::Server;
use immuaudit::wire::method;

const DATABASES: [&str; 3] = ["defaultdb", "shop", "bank"];
const FAST: Duration = Duration::from_millis(150);
const SLOW: Duration = Duration::from_secs(2);

/// Returns the number of calls, and the sum of their durations in seconds.
fn counted(server: &Server, name: &'static str) -> (u64, f64) {
    let counted = server.calls().counted();
    let durations = &counted.durations[method::short(name)];
    (durations.count(), durations.sum())
}

#[test]
fn each_of_the_concurrent_calls_has_its_own_duration() {
    let options = Options::default().with_databases(&["shop", "bank"]);
    let simulation = Simulation::new(options);
    let slow_first = |sent: &Sent<'_>| {
        Delivery::After(match (sent.call, sent.database) {
            (method::USE_DATABASE, Some("defaultdb")) => SLOW,
            _ => FAST,
        })
    };
    let mut server = simulation.server(slow_first);
    server.databases().expect("a list");
    let until = simulation.clock.instant() + 2 * SLOW;
    server.prefetch_states(DATABASES.into_iter(), until);
    let sum = SLOW + 2 * FAST;
    let expected = (3, sum.as_secs_f64());
    assert_eq!(counted(&server, method::USE_DATABASE), expected);
}

#[test]
fn the_time_that_a_response_waits_for_its_use_does_not_count() {
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow("defaultdb", 1);
    let mut server = simulation.server(taking(FAST));
    server.state("defaultdb").expect("a state");
    server.prefetch_state("defaultdb");
    simulation.time.advance(SLOW);
    server.state("defaultdb").expect("a state");
    let expected = (2, (2 * FAST).as_secs_f64());
    assert_eq!(counted(&server, method::CURRENT_STATE), expected);
    let calls = simulation.embedded.calls();
    assert_eq!(
        calls[method::CURRENT_STATE],
        2,
        "the prefetched one is used"
    );
}
