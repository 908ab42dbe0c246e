//! Real servers with tokens that expire after a minute, the shortest lifetime that they support,
//! and certificates that are replaced while the auditor runs.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::certificates::{authority, certificate};
use crate::support::program::{Program, Running, member};
use crate::support::real::{Real, program};
use crate::support::temp_dir::TempDir;

const DATABASES: [&str; 2] = ["defaultdb", "second"];
/// The time of the audit, longer than the lifetime of the tokens.
const AUDITED: Duration = Duration::from_secs(75);

#[test]
fn expired_tokens_of_real_servers_refuse_no_database() {
    let servers = ["1.11.1", "1.5.0", "1.2.4"].map(program);
    thread::scope(|scope| {
        for server in servers.iter().flatten() {
            scope.spawn(|| audits_beyond_a_lifetime(server));
        }
    });
}

fn audits_beyond_a_lifetime(server: &Path) {
    let folder = TempDir::new();
    let real = Real::start(server, &folder.join("data"), &["--token-expiry", "1"]);
    real.does(&["create-db", DATABASES[1]]);
    for database in DATABASES {
        real.write(database, "before", 10);
    }
    let auditor = Program::new(real.port, &folder.join("trust"));
    let mut running = auditor.start(&["--audit-interval", "1s"]);
    running.wait_for("INFO  cycle ");
    let end = Instant::now() + AUDITED;
    let mut written = 0;
    while Instant::now() < end {
        real.write(DATABASES[written % 2], &format!("during-{written}"), 3);
        written += 1;
        thread::sleep(Duration::from_secs(2));
    }
    for database in DATABASES {
        real.write(database, "after", 3);
    }
    running.wait_for_cycles(2);
    running.signal("TERM");
    let code = running.end();
    let log = running.log();
    assert_eq!(code, Some(0), "{server:?}: {log}");
    assert!(!log.contains("refused"), "{server:?}: {log}");
    for cycle in log.lines().filter(|line| line.contains("INFO  cycle ")) {
        assert!(cycle.contains("proven=2"), "{server:?}: {cycle} in {log}");
    }
    let status = auditor.run(&["status", "--json"]);
    for database in DATABASES {
        let state = real.does(&["state", "--db", database]);
        let (last, _) = state.split_once(' ').expect("a transaction");
        assert_eq!(member(status.line(database), "tx"), last, "{server:?}");
    }
}

/// Mutual TLS with replaceable files: the arguments of `--certificate`, `--pkey` and `--clientcas`.
struct Mutual {
    folder: TempDir,
    port: u16,
}

impl Mutual {
    fn path(&self, name: &str) -> String {
        let path = self.folder.join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Starts the server with the certificates of this authority.
    fn serve(&self, server: &Path, by: &str) -> Real {
        let [ca, cert, key] = ["ca", "server.pem", "server.key"].map(|file| match file {
            "ca" => self.path(&format!("{by}.pem")),
            file => self.path(&format!("{by}-{file}")),
        });
        let flags = ["--tls-cert", &cert, "--tls-key", &key, "--client-ca", &ca];
        Real::start_at(server, &self.folder.join("data"), self.port, &flags)
    }

    /// Copies the client's certificates of this authority to the auditor's paths.
    fn install(&self, by: &str) {
        for (from, to) in [
            (format!("{by}.pem"), "ca.pem"),
            (format!("{by}-client.pem"), "client.pem"),
            (format!("{by}-client.key"), "client.key"),
        ] {
            fs::copy(self.path(&from), self.path(to)).expect("a copy");
        }
    }

    fn audit(&self) -> Running {
        let program = Program::new(self.port, &self.folder.join("trust"));
        program.start(&[
            "--audit-interval",
            "100ms",
            "--mtls",
            "--servername",
            "localhost",
            "--certificate",
            &self.path("client.pem"),
            "--pkey",
            &self.path("client.key"),
            "--clientcas",
            &self.path("ca.pem"),
        ])
    }
}

#[test]
fn renewed_certificates_are_used_and_wrong_files_are_not() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let mut mutual = Mutual {
        folder: TempDir::new(),
        port: 0,
    };
    for by in ["first", "second"] {
        authority(&mutual.folder, by);
        certificate(&mutual.folder, by, &format!("{by}-server"));
        certificate(&mutual.folder, by, &format!("{by}-client"));
    }
    mutual.install("first");
    let real = mutual.serve(&server, "first");
    mutual.port = real.port;
    let mut running = mutual.audit();
    running.wait_for_more("proven=1", 2);

    // neither side trusts the certificates that the other one had
    mutual.install("second");
    real.stop();
    let real = mutual.serve(&server, "second");
    running.wait_for_more("proven=1", 2);
    assert!(
        !running.log().contains("the last good"),
        "{}",
        running.log()
    );

    fs::write(mutual.path("client.pem"), "no certificate\n").expect("a file");
    real.stop();
    // wait before the server runs again: if no call fails, gRPC reconnects with the old
    // certificates
    running
        .wait_for("WARN  the last good certificates and key are still used, because --certificate");
    let real = mutual.serve(&server, "second");
    running.wait_for_more("proven=1", 2);
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    drop(real);
}
