//! The scheduling of a cycle: no database waits long for another one. In simulated time, with the
//! real intervals and deadlines.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::{Simulation, taking};
use immuaudit::audit::{Auditor, Cycle, Overdue, Policy, Reason, Verdict};
use immuaudit::config::{DatabaseFilter, FirstUse, Values};
use immuaudit::drill::{Delivery, Lag, Lie, LieSchedule, Options, Sent};
use immuaudit::wire::method;

const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const QUICK: Duration = Duration::from_millis(10);
/// Slightly less than the deadline of a call.
const SLOW: Duration = Duration::from_millis(9_900);

fn every(interval: Duration) -> Policy {
    Policy {
        interval,
        ..Policy::of_consistency()
    }
}

/// Databases that grow by one transaction each with `grow`.
struct Databases {
    simulation: Simulation,
    names: Vec<String>,
}

impl Databases {
    fn new(options: Options, names: &[&str]) -> Databases {
        let databases = Databases {
            simulation: Simulation::new(options.with_databases(names)),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        databases.grow();
        databases
    }

    /// Returns this many databases, `db-0` and so on.
    fn numbered(count: u32) -> Databases {
        let names: Vec<String> = (0..count).map(|number| format!("db-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Databases::new(Options::default(), &names)
    }

    fn grow(&self) {
        for name in &self.names {
            self.simulation.embedded.grow(name, 1);
        }
    }

    /// Runs a first cycle so that all of these databases are trusted, and lets them grow.
    fn trusted(&self, policy: &Policy) {
        self.auditor(policy, taking(QUICK)).cycle(|_| {});
        self.grow();
    }

    fn auditor(
        &self,
        policy: &Policy,
        network: impl FnMut(&Sent<'_>) -> Delivery + 'static,
    ) -> Auditor {
        let policy = Policy {
            databases: DatabaseFilter::new(self.names.clone()),
            ..policy.clone()
        };
        self.simulation.auditor(policy, network)
    }

    /// Runs a cycle and returns it with the time from its begin to the report of each database.
    fn cycle(&self, auditor: &mut Auditor) -> (Cycle, BTreeMap<String, Duration>) {
        let begin = self.simulation.time.passed();
        let mut reported = BTreeMap::new();
        let cycle = auditor.cycle(|outcome| {
            let since = self.simulation.time.passed() - begin;
            reported.insert(outcome.database.clone(), since);
        });
        (cycle, reported)
    }

    /// Waits for the next cycle, as the program does.
    fn rest(&self, begin: Duration, interval: Duration) {
        let passed = self.simulation.time.passed();
        let left = (begin + interval).saturating_sub(passed);
        self.simulation.time.advance(left);
    }
}

/// Delays calls about this database by `time`, and all other calls by `QUICK`.
fn slow_in(database: &'static str, time: Duration) -> impl FnMut(&Sent<'_>) -> Delivery + 'static {
    move |sent| match sent.database == Some(database) {
        true => Delivery::After(time),
        false => Delivery::After(QUICK),
    }
}

fn verdict(cycle: &Cycle, database: &str) -> Option<Verdict> {
    let mut outcomes = cycle.outcomes.iter();
    let outcome = outcomes.find(|outcome| outcome.database == database);
    outcome.map(|outcome| outcome.verdict)
}

const TEN: [&str; 10] = ["a", "b", "c", "e", "f", "g", "h", "i", "j", "slow"];

#[test]
fn trusted_databases_are_reported_quickly_among_ten_thousand_names() {
    let trusted = ["a", "b", "c"];
    let databases = Databases::new(Options::default(), &trusted);
    databases.trusted(&every(MINUTE));
    let embedded = &databases.simulation.embedded;
    for number in 0..9_990 {
        let name = format!("a-{number}");
        embedded.create_database(&name);
        embedded.grow(&name, 1);
    }
    let policy = Policy {
        first_use: FirstUse::Refuse, // so that they stay new
        ..every(MINUTE)
    };
    let asked: Rc<RefCell<BTreeSet<String>>> = Rc::default();
    let network = {
        let asked = asked.clone();
        move |sent: &Sent<'_>| {
            if sent.call == method::CURRENT_STATE {
                asked.borrow_mut().extend(sent.database.map(str::to_owned));
            }
            Delivery::After(Duration::from_millis(150))
        }
    };
    let mut auditor = databases.simulation.auditor(policy, network);
    for number in 0..8 {
        databases.grow();
        let begin = databases.simulation.time.passed();
        let (cycle, reported) = databases.cycle(&mut auditor);
        for name in trusted {
            assert_eq!(verdict(&cycle, name), Some(Verdict::Consistent));
            assert!(reported[name] < 2 * MOMENT, "cycle {number}: {reported:?}");
        }
        assert!(cycle.duration < MINUTE + 2 * MOMENT, "{:?}", cycle.duration);
        databases.rest(begin, MINUTE);
    }
    let asked = asked.borrow().len();
    assert_eq!(asked, 9_994, "each name is checked"); // including defaultdb
}

/// The other names ascend. Some of them are always after the last checked name and before `z`,
/// which is also slow.
#[test]
fn each_permanent_name_is_checked_among_ever_new_names() {
    let staying = ["a", "m", "z"];
    let databases = Databases::new(Options::default(), &staying);
    let embedded = &databases.simulation.embedded;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut cycles = 0;
    while !staying.iter().all(|name| seen.contains(*name)) {
        cycles += 1;
        assert!(cycles <= 20, "{seen:?}");
        let fresh: Vec<String> = (0..3_000)
            .map(|number| format!("t-{cycles:03}-{number:04}"))
            .collect();
        fresh.iter().for_each(|name| embedded.create_database(name));
        // each cycle is a new process
        let policy = every(10 * MOMENT);
        let mut auditor = databases.simulation.auditor(policy, |sent| {
            Delivery::After(match sent.database {
                Some("z") => Duration::from_millis(700),
                _ => Duration::from_millis(150),
            })
        });
        let begin = databases.simulation.time.passed();
        let cycle = auditor.cycle(|outcome| {
            if outcome.verdict == Verdict::FirstSeen {
                seen.insert(outcome.database.clone());
            }
        });
        assert!(cycle.not_reached > 500, "{}", cycle.not_reached);
        databases.rest(begin, 10 * MOMENT);
        fresh.iter().for_each(|name| embedded.drop_database(name));
    }
}

#[test]
fn a_slow_database_delays_no_other_and_becomes_overdue() {
    for interval in [MOMENT, 10 * MOMENT] {
        let databases = Databases::new(Options::default(), &TEN);
        databases.trusted(&every(interval));
        let mut auditor = databases.auditor(&every(interval), slow_in("slow", SLOW));
        let mut proven: BTreeMap<String, Duration> = BTreeMap::new();
        for number in 0..20 {
            databases.grow();
            let begin = databases.simulation.time.passed();
            let (cycle, reported) = databases.cycle(&mut auditor);
            let most = interval.max(2 * MOMENT);
            if number > 0 {
                assert!(cycle.duration <= most, "{number}: {:?}", cycle.duration);
            }
            for outcome in &cycle.outcomes {
                let name = outcome.database.as_str();
                if name == "slow" {
                    assert_ne!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
                    let overdue = matches!(outcome.overdue, Some(Overdue::Unproven(_)));
                    assert!(overdue || number < 4, "{number}: {outcome:?}");
                    continue;
                }
                assert_eq!(
                    outcome.verdict,
                    Verdict::Consistent,
                    "{number}: {outcome:?}"
                );
                let now = begin + reported[name];
                let before = proven.insert(name.to_owned(), now);
                let since = before.map_or(Duration::ZERO, |before| now - before);
                // before its slowness is known, a database may delay the others once
                let most = if number == 1 {
                    6 * MOMENT
                } else {
                    Duration::ZERO
                };
                assert!(
                    since <= interval.max(2 * MOMENT) + most,
                    "{number} {name}: {since:?}"
                );
            }
            databases.rest(begin, interval);
        }
    }
}

#[test]
fn a_slow_database_is_proven_if_the_interval_has_time_for_it() {
    let databases = Databases::new(Options::default(), &TEN);
    databases.trusted(&every(MINUTE));
    let mut auditor = databases.auditor(&every(MINUTE), slow_in("slow", SLOW));
    for number in 0..5 {
        databases.grow();
        let begin = databases.simulation.time.passed();
        let (cycle, reported) = databases.cycle(&mut auditor);
        assert!(cycle.duration < MINUTE, "{:?}", cycle.duration);
        for (name, reported) in reported {
            assert!(
                name == "slow" || reported < 2 * MOMENT,
                "{number} {name}: {reported:?}"
            );
            // the first time it is cut short, because others might wait
            let due = name != "slow" || number > 0;
            assert!(
                !due || verdict(&cycle, &name) == Some(Verdict::Consistent),
                "{cycle:?}"
            );
        }
        databases.rest(begin, MINUTE);
    }
}

#[test]
fn a_database_that_was_slow_comes_last_after_a_restart_too() {
    let databases = Databases::new(Options::default(), &["a-slow", "b", "c"]);
    let policy = every(10 * MOMENT);
    databases.trusted(&policy);
    let order = |network: Duration| -> Vec<String> {
        let mut auditor = databases.auditor(&policy, slow_in("a-slow", network));
        let cycle = auditor.cycle(|_| {});
        cycle.outcomes.into_iter().map(|of| of.database).collect()
    };
    order(SLOW);
    databases.grow();
    assert_eq!(order(QUICK), ["b", "c", "a-slow"]);
    // it is no longer slow; the next process knows this and checks it in the usual order
    assert_eq!(order(QUICK), ["a-slow", "b", "c"]);
}

/// Each of the databases needs more than a third of the available time.
#[test]
fn slow_databases_take_turns() {
    let names = ["x", "y", "z"];
    let databases = Databases::new(Options::default(), &names);
    databases.trusted(&every(MINUTE));
    let mut auditor = databases.auditor(&every(MINUTE), taking(SLOW));
    let mut proven: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..12 {
        databases.grow();
        let begin = databases.simulation.time.passed();
        let (cycle, _) = databases.cycle(&mut auditor);
        for name in names {
            let count = proven.entry(name).or_default();
            *count += u32::from(verdict(&cycle, name) == Some(Verdict::Consistent));
        }
        databases.rest(begin, MINUTE);
    }
    assert!(proven.values().all(|count| *count >= 4), "{proven:?}");
}

#[test]
fn a_proof_of_thousands_of_headers_delays_no_other_database() {
    let options = Options {
        lag: Lag::By(3_000),
        ..Options::default()
    };
    let databases = Databases::new(options, &["a", "b", "heavy"]);
    let embedded = &databases.simulation.embedded;
    embedded.grow("heavy", 4_000);
    databases.trusted(&every(MINUTE));
    embedded.grow("heavy", 4_000);
    embedded.lie(LieSchedule::from(Lie::WithheldAdvance).of("heavy"));
    let mut auditor = databases.auditor(&every(MINUTE), slow_in("heavy", MOMENT));
    for number in 0..5 {
        let begin = databases.simulation.time.passed();
        let (cycle, reported) = databases.cycle(&mut auditor);
        for name in ["a", "b"] {
            assert_eq!(verdict(&cycle, name), Some(Verdict::Consistent));
            assert!(
                number == 0 || reported[name] < MOMENT,
                "{number}: {reported:?}"
            );
            assert!(reported[name] < MINUTE / 2);
        }
        let heavy = cycle.outcomes.iter().find(|of| of.database == "heavy");
        let heavy = heavy.expect("its outcome");
        assert!(matches!(heavy.reason, Reason::TookTooLong), "{heavy:?}");
        assert_eq!(heavy.overdue.is_some(), number > 2, "{number}: {heavy:?}");
        assert!(cycle.duration < MINUTE, "{:?}", cycle.duration);
        databases.rest(begin, MINUTE);
    }
}

#[test]
fn states_that_use_up_the_cycle_leave_values_a_quarter_of_it() {
    let names = ["a", "b", "c", "e", "f", "g", "h", "i"];
    let databases = Databases::new(Options::default(), &names);
    let policy = Policy {
        values: Values {
            sample: 1,
            ..Values::NONE
        },
        ..every(MINUTE)
    };
    databases.trusted(&policy);
    let mut auditor = databases.auditor(&policy, |sent| match sent.call {
        method::CURRENT_STATE => Delivery::After(9 * MOMENT),
        _ => Delivery::After(QUICK),
    });
    let read = |auditor: &Auditor, name: &str| auditor.values_read(name).map_or(0, |of| of.read);
    for _ in 0..4 {
        let before: BTreeMap<&str, u64> =
            (names.iter().map(|name| (*name, read(&auditor, name)))).collect();
        let begin = databases.simulation.time.passed();
        let (cycle, _) = databases.cycle(&mut auditor);
        let proven = cycle.outcomes.iter().filter(|of| of.is_proven());
        let proven: Vec<&str> = proven.map(|of| of.database.as_str()).collect();
        assert!(proven.len() >= 3, "{cycle:?}");
        for name in proven {
            let now = read(&auditor, name);
            assert!(now > before[name], "{name}: {cycle:?}");
        }
        assert!(cycle.duration < MINUTE, "{:?}", cycle.duration);
        databases.rest(begin, MINUTE);
    }
}

#[test]
fn an_unreached_trusted_database_is_reported_and_comes_first_next() {
    let names: Vec<String> = (0..60).map(|number| format!("a-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let databases = Databases::new(Options::default(), &names);
    let policy = every(MOMENT);
    databases.trusted(&policy);
    let mut auditor = databases.auditor(&policy, taking(SLOW));
    let (cycle, _) = databases.cycle(&mut auditor);
    let reached: BTreeSet<String> = (cycle.outcomes.iter())
        .filter(|of| !matches!(of.reason, Reason::NotReached))
        .map(|of| of.database.clone())
        .collect();
    assert!(reached.len() < names.len(), "{cycle:?}");
    assert_eq!(cycle.outcomes.len(), names.len(), "each is reported");
    let (cycle, _) = databases.cycle(&mut auditor);
    assert!(!reached.contains(&cycle.outcomes[0].database), "{cycle:?}");
}

/// If such a database came after all others in every cycle, it would never be reached.
#[test]
fn a_database_with_a_late_state_is_checked_among_many_others() {
    let others: Vec<String> = (0..300).map(|number| format!("other{number}")).collect();
    let names: Vec<&str> = ["late"]
        .into_iter()
        .chain(others.iter().map(String::as_str))
        .collect();
    let databases = Databases::new(Options::default(), &names);
    databases.trusted(&every(MINUTE));
    let network = |sent: &Sent<'_>| match (sent.call, sent.database) {
        (method::CURRENT_STATE, Some("late")) => Delivery::After(2 * MOMENT),
        (method::VERIFIABLE_TX_BY_ID, Some(name)) if name != "late" => Delivery::After(5 * MOMENT),
        _ => Delivery::After(QUICK),
    };
    let mut auditor = databases.auditor(&every(MINUTE), network);
    let mut reported = Vec::new();
    for _ in 0..3 {
        databases.grow();
        let begin = databases.simulation.time.passed();
        let (cycle, _) = databases.cycle(&mut auditor);
        let consistent = |name: &&String| verdict(&cycle, name) == Some(Verdict::Consistent);
        let proven = others.iter().filter(consistent).count();
        assert!((1..others.len() / 2).contains(&proven), "{proven}");
        reported.extend(verdict(&cycle, "late"));
        databases.rest(begin, MINUTE);
    }
    assert!(reported.contains(&Verdict::Consistent), "{reported:?}");
}

/// The databases without a response and the list would together take longer than the cycle.
#[test]
fn databases_are_checked_although_others_never_respond() {
    let names = ["a", "b", "lost-1", "lost-2", "lost-3", "z"];
    let databases = Databases::new(Options::default(), &names);
    databases.trusted(&every(MINUTE));
    let mut auditor = databases.auditor(&every(MINUTE), |sent| {
        let lost = |name: &str| name.starts_with("lost");
        match sent.call == method::DATABASE_LIST || sent.database.is_some_and(lost) {
            true => Delivery::Lost,
            false => Delivery::After(QUICK),
        }
    });
    for number in 0..3 {
        let begin = databases.simulation.time.passed();
        let (cycle, _) = databases.cycle(&mut auditor);
        assert!(cycle.list_error.is_some());
        for name in ["a", "b", "z"] {
            let verdict = verdict(&cycle, name);
            // a database after three timeouts in a row may have to wait for the next cycle
            let due = number > 0 || name != "z";
            assert!(
                !due || verdict == Some(Verdict::Consistent),
                "{number}: {cycle:?}"
            );
        }
        databases.rest(begin, MINUTE);
    }
}

/// More calls are concurrent the faster a server responds, so that its delay does not add up.
#[test]
fn the_calls_of_up_to_64_databases_are_concurrent() {
    let databases = Databases::numbered(1_000);
    databases.trusted(&every(HOUR));
    for (delay, concurrent, longest) in [
        (Duration::from_millis(20), 64, Duration::from_millis(900)),
        (MOMENT * 3 / 4, 16, HOUR),
    ] {
        let begun: Rc<RefCell<BTreeMap<Duration, u32>>> = Rc::default();
        let (calls, time) = (begun.clone(), databases.simulation.time.clone());
        let mut auditor = databases.auditor(&every(HOUR), move |_| {
            *calls.borrow_mut().entry(time.passed()).or_default() += 1;
            Delivery::After(delay)
        });
        auditor.cycle(|_| {}); // opens the databases
        databases.grow();
        begun.borrow_mut().clear();
        let (cycle, _) = databases.cycle(&mut auditor);
        assert!(cycle.is_complete());
        assert!(cycle.duration <= longest, "{:?}", cycle.duration);
        assert_eq!(begun.borrow().values().max(), Some(&concurrent));
    }
}

#[test]
fn an_unreachable_server_is_not_asked_about_each_database() {
    let databases = Databases::numbered(100);
    databases.trusted(&every(MINUTE));
    let asked = Rc::new(Cell::new(0u32));
    let counted = asked.clone();
    let mut auditor = databases.auditor(&every(MINUTE), move |_| {
        counted.set(counted.get() + 1);
        Delivery::Refused(QUICK)
    });
    let (cycle, _) = databases.cycle(&mut auditor);
    assert_eq!(cycle.outcomes.len(), 100);
    let unreachable = |name: &String| verdict(&cycle, name) == Some(Verdict::Unreachable);
    assert!(databases.names.iter().all(unreachable));
    assert!(asked.get() < 20, "{}", asked.get());
}

#[test]
fn a_stop_is_noticed_at_any_call() {
    let policy = Policy {
        values: Values {
            sample: 2,
            ..Values::NONE
        },
        ..every(MINUTE)
    };
    let mut asked = u32::MAX;
    for last in 0.. {
        let databases = Databases::new(Options::default(), &["a", "b", "c"]);
        databases.trusted(&policy);
        let calls = Rc::new(Cell::new(0u32));
        let (counted, stop) = (calls.clone(), databases.simulation.stop.clone());
        let mut auditor = databases.auditor(&policy, move |_| {
            if counted.get() == last {
                stop.request();
            }
            counted.set(counted.get() + 1);
            Delivery::After(QUICK)
        });
        let (cycle, _) = databases.cycle(&mut auditor);
        asked = calls.get();
        if asked <= last {
            assert!(!cycle.stopped && cycle.outcomes.len() == 3, "{cycle:?}");
            break;
        }
        assert!(cycle.stopped, "{last}: {cycle:?}");
        // calls that were prefetched together are all started
        assert!(asked <= last + 3, "{last}: {asked}");
    }
    assert!(asked > 10, "{asked}");
}
