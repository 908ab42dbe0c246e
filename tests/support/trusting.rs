//! An auditor of a ledger, for tests in which its machine fails.

use std::path::PathBuf;

use immuaudit::drill::{Embedded, Options};
use immuaudit::ledger::State;

use super::program::{Program, member};
use super::temp_dir::TempDir;

pub const DATABASE: &str = "defaultdb";

pub struct Scene {
    pub folder: TempDir,
    pub server: Embedded,
    pub program: Program,
}

impl Scene {
    pub fn new() -> Scene {
        Scene::within(TempDir::new(), "trust")
    }

    pub fn within(folder: TempDir, name: &str) -> Scene {
        let server = Embedded::start(Options::default()).expect("an embedded ledger");
        server.grow(DATABASE, 20);
        let program = Program::new(server.port(), &folder.join(name));
        Scene {
            folder,
            server,
            program,
        }
    }

    /// Returns a scene whose database was trusted at first use and has grown since.
    pub fn trusted() -> Scene {
        let scene = Scene::new();
        scene.program.once().is(0, DATABASE, "first-seen");
        scene.server.grow(DATABASE, 5);
        scene
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.program.dir.join("tested").join(name)
    }

    /// Returns the transaction of the trusted state, as `status` prints it.
    pub fn trusted_tx_in_status(&self) -> String {
        let run = self.program.run(&["status", "--json"]);
        member(run.line(DATABASE), "tx").to_owned()
    }

    pub fn state(&self) -> State {
        self.server.state(DATABASE).expect("a state")
    }
}
