//! A local failure in words: what is wrong, where, and what to do.

use std::fmt;
use std::io;

use super::StoreError;
use crate::ledger::State;
use crate::text::Escaped;
use crate::text::shell_value;

/// Open alarms that a message names.
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
                let remedy = match kind {
                    io::ErrorKind::NotFound => "see whether the path is right and its disk mounted",
                    io::ErrorKind::PermissionDenied => {
                        "run this as the user that the auditor runs as, or give that one the file with chown"
                    }
                    _ => "free or repair what the system names",
                };
                write!(
                    f,
                    "cannot {doing} {}: {error}; {remedy}, nothing else was changed",
                    path.display()
                )
            }
            StoreError::NotAFile { path, found } => write!(
                f,
                "{} is {found}, where immuaudit keeps its own: put the original back in its place",
                path.display()
            ),
            StoreError::OtherLabel {
                label,
                known,
                address,
                directory,
            } => write!(
                f,
                "{address} was audited under the label {known} in {}, and what is trusted there does not count under {label}: \
                 give --server-label {}, or a --dir of its own to begin anew",
                directory.display(),
                shell_value(known)
            ),
            StoreError::TwoOwners {
                directories: [one, other],
                users,
            } => write!(
                f,
                "{} and {} belong to users {} and {}: give both to the user that the auditor runs as, with chown -R",
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
            StoreError::Lost {
                database,
                directory,
                outcomes,
            } => write!(
                f,
                "nothing is left under {} of what was trusted of {database}, which was audited before: is --dir or --roots-filepath another one, or not mounted? To take it on trust once more, on purpose, give --pin, or move {} away",
                directory.display(),
                outcomes.display()
            ),
            StoreError::Missing {
                path,
                beside,
                recovery,
            } => write!(
                f,
                "{} is gone, but {} is there; {recovery}",
                path.display(),
                beside.display()
            ),
            StoreError::Disagree {
                state,
                history,
                recovery,
            } => write!(
                f,
                "{} and {} disagree: one of them is from another time; {recovery}",
                state.display(),
                history.display()
            ),
            StoreError::Locked {
                server,
                directory,
                holder,
            } => write!(
                f,
                "{} is being audited already by {holder} in {}: stop that one, or give this one a --dir or --server-label of its own",
                Escaped::new(server),
                directory.display()
            ),
            StoreError::Busy { directory } => write!(
                f,
                "another immuaudit has been changing {} for seconds: see whether it hangs, then try again",
                directory.display()
            ),
            StoreError::NoDirectory {
                server,
                directory,
                known,
            } => {
                write!(
                    f,
                    "nothing is known of {}: no directory {}",
                    Escaped::new(server),
                    directory.display()
                )?;
                for (place, server) in known.iter().enumerate() {
                    let before = if place == 0 { "; known there: " } else { ", " };
                    write!(f, "{before}{}", Escaped::new(server))?;
                }
                f.write_str(
                    "; give --dir, and --server-label or -a and -p, as the auditor has them",
                )
            }
            StoreError::Changed { database } => write!(
                f,
                "what is trusted of {} was changed by another command meanwhile: the next check uses it",
                Escaped::new(database)
            ),
            StoreError::AlreadyTrusted { database } => write!(
                f,
                "a state of {} is trusted already: it is replaced only by one that extends it",
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
                        "no last good state is left to compare it with; move the damaged files away first",
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
                    "alarm {alarm} cannot be adopted: it is about the trusted state of {} at {}, which was replaced since, and {} is trusted now; nothing was changed",
                    Escaped::new(database),
                    state(then),
                    state(now)
                )
            }
            StoreError::NothingToAdopt { alarm, kind } => write!(
                f,
                "alarm {alarm} ({kind}) names no state that could replace the trusted one; nothing was changed"
            ),
            StoreError::NotTrustedYet {
                database,
                tx,
                trusted_tx,
            } => write!(
                f,
                "transaction {tx} of {} is not trusted yet, so nothing is known of its values: give \
                 {trusted_tx} at most",
                Escaped::new(database)
            ),
            StoreError::NeverSigned { database } => write!(
                f,
                "no signed state of {} is known, so no signature is missing; leave --unsigned out",
                Escaped::new(database)
            ),
            StoreError::EvidenceFull { directory, most } => write!(
                f,
                "{} holds {most} bytes or as many files as it may: move evidence that is no longer needed elsewhere",
                directory.display()
            ),
        }
    }
}
