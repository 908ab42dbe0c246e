//! A ledger and an auditor that trusts it, for the tests of commands.

use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};

pub const DB: &str = "defaultdb";

/// A ledger and its auditor.
pub struct Scene {
    pub server: Embedded,
    pub folder: TempDir,
    pub program: Program,
}

/// Starts a ledger of forty transactions and an auditor that trusts them.
pub fn trusted() -> Scene {
    let server = Embedded::start(Options::default()).expect("a ledger");
    server.grow(DB, 40);
    let folder = TempDir::new();
    let program = Program::new(server.port(), &folder.join("state"));
    program.once().is(0, DB, "first-seen");
    Scene {
        server,
        folder,
        program,
    }
}
