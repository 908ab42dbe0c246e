//! Alarms that cannot be written.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;
#[cfg(windows)]
use std::os::windows::fs::symlink_dir as symlink;
use std::path::{Path, PathBuf};

use immuaudit::trust::Store;

/// Prevents evidence and alarms of the database from being written until it is dropped. The auditor can still read
/// them: there are none.
pub struct Blocked {
    evidence: PathBuf,
    alarms: PathBuf,
}

impl Blocked {
    pub fn new(store: &Store, database: &str) -> Blocked {
        let evidence = store.directory().join("evidence");
        let alarms = store.directory().join(format!("{database}.alarms.new"));
        link_to_nothing(&evidence);
        fs::create_dir(&alarms).expect("a directory");
        Blocked { evidence, alarms }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        fs::remove_file(&self.evidence).expect("a link");
        fs::remove_dir(&self.alarms).expect("a directory");
    }
}

/// Makes a link to nothing, where no directory can be created then.
pub fn link_to_nothing(path: &Path) {
    symlink("nowhere", path).expect("a link");
}
