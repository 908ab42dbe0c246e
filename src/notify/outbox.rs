//! One receiver's outbox: `DIR/SERVER/outbox/RECEIVER/SEQUENCE-RANK-TOPIC-ID`, one file for each notification,
//! from before the first try until after the last one.

use std::fs;
use std::path::{Path, PathBuf};

use super::notification::{Notification, Priority};
use crate::clock::Timestamp;
use crate::trust::StoreError;
use crate::trust::failpoint::FileKind;
use crate::trust::files;

/// The directory of all outboxes, below that of the server.
pub(super) const DIRECTORY: &str = "outbox";
/// The longest stored notification that is read back, in bytes.
const MAX_NOTIFICATION_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Outbox {
    directory: PathBuf,
    next: u64,
}

/// A notification and its file.
#[derive(Debug)]
pub(super) struct Kept {
    pub sequence: u64,
    pub notification: Notification,
}

impl Outbox {
    /// Opens the outbox, and returns the notifications that an earlier run left in it, the oldest first.
    pub fn open(directory: &Path) -> Result<(Outbox, Vec<Kept>), StoreError> {
        files::create_directory(directory)?;
        let mut kept = Vec::new();
        for name in files::list(directory)? {
            if name.ends_with(files::NEW) {
                files::remove(&directory.join(&name))?; // incomplete: the process was killed while it wrote the file
            } else if let Some(found) = read(directory, &name) {
                kept.push(found);
            }
        }
        let last = kept.iter().map(|kept: &Kept| kept.sequence).max();
        let outbox = Outbox {
            directory: directory.to_owned(),
            next: last.map_or(0, |last| last + 1),
        };
        Ok((outbox, kept))
    }

    /// Numbers a notification and writes it to disk, durably.
    pub fn keep(&mut self, notification: Notification) -> (Kept, Result<(), StoreError>) {
        let kept = Kept {
            sequence: self.next,
            notification,
        };
        self.next += 1;
        let written = files::replace(
            FileKind::Outbox,
            &self.path(&kept),
            kept.notification.body.as_bytes(),
        );
        (kept, written)
    }

    /// Removes a notification that was delivered, given up or folded.
    pub fn remove(&self, kept: &Kept) -> Result<(), StoreError> {
        files::remove_for_good(&self.path(kept))
    }

    /// Removes the outbox itself; an outbox with content stays.
    pub fn remove_directory(&self) -> Result<(), StoreError> {
        match files::list(&self.directory)?.is_empty() {
            true => files::remove_directory(&self.directory),
            false => Ok(()),
        }
    }

    fn path(&self, kept: &Kept) -> PathBuf {
        let Notification {
            id,
            priority,
            dedup_key,
            ..
        } = &kept.notification;
        let priority = match priority {
            Priority::Tampering => "tampering",
            Priority::Change => "change",
        };
        self.directory
            .join(format!("{:020}-{priority}-{dedup_key}-{id}", kept.sequence))
    }
}

/// Returns how many notifications in the outboxes below a server's directory have waited since before a time.
/// Unreadable files are not counted: the auditor reports them.
pub fn waiting_since(directory: &Path, before: Timestamp) -> u64 {
    let outboxes = directory.join(DIRECTORY);
    let mut count: u64 = 0;
    for receiver in files::list(&outboxes).unwrap_or_default() {
        let outbox = outboxes.join(receiver);
        let names = files::list(&outbox).unwrap_or_default();
        let notifications = names.iter().filter(|name| !name.ends_with(files::NEW));
        let waiting = notifications.filter(|name| {
            let written = fs::metadata(outbox.join(name)).and_then(|of| of.modified());
            is_notification(name) && written.is_ok_and(|at| Timestamp::from(at) < before)
        });
        count = count.saturating_add(waiting.map(|_| 1).sum());
    }
    count
}

/// Returns whether a file has the name of a notification: sequence, rank, topic and ID.
fn is_notification(name: &str) -> bool {
    let ranks = ["tampering", "change"];
    let priority = name.split('-').nth(1);
    name.split('-').count() == 4 && priority.is_some_and(|priority| ranks.contains(&priority))
}

/// Reads the name of a notification's file; `None` for other files, which stay unchanged.
fn read(directory: &Path, name: &str) -> Option<Kept> {
    let mut parts = name.split('-');
    let (sequence, priority, dedup_key, id) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let priority = match priority {
        "tampering" => Priority::Tampering,
        "change" => Priority::Change,
        _ => return None,
    };
    let bytes = files::read(&directory.join(name), MAX_NOTIFICATION_BYTES).ok()??;
    let body = String::from_utf8(bytes).ok()?;
    (body.starts_with('{') && body.ends_with('}')).then(|| Kept {
        sequence: sequence.parse().unwrap_or_default(),
        notification: Notification {
            id: id.to_owned(),
            priority,
            dedup_key: dedup_key.to_owned(),
            body,
        },
    })
}
