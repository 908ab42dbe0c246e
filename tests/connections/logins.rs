//! Logins end: a token after its lifetime, a session after a pause, all of them when a server
//! restarts, a password or a certificate when it is replaced. The audit continues in each case.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::in_process;
use crate::support::ledgers::{calls, ledger_with};
use crate::support::modes::set_mode;
use crate::support::program::{Program, Running};
use crate::support::proxy::{Body, Proxy};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Cycle, Exit, Outcome, Policy, ServerView, SweepStatus, Verdict};
use immuaudit::config::Values;
use immuaudit::drill::{Access, Embedded, Emulated, Lie, LieSchedule, Lifetime, Options};
use immuaudit::server::{Peeked, ServerErrorKind};
use immuaudit::wire::method;

const DB: &str = "defaultdb";
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// A server with `Login`, and a server that has only sessions.
const BOTH: [Emulated; 2] = [Emulated::V1_11_1, Emulated::WithoutLogin];

/// Starts a server with databases of 40 transactions, whose tokens and sessions have this lifetime.
fn server(emulated: Emulated, lifetime: Lifetime, names: &[&str]) -> Embedded {
    let options = Options {
        server: emulated,
        token_lifetime: lifetime,
        session_lifetime: lifetime,
        ..Options::default()
    };
    ledger_with(options, names, 40)
}

/// Returns an auditor that reads a sample of the values.
fn auditor(embedded: &Embedded, dir: &Path) -> Auditor {
    auditor_renewing(embedded, dir, None)
}

/// Returns the same auditor with another minimum time between two renewals of a credential.
fn auditor_renewing(embedded: &Embedded, dir: &Path, pause: Option<Duration>) -> Auditor {
    let mut server = in_process::server_on(embedded.port());
    if let Some(pause) = pause {
        server = server.with_renewal_pause(pause);
    }
    let policy = Policy {
        values: Values {
            sample: 8,
            ..Values::NONE
        },
        ..Policy::of_consistency()
    };
    Auditor::new(server, in_process::store(dir), policy)
}

#[track_caller]
fn is_proven(cycle: &Cycle, databases: usize) {
    assert_eq!(cycle.outcomes.len(), databases, "{cycle:?}");
    assert!(cycle.list_error.is_none(), "{cycle:?}");
    assert_eq!(cycle.exit(), Exit::Good, "{cycle:?}");
}

#[test]
fn a_token_or_session_that_expired_between_cycles_is_renewed() {
    for emulated in BOTH {
        let embedded = server(emulated, Lifetime::Unlimited, &NAMES);
        let folder = TempDir::new();
        let mut auditor = auditor(&embedded, folder.path());
        is_proven(&auditor.cycle(|_| {}), 4);
        for name in NAMES {
            embedded.grow(name, 5);
        }
        embedded.expire_tokens();
        embedded.reset_calls();
        is_proven(&auditor.cycle(|_| {}), 4);
        if emulated == Emulated::V1_11_1 {
            assert_eq!(calls(&embedded, method::LOGIN), 1);
            assert_eq!(calls(&embedded, method::USE_DATABASE), 4);
        }
    }
}

/// The lifetime ends at a different call each time: the list, an opening, a state, a proof, or a
/// transaction. Some of these calls are prefetched.
#[test]
fn a_credential_may_end_at_any_call_of_a_cycle() {
    for emulated in BOTH {
        for lifetime in 15..45 {
            let embedded = server(emulated, Lifetime::Calls(lifetime), &NAMES);
            let folder = TempDir::new();
            let mut auditor = auditor(&embedded, folder.path());
            for _ in 0..4 {
                let cycle = auditor.cycle(|_| {});
                assert_eq!(
                    cycle.exit(),
                    Exit::Good,
                    "{emulated:?}, {lifetime}: {cycle:?}"
                );
                is_proven(&cycle, 4);
                for name in NAMES {
                    embedded.grow(name, 3);
                }
            }
        }
    }
}

#[test]
fn a_hundred_databases_are_reopened_with_one_login_and_a_call_each() {
    let names: Vec<String> = (0..100).map(|number| format!("db{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let embedded = server(Emulated::V1_11_1, Lifetime::Unlimited, &names);
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
    is_proven(&auditor.cycle(|_| {}), 101);
    embedded.expire_tokens();
    embedded.reset_calls();
    is_proven(&auditor.cycle(|_| {}), 101);
    assert_eq!(calls(&embedded, method::LOGIN), 1);
    assert_eq!(calls(&embedded, method::USE_DATABASE), 101);
    // one state call is prefetched with the list
    assert!(calls(&embedded, method::CURRENT_STATE) <= 102);
}

#[test]
fn concurrently_opened_databases_share_one_login_after_expiry() {
    let embedded = server(Emulated::V1_11_1, Lifetime::Unlimited, &NAMES);
    let mut server = in_process::server_on(embedded.port());
    server.databases().expect("a list");
    embedded.expire_tokens();
    embedded.reset_calls();
    let until = Instant::now() + Duration::from_secs(10);
    server.prefetch_states(NAMES.into_iter(), until);
    assert_eq!(calls(&embedded, method::LOGIN), 1);
    assert_eq!(calls(&embedded, method::USE_DATABASE), 6);
    for name in NAMES {
        let state = embedded.state(name).expect("a state");
        assert_eq!(server.peek_state(name, until), Peeked::State(state));
    }
}

/// Each of these takes many lifetimes within one cycle.
#[test]
fn a_sweep_a_search_and_a_mirror_outlast_many_token_lifetimes() {
    for emulated in BOTH {
        let embedded = server(emulated, Lifetime::Calls(3), &[]);
        let folder = TempDir::new();
        let mut auditor = auditor_renewing(&embedded, folder.path(), Some(Duration::ZERO))
            .with_mirror(Some(1 << 20));
        for _ in 0..20 {
            embedded.grow(DB, 20);
            assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
        }
        let until = Instant::now() + Duration::from_secs(60);
        let unmirrored = auditor.mirror(until, until);
        assert!(unmirrored.is_empty(), "{unmirrored:?}");
        embedded.grow(DB, 3_000);
        embedded.reset_calls();
        assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
        assert_eq!(swept(&mut auditor), 3_440);
        let located = auditor.locate(DB).expect("not stopped");
        assert!(
            matches!(&located.present, ServerView::Shows { window, .. } if window.is_intact()),
            "{located:?}"
        );
        let renewals = [method::USE_DATABASE, method::OPEN_SESSION];
        let renewals = renewals.map(|name| calls(&embedded, name));
        assert!(renewals.iter().sum::<u64>() > 5, "{renewals:?}");
    }
}

/// Sweeps the database, and returns the number of transactions read.
fn swept(auditor: &mut Auditor) -> u64 {
    loop {
        let slice = auditor.sweep(DB);
        assert!(slice.outcome.is_none(), "{:?}", slice.outcome);
        match slice.status {
            SweepStatus::InProgress { .. } => {}
            SweepStatus::Completed(swept) => return swept.read,
            other => panic!("{other:?}"),
        }
    }
}

/// `src/server/session.rs` tests the length of the pause with a given time.
#[test]
fn a_credential_is_renewed_only_once_within_a_pause() {
    let embedded = server(Emulated::V1_11_1, Lifetime::Unlimited, &[]);
    let mut server = in_process::server_on(embedded.port());
    server.state(DB).expect("a state");
    embedded.expire_tokens();
    server.state(DB).expect("a state, by a renewed token");
    embedded.expire_tokens();
    embedded.reset_calls();
    let failure = server.state(DB).expect_err("renewed just before");
    assert_eq!(failure.kind, ServerErrorKind::NotLoggedIn);
    assert_eq!(embedded.calls().values().sum::<u64>(), 1);
    server.begin_cycle();
    server.state(DB).expect("a state in the next cycle");
}

#[test]
fn a_server_that_forgets_every_token_gets_few_logins_and_is_refused() {
    let embedded = server(Emulated::V1_11_1, Lifetime::Unlimited, &NAMES);
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
    is_proven(&auditor.cycle(|_| {}), 4);
    embedded.lie(LieSchedule::from(Lie::ForgottenTokens));
    for _ in 0..5 {
        embedded.reset_calls();
        let cycle = auditor.cycle(|_| {});
        for outcome in &cycle.outcomes {
            assert_eq!(outcome.verdict, Verdict::Refused, "{outcome:?}");
        }
        let logins = calls(&embedded, method::LOGIN);
        assert!(logins <= 2, "{logins} logins");
        assert!(embedded.calls().values().sum::<u64>() < 30);
    }
    embedded.be_honest();
    is_proven(&auditor.cycle(|_| {}), 4);
}

#[test]
fn a_revoked_permission_costs_one_login_and_affects_no_other_database() {
    for emulated in BOTH {
        let embedded = server(emulated, Lifetime::Unlimited, &NAMES);
        let folder = TempDir::new();
        let mut auditor = auditor(&embedded, folder.path());
        is_proven(&auditor.cycle(|_| {}), 4);
        embedded.set_access("beta", Access::Denied);
        embedded.expire_tokens();
        for _ in 0..3 {
            embedded.reset_calls();
            let cycle = auditor.cycle(|_| {});
            let refused = |outcome: &&Outcome| outcome.verdict == Verdict::Refused;
            let refused: Vec<&Outcome> = cycle.outcomes.iter().filter(refused).collect();
            assert_eq!(refused.len(), 1, "{cycle:?}");
            assert_eq!(refused[0].database, "beta");
            assert!(calls(&embedded, method::LOGIN) <= 2);
        }
        embedded.set_access("beta", Access::Open);
        is_proven(&auditor.cycle(|_| {}), 4);
    }
}

#[test]
fn authentication_may_be_switched_off_and_on_again() {
    let embedded = server(Emulated::V1_11_1, Lifetime::Unlimited, &[]);
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
    for auth in [true, false, true, false] {
        embedded.set_auth(auth);
        embedded.forget_tokens();
        is_proven(&auditor.cycle(|_| {}), 1);
    }
    // without a request for the list in between, as within a sweep
    let mut server = in_process::server_on(embedded.port());
    for auth in [false, true, false] {
        embedded.set_auth(auth);
        embedded.forget_tokens();
        server.begin_cycle();
        server.state(DB).expect("a state");
    }
}

/// In maintenance mode a server without authentication refuses its list and opens every database.
#[test]
fn a_server_without_a_list_hides_no_database() {
    let embedded = server(Emulated::V1_11_1, Lifetime::Unlimited, &NAMES);
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
    for auth in [true, false, false, true] {
        embedded.set_auth(auth);
        embedded.forget_tokens();
        is_proven(&auditor.cycle(|_| {}), 1 + NAMES.len());
        for name in NAMES {
            let located = auditor.locate(name).expect("it is not asked to stop");
            assert_eq!(located.exit(), Exit::Good, "{located:?}");
        }
    }
}

/// For a moment, a proxy in front of an old server without sessions responds to every call that it is unknown.
#[test]
fn a_proxy_that_lacks_the_login_call_for_a_moment_refuses_no_later_login() {
    let embedded = server(Emulated::V1_1_0, Lifetime::Unlimited, &[]);
    let proxy = Proxy::before(embedded.port());
    let folder = TempDir::new();
    let server = in_process::server_on(proxy.port);
    let store = in_process::store(folder.path());
    let mut auditor = Auditor::new(server, store, Policy::of_consistency());
    is_proven(&auditor.cycle(|_| {}), 1);
    embedded.forget_tokens();
    proxy.distort(|_, _, reply| reply.body = Body::Error(12, String::new()));
    for _ in 0..2 {
        assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Incomplete);
    }
    proxy.distort(|call, _, reply| {
        if call == "OpenSession" {
            reply.body = Body::Error(12, String::new());
        }
    });
    is_proven(&auditor.cycle(|_| {}), 1);
}

/// The loop of the program, whose credentials may have expired before each cycle.
#[test]
fn the_program_runs_for_many_token_lifetimes_without_a_refusal() {
    for emulated in BOTH {
        let lifetime = Lifetime::Time(Duration::from_millis(150));
        let embedded = server(emulated, lifetime, &NAMES);
        let folder = TempDir::new();
        let program = Program::new(embedded.port(), &folder.join("trust"));
        // one interval is longer than the lifetime, and one is shorter
        for interval in ["200ms", "20ms"] {
            let mut running = program.start(&["--audit-interval", interval]);
            running.wait_for_times("INFO  cycle ", 15);
            ends_well(&mut running);
        }
    }
}

#[track_caller]
fn ends_well(running: &mut Running) {
    running.signal("TERM");
    let code = running.end();
    let log = running.log();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("refused") && !log.contains("ERROR"), "{log}");
}

#[test]
fn sweep_and_locate_continue_after_their_token_expires() {
    let embedded = server(Emulated::V1_11_1, Lifetime::Unlimited, &[]);
    embedded.grow(DB, 5_000);
    let folder = TempDir::new();
    let program = Program::new(embedded.port(), &folder.join("trust"));
    program.once().is(0, DB, "first-seen");
    // the call is slow, so the tokens expire between it and the next call
    let ends = |args: &[&str], call: &'static str| {
        embedded.lie(LieSchedule::from(Lie::Slow).in_call(call).times(2));
        embedded.reset_calls();
        thread::scope(|scope| {
            let run = scope.spawn(|| program.run(args));
            while calls(&embedded, call) == 0 && !run.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            embedded.expire_tokens();
            run.join().expect("no panic")
        })
    };
    let run = ends(&["sweep", "--json"], method::TX_SCAN);
    run.is(0, DB, "consistent");
    assert!(run.stderr.contains("read=5040 of=5040"), "{run:#?}");
    assert_eq!(calls(&embedded, method::LOGIN), 2);
    ends(&["locate", DB], method::DATABASE_LIST).ends_with(0);
    assert_eq!(calls(&embedded, method::LOGIN), 2);
}

const OLD: &str = "Old-horse1!battery";
const NEW: &str = "New-mule2!staple";

/// A server, and the file with its password, which the auditor reads.
struct Passwords {
    embedded: Embedded,
    folder: TempDir,
}

impl Passwords {
    fn new() -> Passwords {
        let options = Options {
            password: OLD.into(),
            ..Options::default()
        };
        let passwords = Passwords {
            embedded: Embedded::start(options).expect("an embedded ledger"),
            folder: TempDir::new(),
        };
        passwords.embedded.grow(DB, 5);
        passwords.write(OLD);
        passwords
    }

    fn write(&self, text: &str) {
        let file = self.folder.join("password");
        fs::write(&file, text).expect("a file");
        set_mode(&file, 0o600).expect("its mode");
    }

    fn start(&self) -> Running {
        let file = self.folder.join("password");
        let program = Program::new(self.embedded.port(), &self.folder.join("trust"));
        let file = format!("--audit-password-file={}", file.display());
        let mut running = program.start(&["--audit-interval", "50ms", &file]);
        running.wait_for("verdict=first-seen");
        running
    }
}

#[track_caller]
fn names_no_password(running: &Running) {
    for password in [OLD, NEW] {
        assert!(!running.log().contains(password), "{}", running.log());
    }
}

#[test]
fn a_password_file_that_was_changed_is_read_again_at_the_next_login() {
    let passwords = Passwords::new();
    let mut running = passwords.start();
    passwords.write(&format!("{NEW}\n"));
    passwords.embedded.set_password(NEW);
    passwords.embedded.forget_tokens();
    running.wait_for_cycles(3);
    names_no_password(&running);
    ends_well(&mut running);
}

#[test]
fn a_missing_or_empty_password_file_keeps_the_last_good_password() {
    let passwords = Passwords::new();
    let mut running = passwords.start();
    fs::remove_file(passwords.folder.join("password")).expect("the file");
    passwords.embedded.forget_tokens();
    running.wait_for_cycles(3);
    running.wait_for("WARN  the last good password is still used, because --audit-password-file");
    passwords.write("");
    passwords.embedded.forget_tokens();
    running.wait_for_cycles(3);
    let times = |running: &Running| running.log().matches("the last good password").count();
    assert_eq!(times(&running), 2, "{}", running.log());
    names_no_password(&running);
    ends_well(&mut running);
}

#[test]
fn a_refused_login_reports_an_old_password() {
    let passwords = Passwords::new();
    let mut running = passwords.start();
    fs::remove_file(passwords.folder.join("password")).expect("the file");
    passwords.embedded.set_password(NEW);
    passwords.embedded.forget_tokens();
    running.wait_for("verdict=refused");
    let log = running.log();
    let refused = log.lines().find(|line| line.contains("verdict=refused"));
    let refused = refused.expect("a line");
    assert!(refused.contains("wrong user or password"), "{refused}");
    assert!(
        refused.contains("the last good password is still used"),
        "{refused}"
    );
    assert!(refused.contains("there is no such file"), "{refused}");
    // a corrected file is enough
    passwords.write(NEW);
    running.wait_for_cycles(3);
    let log = running.log();
    let last = log.lines().last().expect("a line");
    assert!(last.contains("proven=1"), "{last}");
    names_no_password(&running);
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
}
