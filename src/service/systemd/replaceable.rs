//! Which users can replace a file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The path to which a program is copied that the service cannot reach, or that other users can replace.
pub(super) const COPY: &str = "/usr/local/bin/immuaudit";
/// The bit of a mode for the group to write.
const GROUP_WRITES: u32 = 0o020;
/// The bit of a mode for every user to write.
const EVERYBODY_WRITES: u32 = 0o002;
/// The bit of a directory's mode that lets only the owner of an entry replace it.
const STICKY: u32 = 0o1000;

/// Returns the reason why users other than root can replace a file: one of them owns the file or a directory above it,
/// or may write it. `None` if only root can replace the file.
pub(super) fn replaced_by(path: &Path) -> Option<String> {
    path.ancestors().find_map(|part| {
        // a part that does not exist yet is made by root
        let found = fs::symlink_metadata(part).ok()?;
        let sticky = if found.is_dir() { STICKY } else { 0 };
        let why = why_replaced(found.uid(), found.gid(), found.mode(), sticky)?;
        Some(format!("{} {why}", part.display()))
    })
}

/// Returns the reason for a part of the path with this owner, group and mode; `sticky` is the bit that prevents it.
fn why_replaced(user: u32, group: u32, mode: u32, sticky: u32) -> Option<String> {
    let is_writable = |bit: u32| mode & bit != 0 && mode & sticky == 0;
    if user != 0 {
        Some(format!("belongs to user {user}"))
    } else if is_writable(EVERYBODY_WRITES) {
        Some("is writable for every user".to_owned())
    } else if is_writable(GROUP_WRITES) && group != 0 {
        Some(format!("is writable for group {group}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_root_alone_can_replace_is_safe() {
        let of = |user, group, mode| why_replaced(user, group, mode, STICKY);
        assert_eq!(of(0, 0, 0o755), None);
        assert_eq!(of(0, 50, 0o2755), None);
        assert_eq!(of(0, 0, 0o775), None);
        // as /tmp, or the store of Nix
        assert_eq!(of(0, 0, 0o1777), None);
        assert_eq!(of(0, 30_000, 0o1775), None);
        for (user, group, mode, why) in [
            (1000, 0, 0o755, "belongs to user 1000"),
            (0, 0, 0o757, "is writable for every user"),
            (0, 50, 0o2775, "is writable for group 50"),
        ] {
            assert_eq!(of(user, group, mode).as_deref(), Some(why));
        }
        // the bit has another meaning for files
        assert!(why_replaced(0, 0, 0o1757, 0).is_some());
    }

    #[test]
    fn the_directories_above_a_program_count() {
        let name = format!("immuaudit-program-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let program = folder.join("bin/immuaudit");
        let before = replaced_by(&program);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let after = replaced_by(&program).unwrap();
        assert!(after.starts_with(&folder.display().to_string()), "{after}");
        // where root runs the tests, nothing else is found
        assert!(before.is_none_or(|why| why.contains("belongs to user")));
        fs::remove_dir(&folder).unwrap();
        assert_eq!(replaced_by(Path::new("/usr/bin/env")), None);
    }
}
