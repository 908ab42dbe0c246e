//! The ways to a receiver.

use std::time::Duration;

use super::Undelivered;
use super::exec::Exec;
use super::notification::Notification;
use super::post::Post;

/// The way to a receiver.
pub(super) enum Way {
    Post(Box<Post>),
    Exec(Exec),
}

impl Way {
    /// Returns the time under `--once` within which a try may begin: a program may take half a minute for each.
    pub fn patience(&self) -> Duration {
        match self {
            Way::Post(_) => Duration::from_secs(5),
            Way::Exec(_) => Duration::from_secs(30),
        }
    }

    /// One try.
    pub fn deliver(&self, notification: &Notification) -> Result<(), Undelivered> {
        match self {
            Way::Post(post) => post.deliver(notification),
            Way::Exec(exec) => exec.deliver(notification),
        }
    }
}
