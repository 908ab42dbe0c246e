//! Tests that no link is followed, and that nothing is given away or removed that is not the auditor's.

use super::*;
use crate::sys;
use crate::trust::{Location, Store};
use std::os::unix::fs::{chown, symlink};

const USER: Account = Account {
    user: 47_116,
    group: 47_116,
    comment: String::new(),
};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("immuaudit-directory-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    /// Creates a directory with the states of a server.
    fn with_states(&self, name: &str) -> (PathBuf, Store) {
        let dir = self.0.join(name);
        let location = Location {
            dir: dir.clone(),
            roots: None,
            server: "db".into(),
        };
        (dir, Store::open(&location, crate::clock::now()).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn no_link_on_the_way_is_followed() {
    let folder = Folder::new("links");
    fs::create_dir_all(folder.0.join("etc/cron.d")).unwrap();
    symlink(folder.0.join("etc"), folder.0.join("above")).unwrap();
    symlink(folder.0.join("etc/cron.d"), folder.0.join("roots")).unwrap();
    for path in ["roots", "above/cron.d", "above/new"] {
        let fault = Directory::open_or_make(&folder.0.join(path)).err();
        let fault = fault.map(|error| error.to_string()).unwrap_or_default();
        assert!(fault.contains("is a symbolic link"), "{path}: {fault}");
    }
    assert!(!folder.0.join("etc/new").exists());
    let fault = Directory::open(&folder.0.join("etc/../etc")).err();
    assert_eq!(fault.unwrap().to_string(), ".. in the path");
}

#[test]
fn a_second_name_of_a_file_is_not_changed() {
    let folder = Folder::new("names");
    fs::write(folder.0.join("shadow"), "").unwrap();
    fs::hard_link(folder.0.join("shadow"), folder.0.join("settings")).unwrap();
    let directory = Directory::open(&folder.0).unwrap();
    directory.file(Path::new("settings")).unwrap_err();
    // a new file replaces this name only, not the other link
    directory
        .write(Path::new("settings"), b"x", 0o640, None)
        .unwrap();
    assert_eq!(fs::read(folder.0.join("shadow")).unwrap(), b"");
}

#[test]
fn states_are_removed_and_nothing_else() {
    let folder = Folder::new("states");
    let (dir, store) = folder.with_states("trust");
    fs::create_dir(dir.join("mail")).unwrap();
    let remove = || Directory::open(&dir).unwrap().remove_states(None);
    let fault = remove().unwrap_err().to_string();
    assert_eq!(fault, "an auditor is running in db: stop it first");
    assert!(dir.join("db/auditor.lock").exists());
    drop(store);
    remove().unwrap();
    assert!(dir.join("mail").exists() && !dir.join("db").exists());
    fs::remove_dir(dir.join("mail")).unwrap();
    remove().unwrap();
    assert!(dir.exists(), "an empty directory that carries no mark");
    drop(folder.with_states("trust"));
    remove().unwrap();
    assert!(!dir.exists());
}

#[test]
fn an_unmarked_directory_is_not_handed_over() {
    if !sys::is_root() {
        return eprintln!("SKIPPED: only root can give a directory away");
    }
    let folder = Folder::new("hand-over");
    let hand_over = |name: &str| {
        Directory::open_or_make(&folder.0.join(name)).and_then(|new| new.hand_over(&USER))
    };
    let found = |name: &str| {
        let found = fs::symlink_metadata(folder.0.join(name)).unwrap();
        (found.uid(), found.mode() & 0o7777)
    };
    hand_over("new/one").unwrap();
    assert_eq!(
        (found("new"), found("new/one")),
        ((0, 0o755), (USER.user, 0o700))
    );
    hand_over("new/one").unwrap();
    drop(folder.with_states("states"));
    hand_over("states").unwrap();
    for name in ["states", "states/db", "states/db/auditor.lock"] {
        assert_eq!(found(name).0, USER.user, "{name}");
    }
    drop(folder.with_states("mixed"));
    fs::write(folder.0.join("mixed/other"), "").unwrap();
    fs::create_dir(folder.0.join("theirs")).unwrap();
    chown(folder.0.join("theirs"), Some(1), Some(1)).unwrap();
    for name in ["mixed", "theirs"] {
        let before = found(name);
        assert_eq!(
            hand_over(name).unwrap_err().to_string(),
            "it is not immuaudit's"
        );
        assert_eq!(found(name), before);
    }
}
