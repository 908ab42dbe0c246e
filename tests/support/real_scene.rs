//! A real immudb server, its folder and its auditor.

use std::path::{Path, PathBuf};

use super::program::Program;
use super::real::Real;
use super::temp_dir::TempDir;

/// A server program, a folder for its data, and an auditor.
pub struct Scene {
    pub folder: TempDir,
    pub server: PathBuf,
}

impl Scene {
    pub fn new(server: &Path) -> Scene {
        Scene {
            folder: TempDir::new(),
            server: server.to_owned(),
        }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn start(&self, flags: &[&str]) -> Real {
        Real::start(&self.server, &self.data(), flags)
    }

    pub fn auditor(&self, real: &Real) -> Program {
        Program::new(real.port, &self.folder.join("trust"))
    }
}
