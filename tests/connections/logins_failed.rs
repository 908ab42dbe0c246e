//! Logins that fail while tokens are still valid, and databases that stay forbidden. A failed login
//! discards no valid token, and neither case causes so many logins that the user is locked out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::in_process::{self, server_on};
use crate::support::ledgers::{calls, ledger_with};
use crate::support::proxy::{Body, Proxy, Reply};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Cycle, Exit, Policy, Verdict};
use immuaudit::config::DatabaseFilter;
use immuaudit::drill::{Access, Embedded, Emulated, Lie, LieSchedule, Options};
use immuaudit::server::ServerErrorKind;
use immuaudit::wire::{Entries, method};

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
const FORBIDDEN: &str = "Logged in user does not have permission on this database";

fn ledgers(server: Emulated, names: &[&str]) -> Embedded {
    let options = Options {
        server,
        ..Options::default()
    };
    ledger_with(options, names, 5)
}

fn auditor(port: u16, dir: &Path) -> Auditor {
    let policy = Policy::of_consistency();
    Auditor::new(server_on(port), in_process::store(dir), policy)
}

/// Adds databases that the auditor has not opened, the first of them forbidden.
fn add(embedded: &Embedded, names: &[&str]) {
    for name in names {
        embedded.create_database(name);
        embedded.grow(name, 5);
    }
    embedded.set_access(names[0], Access::Denied);
}

/// Returns the names of the databases that were not verified.
fn unverified(cycle: &Cycle) -> Vec<&str> {
    let good = [Verdict::FirstSeen, Verdict::Consistent];
    let bad = cycle.outcomes.iter().filter(|o| !good.contains(&o.verdict));
    let mut names: Vec<&str> = bad.map(|outcome| outcome.database.as_str()).collect();
    names.sort_unstable();
    names
}

#[track_caller]
fn is_good(cycle: &Cycle) {
    assert_eq!(cycle.exit(), Exit::Good, "{cycle:?}");
}

#[test]
fn a_wrong_password_discards_no_valid_token_and_is_tried_once() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    let folder = TempDir::new();
    let mut auditor = auditor(embedded.port(), folder.path());
    is_good(&auditor.cycle(|_| {}));
    add(&embedded, &["new0", "new1", "new2"]);
    embedded.set_password("New-mule2!staple");
    for _ in 0..3 {
        for name in NAMES {
            embedded.grow(name, 3);
        }
        embedded.reset_calls();
        let cycle = auditor.cycle(|_| {});
        assert_eq!(unverified(&cycle), ["new0"], "{cycle:?}");
        assert!(cycle.list_error.is_none(), "{cycle:?}");
        assert_eq!(calls(&embedded, method::LOGIN), 1);
    }
    let text = format!("{:?}", auditor.cycle(|_| {}).outcomes);
    assert!(text.contains("BadLogin"), "no reason in: {text}");
}

#[test]
fn a_rate_limit_of_logins_discards_no_valid_token() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    let proxy = Proxy::before(embedded.port());
    let folder = TempDir::new();
    let mut auditor = auditor(proxy.port, folder.path());
    is_good(&auditor.cycle(|_| {}));
    add(&embedded, &["new0", "new1", "new2"]);
    proxy.distort(|call, _, reply| {
        if call == "Login" {
            fails(reply, 8, "rate limit exceeded");
        }
    });
    for _ in 0..3 {
        embedded.reset_calls();
        let cycle = auditor.cycle(|_| {});
        assert_eq!(unverified(&cycle), ["new0"], "{cycle:?}");
        assert_eq!(calls(&embedded, method::LOGIN), 1);
    }
}

#[test]
fn a_server_of_sessions_gets_one_wrong_password_in_a_cycle() {
    let embedded = ledgers(Emulated::WithoutLogin, &NAMES);
    let folder = TempDir::new();
    let mut auditor = auditor(embedded.port(), folder.path());
    is_good(&auditor.cycle(|_| {}));
    let new = ["new0", "new1", "new2"];
    add(&embedded, &new);
    embedded.set_password("New-mule2!staple");
    for _ in 0..3 {
        embedded.reset_calls();
        let cycle = auditor.cycle(|_| {});
        assert_eq!(unverified(&cycle), new, "{cycle:?}");
        assert_eq!(calls(&embedded, method::OPEN_SESSION), 1);
    }
}

#[test]
fn a_first_login_that_fails_is_made_once_in_a_cycle() {
    for emulated in [Emulated::V1_11_1, Emulated::WithoutLogin] {
        let embedded = ledgers(emulated, &NAMES);
        let folder = TempDir::new();
        is_good(&auditor(embedded.port(), folder.path()).cycle(|_| {}));
        embedded.set_password("New-mule2!staple");
        let mut restarted = auditor(embedded.port(), folder.path());
        embedded.reset_calls();
        let cycle = restarted.cycle(|_| {});
        assert_eq!(cycle.outcomes.len(), 4);
        for outcome in &cycle.outcomes {
            assert_eq!(outcome.verdict, Verdict::Refused);
        }
        let total = embedded.calls().values().sum::<u64>();
        let sessions = u64::from(emulated == Emulated::WithoutLogin);
        assert_eq!(total, 1 + sessions, "{:?}", embedded.calls());
        embedded.set_password("immudb");
        is_good(&restarted.cycle(|_| {}));
    }
}

fn fails(reply: &mut Reply, code: i32, message: &str) {
    reply.body = Body::Error(code, message.into());
}

/// The list needs a login, which is refused, but the tokens of the databases are still valid.
#[test]
fn databases_are_verified_by_their_tokens_despite_a_failed_login() {
    for emulated in [Emulated::V1_11_1, Emulated::WithoutLogin] {
        let embedded = ledgers(emulated, &NAMES);
        let proxy = Proxy::before(embedded.port());
        let folder = TempDir::new();
        let mut auditor = auditor(proxy.port, folder.path());
        is_good(&auditor.cycle(|_| {}));
        proxy.distort(|call, _, reply| match call {
            "DatabaseList" => fails(reply, 2, "please login"),
            "Login" if matches!(reply.body, Body::Messages(_)) => {
                fails(reply, 2, "invalid user name or password");
            }
            "OpenSession" => fails(reply, 2, "invalid user name or password"),
            _ => {}
        });
        for _ in 0..3 {
            for name in NAMES {
                embedded.grow(name, 3);
            }
            embedded.reset_calls();
            let cycle = auditor.cycle(|_| {});
            let list_error = cycle.list_error.as_ref().map(|failure| &failure.kind);
            assert_eq!(list_error, Some(&ServerErrorKind::BadLogin));
            assert_eq!(cycle.outcomes.len(), 4);
            assert!(unverified(&cycle).is_empty(), "{emulated:?} {cycle:?}");
            assert_eq!(calls(&embedded, method::LOGIN), 1);
            assert!(calls(&embedded, method::OPEN_SESSION) <= 1);
        }
    }
}

#[test]
fn a_database_that_cannot_be_reopened_keeps_its_token() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    let proxy = Proxy::before(embedded.port());
    let mut server = server_on(proxy.port);
    server.state("alpha").expect("a state");
    proxy.distort(|call, _, reply| match call {
        "TxById" | "UseDatabase" => fails(reply, 7, "permission denied"),
        "Login" => fails(reply, 8, "rate limit exceeded"),
        _ => {}
    });
    server.begin_cycle();
    let refused = server.tx("alpha", 1, Entries::Excluded);
    let kind = refused.expect_err("no permission").kind;
    assert_eq!(kind, ServerErrorKind::RateLimited, "the login's failure");
    server.state("alpha").expect("the token still works");
    server.begin_cycle();
    server.open("alpha").expect_err("no permission");
    server.state("alpha").expect("the token still works");
}

#[test]
fn a_login_without_a_response_is_repeated_in_the_same_cycle() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    let proxy = Proxy::before(embedded.port());
    let mut server = server_on(proxy.port);
    server.state("alpha").expect("a state");
    let broken = Arc::new(AtomicBool::new(true));
    let breaks = broken.clone();
    proxy.distort(move |call, _, reply| {
        if call == "Login" && breaks.load(Ordering::SeqCst) {
            fails(reply, 14, "connection reset");
        }
    });
    embedded.expire_tokens();
    server.begin_cycle();
    let failure = server.state("alpha").expect_err("no login");
    assert_eq!(failure.kind, ServerErrorKind::Unreachable);
    broken.store(false, Ordering::SeqCst);
    server.state("alpha").expect("a state");
}

#[test]
fn a_forbidden_database_costs_one_login_until_it_is_allowed_again() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    let folder = TempDir::new();
    let mut auditor = auditor(embedded.port(), folder.path());
    is_good(&auditor.cycle(|_| {}));
    embedded.set_access("beta", Access::Denied);
    embedded.expire_tokens();
    embedded.reset_calls();
    for _ in 0..6 {
        let cycle = auditor.cycle(|_| {});
        assert_eq!(unverified(&cycle), ["beta"], "{cycle:?}");
        let opened = calls(&embedded, method::USE_DATABASE);
        assert!(opened > 0, "every cycle tries to open it");
    }
    assert_eq!(calls(&embedded, method::LOGIN), 1);
    embedded.set_access("beta", Access::Open);
    is_good(&auditor.cycle(|_| {}));
    assert_eq!(calls(&embedded, method::LOGIN), 1);
}

#[test]
fn several_forbidden_databases_cost_one_login_together() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    for name in NAMES {
        embedded.set_access(name, Access::Denied);
    }
    let folder = TempDir::new();
    let mut auditor = auditor(embedded.port(), folder.path());
    for _ in 0..4 {
        assert_eq!(unverified(&auditor.cycle(|_| {})), NAMES);
    }
    assert_eq!(
        calls(&embedded, method::LOGIN),
        2,
        "the first login, and one more"
    );
}

/// The message for an expired token differs from the message for a missing permission.
#[test]
fn a_forbidden_database_with_an_expired_token_gets_a_new_login() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    embedded.set_access("beta", Access::Denied);
    let mut server = server_on(embedded.port());
    for _ in 0..3 {
        server.begin_cycle();
        let failure = server.state("beta").expect_err("no permission");
        assert_eq!(failure.kind, ServerErrorKind::Forbidden);
    }
    embedded.set_access("beta", Access::Open);
    for ends in [Embedded::expire_tokens, Embedded::forget_tokens] {
        ends(&embedded);
        embedded.reset_calls();
        server.begin_cycle();
        server.state("beta").expect("a state");
        assert_eq!(calls(&embedded, method::LOGIN), 1);
    }
}

/// The code of a missing permission is also the code of an expired token, so only a known message
/// saves the login.
#[test]
fn an_unknown_message_of_a_missing_permission_causes_a_login() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    let proxy = Proxy::before(embedded.port());
    let mut server = server_on(proxy.port);
    for (message, logins) in [(FORBIDDEN, 2), (FORBIDDEN, 2), ("the token is stale", 3)] {
        proxy.distort(move |call, _, reply| {
            if call == "UseDatabase" {
                fails(reply, 7, message);
            }
        });
        server.begin_cycle();
        server.state("beta").expect_err("no permission");
        assert_eq!(calls(&embedded, method::LOGIN), logins, "{message}");
    }
}

#[test]
fn an_unlisted_forbidden_database_costs_one_login() {
    let embedded = ledgers(Emulated::V1_11_1, &NAMES);
    embedded.lie(LieSchedule::from(Lie::Hidden).of("beta"));
    embedded.set_access("beta", Access::Denied);
    let folder = TempDir::new();
    let policy = Policy {
        databases: DatabaseFilter::new(vec!["alpha".into(), "beta".into()]),
        ..Policy::of_consistency()
    };
    let store = in_process::store(folder.path());
    let mut auditor = Auditor::new(server_on(embedded.port()), store, policy);
    for _ in 0..4 {
        let cycle = auditor.cycle(|_| {});
        assert_eq!(cycle.selects_nothing.len(), 1, "{cycle:?}");
    }
    assert_eq!(
        calls(&embedded, method::LOGIN),
        2,
        "the first login, and one more"
    );
}
