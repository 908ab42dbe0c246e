//! Commands of root in the service's state directory: all files belong to the owner of the
//! directory, and root's rights are dropped before anything is written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::loud::not_shown;
use crate::support::program::{Program, Run};
use crate::support::temp_dir::TempDir;
use crate::support::trusting::{DATABASE, Scene};
use immuaudit::drill::{Lie, LieSchedule};

/// A user and group of no other process.
const OWNER: u32 = 47_115;

fn is_root() -> bool {
    let proc = fs::metadata("/proc/self").expect("/proc");
    if proc.uid() != 0 {
        not_shown("commands of root: this user is not root");
    }
    proc.uid() == 0
}

/// Creates an empty state directory that belongs to the service's user.
fn owned(folder: &TempDir, name: &str) -> PathBuf {
    let dir = folder.join(name);
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    chown(&dir, Some(OWNER), Some(OWNER)).unwrap();
    dir
}

/// Returns all files below a directory that do not belong to the owner, with their user and group.
fn of_others(path: &Path) -> Vec<(PathBuf, u32, u32)> {
    let mut found = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if (metadata.uid(), metadata.gid()) != (OWNER, OWNER) {
            found.push((path.clone(), metadata.uid(), metadata.gid()));
        }
        if metadata.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found
}

/// Returns the same program, run as the service's user.
fn as_owner(program: &Program) -> Program {
    let id = OWNER.to_string();
    program.run_by(
        ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]
            .map(str::to_owned)
            .to_vec(),
    )
}

#[test]
fn files_written_by_root_belong_to_the_directorys_owner() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    owned(&scene.folder, "trust");
    let program = &scene.program;
    let theirs = || assert_eq!(of_others(&program.dir), []);
    program.once().is(0, DATABASE, "first-seen");
    theirs();
    scene.server.grow(DATABASE, 2);
    program.run(&["sweep"]).ends_with(0);
    theirs();
    scene.server.lie(LieSchedule::from(Lie::Rollback));
    program.once().is(2, DATABASE, "rolled-back");
    theirs();
    scene.server.be_honest();
    let alarm = program.open_alarm(DATABASE);
    program.run(&["alarm", "close", &alarm]).ends_with(0);
    scene.server.lie(LieSchedule::from(Lie::AbsentValues));
    program.run(&["sweep"]).ends_with(1);
    program
        .run(&["acknowledge", DATABASE, "--absent-values-to", "1"])
        .ends_with(0);
    scene.server.be_honest();
    program.run(&["states", "forget", DATABASE]).ends_with(0);
    theirs();
    // the service can use the files
    as_owner(program).once().is(0, DATABASE, "first-seen");
}

#[test]
fn a_separate_state_directory_belongs_to_its_owner_too() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let roots = owned(&scene.folder, "roots");
    owned(&scene.folder, "trust");
    let flag = format!("--roots-filepath={}", roots.display());
    scene
        .program
        .with(&[&flag])
        .once()
        .is(0, DATABASE, "first-seen");
    assert_eq!(of_others(&scene.program.dir), []);
    assert_eq!(of_others(&roots), []);
}

#[test]
fn a_directory_in_another_users_home_is_created_as_that_user() {
    if !is_root() {
        return;
    }
    let folder = TempDir::new();
    let home = owned(&folder, "home");
    let scene = Scene::within(folder, "home/states");
    scene.program.once().is(0, DATABASE, "first-seen");
    assert_eq!(of_others(&home), []);
}

#[test]
fn directories_of_two_users_are_refused() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    owned(&scene.folder, "trust");
    let roots = owned(&scene.folder, "roots");
    chown(&roots, Some(OWNER + 1), Some(OWNER + 1)).unwrap();
    let flag = format!("--roots-filepath={}", roots.display());
    let run = scene.program.with(&[&flag]).run(&["--once"]);
    run.ends_with(3);
    assert!(
        run.stderr.contains("belong to users 47115 and 47116"),
        "{run:#?}"
    );
    assert_eq!(fs::read_dir(&roots).unwrap().count(), 0);
}

#[test]
fn all_rights_and_groups_of_root_are_dropped() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    owned(&scene.folder, "trust");
    let out = owned(&scene.folder, "out");
    let program = scene.folder.join("ids");
    let script = format!(
        "#!/bin/sh\ngrep -E '^(Uid|Gid|Groups):' /proc/self/status >{}/ids\n",
        out.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = format!("--audit-exec={}", program.display());
    let with_groups = ["setpriv", "--groups", "0,4,27"].map(str::to_owned);
    let auditor = scene.program.run_by(with_groups.to_vec());
    auditor
        .with(&[&exec, "--audit-notify=every-check"])
        .once()
        .is(0, DATABASE, "first-seen");
    let ids = fs::read_to_string(out.join("ids")).expect("the program ran");
    let words: Vec<&str> = ids.split_whitespace().collect();
    let own = "47115";
    assert_eq!(
        words,
        [
            "Uid:", own, own, own, own, "Gid:", own, own, own, own, "Groups:"
        ]
    );
}

#[test]
fn a_password_file_of_root_is_read_without_a_warning() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    owned(&scene.folder, "trust");
    let file = scene.folder.join("password");
    fs::write(&file, "immudb\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let flag = format!("--audit-password-file={}", file.display());
    let run = scene.program.with(&[&flag]).once();
    run.is(0, DATABASE, "first-seen");
    assert!(!run.stderr.contains("last good"), "{run:#?}");
}

/// Runs the program as root with an empty /var/lib, on a system with the service's user.
fn in_a_fresh_system(scene: &Scene, before: &str) -> Run {
    let passwd = scene.folder.join("passwd");
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let users = users.lines().filter(|line| !line.starts_with("immuaudit:"));
    let users: String = users.map(|line| format!("{line}\n")).collect();
    let ours = format!("immuaudit:x:{OWNER}:{OWNER}::/nonexistent:/usr/sbin/nologin\n");
    fs::write(&passwd, users + &ours).unwrap();
    let script = format!(
        "mount -t tmpfs tmpfs /var/lib && mount --bind {} /etc/passwd && {before} \"$0\" --once --json \
         --immudb-port {} --no-monitoring; code=$?; find /var/lib -printf '%U:%G %m %p\\n' >&2; exit $code",
        passwd.display(),
        scene.server.port()
    );
    let output = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            &script,
            env!("CARGO_BIN_EXE_immuaudit"),
        ])
        .current_dir(scene.folder.path())
        .env_remove("HOME")
        .output()
        .expect("unshare");
    Run::of(output)
}

#[test]
fn the_directory_of_the_package_belongs_to_the_services_user() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let run = in_a_fresh_system(&scene, "");
    if run.stderr.contains("mount:") || run.stderr.contains("unshare:") {
        return not_shown("the directory of the package: nothing can be mounted here");
    }
    run.is(0, DATABASE, "first-seen");
    let lines = run.stderr.lines();
    let files: Vec<&str> = lines.filter(|line| line.contains("/var/lib/")).collect();
    assert!(files.len() > 3, "{run:#?}");
    let own = format!("{OWNER}:{OWNER} ");
    assert!(files.iter().all(|line| line.starts_with(&own)), "{run:#?}");
    assert!(run.stderr.contains("700 /var/lib/immuaudit\n"), "{run:#?}");
}

#[test]
fn root_does_not_follow_a_link_of_another_user() {
    if !is_root() {
        return;
    }
    // a link of one user to the directory of another user is refused
    let scene = Scene::new();
    let victim = owned(&scene.folder, "victim");
    chown(&victim, Some(OWNER + 1), Some(OWNER + 1)).unwrap();
    let link = scene.folder.join("trust");
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(OWNER), Some(OWNER)).unwrap();
    let run = scene.program.run(&["--once"]);
    run.ends_with(3);
    assert!(run.stderr.contains("symbolic link"), "{run:#?}");
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    // a link of the administrator is followed
    std::os::unix::fs::lchown(&link, Some(0), Some(0)).unwrap();
    scene.program.once().is(0, DATABASE, "first-seen");
    let found = of_others(&victim);
    assert!(
        found.iter().all(|(_, user, _)| *user == OWNER + 1),
        "{found:?}"
    );
}
