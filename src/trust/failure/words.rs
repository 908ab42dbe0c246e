//! A local failure in words: what is wrong, where, and what to do.

use std::fmt;
use std::io;

use super::LocalFailure;
use crate::ledger::State;
use crate::sys::words;
use crate::text::shell_value;
use crate::trust::text::Shown;

/// Open alarms that a message names.
const MAX_NAMED: usize = 5;

impl fmt::Display for LocalFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalFailure::System {
                doing,
                path,
                error,
                kind,
            } => {
                write!(f, "cannot {doing} {}: {error}; ", path.display())?;
                match kind {
                    io::ErrorKind::NotFound => {
                        f.write_str("see whether the path is right and its disk mounted")
                    }
                    io::ErrorKind::PermissionDenied => write!(
                        f,
                        "run this as the user that the auditor runs as, or {}",
                        words::GIVE_FILE
                    ),
                    _ => f.write_str("free or repair what the system names"),
                }?;
                f.write_str(", nothing else was changed")
            }
            LocalFailure::NotAFile { path, found } => write!(
                f,
                "{} is {found}, where immuaudit keeps its own: put the original back in its place",
                path.display()
            ),
            LocalFailure::OtherLabel {
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
            LocalFailure::TwoOwners {
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
            LocalFailure::TooLong { path, most } => write!(
                f,
                "{} is longer than {most} bytes, which immuaudit never writes: restore it from a backup",
                path.display()
            ),
            LocalFailure::Damaged {
                path,
                damage,
                recovery,
            } => write!(f, "{}: {damage}; {recovery}", path.display()),
            LocalFailure::DamagedRecord {
                path,
                damage,
                record,
            } => write!(f, "{}: {damage}; {}", path.display(), record.remedy()),
            LocalFailure::NoFile { path, record } => {
                write!(f, "there is no file {}; {}", path.display(), record.place())
            }
            LocalFailure::Lost {
                database,
                directory,
                outcomes,
            } => write!(
                f,
                "nothing is left under {} of what was trusted of {database}, which was audited before: is --dir or --roots-filepath another one, or not mounted? To take it on trust once more, on purpose, give --pin, or move {} away",
                directory.display(),
                outcomes.display()
            ),
            LocalFailure::Missing {
                path,
                beside,
                recovery,
            } => write!(
                f,
                "{} is gone, but {} is there; {recovery}",
                path.display(),
                beside.display()
            ),
            LocalFailure::Disagree {
                state,
                history,
                recovery,
            } => write!(
                f,
                "{} and {} disagree: one of them is from another time; {recovery}",
                state.display(),
                history.display()
            ),
            LocalFailure::Locked {
                server,
                directory,
                holder,
            } => write!(
                f,
                "{} is being audited already by {holder} in {}: stop that one, or give this one a --dir or --server-label of its own",
                Shown(server),
                directory.display()
            ),
            LocalFailure::Busy { directory } => write!(
                f,
                "another immuaudit has been changing {} for seconds: see whether it hangs, then try again",
                directory.display()
            ),
            LocalFailure::NoDirectory {
                server,
                directory,
                known,
            } => {
                write!(
                    f,
                    "nothing is known of {}: no directory {}",
                    Shown(server),
                    directory.display()
                )?;
                for (place, server) in known.iter().enumerate() {
                    let before = if place == 0 { "; known there: " } else { ", " };
                    write!(f, "{before}{}", Shown(server))?;
                }
                f.write_str(
                    "; give --dir, and --server-label or -a and -p, as the auditor has them",
                )
            }
            LocalFailure::Changed { database } => write!(
                f,
                "what is trusted of {} was changed by another command meanwhile: the next check uses it",
                Shown(database)
            ),
            LocalFailure::AlreadyTrusted { database } => write!(
                f,
                "a state of {} is trusted already: it is replaced only by one that extends it",
                Shown(database)
            ),
            LocalFailure::NotProven {
                database,
                trusted,
                shown,
            } => write!(
                f,
                "{}: no proof leads from the trusted {trusted} to {shown}, so nothing was changed",
                Shown(database)
            ),
            LocalFailure::OtherPin {
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
            LocalFailure::NoAlarm {
                server,
                alarm,
                closed,
                open,
            } => {
                let (alarm, server) = (Shown(alarm), Shown(server));
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
                    write!(f, "{before} {} ({kind}, {})", Shown(id), Shown(database))?;
                }
                let more = open.len().saturating_sub(MAX_NAMED);
                if more > 0 {
                    write!(f, ", and {more} more: immuaudit alarm list prints them")?;
                }
                Ok(())
            }
            LocalFailure::Overtaken {
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
                    Shown(database),
                    state(then),
                    state(now)
                )
            }
            LocalFailure::NothingToAdopt { alarm, kind } => write!(
                f,
                "alarm {alarm} ({kind}) names no state that could replace the trusted one; nothing was changed"
            ),
            LocalFailure::NotTrustedYet {
                database,
                tx,
                trusted_tx,
            } => write!(
                f,
                "transaction {tx} of {} is not trusted yet, so nothing is known of its values: give \
                 {trusted_tx} at most",
                Shown(database)
            ),
            LocalFailure::NeverSigned { database } => write!(
                f,
                "no signed state of {} is known, so no signature is missing; leave --unsigned out",
                Shown(database)
            ),
            LocalFailure::EvidenceFull { directory, most } => write!(
                f,
                "{} holds {most} bytes or as many files as it may: move evidence that is no longer needed elsewhere",
                directory.display()
            ),
        }
    }
}
