//! A database is overdue if its last proof is too old. Cycles that are longer than three intervals
//! are late, and metrics and page show the age of a proof between two cycles too.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::program::Program;
use crate::support::simulated::{START, Simulation, TIMEOUT};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Cycle, Policy};
use immuaudit::clock::Timestamp;
use immuaudit::config::Values;
use immuaudit::drill::{Delivery, Embedded, Lie, LieSchedule, Options, Sent};
use immuaudit::report::{InstanceInfo, Prefix, StatusRegistry, metrics, page};
use immuaudit::server::Calls;

const INTERVAL: Duration = Duration::from_secs(5);
const COUNT: usize = 120;

struct Scene {
    simulation: Simulation,
    auditor: Auditor,
    registry: StatusRegistry,
}

/// Returns an auditor that trusts its databases, behind a network that from then on delays each
/// response by `delay`.
fn scene(delay: Duration, interval: Duration) -> Scene {
    let names: Vec<String> = (0..COUNT).map(|number| format!("db{number:03}")).collect();
    let of: Vec<&str> = names.iter().map(String::as_str).collect();
    let simulation = Simulation::new(Options::default().with_databases(&of));
    simulation.embedded.drop_database("defaultdb");
    names
        .iter()
        .for_each(|name| simulation.embedded.grow(name, 9));
    let policy = Policy {
        interval,
        ..Policy::of_consistency()
    };
    let registry = StatusRegistry::new(about(interval), Calls::new(simulation.clock.clone()));
    let taking = Rc::new(Cell::new(Duration::ZERO));
    let taken = taking.clone();
    let network = move |_: &Sent<'_>| Delivery::After(taken.get());
    let mut scene = Scene {
        auditor: simulation.auditor(policy, network),
        simulation,
        registry,
    };
    assert!(scene.cycle().is_complete());
    taking.set(delay);
    scene
}

fn about(interval: Duration) -> InstanceInfo {
    InstanceInfo {
        server: "tested".into(),
        address: "127.0.0.1:3322".into(),
        interval,
        values: Values::NONE,
        call_timeout: TIMEOUT,
        config: String::new(),
        started: Timestamp::from_unix(START),
    }
}

impl Scene {
    /// Adds a transaction to each ledger, runs a cycle and publishes it, as the loop does.
    fn cycle(&mut self) -> Cycle {
        for number in 0..COUNT {
            self.simulation.embedded.grow(&format!("db{number:03}"), 1);
        }
        let registry = self.registry.clone();
        let cycle = self.auditor.cycle(|outcome| registry.publish(outcome));
        self.registry.publish_cycle(&cycle, None);
        cycle
    }

    /// Counts the databases that metrics, registry and page show as overdue now.
    fn overdue(&self) -> usize {
        let snapshot = self.registry.snapshot();
        let count = metrics(&snapshot, Prefix::Immuclient);
        let count = count
            .lines()
            .filter(|line| line.starts_with("immuaudit_overdue{") && line.ends_with(" 1"))
            .count();
        let rows = snapshot.databases.values().filter(|row| row.overdue);
        assert_eq!(rows.count(), count);
        let page = page(&snapshot);
        assert_eq!(page.matches("overdue: not proven for").count(), count);
        assert!(count == 0 || !page.contains("All is well"), "{page}");
        count
    }
}

#[test]
fn a_cycle_longer_than_three_intervals_is_late_and_has_a_remedy() {
    let mut scene = scene(Duration::from_secs(1), INTERVAL);
    for number in 0..3 {
        let cycle = scene.cycle();
        assert!(
            cycle.duration > 3 * INTERVAL,
            "{number}: {:?}",
            cycle.duration
        );
        assert!(cycle.outcomes.iter().all(|outcome| outcome.is_proven()));
        assert!(!cycle.is_complete(), "{number}");
        assert_eq!(cycle.exit().code(), 1);
        let trouble = cycle.errors().map(|of| of.to_string()).next();
        let trouble = trouble.expect("a trouble");
        assert!(trouble.contains("increase --audit-interval"), "{trouble}");
        let message = page(&scene.registry.snapshot());
        assert!(message.contains("an --audit-interval of 5s"), "{message}");
    }
    let overruns = "immuaudit_cycles_longer_than_interval_total{server=\"tested\"} 3";
    let message = metrics(&scene.registry.snapshot(), Prefix::Immuclient);
    assert!(message.contains(overruns), "{message}");
    scene.simulation.time.advance(Duration::from_secs(4)); // the next cycle has begun
    assert!(scene.overdue() > 0);
}

#[test]
fn overdue_databases_are_shown_between_two_cycles() {
    let mut scene = scene(Duration::from_millis(10), INTERVAL);
    assert!(scene.cycle().is_complete());
    assert_eq!(scene.overdue(), 0);
    scene
        .simulation
        .time
        .advance(3 * INTERVAL - Duration::from_secs(1));
    assert_eq!(scene.overdue(), 0);
    scene.simulation.time.advance(Duration::from_secs(2));
    assert_eq!(scene.overdue(), COUNT);
    assert!(scene.cycle().is_complete());
    assert_eq!(scene.overdue(), 0);
}

#[test]
fn a_short_interval_makes_nothing_overdue_on_a_busy_machine() {
    let interval = Duration::from_millis(100);
    let mut scene = scene(interval, interval);
    for _ in 0..3 {
        let cycle = scene.cycle();
        assert!(cycle.duration > 3 * interval, "{:?}", cycle.duration);
        assert!(cycle.is_complete(), "{cycle:?}");
        assert_eq!(scene.overdue(), 0);
    }
}

/// An untrusted database has no proof that could become old, so it is only counted.
#[test]
fn an_untrusted_database_is_never_overdue() {
    let folder = TempDir::new();
    let server = Embedded::start(Options::default().with_databases(&["silent"])).expect("a ledger");
    server.grow("defaultdb", 5);
    server.grow("silent", 5);
    server.lie(LieSchedule::from(Lie::NeverAnswers).of("silent"));
    let program = Program::new(server.port(), &folder.join("state")).with(&[
        "--call-timeout",
        "200ms",
        "--audit-interval",
        "1ms",
    ]);
    for _ in 0..2 {
        let run = program.once();
        run.is(1, "silent", "unreachable");
        assert!(!run.reason("silent").contains("overdue"), "{run:#?}");
        assert!(run.stderr.contains("overdue=0"), "{run:#?}");
    }
    let status = program.run(&["status"]);
    assert!(!status.stdout.contains("overdue"), "{status:#?}");
}
