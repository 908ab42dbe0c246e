//! A command that reads only files needs no server address if `--dir` has a single server.

use std::path::Path;
use std::process::Command;

use crate::support::program::Run;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};

const DB: &str = "defaultdb";

/// Runs the program with only this directory and these arguments.
fn run(dir: &Path, args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
    command
        .env_clear()
        .current_dir(dir.parent().expect("a folder around it"));
    command.args(args).arg("--dir").arg(dir);
    Run::of(command.output().expect("the program runs"))
}

#[test]
fn commands_use_the_only_server_of_a_directory_and_list_several() {
    let server = Embedded::start(Options::default()).expect("a ledger");
    server.grow(DB, 5);
    let port = server.port().to_string();
    let (folder, other) = (TempDir::new(), TempDir::new());
    let dir = folder.join("state");
    let audit = |name: &str, address: &str| {
        let args = ["--once", "-a", address, "-p", &port, "--server-label", name];
        run(&dir, &args).ends_with(0);
    };
    audit("ledger", "127.0.0.1");
    let readers: [&[&str]; 6] = [
        &["status"],
        &["status", "--json"],
        &["alarm", "list"],
        &["states", "list"],
        &["states", "export"],
        &["evidence", "list"],
    ];
    for args in readers {
        run(&dir, args).ends_with(0);
    }
    let status = run(&dir, &["status"]);
    assert!(
        status.stdout.starts_with("ledger: All is well"),
        "{status:#?}"
    );
    // a named server is used, although the directory has only files of a different server
    for args in [["status", "-p", "1"], ["status", "--server-label", "ledgr"]] {
        let wrong = run(&dir, &args);
        let text = &wrong.ends_with(3).stderr;
        assert!(text.contains("the directory has: ledger"), "{text}");
    }
    // with two servers, none is chosen
    audit("second", "localhost");
    for args in readers {
        let wrong = run(&dir, args);
        let text = &wrong.ends_with(3).stderr;
        assert!(text.contains("the directory has: ledger, second"), "{text}");
    }
    // an empty directory has no states of the default server either
    let none = run(&other.join("state"), &["status"]);
    assert!(
        none.ends_with(3)
            .stderr
            .contains("server 127.0.0.1:3322 has no stored states"),
        "{none:#?}"
    );
}
