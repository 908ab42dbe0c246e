//! A temporary directory for one test, removed when it is dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use immuaudit::drill::Embedded;

pub struct TempDir(PathBuf);

static COUNT: AtomicU32 = AtomicU32::new(0);

#[allow(dead_code)] // each test program uses a part
impl TempDir {
    pub fn new() -> TempDir {
        TempDir::under(&std::env::temp_dir())
    }

    /// Creates the directory in this folder instead of the one of the system.
    pub fn under(folder: &Path) -> TempDir {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("immuaudit-test-{}-{count}", std::process::id());
        let path = folder.join(name);
        drop(std::fs::remove_dir_all(&path)); // left by a killed run under the same process id
        std::fs::create_dir(&path).expect("a temporary directory");
        TempDir(path)
    }

    /// Creates the directory in memory if possible: years of simulated writes would be slow on a disk.
    pub fn in_memory() -> TempDir {
        let memory = Path::new("/dev/shm");
        match memory.is_dir() {
            true => TempDir::under(memory),
            false => TempDir::new(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes the public key of a server that signs its states, and returns the file's path.
    pub fn public_key_of(&self, server: &Embedded) -> String {
        let path = self.join("server.pub");
        std::fs::write(&path, server.public_pem().expect("a key")).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
