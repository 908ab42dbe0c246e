//! A directory of a test's own, removed with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Place(PathBuf);

static COUNT: AtomicU32 = AtomicU32::new(0);

#[allow(dead_code)] // each user of it uses a part
impl Place {
    pub fn new() -> Place {
        Place::under(&std::env::temp_dir())
    }

    /// In a folder other than the usual one for temporary files.
    pub fn under(folder: &Path) -> Place {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("immuaudit-test-{}-{count}", std::process::id());
        let path = folder.join(name);
        drop(std::fs::remove_dir_all(&path)); // left by a killed run under the same process id
        std::fs::create_dir(&path).expect("a temporary directory");
        Place(path)
    }

    /// In memory, where there is a folder for it: years of simulated writing would wait for the disk.
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
