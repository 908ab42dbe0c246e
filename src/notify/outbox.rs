//! One receiver's outbox: `DIR/SERVER/outbox/RECEIVER/SEQUENCE-RANK-TOPIC-ID`, one file for each notification,
//! from before the first try until after the last one.

use std::fs;
use std::path::{Path, PathBuf};

use log::Level;

use super::notification::{Notification, Priority};
use crate::clock::Timestamp;
use crate::report::Event;
use crate::trust::StoreError;
use crate::trust::failpoint::FileKind;
use crate::trust::files;

/// The directory of all outboxes, below that of the server.
pub(super) const DIRECTORY: &str = "outbox";
/// The ending of a damaged file that was set aside.
const DAMAGED: &str = ".damaged";
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
    /// Whether its file is on disk; it is not after a full disk.
    pub is_stored: bool,
}

/// A notification in an outbox that cannot be sent.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub id: String,
    pub priority: Priority,
    pub dedup_key: String,
    /// Whether the content is lost. Otherwise the next process reads the file again.
    pub is_lost: bool,
    /// The cause, with the file and the next step.
    pub why: String,
}

impl Unreadable {
    /// Writes a line to the log.
    pub fn log(&self, receiver: &str) {
        let (level, why) = match self.priority {
            Priority::Tampering => (
                Level::Error,
                format!("{}; immuaudit alarm list prints the open alarms", self.why),
            ),
            Priority::Change => (Level::Warn, self.why.clone()),
        };
        Event::new(level, "a notification in the outbox cannot be sent")
            .text("receiver", receiver)
            .text("id", &self.id)
            .text("reason", &why)
            .log();
    }
}

/// An outbox, and the notifications that an earlier run left in it.
#[derive(Debug)]
pub(super) struct Opened {
    pub outbox: Outbox,
    /// The notifications, the oldest first.
    pub kept: Vec<Kept>,
    pub unreadable: Vec<Unreadable>,
}

impl Outbox {
    /// Opens the outbox. Damaged notifications are set aside, so that they are found once.
    pub fn open(directory: &Path) -> Result<Opened, StoreError> {
        files::create_directory(directory)?;
        let (mut kept, mut unreadable) = (Vec::new(), Vec::new());
        for file in files::list(directory)? {
            let path = directory.join(&file);
            if file.ends_with(files::NEW) {
                files::remove(&path)?; // incomplete: the process was killed while it wrote the file
                continue;
            }
            let Some(name) = Name::read(&file) else {
                continue; // another file, which stays unchanged
            };
            match files::read(&path, MAX_NOTIFICATION_BYTES) {
                Ok(None) => {}
                Ok(Some(bytes)) => match body(bytes) {
                    Some(body) => kept.push(name.kept(body)),
                    None => unreadable.push(name.damaged(&path)),
                },
                Err(failure) => unreadable.push(name.unreadable(failure.to_string(), false)),
            }
        }
        let last = kept.iter().map(|kept: &Kept| kept.sequence).max();
        let outbox = Outbox {
            directory: directory.to_owned(),
            next: last.map_or(0, |last| last + 1),
        };
        Ok(Opened {
            outbox,
            kept,
            unreadable,
        })
    }

    /// Returns the number of the next notification.
    pub fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Numbers a notification and writes it to disk, durably.
    pub fn keep(&mut self, notification: Notification) -> (Kept, Result<(), StoreError>) {
        let mut kept = Kept {
            sequence: self.number(),
            notification,
            is_stored: false,
        };
        let written = self.store(&mut kept);
        (kept, written)
    }

    /// Writes a notification to disk, durably.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store(&self, kept: &mut Kept) -> Result<(), StoreError> {
        let body = kept.notification.body.as_bytes();
        files::replace(FileKind::Outbox, &self.path(kept), body)?;
        kept.is_stored = true;
        Ok(())
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
/// Damaged ones that were set aside do not wait any more.
pub fn waiting_since(directory: &Path, before: Timestamp) -> u64 {
    let outboxes = directory.join(DIRECTORY);
    let mut count: u64 = 0;
    for receiver in files::list(&outboxes).unwrap_or_default() {
        let outbox = outboxes.join(receiver);
        let names = files::list(&outbox).unwrap_or_default();
        let waiting = names.iter().filter(|name| {
            let written = fs::metadata(outbox.join(name)).and_then(|of| of.modified());
            Name::read(name).is_some() && written.is_ok_and(|at| Timestamp::from(at) < before)
        });
        count = count.saturating_add(waiting.map(|_| 1).sum());
    }
    count
}

/// The name of a notification's file.
struct Name {
    sequence: u64,
    priority: Priority,
    dedup_key: String,
    id: String,
}

impl Name {
    /// Reads a name; `None` for other files, also for those that end in `.new` or `.damaged`.
    fn read(name: &str) -> Option<Name> {
        let mut parts = name.split('-');
        let (sequence, priority, dedup_key, id) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let priority = match priority {
            "tampering" => Priority::Tampering,
            "change" => Priority::Change,
            _ => return None,
        };
        (parts.next().is_none() && !id.contains('.')).then(|| Name {
            sequence: sequence.parse().unwrap_or_default(),
            priority,
            dedup_key: dedup_key.to_owned(),
            id: id.to_owned(),
        })
    }

    fn kept(self, body: String) -> Kept {
        Kept {
            sequence: self.sequence,
            notification: Notification {
                id: self.id,
                priority: self.priority,
                dedup_key: self.dedup_key,
                body,
            },
            is_stored: true,
        }
    }

    /// Sets the file aside.
    fn damaged(self, path: &Path) -> Unreadable {
        match files::set_aside(path) {
            Ok(()) => {
                let aside = files::with_suffix(path, DAMAGED);
                let why = format!(
                    "the file is damaged and is kept as {}: examine it, then remove it",
                    aside.display()
                );
                self.unreadable(why, true)
            }
            Err(failure) => {
                let why = format!("{} is damaged; {failure}", path.display());
                self.unreadable(why, false)
            }
        }
    }

    fn unreadable(self, why: String, is_lost: bool) -> Unreadable {
        Unreadable {
            id: self.id,
            priority: self.priority,
            dedup_key: self.dedup_key,
            is_lost,
            why,
        }
    }
}

/// Returns the body of a notification; `None` if the file does not have one.
fn body(bytes: Vec<u8>) -> Option<String> {
    let body = String::from_utf8(bytes).ok()?;
    (body.starts_with('{') && body.ends_with('}')).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_notification_is_found_once_and_an_unreadable_one_until_it_can_be_read() {
        let name = format!("immuaudit-outbox-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let mut outbox = Outbox::open(&directory).unwrap().outbox;
        let mut keep = |id: &str, priority| {
            let notification = Notification {
                id: id.into(),
                priority,
                dedup_key: "topic".into(),
                body: "{}".into(),
            };
            let (kept, written) = outbox.keep(notification);
            written.unwrap();
            outbox.path(&kept)
        };
        keep("whole", Priority::Tampering);
        let damaged = keep("damaged", Priority::Tampering);
        let unreadable = keep("unreadable", Priority::Change);
        fs::write(&damaged, [0; 9]).unwrap();
        fs::remove_file(&unreadable).unwrap();
        fs::create_dir(&unreadable).unwrap();
        fs::write(directory.join("README"), "another file").unwrap();
        let found = || {
            let opened = Outbox::open(&directory).unwrap();
            let kept = opened.kept.iter().map(|kept| &kept.notification.id);
            let kept: Vec<String> = kept.cloned().collect();
            (kept, opened.unreadable)
        };
        let (kept, lost) = found();
        assert_eq!(kept, ["whole"]);
        assert_eq!(lost.len(), 2, "{lost:?}");
        let (first, second) = (&lost[0], &lost[1]);
        let aside = files::with_suffix(&damaged, DAMAGED);
        assert_eq!((first.id.as_str(), first.is_lost), ("damaged", true));
        assert!(first.why.contains(&aside.display().to_string()), "{lost:?}");
        assert_eq!((second.id.as_str(), second.is_lost), ("unreadable", false));
        let path = unreadable.display().to_string();
        assert!(second.why.contains(&path), "{lost:?}");
        // the damaged file is kept, does not wait, and is not reported again
        assert!(aside.exists());
        let (_, lost) = found();
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(lost[0].id, "unreadable");
        fs::remove_dir_all(&directory).unwrap();
    }
}
