//! Damage on the network: bytes that arrive one by one, and connections that break during a
//! request. A relay for plain TCP runs before the embedded ledger.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::support::in_process;
use crate::support::program::{Program, high_water, member};
use crate::support::proxy::Proxy;
use crate::support::relay::{Plan, Relay};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Policy};
use immuaudit::drill::{Embedded, Lie, Options};
use immuaudit::server::{Endpoint, Server, ServerErrorKind};
use immuaudit::stop::Stop;
use immuaudit::wire::method;

const DATABASES: [&str; 2] = ["defaultdb", "otherdb"];
/// Highest memory of the program in KiB, whatever the server sends.
const MAX_MEMORY_KIB: u64 = 48 << 10;

struct Scene {
    server: Embedded,
    relay: Relay,
    program: Program,
    _folder: TempDir,
}

impl Scene {
    /// Starts both databases, trusts their states, and adds transactions.
    fn trusted() -> Scene {
        let options = Options::default().with_databases(&["otherdb"]);
        let server = Embedded::start(options).expect("an embedded ledger");
        let relay = Relay::before(server.port());
        let folder = TempDir::new();
        let program =
            Program::new(relay.port, &folder.join("trust")).with(&["--log-level", "debug"]);
        let scene = Scene {
            server,
            relay,
            program,
            _folder: folder,
        };
        scene.grow();
        let run = scene.program.once();
        for database in DATABASES {
            run.is(0, database, "first-seen");
        }
        scene.grow();
        scene
    }

    fn grow(&self) {
        for database in DATABASES {
            self.server.grow(database, 5);
        }
    }

    /// Asserts that the trusted state of each database is the server's last one.
    fn is_up_to_date(&self) {
        let status = self.program.run(&["status", "--json"]);
        for database in DATABASES {
            let state = self.server.state(database).expect("a state");
            let trusted = member(status.ends_with(0).line(database), "tx");
            assert_eq!(trusted, state.tx.to_string());
        }
    }
}

#[test]
fn a_slow_response_ends_at_the_deadline_and_delays_no_other_database() {
    let scene = Scene::trusted();
    let program = scene
        .program
        .with(&["--call-timeout", "1s", "--audit-sample", "0"]);
    let mut delayed = BTreeSet::new();
    // the requests in their order: login, list, then opening, state and proof of each database
    for request in 0..8 {
        scene.relay.plan(Plan::DribbleAt(request));
        let before = scene.relay.done();
        let (run, peak) = program.once_measured();
        assert_eq!(scene.relay.done(), before + 1, "{request}: {run:#?}");
        assert!(peak < MAX_MEMORY_KIB, "{request}: {peak} KiB");
        let verdicts = DATABASES.map(|database| run.verdict(database));
        let unreachable = verdicts.iter().filter(|verdict| **verdict == "unreachable");
        let unreachable = unreachable.count();
        for (database, verdict) in DATABASES.iter().zip(verdicts) {
            let fine = ["consistent", "unreachable"].contains(&verdict);
            assert!(fine, "{request}, {database}: {run:#?}");
            if verdict == "unreachable" {
                let why = run.reason(database);
                assert!(why.contains("no response within"), "{request}: {why}");
            }
        }
        // a missing list is an error in addition to the verdicts
        run.ends_with(1);
        if request >= 2 {
            assert_eq!(unreachable, 1, "{request}: {run:#?}");
        }
        delayed.insert(verdicts.map(str::to_owned));
        scene.grow();
    }
    // the delayed database varies with the segments on the network, but the other one is always
    // verified
    let one = |of: &[String; 2]| {
        of.iter()
            .filter(|verdict| *verdict == "unreachable")
            .count()
            == 1
    };
    assert!(delayed.iter().any(one), "{delayed:?}");
    scene.program.once().ends_with(0);
    scene.is_up_to_date();
}

#[test]
fn an_endlessly_slow_connection_uses_constant_memory() {
    let scene = Scene::trusted();
    let program = scene.program.with(&["--call-timeout", "200ms"]);
    scene.relay.plan(Plan::Dribble);
    let mut running = program.start(&["--audit-interval", "10ms"]);
    running.wait_for_times("verdict=unreachable", 2);
    let begin = high_water(running.id()).expect("a running process");
    running.wait_for_times("INFO  cycle ", 20);
    let end = high_water(running.id()).expect("a running process");
    println!("{begin} KiB, then {end} KiB");
    assert!(end < MAX_MEMORY_KIB && end < begin + 4096, "{begin}, {end}");
    scene.relay.plan(Plan::Pass);
    running.wait_for_times("verdict=consistent", 2); // no database was verified before in this run
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    assert!(!running.log().contains("TAMPERED"), "{}", running.log());
    scene.is_up_to_date();
}

#[test]
fn a_connection_cut_during_a_request_is_reopened() {
    let scene = Scene::trusted();
    let mut running = scene.program.start(&["--audit-interval", "20ms"]);
    running.wait_for_times("INFO  cycle ", 2);
    for request in 0..12 {
        let before = scene.relay.done();
        scene.grow();
        scene.relay.plan(Plan::CutAt(request));
        while scene.relay.done() == before && running.is_running() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    running.wait_for_cycles(2);
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    assert_eq!(scene.relay.done(), 12);
    let log = running.log();
    assert!(!log.contains("verdict=unreachable"), "{log}");
    scene.is_up_to_date();
}

/// The auditor does not retry without end, and recovers when the server responds.
#[test]
fn a_server_that_cuts_every_connection_is_unreachable_and_recovers() {
    let scene = Scene::trusted();
    let mut running = scene.program.start(&["--audit-interval", "20ms"]);
    running.wait_for("INFO  cycle ");
    scene.relay.plan(Plan::Cut);
    running.wait_for_times("verdict=unreachable", 2);
    scene.relay.plan(Plan::Pass);
    running.wait_for_more("verdict=consistent", 4);
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    scene.is_up_to_date();
}

/// A connection attempt to a port with a listening server was once seen to fail.
#[test]
fn a_connection_that_fails_immediately_is_retried_twice() {
    let scene = Scene::trusted();
    scene.relay.plan(Plan::Close(2));
    let run = scene.program.once();
    run.ends_with(0);
    for database in DATABASES {
        run.is(0, database, "consistent");
    }
    scene.relay.plan(Plan::Close(usize::MAX));
    let run = scene.program.once();
    for database in DATABASES {
        run.is(1, database, "unreachable");
    }
}

/// The list fails like a refused one, and the later calls succeed.
#[test]
fn databases_are_checked_although_the_list_cannot_be_fetched() {
    let scene = Scene::trusted();
    scene.relay.plan(Plan::Close(3)); // all three attempts for the list fail
    let run = scene.program.once();
    for database in DATABASES {
        run.is(1, database, "consistent");
    }
}

fn server_behind(relay: &Relay, stop: &Stop) -> Server {
    let endpoint = Endpoint::on_loopback(relay.port);
    in_process::server(endpoint, Duration::from_secs(10), stop)
}

#[test]
fn an_unavailable_server_is_not_retried_for_each_database() {
    let embedded = Embedded::start(Options::default()).expect("an embedded ledger");
    let relay = Relay::before(embedded.port());
    let mut server = server_behind(&relay, &Stop::new());
    relay.plan(Plan::Close(usize::MAX));
    for number in 0..50 {
        let failure = server.state(&format!("db{number}")).expect_err("away");
        assert_eq!(failure.kind, ServerErrorKind::Unreachable, "{failure}");
    }
    assert_eq!(relay.connections(), 50 + 2);
    server.begin_cycle();
    server.state("db0").expect_err("away");
    assert_eq!(relay.connections(), 50 + 2 + 3);
}

#[test]
fn a_stop_does_not_wait_for_another_connection_attempt() {
    let embedded = Embedded::start(Options::default()).expect("an embedded ledger");
    let relay = Relay::before(embedded.port());
    relay.plan(Plan::Close(usize::MAX));
    let stop = Stop::new();
    thread::scope(|scope| {
        let asked = scope.spawn(|| server_behind(&relay, &stop).state("defaultdb"));
        while relay.connections() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        stop.request();
        let failure = asked.join().expect("no panic").expect_err("stopped");
        assert_eq!(failure.kind, ServerErrorKind::Stopped);
    });
    assert!(relay.connections() < 3, "{}", relay.connections());
}

#[test]
fn a_call_past_its_deadline_is_not_repeated() {
    let embedded = Embedded::start(Options::default()).expect("an embedded ledger");
    embedded.lie(Lie::NeverAnswers);
    let endpoint = Endpoint::on_loopback(embedded.port());
    let mut server = in_process::server(endpoint, Duration::from_millis(300), &Stop::new());
    let failure = server.state("defaultdb").expect_err("no answer");
    assert!(
        matches!(failure.kind, ServerErrorKind::Deadline(_)),
        "{failure}"
    );
    assert_eq!(embedded.calls()[method::CURRENT_STATE], 1);
}

#[test]
fn a_call_prevented_by_a_stop_is_named_without_its_path() {
    let embedded = Embedded::start(Options::default()).expect("an embedded ledger");
    let stop = Stop::new();
    stop.request();
    let endpoint = Endpoint::on_loopback(embedded.port());
    let mut server = in_process::server(endpoint, Duration::from_secs(1), &stop);
    let failure = server.state("defaultdb").expect_err("stopped");
    assert_eq!(failure.kind, ServerErrorKind::Stopped);
    assert!(!failure.to_string().contains('/'), "{failure}");
}

#[test]
fn a_list_prevented_by_a_stop_is_not_an_error() {
    let embedded = Embedded::start(Options::default()).expect("an embedded ledger");
    embedded.grow("defaultdb", 3);
    let (stop, folder) = (Stop::new(), TempDir::new());
    let endpoint = Endpoint::on_loopback(embedded.port());
    let server = in_process::server(endpoint, Duration::from_secs(10), &stop);
    let store = in_process::store(folder.join("trust"));
    let mut auditor = Auditor::new(server, store, Policy::of_consistency());
    assert!(auditor.cycle(|_| {}).is_complete());
    stop.request();
    let cycle = auditor.cycle(|_| {});
    assert!(cycle.stopped && !cycle.is_complete());
    let troubles: Vec<String> = cycle.errors().map(|trouble| trouble.to_string()).collect();
    assert_eq!(troubles, [""; 0]);
}

/// The responses of up to 64 such calls are in memory at the same time, so their size must be small.
#[test]
fn a_response_for_a_state_that_no_immudb_sends_is_refused_by_its_size() {
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    server.grow(DATABASES[0], 5);
    let proxy = Proxy::before(server.port());
    let folder = TempDir::new();
    let program = Program::new(proxy.port, &folder.join("trust"));
    program.once().is(0, DATABASES[0], "first-seen");
    for (length, is_refused) in [(40_000, false), (100_000, true)] {
        proxy.distort(move |call, _, reply| {
            if call == "CurrentState" {
                // an unknown field of this many bytes
                let [low, middle, high] =
                    [length & 127 | 128, length >> 7 & 127 | 128, length >> 14];
                let head = [
                    &[0xfa, 0x3f][..],
                    &[low, middle, high].map(|part: u32| part.to_le_bytes()[0]),
                ];
                let filler = vec![0; usize::try_from(length).expect("a length")];
                reply.change(|bytes| bytes.extend([&head.concat(), &filler[..]].concat()));
            }
        });
        let run = program.once();
        match is_refused {
            false => run.is(0, DATABASES[0], "consistent"),
            true => run.is(1, DATABASES[0], "unreachable"),
        };
        let message = "do not raise --max-recv-msg-size";
        assert_eq!(run.stderr.contains(message), is_refused, "{run:#?}");
    }
}
