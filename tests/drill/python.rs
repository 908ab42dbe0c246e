//! immudb's Python client, which verifies every response itself, writes to the embedded ledger and
//! reads from it with verified calls.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use immuaudit::drill::{Embedded, Lag, Lie, Options, fill};

/// Returns the Python with the client of tests/python/requirements.txt: `IMMUAUDIT_PYTHON`, or the
/// one that `./dev test` installs.
fn python() -> Option<PathBuf> {
    let own = std::env::var_os("IMMUAUDIT_PYTHON").map(PathBuf::from);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let found = own.unwrap_or(target.join("python/bin/python"));
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join(found);
    if found.exists() {
        return Some(found);
    }
    crate::support::loud::missing(&format!(
        "no Python client of immudb at {} (tests/python/verified.py describes its installation)",
        found.display()
    ));
    None
}

fn verified(python: &Path, arguments: &[&str]) -> Output {
    Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/verified.py"))
        .args(arguments)
        .output()
        .expect("python runs")
}

#[test]
fn the_client_verifies_its_reads_and_writes() {
    let Some(python) = python() else { return };
    for lag in [Lag::None, Lag::By(3), Lag::Batches(6)] {
        let server = Embedded::start(Options {
            lag: lag.clone(),
            ..Options::default()
        })
        .unwrap();
        fill(&server, "defaultdb");
        let output = verified(&python, &[&server.port().to_string()]);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{lag:?}: {out}{err}");
        assert!(out.starts_with("verified: "), "{lag:?}: {out}{err}");
    }
}

#[test]
fn the_client_verifies_signed_states() {
    let Some(python) = python() else { return };
    let server = Embedded::start(Options::default().signed()).unwrap();
    let pem = std::env::temp_dir().join(format!("immuaudit-python-{}.pem", server.port()));
    std::fs::write(&pem, server.public_pem().unwrap()).unwrap();
    let output = verified(
        &python,
        &[&server.port().to_string(), pem.to_str().unwrap()],
    );
    std::fs::remove_file(&pem).unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn the_client_refuses_a_flipped_proof() {
    let Some(python) = python() else { return };
    let server = Embedded::start(Options::default()).unwrap();
    fill(&server, "defaultdb");
    server.lie(Lie::FlippedProof);
    let output = verified(&python, &[&server.port().to_string()]);
    let err = text(&output.stderr);
    assert!(
        !output.status.success() && err.contains("ErrCorruptedData"),
        "{err}"
    );
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
