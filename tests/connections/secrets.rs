//! Servers that repeat the password or the token of a call in their text: the auditor does not print it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::in_process::server_on;
use crate::support::program::Program;
use crate::support::proxy::{Body, Proxy};
use crate::support::simulated::Simulation;
use crate::support::temp_dir::TempDir;
use immuaudit::clock::Clock;
use immuaudit::drill::{Delivery, Embedded, Emulated, Options, Sent};
use immuaudit::server::Peeked;
use immuaudit::wire::{self, method};

const DATABASE: &str = "defaultdb";

#[test]
fn the_message_of_a_failed_login_does_not_contain_the_password() {
    for (server, login) in [
        (Emulated::V1_11_1, method::LOGIN),
        (Emulated::WithoutLogin, method::OPEN_SESSION),
    ] {
        let simulation = Simulation::new(Options {
            server,
            ..Options::default()
        });
        let mut server = simulation.server(move |sent: &Sent<'_>| match sent.call == login {
            true => {
                let message = "no user with password immudb, not even with immudb1";
                Delivery::Status(Duration::ZERO, 2, message.into())
            }
            false => Delivery::After(Duration::ZERO),
        });
        let failure = server.state(DATABASE).expect_err("no login");
        let shown = "no user with password ***, not even with immudb1";
        assert_eq!(failure.message.as_str(), shown, "{failure}");
        assert!(failure.to_string().contains(shown), "{failure}");
    }
}

/// The token of the database comes from one of several concurrent calls, or from a separate call. The state may have
/// come before the token was renewed.
#[test]
fn neither_a_message_nor_the_identity_contains_the_token() {
    for (together, renewed) in [(false, false), (true, false), (true, true)] {
        let embedded =
            Embedded::start(Options::default().with_databases(&["shop"])).expect("a ledger");
        let proxy = Proxy::before(embedded.port());
        let given: Arc<Mutex<Vec<String>>> = Arc::default();
        let tokens = given.clone();
        proxy.distort(move |call, _, reply| {
            let mut tokens = tokens.lock().expect("no panic");
            match (call, &reply.body) {
                ("UseDatabase" | "Login", Body::Messages(messages)) => {
                    tokens.push(wire::token(&messages[0]).expect("a token"));
                }
                ("CurrentState", _) => reply.uuid = Some(tokens.join(" ")),
                ("TxById", _) => reply.body = Body::Error(2, tokens.join(" ")),
                _ => {}
            }
        });
        let mut server = server_on(proxy.port);
        if together {
            server.databases().expect("a list");
            let until = Clock::system().instant() + Duration::from_secs(5);
            server.prefetch_states([DATABASE, "shop"].into_iter(), until);
            let peeked = server.peek_state(DATABASE, until);
            assert!(matches!(peeked, Peeked::State(_)), "{peeked:?}");
        }
        if renewed {
            server.open(DATABASE).expect("a database");
        }
        server.state(DATABASE).expect("a state");
        let identity = server.identity().expect("an identity").to_string();
        let failure = server.tx(DATABASE, 1, wire::Entries::Excluded);
        let message = failure.expect_err("an error").to_string();
        // the text also has the tokens of other calls, which are not the secret of this one
        for text in [identity, message] {
            assert_eq!(text.matches("***").count(), 1, "{text}");
        }
    }
}

#[test]
fn no_output_of_the_program_contains_a_password_that_the_server_repeats() {
    const PASSWORD: &str = "Correct-horse1!battery";
    let embedded = Embedded::start(Options::default()).expect("a ledger");
    let proxy = Proxy::before(embedded.port());
    proxy.distort(|call, _, reply| {
        if call == "Login" {
            let message = format!("invalid user name or password: {PASSWORD}");
            reply.body = Body::Error(2, message);
        }
    });
    let folder = TempDir::new();
    let program = Program::new(proxy.port, &folder.join("state"));
    let run = program.with(&["--audit-password", PASSWORD]).once();
    run.ends_with(1);
    let shown = format!("{}{}", run.stdout, run.stderr);
    assert!(!shown.contains(PASSWORD), "{run:#?}");
    assert!(
        shown.contains("invalid user name or password: ***"),
        "{run:#?}"
    );
}
