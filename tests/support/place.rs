//! A temporary directory for one test, removed when it is dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

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
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
