//! The text of a local failure: the fault, the path, and the next step.

use std::fmt;
use std::io;

use super::StoreError;
use crate::ledger::State;
use crate::sys::words;
use crate::text::Escaped;
use crate::text::shell_value;

/// The maximum number of open alarms in a message.
const MAX_NAMED: usize = 5;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::System {
                doing,
                path,
                error,
                kind,
            } => {
                write!(f, "cannot {doing} {}: {error}; ", path.display())?;
                match kind {
                    io::ErrorKind::NotFound => {
                        f.write_str("check that the path is right and its disk is mounted")
                    }
                    io::ErrorKind::PermissionDenied => write!(
                        f,
                        "run the command as the auditor's user, or {}",
                        words::GIVE_FILE
                    ),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        f.write_str("free space on this disk")
                    }
                    io::ErrorKind::ReadOnlyFilesystem => f.write_str(
                        "mount this disk writable, or name another directory with --dir",
                    ),
                    _ => f.write_str("repair the cause that the system names"),
                }?;
                f.write_str(" (nothing else was changed)")
            }
            StoreError::NotAFile { path, found } => write!(
                f,
                "{} is {found}, but immuaudit stores its own file or directory there: restore the original",
                path.display()
            ),
            StoreError::OtherLabel {
                label,
                known,
                address,
                directory,
            } => write!(
                f,
                "{address} was audited under the label {known} in {}, and its trusted states do not apply to the label {label}: give --server-label {}, or another --dir to start without trusted states",
                directory.display(),
                shell_value(known)
            ),
            StoreError::TwoOwners {
                directories: [one, other],
                users,
            } => write!(
                f,
                "{} and {} belong to users {} and {}: give both to the auditor's user with chown -R",
                one.display(),
                other.display(),
                users[0],
                users[1]
            ),
            StoreError::TooLong { path, most } => write!(
                f,
                "{} is longer than {most} bytes, which immuaudit never writes: restore it from a backup",
                path.display()
            ),
            StoreError::Damaged {
                path,
                damage,
                recovery,
            } => write!(f, "{}: {damage}; {recovery}", path.display()),
            StoreError::DamagedRecord {
                path,
                damage,
                record,
            } => write!(f, "{}: {damage}; {}", path.display(), record.remedy()),
            StoreError::NoFile { path, record } => {
                write!(f, "there is no file {}; {}", path.display(), record.place())
            }
            StoreError::OtherFile {
                path,
                fault,
                record,
            } => write!(
                f,
                "{} is no file of immuaudit: {fault}; {}",
                path.display(),
                record.place()
            ),
            StoreError::Lost {
                database,
                directory,
                outcomes,
            } => write!(
                f,
                "{} has no trusted state of {database}, which was audited before: check --dir and --roots-filepath, and that the disk is mounted. If its files are lost, give --pin with a state that is known from elsewhere. Moving {} away makes every database without files first-seen again, not only this one",
                directory.display(),
                outcomes.display()
            ),
            StoreError::Missing {
                path,
                other_file,
                recovery,
            } => write!(
                f,
                "{} is missing, but {} exists; {recovery}",
                path.display(),
                other_file.display()
            ),
            StoreError::Disagree {
                state,
                history,
                recovery,
            } => write!(
                f,
                "{} and {} do not match: one of them is older than the other; {recovery}",
                state.display(),
                history.display()
            ),
            StoreError::Locked {
                server,
                directory,
                holder,
                flags,
            } => write!(
                f,
                "{} is already audited by {holder} in {}: stop that auditor, or give this one another {flags}",
                Escaped::new(server),
                directory.display()
            ),
            StoreError::Busy { directory } => write!(
                f,
                "another immuaudit process has locked {} for several seconds: check whether that process hangs, then try again",
                directory.display()
            ),
            StoreError::NoDirectory {
                server,
                directory,
                known,
            } => {
                write!(
                    f,
                    "server {} has no stored states: there is no directory {}",
                    Escaped::new(server),
                    directory.display()
                )?;
                for (place, server) in known.iter().enumerate() {
                    let before = if place == 0 {
                        "; the directory has: "
                    } else {
                        ", "
                    };
                    write!(f, "{before}{}", Escaped::new(server))?;
                }
                f.write_str(
                    "; give --dir, and --server-label or -a and -p, with the same values as for the auditor",
                )
            }
            StoreError::Changed { database } => write!(
                f,
                "another command changed the trusted state of {} during this check: the next check uses the new state",
                Escaped::new(database)
            ),
            StoreError::AlreadyTrusted { database } => write!(
                f,
                "{} already has a trusted state, and only a state that extends it can replace it",
                Escaped::new(database)
            ),
            StoreError::NotProven {
                database,
                trusted,
                shown,
            } => write!(
                f,
                "{}: no proof leads from the trusted {trusted} to {shown}, so nothing was changed",
                Escaped::new(database)
            ),
            StoreError::OtherPin {
                pinned,
                known,
                failure,
            } => {
                write!(f, "{failure}; the pin {pinned} does not repair it: ")?;
                match known {
                    Some(known) => write!(f, "the last good state is {known}"),
                    None => f.write_str(
                        "no last good state is stored for a comparison; move the damaged files away first",
                    ),
                }
            }
            StoreError::NoAlarm {
                server,
                alarm,
                closed,
                open,
            } => {
                let (alarm, server) = (Escaped::new(alarm), Escaped::new(server));
                match closed {
                    true => write!(f, "alarm {alarm} is closed already")?,
                    false => write!(f, "{server} has no alarm {alarm}")?,
                }
                f.write_str(if open.is_empty() {
                    "; no alarm is open"
                } else {
                    "; open alarms:"
                })?;
                for (place, (id, kind, database)) in open.iter().take(MAX_NAMED).enumerate() {
                    let before = if place == 0 { "" } else { "," };
                    write!(
                        f,
                        "{before} {} ({kind}, {})",
                        Escaped::new(id),
                        Escaped::new(database)
                    )?;
                }
                let more = open.len().saturating_sub(MAX_NAMED);
                if more > 0 {
                    write!(f, ", and {more} more: immuaudit alarm list prints them")?;
                }
                Ok(())
            }
            StoreError::Overtaken {
                database,
                alarm,
                then,
                now,
            } => {
                let state = |state: &Option<State>| {
                    state.map_or("no state".into(), |state| {
                        format!("transaction {}", state.tx)
                    })
                };
                write!(
                    f,
                    "alarm {alarm} cannot be adopted, because the trusted state of {} was replaced: it was {} at the alarm, and is {} now; nothing was changed",
                    Escaped::new(database),
                    state(then),
                    state(now)
                )
            }
            StoreError::NothingToAdopt { alarm, kind } => write!(
                f,
                "alarm {alarm} ({kind}) names no state that could replace the trusted state; nothing was changed"
            ),
            StoreError::NotTrustedYet {
                database,
                tx,
                trusted_tx,
            } => write!(
                f,
                "transaction {tx} of {} is not trusted yet, so its values were not read: give at most {trusted_tx}",
                Escaped::new(database)
            ),
            StoreError::NeverSigned { database } => write!(
                f,
                "no signed state of {} is known, so no signature is missing: remove --unsigned",
                Escaped::new(database)
            ),
            StoreError::EvidenceFull { directory, most } => write!(
                f,
                "{} has reached its limit of {most} bytes or of its number of files: move evidence that is no longer needed to another place",
                directory.display()
            ),
        }
    }
}
