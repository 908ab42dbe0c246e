//! Every setting with an invalid value. The message names the setting, the value and the expected
//! values.

use crate::support::process::given;

/// Settings that accept any text, and switches without a value.
const FREE: &[&str] = &[
    "--help",
    "--version",
    // any text is a list of names, the name of a file that may not exist yet, or without effect
    "--audit-databases",
    "--database",
    "--tokenfile",
    "--revision-separator",
    "--address",
    "--port",
    "--pidfile",
    "--logfile",
    "--dir",
    "--roots-filepath",
    // settings that apply only to some commands or modes, and are tested separately
    "--as",
    "--audit",
    "--all",
    "--alarm",
];

/// Each setting with an invalid value, and a part of the message.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "--immudb-address",
        "http://db:3322",
        "without scheme, port or path",
    ),
    ("--immudb-port", "0", "a whole number from 1 to 65535"),
    ("--audit-username", "a\tb", "without control characters"),
    ("--audit-password", "enc:%", "the base64 of a password"),
    ("--audit-password-file", "none", "there is no such file"),
    ("--username", "a\tb", "without control characters"),
    ("--password", "enc:%", "the base64 of a password"),
    ("--password-file", "none", "there is no such file"),
    ("--tls", "maybe", "true or false"),
    ("--tls-ca", "none", "there is no such file"),
    ("--mtls", "maybe", "true or false"),
    ("--certificate", "none", "there is no such file"),
    ("--pkey", "none", "there is no such file"),
    ("--clientcas", "none", "there is no such file"),
    ("--servername", "a\tb", "without control characters"),
    ("--call-timeout", "0", "a duration with its unit"),
    ("--max-recv-msg-size", "1", "32 MiB are 33554432"),
    (
        "--max-recv-msg-size",
        "32M",
        "a whole number of bytes from 65536 to 1073741824, without a unit: this is 33554432",
    ),
    ("--audit-interval", "0", "a duration with its unit"),
    ("--once", "maybe", "true or false"),
    ("--server-signing-pub-key", "none", "there is no such file"),
    ("--audit-signature", "perhaps", "one of ignore, validate"),
    ("--pin", "shop:0:00", "DATABASE:TX:HASH"),
    ("--no-first-use", "maybe", "true or false"),
    ("--audit-max-idle", "5", "a duration with its unit"),
    ("--audit-max-fetch", "0", "from 1 to"),
    ("--audit-verify-values", "maybe", "true or false"),
    ("--audit-sample", "1000001", "from 0 to 1000000"),
    ("--audit-sweep", "daily", "a duration with its unit"),
    ("--audit-keep-hashes", "maybe", "true or false"),
    ("--audit-keep-hashes-max", "1", "from 65536 to"),
    ("--server-label", "a\tb", "without control characters"),
    ("--server-name", "a\tb", "without control characters"),
    ("--audit-signing-key", "none", "there is no such file"),
    ("--audit-peer", "http://zone-a:9477", "URL=KEY"),
    ("--audit-peers-required", "101", "from 0 to 100"),
    ("--json", "maybe", "true or false"),
    ("--quiet", "maybe", "true or false"),
    ("--log-level", "loud", "one of off, error, warn"),
    ("--log-format", "xml", "one of text, json"),
    (
        "--audit-monitoring-host",
        "http://x",
        "without scheme, port or path",
    ),
    ("--audit-monitoring-port", "65536", "from 0 to 65535"),
    ("--no-monitoring", "maybe", "true or false"),
    (
        "--audit-notification-url",
        "example.org/hook",
        "http:// or https:// and a host",
    ),
    (
        "--audit-notification-url-file",
        "none",
        "there is no such file",
    ),
    (
        "--audit-notification-username",
        "a\tb",
        "without control characters",
    ),
    (
        "--audit-notification-password",
        "enc:%",
        "the base64 of a password",
    ),
    (
        "--audit-notification-password-file",
        "none",
        "there is no such file",
    ),
    ("--audit-notification-auth", "digest", "one of body, basic"),
    (
        "--audit-notification-secret",
        "enc:%",
        "the base64 of a password",
    ),
    (
        "--audit-notification-secret",
        "enc:c2hvcnQ=",
        "at least 24 bytes",
    ),
    (
        "--audit-notification-secret-file",
        "none",
        "there is no such file",
    ),
    ("--audit-notification-ca", "none", "there is no such file"),
    ("--audit-notify", "never", "one of changes, every-check"),
    ("--audit-exec", "page-me", "a program's full path"),
    (
        "--audit-heartbeat-url",
        "ftp://example.org",
        "http:// or https:// and a host",
    ),
    (
        "--audit-heartbeat-url-file",
        "none",
        "there is no such file",
    ),
    ("--audit-heartbeat-ca", "none", "there is no such file"),
    ("--proxy", "socks5://p:1", "SOCKS is not supported"),
    ("--ca", "none", "there is no such file"),
    ("--config", "none", "there is no such file"),
    ("--value-only", "maybe", "true or false"),
    ("--detached", "maybe", "true or false"),
    ("--instance", "a/b", "letters"),
    ("--name", "a b", "a short name without blanks"),
    ("--key", "none", "an auditor's public key"),
    ("--peer-key", "none", "an auditor's public key"),
    ("--require", "0", "from 1 to 100"),
    ("--dry-run", "maybe", "true or false"),
    ("--purge", "maybe", "true or false"),
    ("--check", "maybe", "true or false"),
    ("--against", "a\tb", "without control characters"),
    ("--show-values", "maybe", "true or false"),
    ("--serve", "maybe", "true or false"),
    ("--databases", "0", "from 1 to 5000"),
    ("--views", "3", "from 1 to 2"),
    ("--grow", "fast", "a duration with its unit"),
    ("--lie", "a\tb", "without control characters"),
    ("--list", "maybe", "true or false"),
    ("--test", "maybe", "true or false"),
    ("--yes", "maybe", "true or false"),
    ("--absent-values-to", "0", "a whole number from 1 to"),
    ("--unsigned", "maybe", "true or false"),
    ("--disagreement", "maybe", "true or false"),
];

/// Returns the flags in the help of all commands.
fn flags() -> Vec<String> {
    let mut shown = given(&["--help", "--all"]).text();
    let (commands, _) = shown.split_once("Connection:").unwrap();
    // `  status         print …`; the lines of a longer explanation are indented more
    let entries = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let entries = entries.filter(|entry| entry.starts_with(|c: char| c.is_ascii_lowercase()));
    let words = entries.filter_map(|entry| entry.split(' ').next());
    let commands: Vec<String> = words.map(str::to_owned).collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        shown.push_str(&given(&["help", &command]).text());
    }
    let lines = shown.lines().filter_map(|line| {
        // `  -p, --immudb-port PORT` and `      --tls`; deeper lines continue an explanation
        let is_a_flag = line.starts_with("  -") || line.starts_with("      --");
        let flag = line
            .split_whitespace()
            .take(2)
            .find(|word| word.starts_with("--"));
        flag.map(str::to_owned).filter(|_| is_a_flag)
    });
    lines.collect()
}

#[test]
fn every_setting_reports_a_wrong_value_with_the_expected_ones() {
    for flag in flags() {
        let tested = WRONG.iter().any(|(name, ..)| *name == flag);
        assert!(
            tested != FREE.contains(&flag.as_str()),
            "{flag}: add an invalid value to WRONG in this file, or the flag to FREE if every value is valid"
        );
    }
    for &(flag, value, wanted) in WRONG {
        let attached = format!("{flag}={value}");
        let mut arguments = match flag {
            "--dry-run" | "--purge" => vec!["audit-mode", "install"],
            "--check" => vec!["config"],
            "--against" | "--show-values" => vec!["locate", "db"],
            "--serve" | "--databases" | "--views" | "--grow" | "--lie" | "--list" => vec!["drill"],
            "--test" => vec!["notify"],
            "--peer-key" => vec!["compare", "file"],
            "--ca" => vec!["compare", "http://other.example/"],
            "--yes" => vec!["alarm", "adopt", "7"],
            "--name" => vec!["key", "new", "file"],
            "--key" | "--require" => vec!["checkpoint", "verify", "file"],
            "--absent-values-to" | "--unsigned" | "--disagreement" => vec!["acknowledge", "db"],
            "--audit-signature" | "--detached" => vec!["--as=immugw", "--audit"],
            "--certificate" | "--pkey" | "--clientcas" => vec!["--mtls"],
            _ => vec![],
        };
        arguments.push(&attached);
        let message = given(&arguments).wrong();
        let line = message
            .lines()
            .find(|line| line.starts_with(&format!("{flag}: ")));
        let line = line.unwrap_or_else(|| {
            panic!("{flag}: no message about the value {value:?}; is the flag of a command that the match does not name? {message}")
        });
        assert!(line.contains(wanted), "{flag}: {line}");
        // it may be half of a password, or end with a token
        if value.starts_with("enc:") || flag == "--audit-notification-url" {
            assert!(!line.contains(value), "{line}");
        } else {
            let shown: String = value.chars().flat_map(char::escape_debug).collect();
            assert!(line.contains(&format!("\"{shown}\"")), "{flag}: {line}");
        }
    }
}
