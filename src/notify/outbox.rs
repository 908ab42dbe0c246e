//! One receiver's outbox: `DIR/SERVER/outbox/RECEIVER/SEQUENCE-RANK-TOPIC-ID`, a file a notification,
//! there before the first try and gone after the last.

use std::path::{Path, PathBuf};

use super::notification::{Notification, Rank};
use crate::trust::LocalFailure;
use crate::trust::fault::Kind;
use crate::trust::files;

/// The largest notification that is read back.
const MOST: u64 = 1 << 20;

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
    /// The outbox, and what an earlier run left in it, the oldest first.
    pub fn open(directory: &Path) -> Result<(Outbox, Vec<Kept>), LocalFailure> {
        files::create_directory(directory)?;
        let mut kept = Vec::new();
        for name in files::list(directory)? {
            if name.ends_with(files::NEW) {
                files::remove(&directory.join(&name))?; // not whole: a kill came between
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

    /// Numbers a notification and writes it down, durably.
    pub fn keep(&mut self, notification: Notification) -> (Kept, Result<(), LocalFailure>) {
        let kept = Kept {
            sequence: self.next,
            notification,
        };
        self.next += 1;
        let written = files::replace(
            Kind::Outbox,
            &self.path(&kept),
            kept.notification.body.as_bytes(),
        );
        (kept, written)
    }

    /// It is delivered, given up or folded.
    pub fn remove(&self, kept: &Kept) -> Result<(), LocalFailure> {
        files::remove_for_good(&self.path(kept))
    }

    fn path(&self, kept: &Kept) -> PathBuf {
        let Notification {
            id, rank, topic, ..
        } = &kept.notification;
        let rank = match rank {
            Rank::Tampering => "tampering",
            Rank::Change => "change",
        };
        self.directory
            .join(format!("{:020}-{rank}-{topic}-{id}", kept.sequence))
    }
}

/// What is none of ours is left alone.
fn read(directory: &Path, name: &str) -> Option<Kept> {
    let mut parts = name.split('-');
    let (sequence, rank, topic, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let rank = match rank {
        "tampering" => Rank::Tampering,
        "change" => Rank::Change,
        _ => return None,
    };
    let bytes = files::read(&directory.join(name), MOST).ok()??;
    let body = String::from_utf8(bytes).ok()?;
    (body.starts_with('{') && body.ends_with('}')).then(|| Kept {
        sequence: sequence.parse().unwrap_or_default(),
        notification: Notification {
            id: id.to_owned(),
            rank,
            topic: topic.to_owned(),
            body,
        },
    })
}
