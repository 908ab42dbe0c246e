//! Tests of the kinds of recorded and of invented messages.

use super::*;

fn kind(call: &str, code: i32, message: &str) -> ServerErrorKind {
    classify(call, code, message, Duration::from_secs(1))
}

/// Returns the expected kind of a recorded message.
fn recorded(call: &str, message: &str) -> ServerErrorKind {
    match message {
        "invalid user name or password" => ServerErrorKind::BadLogin,
        "please login" | "please login first" | "not logged in" | "invalid token" => {
            ServerErrorKind::NotLoggedIn
        }
        "nosuch does not exist" | "'nosuch' does not exist" => ServerErrorKind::NoSuchDatabase,
        "tx not found" => ServerErrorKind::TxNotFound,
        "max key scan limit exceeded" => ServerErrorKind::LimitExceeded,
        "tx data is corrupted" if call == "VerifiableTxById" => ServerErrorKind::MaybeCorrupted,
        "data is corrupted"
        | "data is corrupted: value length or digest mismatch"
        | "tx data is corrupted"
        | "tx data is corrupted: ALH mismatch at tx 4"
        | "tx data is corrupted: ALH mismatch at tx 5" => ServerErrorKind::Corrupted,
        _ if message.starts_with("illegal state") => ServerErrorKind::IllegalState,
        _ if message.starts_with("result size limit exceeded: ") => ServerErrorKind::LimitExceeded,
        _ if message.starts_with("unknown method ") => ServerErrorKind::Unimplemented,
        _ => ServerErrorKind::Other(-1),
    }
}

#[test]
fn every_recorded_error_has_its_kind() {
    let text = include_str!("../../../tests/vectors/errors.toml");
    let table: toml::Table = text.parse().unwrap();
    let cases = table["case"].as_array().unwrap();
    assert!(cases.len() > 90, "{}", cases.len());
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let code = i32::try_from(case["status"].as_integer().unwrap()).unwrap();
        let due = match recorded(text("call"), text("message")) {
            ServerErrorKind::Other(_) => ServerErrorKind::Other(code),
            due => due,
        };
        assert_eq!(kind(text("call"), code, text("message")), due, "{case:?}");
    }
}

#[test]
fn words_within_another_message_are_no_tampering() {
    let version = "tx created with a newer version or data is corrupted";
    for (code, message) in [
        (2, version),
        (
            2,
            "rpc error: code = Unknown desc = tx created with a newer version or data is corrupted",
        ),
        (2, "key not found: data is corrupted"),
        (2, "key not found: ALH mismatch"),
        (2, "ahtree: data log is corrupted"),
        (2, "the disk says that tx data is corrupted"),
        (2, "data is corruptedly read"),
        (2, "table does not exist"),
        (5, "tx does not exist"),
    ] {
        for call in [
            "Get",
            "TxById",
            "TxScan",
            "VerifiableTxById",
            "CurrentState",
        ] {
            let kind = kind(call, code, message);
            let harmless = matches!(
                kind,
                ServerErrorKind::Other(_) | ServerErrorKind::KeyNotFound
            );
            assert!(harmless, "{call}: {message}: {kind:?}");
        }
    }
}

#[test]
fn a_chosen_name_decides_nothing() {
    for chosen in [
        "already closed",
        "invalid token",
        "not logged in",
        "permission denied",
        "data is corrupted",
        "tx not found",
        "illegal state",
        "authentication disabled",
        "x does not exist",
        "database does not exist",
    ] {
        let key = format!("key not found: {chosen}");
        assert_eq!(kind("Get", 2, &key), ServerErrorKind::KeyNotFound, "{key}");
        let database = format!("'{chosen}' does not exist");
        assert_eq!(
            kind("UseDatabase", 5, &database),
            ServerErrorKind::NoSuchDatabase
        );
        let other = format!("what: {chosen}");
        if chosen != "already closed" {
            assert_eq!(kind("Get", 2, &other), ServerErrorKind::Other(2), "{other}");
        }
    }
}

#[test]
fn a_value_that_a_replica_never_got_is_absent_and_not_corrupted() {
    let absent = "data is corrupted: internal value consistency error - missing value prefix";
    assert_eq!(kind("Get", 2, absent), ServerErrorKind::ValueAbsent);
    for other in [
        "data is corrupted: internal value consistency error - invalid reference",
        "data is corrupted: value length or digest mismatch",
        "data is corrupted: internal value consistency error - missing value prefix, and more",
    ] {
        assert_eq!(kind("Get", 2, other), ServerErrorKind::Corrupted, "{other}");
    }
}

#[test]
fn only_this_client_reports_a_too_large_answer() {
    for (message, due) in [
        (
            "Received message larger than max (8388652 vs. 4194304)",
            ServerErrorKind::TooLarge,
        ),
        (
            "grpc: received message larger than max (8388652 vs. 4194304)",
            ServerErrorKind::RateLimited,
        ),
        (
            "trying to send message larger than max (9 vs. 4)",
            ServerErrorKind::RateLimited,
        ),
        ("Buffers full", ServerErrorKind::TooLarge),
        (
            "received initial metadata size exceeds limit",
            ServerErrorKind::HeadersTooLarge,
        ),
        (
            "received metadata size exceeds soft limit (9000 vs. 8192)",
            ServerErrorKind::HeadersTooLarge,
        ),
        ("rate limit exceeded", ServerErrorKind::RateLimited),
        ("", ServerErrorKind::RateLimited),
    ] {
        assert_eq!(kind("TxScan", 8, message), due, "{message}");
    }
    assert_eq!(
        kind("TxScan", 2, "max concurrency limit exceeded"),
        ServerErrorKind::RateLimited
    );
}

#[test]
fn words_of_logins_permissions_and_databases_are_known() {
    for (call, code, message, due) in [
        (
            "CurrentState",
            7,
            "token has expired: token validation error",
            ServerErrorKind::NotLoggedIn,
        ),
        (
            "CurrentState",
            7,
            "session not found",
            ServerErrorKind::NotLoggedIn,
        ),
        (
            "CurrentState",
            2,
            "no sessionID provided",
            ServerErrorKind::NotLoggedIn,
        ),
        (
            "CurrentState",
            2,
            "please select a database first",
            ServerErrorKind::NotLoggedIn,
        ),
        ("CurrentState", 16, "whatever", ServerErrorKind::NotLoggedIn),
        ("CurrentState", 7, "whatever", ServerErrorKind::Forbidden),
        (
            "CurrentState",
            2,
            "permission denied",
            ServerErrorKind::Forbidden,
        ),
        (
            "UseDatabase",
            7,
            "Logged in user does not have permission on this database",
            ServerErrorKind::Forbidden,
        ),
        (
            "Login",
            2,
            "server is running with authentication disabled, please enable authentication to login",
            ServerErrorKind::NoAuthentication,
        ),
        (
            "DatabaseList",
            2,
            "this command is available only with authentication on",
            ServerErrorKind::NoAuthentication,
        ),
        (
            "CurrentState",
            2,
            "database does not exist",
            ServerErrorKind::NoSuchDatabase,
        ),
        (
            "CurrentState",
            2,
            "already closed",
            ServerErrorKind::Unloaded,
        ),
        (
            "CurrentState",
            2,
            "multiapp: already closed",
            ServerErrorKind::Unloaded,
        ),
        (
            "CurrentState",
            14,
            "data is corrupted",
            ServerErrorKind::Unreachable,
        ),
    ] {
        assert_eq!(kind(call, code, message), due, "{call}: {code} {message}");
    }
}
