//! The memory limit of this process: the lowest one of its control group and the groups above (cgroups(7)).

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the lowest memory limit of this process, in bytes; `None` if there is none or it cannot be read.
pub fn memory_allowed() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let mounts = read(Path::new("/proc/self/mounts"))?;
    least(&groups, &mounts, read)
}

/// Returns the lowest memory limit. Versions 1 and 2 may both be mounted, but only one of them limits memory.
fn least(groups: &str, mounts: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let limits = [
        ("cgroup2", "", "memory.max"),
        ("cgroup", "memory", "memory.limit_in_bytes"),
    ];
    let limits = limits.into_iter().filter_map(|(kind, controller, file)| {
        let mount = mount_point(mounts, kind, controller)?;
        let group = group(groups, controller)?;
        let inside = mount.join(group.trim_start_matches('/'));
        let above = inside
            .ancestors()
            .take_while(|path| path.starts_with(&mount));
        // "max" means no limit; in a container the path may be the host's, and only the mount point exists
        let set = above.filter_map(|path| read(&path.join(file))?.trim().parse().ok());
        set.min()
    });
    limits.min()
}

/// Returns the mount point of a hierarchy (fstab(5)).
fn mount_point(mounts: &str, kind: &str, controller: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, of, options) = (fields.next()?, fields.next()?, fields.next()?);
        let has = controller.is_empty() || options.split(',').any(|option| option == controller);
        (of == kind && has).then(|| PathBuf::from(point))
    })
}

/// Returns the path of the process in a hierarchy.
fn group<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let has = controllers.split(',').any(|one| one == controller);
        has.then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<u64> {
        least(groups, mounts, |path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| text.to_string())
        })
    }

    #[test]
    fn the_least_limit_of_the_group_and_those_above_it_counts() {
        let mounts = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        let unit = "/sys/fs/cgroup/system.slice/immuaudit.service/memory.max";
        let slice = "/sys/fs/cgroup/system.slice/memory.max";
        let groups = "0::/system.slice/immuaudit.service\n";
        assert_eq!(
            limit(groups, mounts, &[(unit, "67108864\n"), (slice, "max\n")]),
            Some(64 << 20)
        );
        assert_eq!(
            limit(groups, mounts, &[(unit, "67108864\n"), (slice, "1000\n")]),
            Some(1000)
        );
        assert_eq!(
            limit(groups, mounts, &[(unit, "max\n"), (slice, "max\n")]),
            None
        );
        // a container sees its own group as the root
        let root = "/sys/fs/cgroup/memory.max";
        assert_eq!(limit("0::/\n", mounts, &[(root, "1000\n")]), Some(1000));
    }

    #[test]
    fn version_1_counts_where_it_has_the_memory() {
        let mounts = "c /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\nc /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                      c /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let groups = "5:cpu:/else\n4:memory:/docker/x\n0::/\n";
        let own = "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes";
        let mount = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
        assert_eq!(
            limit(
                groups,
                mounts,
                &[(own, "2000\n"), (mount, "9223372036854771712\n")]
            ),
            Some(2000)
        );
        assert_eq!(limit(groups, mounts, &[(mount, "3000\n")]), Some(3000));
        assert_eq!(limit(groups, mounts, &[]), None);
        assert_eq!(limit("", "", &[]), None);
    }
}
