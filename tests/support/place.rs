//! A temporary directory for one test, removed when it is dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use immuaudit::drill::Embedded;

pub struct Place(PathBuf);

static COUNT: AtomicU32 = AtomicU32::new(0);

#[allow(dead_code)] // each test program uses a part
impl Place {
    pub fn new() -> Place {
        Place::under(&std::env::temp_dir())
    }

    /// Makes a directory in this folder instead of the usual one for temporary files.
    pub fn under(folder: &Path) -> Place {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("immuaudit-test-{}-{count}", std::process::id());
        let path = folder.join(name);
        drop(std::fs::remove_dir_all(&path)); // left by a killed run under the same process id
        std::fs::create_dir(&path).expect("a temporary directory");
        Place(path)
    }

    /// Makes a directory in memory if possible: years of simulated writes would be slow on a disk.
    pub fn in_memory() -> Place {
        let memory = Path::new("/dev/shm");
        match memory.is_dir() {
            true => Place::under(memory),
            false => Place::new(),
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

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
