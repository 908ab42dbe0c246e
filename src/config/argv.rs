//! Overwrites passwords on the command line, so that `ps` no longer shows them.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

use super::compat_mode::CompatMode;
use super::flags::separate;

/// Returns the positions of secrets in the arguments: the argument and the byte in it at which the secret begins.
/// Argument 0 is the first after the program's name.
fn secrets(arguments: &[String]) -> BTreeSet<(usize, usize)> {
    // the mode is not known yet, so both are tried
    let modes = [CompatMode::Immuclient, CompatMode::Immugw].into_iter();
    let places = modes.flat_map(|compat_mode| separate(arguments, compat_mode).secrets);
    places.collect()
}

/// Overwrites every secret among this process's arguments.
///
/// The kernel reads the arguments that `ps` shows from the process's own memory. A process may write there through
/// `/proc/self/mem`, without a pointer and without C. If this fails (no /proc), only the warning about passwords
/// on the command line is left.
pub(super) fn hide_secrets(arguments: &[String]) {
    for (argument, offset) in secrets(arguments) {
        // the first argument is the program's name
        let _ = overwrite(argument + 1, offset);
    }
}

/// Overwrites an argument of this process (0 is the program's name), beginning at a byte. Returns `None` if that was
/// not possible.
fn overwrite(argument: usize, offset: usize) -> Option<()> {
    let mut arguments = Vec::new();
    let mut file = File::open("/proc/self/cmdline").ok()?;
    file.read_to_end(&mut arguments).ok()?;
    let before: usize = arguments
        .split(|byte| *byte == 0)
        .take(argument)
        .map(|argument| argument.len() + 1)
        .sum();
    let length = arguments
        .get(before..)?
        .split(|byte| *byte == 0)
        .next()?
        .len();
    let stars = vec![b'*'; length.checked_sub(offset)?];
    let start = start_of_arguments()?.checked_add(u64::try_from(before + offset).ok()?)?;
    let mut memory = OpenOptions::new().write(true).open("/proc/self/mem").ok()?;
    memory.seek(SeekFrom::Start(start)).ok()?;
    memory.write_all(&stars).ok()
}

/// Returns the address of the first argument, from field 48 of `/proc/self/stat` (proc_pid_stat(5)).
fn start_of_arguments() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // the second field is the program's name in brackets, which may contain any character
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(48 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_apart_and_attached() {
        let line = [
            "--json",
            "--audit-password",
            "a",
            "--password=bc",
            "--username=x",
        ];
        let line = line.map(str::to_owned);
        let places = [(2, 0), (3, "--password=".len())];
        assert_eq!(secrets(&line), BTreeSet::from(places));
    }

    /// Overwrites the name of the tests' own program, because it is the one argument that always exists.
    #[test]
    #[cfg(target_os = "linux")]
    fn an_argument_is_overwritten_where_ps_reads_it() {
        let name = || -> Vec<u8> {
            let line = std::fs::read("/proc/self/cmdline").unwrap();
            line.split(|byte| *byte == 0).next().unwrap().to_vec()
        };
        let before = name();
        overwrite(0, before.len() - 4).unwrap();
        let after = name();
        assert_eq!(after.len(), before.len());
        assert_eq!(after[..after.len() - 4], before[..before.len() - 4]);
        assert_eq!(&after[after.len() - 4..], b"****");
    }
}
