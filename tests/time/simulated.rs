//! Audits in simulated time over a simulated network: weeks of cycles, and the exact duration of
//! each wait.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::{Simulation, TIMEOUT, taking};
use immuaudit::audit::{Auditor, Overdue, Policy, SweepStatus, Verdict};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Delivery, Emulated, Lie, LieSchedule, Lifetime, Options, Sent};
use immuaudit::server::{Server, ServerErrorKind};
use immuaudit::trust::Limits;
use immuaudit::wire::{Entries, method};

const DATABASE: &str = "defaultdb";
const HOUR: Duration = Duration::from_secs(3600);
const DELAY: Duration = Duration::from_millis(150);

fn hourly() -> Policy {
    Policy {
        interval: HOUR,
        values: Values {
            sample: 2,
            new: NewValues::All,
            sweep: Some(7 * 24 * HOUR),
        },
        ..Policy::of_consistency()
    }
}

/// Runs `work` and returns its result and the simulated time that it took.
fn taken<T>(simulation: &Simulation, work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = simulation.time.passed();
    let done = work();
    (done, simulation.time.passed() - begin)
}

/// Returns the server after its database was opened.
fn opened(simulation: &Simulation, mut server: Server) -> Server {
    simulation.embedded.grow(DATABASE, 5);
    server.state(DATABASE).expect("a state");
    server
}

/// A cycle every hour, with the paced sweep between the cycles.
struct Hours<'a> {
    simulation: &'a Simulation,
    auditor: Auditor,
    sweeps: u32,
}

impl<'a> Hours<'a> {
    fn new(simulation: &'a Simulation) -> Hours<'a> {
        Hours {
            simulation,
            auditor: simulation.auditor(hourly(), taking(DELAY)),
            sweeps: 0,
        }
    }

    /// Lets the ledger grow, checks that an audit of it is consistent, and waits for the next hour.
    fn pass(&mut self) {
        let simulation = self.simulation;
        let next = simulation.time.passed() + HOUR;
        simulation.embedded.grow(DATABASE, 2);
        let cycle = self.auditor.cycle(|_| {});
        let [outcome] = &cycle.outcomes[..] else {
            panic!("one database: {cycle:?}");
        };
        let expected = [Verdict::FirstSeen, Verdict::Consistent].contains(&outcome.verdict);
        let overdue = outcome.overdue.is_some() || outcome.values_overdue.is_some();
        assert!(
            expected && !overdue,
            "{:?}: {outcome:?}",
            simulation.time.passed()
        );
        let until = simulation.clock.instant() + (next - simulation.time.passed());
        loop {
            let slice = self.auditor.sweep_at_pace(until);
            assert!(slice.outcome.is_none(), "{slice:?}");
            match slice.status {
                SweepStatus::Completed(_) => self.sweeps += 1,
                SweepStatus::InProgress { .. } => {}
                other => break assert!(matches!(other, SweepStatus::NotDue), "{other:?}"),
            }
        }
        assert!(simulation.time.passed() < next, "nothing takes an hour");
        simulation.time.advance(next - simulation.time.passed());
    }
}

#[test]
fn six_weeks_of_honest_growth_with_daily_tokens_are_consistent() {
    let simulation = Simulation::new(Options {
        token_lifetime: Lifetime::Time(24 * HOUR),
        ..Options::default()
    });
    let mut hours = Hours::new(&simulation);
    for _ in 0..1000 {
        hours.pass();
    }
    let logins = simulation.embedded.calls()[method::LOGIN];
    assert!((40..=42).contains(&logins), "one a day: {logins}");
    let sweeps = hours.sweeps;
    assert!((5..=6).contains(&sweeps), "one a week: {sweeps}");
    let trusted = simulation.shared_store().load(DATABASE).expect("files");
    assert_eq!(trusted.map(|trusted| trusted.state.tx), Some(2000));
}

#[test]
fn a_clock_step_causes_no_alarm_and_nothing_overdue() {
    const DAY: i64 = 24 * 3600;
    let simulation = Simulation::new(Options::default());
    let mut hours = Hours::new(&simulation);
    for step in [0, 30 * DAY, -60 * DAY, 3600, -3600, -1] {
        simulation.time.step_wall_clock(step);
        for _ in 0..5 {
            hours.pass();
        }
    }
}

#[test]
fn a_lost_call_fails_exactly_at_its_deadline() {
    let simulation = Simulation::new(Options::default());
    let lost = Rc::new(Cell::new(false));
    let network = {
        let lost = lost.clone();
        move |_: &Sent<'_>| match lost.get() {
            true => Delivery::Lost,
            false => Delivery::After(DELAY),
        }
    };
    let mut server = opened(&simulation, simulation.server(network));
    lost.set(true);
    let (answer, time) = taken(&simulation, || server.state(DATABASE));
    assert_eq!(answer.unwrap_err().kind, ServerErrorKind::Deadline(TIMEOUT));
    assert_eq!(time, TIMEOUT);
}

#[test]
fn an_answer_after_the_deadline_is_ignored() {
    let simulation = Simulation::new(Options::default());
    let delay = Rc::new(Cell::new(DELAY));
    let network = {
        let delay = delay.clone();
        move |_: &Sent<'_>| Delivery::After(delay.get())
    };
    let mut server = opened(&simulation, simulation.server(network));
    let just = Duration::from_nanos(1);
    for (after, expected, takes) in [
        (TIMEOUT - just, true, TIMEOUT - just),
        (TIMEOUT, false, TIMEOUT),
        (TIMEOUT + HOUR, false, TIMEOUT),
    ] {
        delay.set(after);
        let (answer, time) = taken(&simulation, || server.state(DATABASE));
        assert_eq!((answer.is_ok(), time), (expected, takes), "{after:?}");
    }
}

#[test]
fn prefetched_calls_take_the_time_of_one() {
    let simulation = Simulation::new(Options::default());
    let mut server = opened(&simulation, simulation.server(taking(DELAY)));
    let each = |server: &mut Server| {
        for tx in 1..=5 {
            server
                .tx(DATABASE, tx, Entries::Excluded)
                .expect("a transaction");
        }
    };
    let (_, apart) = taken(&simulation, || each(&mut server));
    let (_, together) = taken(&simulation, || {
        for tx in 1..=5 {
            server.prefetch_tx(DATABASE, tx, Entries::Excluded);
        }
        each(&mut server);
    });
    assert_eq!((apart, together), (DELAY * 5, DELAY));
}

#[test]
fn one_database_can_be_slower_than_the_others() {
    let simulation = Simulation::new(Options::default().with_databases(&["slow"]));
    simulation.embedded.grow("slow", 1);
    let mut server = opened(
        &simulation,
        simulation.server(|sent| {
            Delivery::After(match sent.database {
                Some("slow") => Duration::from_secs(9),
                _ => DELAY,
            })
        }),
    );
    let (_, time) = taken(&simulation, || server.state(DATABASE).expect("a state"));
    assert_eq!(time, DELAY);
    let (_, time) = taken(&simulation, || server.state("slow").expect("a state"));
    assert_eq!(time, Duration::from_secs(18), "two calls: open and state");
}

#[test]
fn a_connection_that_breaks_once_is_reopened() {
    let simulation = Simulation::new(Options::default());
    let broken = Rc::new(Cell::new(0));
    let network = {
        let broken = broken.clone();
        move |_: &Sent<'_>| match broken.replace(broken.get().max(1) - 1) {
            0 => Delivery::After(DELAY),
            _ => Delivery::Cut(DELAY),
        }
    };
    let mut server = opened(&simulation, simulation.server(network));
    broken.set(1);
    let (answer, time) = taken(&simulation, || server.state(DATABASE));
    assert!(answer.is_ok());
    assert_eq!(time, DELAY * 2);
}

#[test]
fn a_stopped_ledger_is_unreachable_until_it_is_started_again() {
    let mut simulation = Simulation::new(Options::default());
    let mut server = opened(&simulation, simulation.server(taking(DELAY)));
    simulation.embedded.stop();
    let failure = server.state(DATABASE).unwrap_err();
    assert_eq!(failure.kind, ServerErrorKind::Unreachable);
    simulation.embedded.restart().expect("no socket");
    server.begin_cycle();
    server.state(DATABASE).expect("a new login");
}

#[test]
fn lies_work_without_a_socket() {
    for (lie, expected) in [
        (Lie::NeverAnswers, ServerErrorKind::Deadline(TIMEOUT)),
        (Lie::OkWithoutMessage, ServerErrorKind::NotOneMessage),
        (Lie::HugeReply, ServerErrorKind::TooLarge),
        (Lie::GzipBomb, ServerErrorKind::Compressed),
    ] {
        let simulation = Simulation::new(lie.options());
        let mut server = opened(&simulation, simulation.server(taking(DELAY)));
        simulation.embedded.lie(LieSchedule::from(lie));
        let failure = server.state(DATABASE).unwrap_err();
        assert_eq!(failure.kind, expected, "{lie:?}");
    }
}

#[test]
fn ten_thousand_databases_are_listed_and_checked() {
    let names: Vec<String> = (0..10_000).map(|number| format!("db{number:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let simulation = Simulation::new(Options::default().with_databases(&names));
    let mut server = simulation.server(taking(Duration::ZERO));
    assert_eq!(
        server.databases().expect("a list").names().iter().count(),
        10_001
    );
    for name in names {
        server.state(name).expect("a state");
    }
}

/// Found by the simulation: the token was stored, and every call failed until the auditor was
/// restarted.
#[test]
fn an_unusable_token_is_not_stored() {
    for lie in [Lie::TokenWithLineBreak, Lie::LongToken] {
        let simulation = Simulation::new(Options::default());
        let mut hours = Hours::new(&simulation);
        hours.pass();
        simulation.embedded.forget_tokens();
        simulation.embedded.lie(LieSchedule::from(lie));
        let lied = hours.auditor.cycle(|_| {});
        assert!(!lied.outcomes[0].verdict.is_tampering(), "{lied:?}");
        simulation.embedded.be_honest();
        simulation.time.advance(HOUR);
        hours.pass();
    }
}

/// Found by the simulation: of two findings in one check the second one replaced the first one's
/// alarm on disk, but the first one was reported.
#[test]
fn the_reported_alarm_is_on_disk_at_the_limit_of_alarms() {
    let simulation = Simulation::new(Options::default());
    let limits = Limits {
        files_of_a_database: 3,
        ..Limits::DEFAULT
    };
    let store = simulation.store().with_limits(limits);
    let mut auditor = Auditor::new(simulation.server(taking(DELAY)), store, hourly());
    simulation.embedded.grow(DATABASE, 1);
    auditor.cycle(|_| {});
    simulation.embedded.lie(LieSchedule::from(Lie::EditedValue));
    for _ in 0..3 {
        simulation.embedded.grow(DATABASE, 3);
        let mut raised = None;
        auditor.cycle(|outcome| raised = outcome.alarm.clone());
        let raised = raised.expect("an alarm");
        let kept = simulation
            .shared_store()
            .all_alarms(DATABASE)
            .expect("alarms");
        assert!(
            kept.iter().any(|alarm| alarm.id == raised.id),
            "{}",
            raised.id
        );
    }
}

/// Found by the simulation: only the state was stored, so the age began with the start of the next
/// run.
#[test]
fn a_database_of_a_killed_first_cycle_becomes_overdue() {
    let mut simulation = Simulation::new(Options::default());
    simulation.embedded.grow(DATABASE, 1);
    let mut killed = simulation.auditor(hourly(), taking(DELAY));
    let seen = killed.cycle(|_| {});
    assert_eq!(seen.outcomes[0].verdict, Verdict::FirstSeen);
    drop(killed);
    let path = simulation.folder.path();
    let verdicts = std::fs::read_dir(path).expect("a directory").flatten();
    let verdicts = verdicts.map(|server| server.path().join("outcomes"));
    for file in verdicts.filter(|file| file.exists()) {
        std::fs::remove_file(file).expect("the last verdicts");
    }
    simulation.embedded.stop();
    simulation.time.advance(24 * HOUR);
    let mut auditor = simulation.auditor(hourly(), taking(DELAY));
    let cycle = auditor.cycle(|_| {});
    let overdue = cycle.outcomes[0].overdue;
    let Some(Overdue::Unproven(time)) = overdue else {
        panic!("{cycle:?}");
    };
    assert!((24 * HOUR..25 * HOUR).contains(&time), "{time:?}");
}

/// Found by the simulation: the state seemed to have been accepted after its last proof, so nothing
/// became overdue.
#[test]
fn a_clock_set_back_does_not_prevent_overdue_databases() {
    let mut simulation = Simulation::new(Options::default());
    let mut hours = Hours::new(&simulation);
    hours.pass();
    simulation.time.step_wall_clock(-30 * 24 * 3600);
    let cycle = hours.auditor.cycle(|_| {});
    assert_eq!(cycle.outcomes[0].verdict, Verdict::Consistent);
    drop(hours);
    simulation.embedded.stop();
    simulation.time.advance(5 * HOUR);
    let mut auditor = simulation.auditor(hourly(), taking(DELAY));
    let cycle = auditor.cycle(|_| {});
    let overdue = cycle.outcomes[0].overdue;
    assert!(matches!(overdue, Some(Overdue::Unproven(_))), "{cycle:?}");
}

/// Found by the simulation. Under cron each process counted from its own start, so nothing became overdue.
#[test]
fn a_clock_set_back_does_not_prevent_overdue_databases_under_cron() {
    for is_new in [true, false] {
        let mut simulation = Simulation::new(Options::default());
        simulation.embedded.grow(DATABASE, 1);
        let once = |simulation: &Simulation| {
            let mut auditor = simulation.auditor(hourly(), taking(DELAY));
            auditor.cycle(|_| {}).outcomes.remove(0)
        };
        let verdicts = |simulation: &Simulation| {
            let store = simulation.shared_store();
            store.directory().join("outcomes")
        };
        let mut before = None;
        if !is_new {
            once(&simulation);
            before = Some(std::fs::read(verdicts(&simulation)).expect("the last verdicts"));
            simulation.embedded.grow(DATABASE, 1);
        }
        assert!(once(&simulation).verdict.is_proven());
        // this process was killed before it stored its verdicts
        let verdicts = verdicts(&simulation);
        match before {
            Some(before) => std::fs::write(verdicts, before).expect("the last verdicts"),
            None => std::fs::remove_file(verdicts).expect("the last verdicts"),
        }
        simulation.time.step_wall_clock(-30 * 24 * 3600);
        simulation.embedded.stop();
        let overdue: Vec<bool> = (0..6)
            .map(|_| {
                simulation.time.advance(HOUR);
                once(&simulation).overdue.is_some()
            })
            .collect();
        // nothing says how much time passed before the first of these runs
        assert_eq!(overdue, [false, false, false, true, true, true], "{is_new}");
    }
}

/// Found by the simulation: the database was considered slow only in every other cycle, and delayed
/// the others in the cycles between.
#[test]
fn a_database_that_stays_slow_goes_last_in_every_cycle() {
    let names: Vec<String> = (0..9).map(|number| format!("quick{number}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("another");
    let simulation = Simulation::new(Options {
        server: Emulated::V0_9_0,
        ..Options::default().with_databases(&names)
    });
    for name in &names {
        simulation.embedded.grow(name, 1);
    }
    let network = |sent: &Sent<'_>| {
        Delivery::After(match sent.database {
            Some("another") => Duration::from_secs(9),
            _ => DELAY,
        })
    };
    let policy = Policy {
        interval: Duration::from_secs(60),
        ..Policy::of_consistency()
    };
    let mut auditor = simulation.auditor(policy, network);
    for number in 0..10 {
        let cycle = auditor.cycle(|_| {});
        simulation.time.advance(Duration::from_secs(60));
        let mut trusted = cycle.outcomes.iter().filter(|of| of.previous.is_some());
        let last = trusted.next_back().map(|outcome| outcome.database.as_str());
        assert!(number < 2 || last == Some("another"), "{number}: {last:?}");
    }
}
