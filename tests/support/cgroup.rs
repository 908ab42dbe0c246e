//! A program in a memory cgroup without swap, as the unit and the manifests configure it.
//!
//! Version 2 is used if it is mounted and can be divided, otherwise version 1, otherwise a scope of
//! systemd. Otherwise there is no limit, and a message says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::loud::not_shown;

/// A memory limit, removed when it is dropped.
pub struct Cgroup {
    kind: Kind,
    bytes: u64,
}

enum Kind {
    V1(PathBuf),
    V2(PathBuf),
    Systemd,
    None,
}

impl Cgroup {
    /// Returns a group with a limit of `bytes`, swap included.
    pub fn of(bytes: u64) -> Cgroup {
        let kind = v2(bytes)
            .map(Kind::V2)
            .or_else(|| v1(bytes).map(Kind::V1))
            .or_else(|| systemd_runs(bytes).then_some(Kind::Systemd))
            .unwrap_or_else(|| {
                not_shown(
                    "********** NO MEMORY LIMIT can be set here (no cgroup is ours, and no systemd-run): \
                     resident memory is asserted, but nothing would be killed **********",
                );
                Kind::None
            });
        Cgroup { kind, bytes }
    }

    /// Returns whether the kernel enforces the limit.
    pub fn is_enforced(&self) -> bool {
        !matches!(self.kind, Kind::None)
    }

    /// Returns the arguments before a command that is to run in the group.
    pub fn prefix(&self) -> Vec<String> {
        match &self.kind {
            Kind::V1(group) | Kind::V2(group) => {
                let procs = group.join("cgroup.procs").display().to_string();
                let script = "echo $$ > \"$0\" && exec \"$@\"".to_owned();
                vec!["/bin/sh".into(), "-c".into(), script, procs]
            }
            Kind::Systemd => systemd_run(self.bytes),
            Kind::None => vec![],
        }
    }

    /// Returns how many processes of the group the kernel has killed for lack of memory. Without a
    /// count of the kernel it is 0, and only the exit of a process shows a kill.
    pub fn kills(&self) -> u64 {
        match &self.kind {
            Kind::V1(group) => number(group, "memory.oom_control", "oom_kill "),
            Kind::V2(group) => number(group, "memory.events", "oom_kill "),
            Kind::Systemd | Kind::None => 0,
        }
    }

    /// Returns the largest memory use of the group in bytes, including the page cache, or `None` if
    /// it was not counted.
    pub fn peak(&self) -> Option<u64> {
        let (group, file) = match &self.kind {
            Kind::V1(group) => (group, "memory.max_usage_in_bytes"),
            Kind::V2(group) => (group, "memory.peak"), // from Linux 5.19 on
            Kind::Systemd | Kind::None => return None,
        };
        fs::read_to_string(group.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Kind::V1(group) | Kind::V2(group) = &self.kind {
            let _ = fs::remove_dir(group); // its processes have ended
        }
    }
}

fn number(group: &Path, file: &str, start: &str) -> u64 {
    let text = fs::read_to_string(group.join(file)).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    // v1 counts kills since Linux 4.13
    line.and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

/// Returns the mount point of this kind of cgroup and the group of this process: the line of
/// `/proc/self/cgroup` with this controller, below the mount point (cgroups(7)).
fn own(kind: &str, controller: &str) -> Option<(PathBuf, PathBuf)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        controllers
            .split(',')
            .any(|one| one == controller)
            .then_some(path)
    })?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let is_it = fields.get(2) == Some(&kind)
            && (controller.is_empty() || fields.get(3)?.split(',').any(|one| one == controller));
        is_it.then(|| PathBuf::from(fields[1]))
    })?;
    let group = mount.join(path.trim_start_matches('/'));
    // in a container the path may be the host's, which does not exist here
    let group = if group.is_dir() { group } else { mount.clone() };
    Some((mount, group))
}

const NAME: &str = "immuaudit-test-";

/// Returns a group name that no other test has.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{NAME}{}-{count}", std::process::id())
}

/// Removes groups of tests that were killed before they could remove them.
fn clear_away(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name
            .strip_prefix(NAME)
            .and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_dir(entry.path()); // fails if the group has processes
        }
    }
}

/// Makes a group below `parent` with these settings, and checks that a process may join it.
fn made(parent: &Path, settings: &[(&str, u64)]) -> Option<PathBuf> {
    clear_away(parent);
    let group = parent.join(name());
    fs::create_dir(&group).ok()?;
    let set = |(file, value): &(&str, u64)| fs::write(group.join(file), value.to_string()).is_ok();
    // swap may be compiled out; then the file does not exist
    let is_there = |(file, _): &&(&str, u64)| file.contains("sw") && !group.join(file).exists();
    let all = settings
        .iter()
        .all(|setting| is_there(&setting) || set(setting));
    let usable = all && {
        let mut child = Command::new("/bin/sh");
        child.args([
            "-c",
            "echo $$ > \"$0\"",
            &group.join("cgroup.procs").display().to_string(),
        ]);
        child
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !usable {
        let _ = fs::remove_dir(&group);
    }
    usable.then_some(group)
}

fn v1(bytes: u64) -> Option<PathBuf> {
    let (_, group) = own("cgroup", "memory")?;
    let limits = [
        ("memory.limit_in_bytes", bytes),
        ("memory.memsw.limit_in_bytes", bytes),
        ("memory.swappiness", 0),
    ];
    made(&group, &limits)
}

/// Makes a group below the nearest ancestor that delegates memory; a group that has processes
/// itself cannot.
fn v2(bytes: u64) -> Option<PathBuf> {
    let (mount, group) = own("cgroup2", "")?;
    let above = group
        .ancestors()
        .take_while(|above| above.starts_with(&mount));
    let hands_on = |above: &&Path| {
        let handed = fs::read_to_string(above.join("cgroup.subtree_control"));
        handed.is_ok_and(|controllers| controllers.split_whitespace().any(|one| one == "memory"))
    };
    let limits = [("memory.max", bytes), ("memory.swap.max", 0)];
    above
        .filter(hands_on)
        .find_map(|above| made(above, &limits))
}

fn systemd_run(bytes: u64) -> Vec<String> {
    let most = format!("MemoryMax={bytes}");
    let args = ["systemd-run", "--scope", "--quiet", "--collect"];
    let limits = ["-p", &most, "-p", "MemorySwapMax=0", "--"];
    args.into_iter().chain(limits).map(str::to_owned).collect()
}

fn systemd_runs(bytes: u64) -> bool {
    let args = systemd_run(bytes);
    let mut try_it = Command::new(&args[0]);
    try_it.args(&args[1..]).arg("true");
    let quiet = try_it.stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}
