//! Real faults of the auditor's disk, files and clock. The trusted state and open alarms stay, no
//! fault is reported as tampering, and the exit code says that the auditor failed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::loud::not_shown;
use crate::support::temp_dir::TempDir;
use crate::support::trusting::{DATABASE, Scene};
use immuaudit::drill::Lie;

fn is_root() -> bool {
    immuaudit::sys::is_root()
}

/// A small file system, which is unmounted at the end.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path) -> Option<Mount> {
        fs::create_dir_all(at).expect("a directory");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|s| s.success()).then(|| Mount(at.into()))
    }

    fn remount(&self, option: &str) {
        let option = format!("remount,{option}");
        let done = Command::new("mount")
            .args(["-o", &option])
            .arg(&self.0)
            .status();
        assert!(done.expect("mount runs").success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_a_local_failure_and_keeps_the_trusted_state() {
    let folder = TempDir::new();
    let Some(mount) = Mount::new(&folder.join("disk")) else {
        return not_shown("a full disk: no file system can be mounted here");
    };
    let scene = Scene::within(folder, "disk/trust");
    scene.program.once().is(0, DATABASE, "first-seen");
    let before = scene.trusted_tx_in_status();
    scene.server.grow(DATABASE, 5);
    let filler = mount.0.join("filler");
    let mut size = 64 << 10;
    while size > 0 {
        // fills the disk completely
        let mut bytes = fs::read(&filler).unwrap_or_default();
        bytes.resize(bytes.len() + size, 0);
        if fs::write(&filler, &bytes).is_err() {
            size /= 2;
        }
    }
    let run = scene.program.once();
    run.is(3, DATABASE, "local-failure");
    assert_eq!(scene.trusted_tx_in_status(), before);
    // tampering is reported, although it cannot be stored
    scene.server.lie(Lie::Rollback);
    let run = scene.program.once();
    run.is(2, DATABASE, "rolled-back");
    assert!(run.stderr.contains("not stored: "), "{run:#?}");
    assert!(run.reason(DATABASE).contains("not stored: "), "{run:#?}");
    scene.server.be_honest();
    fs::remove_file(&filler).expect("space again");
    scene.program.once().is(0, DATABASE, "consistent");
    assert_eq!(scene.trusted_tx_in_status(), scene.state().tx.to_string());
    drop(mount);
}

#[test]
fn a_read_only_disk_is_a_local_failure() {
    let folder = TempDir::new();
    let Some(mount) = Mount::new(&folder.join("disk")) else {
        return not_shown("a read-only disk: no file system can be mounted here");
    };
    let scene = Scene::within(folder, "disk/trust");
    scene.program.once().is(0, DATABASE, "first-seen");
    let before = scene.trusted_tx_in_status();
    scene.server.grow(DATABASE, 5);
    mount.remount("ro");
    scene.program.run(&["--once"]).ends_with(3);
    assert_eq!(scene.trusted_tx_in_status(), before); // `status` writes nothing
    mount.remount("rw");
    scene.program.once().is(0, DATABASE, "consistent");
}

#[test]
fn a_missing_state_file_does_not_stop_a_running_auditor() {
    let folder = TempDir::new();
    let Some(mount) = Mount::new(&folder.join("disk")) else {
        return not_shown("a failing disk: no file system can be mounted here");
    };
    let scene = Scene::within(folder, "disk/trust");
    let program = scene.program.with(&["--json"]);
    let mut running = program.start(&["--audit-interval", "20ms"]);
    running.wait_for("trusted on first use");
    fs::rename(scene.file("defaultdb.state"), mount.0.join("away")).expect("a missing file");
    running.wait_for("verdict=local-failure");
    fs::rename(mount.0.join("away"), scene.file("defaultdb.state")).expect("a file");
    scene.server.grow(DATABASE, 1);
    running.wait_for_times("INFO  cycle ", 20);
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    assert_eq!(scene.trusted_tx_in_status(), scene.state().tx.to_string());
}

#[test]
fn a_damaged_or_replaced_state_file_is_never_a_first_use() {
    let scene = Scene::trusted();
    let (state, history) = (
        scene.file("defaultdb.state"),
        scene.file("defaultdb.history"),
    );
    let good = fs::read(&state).expect("the state");
    let kept = fs::read(&history).expect("the history");
    let refused = |what: &str| {
        let run = scene.program.once();
        let verdict = run.verdict(DATABASE);
        // a state is repaired if the history settles it; otherwise it is not trusted
        assert!(
            ["local-failure", "consistent"].contains(&verdict),
            "{what}: {run:#?}"
        );
        if verdict == "local-failure" {
            run.ends_with(3);
        }
    };
    for length in (0..good.len()).step_by(good.len() / 7) {
        fs::write(&state, &good[..length]).expect("a file");
        refused("cut");
        fs::write(&state, &good).expect("a file");
        fs::write(&history, &kept).expect("a file");
    }
    for at in (0..good.len()).step_by(good.len() / 7) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        fs::write(&state, &changed).expect("a file");
        refused("changed");
        fs::write(&state, &good).expect("a file");
        fs::write(&history, &kept).expect("a file");
    }
    fs::remove_file(&state).expect("removed");
    refused("removed");
    drop(fs::remove_file(&state));
    fs::create_dir(&state).expect("a directory");
    refused("a directory");
    fs::remove_dir(&state).expect("removed");
    let elsewhere = scene.folder.join("elsewhere");
    fs::write(&elsewhere, &good).expect("a file");
    symlink(&elsewhere, &state).expect("a link");
    refused("a link");
    fs::remove_file(&state).expect("removed");
    fs::write(&state, &good).expect("a file");
    fs::write(&history, &kept).expect("a file");
    scene.program.once().is(0, DATABASE, "consistent");
}

#[test]
fn only_the_owner_can_read_files_and_looser_modes_are_reported() {
    let scene = Scene::trusted();
    let directory = scene.program.dir.join("tested");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in fs::read_dir(&directory).expect("files") {
        let path = file.expect("a file").path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
    let state = scene.file("defaultdb.state");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o644)).expect("its mode");
    let run = scene.program.once();
    run.is(0, DATABASE, "consistent");
    assert!(run.stderr.contains("defaultdb.state"), "{run:#?}");
}

#[test]
fn files_of_another_owner_cause_a_warning() {
    if !is_root() {
        return not_shown("files of another owner: only root can create them");
    }
    let scene = Scene::trusted();
    let state = scene.file("defaultdb.state");
    std::os::unix::fs::chown(&state, Some(12_345), None).expect("root may");
    let run = scene.program.once();
    assert!(run.stderr.contains("defaultdb.state"), "{run:#?}");
}

#[test]
fn a_directory_that_cannot_be_read_is_a_local_failure() {
    if is_root() {
        return not_shown("an unreadable directory: root can read everything");
    }
    let scene = Scene::trusted();
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(scene.program.dir.join("tested"), closed).expect("its mode");
    scene.program.run(&["--once"]).ends_with(3);
    let open = fs::Permissions::from_mode(0o700);
    fs::set_permissions(scene.program.dir.join("tested"), open).expect("its mode");
    scene.program.once().is(0, DATABASE, "consistent");
}

#[test]
fn a_second_auditor_is_refused_until_the_first_has_ended() {
    let scene = Scene::trusted();
    let mut running = scene.program.start(&["--audit-interval", "20ms"]);
    running.wait_for("INFO  cycle ");
    let run = scene.program.run(&["--once"]);
    let holder = format!("process {}", running.id());
    assert!(run.ends_with(3).stderr.contains(&holder), "{run:#?}");
    // `status` works while an auditor runs
    scene.program.run(&["status"]).ends_with(0);
    running.signal("KILL");
    running.end();
    scene.server.grow(DATABASE, 1);
    scene.program.once().is(0, DATABASE, "consistent");
}

#[test]
fn commands_of_root_leave_the_files_to_the_auditors_user() {
    if !is_root() {
        return not_shown("commands of root for another user's auditor: this user is not root");
    }
    const NOBODY: u32 = 65534;
    let scene = Scene::new();
    // as under /var/lib, the parent directory belongs to root
    fs::create_dir(&scene.program.dir).expect("a directory");
    let mine = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&scene.program.dir, mine).expect("its mode");
    chown(&scene.program.dir, Some(NOBODY), Some(NOBODY)).expect("an owner");
    // the built program may be in a folder that this user cannot read
    let copy = scene.folder.join("immuaudit");
    fs::copy(env!("CARGO_BIN_EXE_immuaudit"), &copy).expect("a copy");
    let as_other_user = |args: &[&str]| {
        let command = scene.program.command(args);
        let done = Command::new(&copy)
            .args(command.get_args())
            .env_clear()
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY)
            .output();
        let done = done.expect("it runs");
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned(),
        )
    };
    assert_eq!(as_other_user(&["--once"]).0, Some(0));
    scene.server.lie(Lie::Rollback);
    let (code, message) = as_other_user(&["--once", "--audit-keep-hashes"]);
    assert_eq!(code, Some(2), "{message}");
    scene.program.run(&["locate", DATABASE]); // `locate` creates its own files and directories
    let alarm = scene.program.open_alarm(DATABASE);
    let adopt = ["alarm", "adopt", &alarm, "--yes"];
    scene.program.run(&adopt).ends_with(0);
    let status = scene.program.run(&["status"]);
    assert!(
        !status.ends_with(0).stderr.contains("belongs to"),
        "{status:#?}"
    );
    let (code, message) = as_other_user(&["--once", "--audit-keep-hashes"]);
    assert_eq!(code, Some(0), "{message}");
    let found = Command::new("find")
        .arg(&scene.program.dir)
        .args(["!", "-uid", "65534"])
        .output();
    assert_eq!(String::from_utf8_lossy(&found.expect("find").stdout), "");
    // a hard link of that user to a file of root changes neither owner nor content of the file
    let secret = scene.folder.join("secret");
    fs::write(&secret, "root's").expect("a file");
    let lock = scene.file("write.lock");
    fs::remove_file(&lock).expect("no lock");
    fs::hard_link(&secret, &lock).expect("a link");
    let mine = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&secret, mine).expect("its mode");
    scene
        .program
        .run(&["states", "forget", DATABASE])
        .ends_with(3);
    assert_eq!(fs::metadata(&secret).expect("a file").uid(), 0);
    assert_eq!(fs::read_to_string(&secret).expect("a file"), "root's");
}

#[test]
fn a_wrong_clock_deletes_nothing_and_is_not_tampering() {
    let scene = Scene::trusted();
    scene.server.grow(DATABASE, 1);
    let faketime = ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"];
    let Some(library) = faketime.iter().find(|path| Path::new(path).exists()) else {
        return not_shown("a clock that is changed: there is no libfaketime here");
    };
    for clock in ["+40y", "-20y", "+0"] {
        let mut program = scene.program.with(&[]);
        program.variables = vec![
            ("LD_PRELOAD".into(), (*library).into()),
            ("FAKETIME".into(), clock.into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
        ];
        scene.server.grow(DATABASE, 1);
        let run = program.once();
        assert_eq!(run.verdict(DATABASE), "consistent", "{clock}: {run:#?}");
    }
    let history = fs::read_to_string(scene.file("defaultdb.history")).expect("the history");
    assert!(history.lines().count() >= 4, "{history}");
}
