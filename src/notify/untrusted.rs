//! Notifications about untrusted databases: one for all of them, another one if there are more after a pause, and
//! one when none is left. So a server cannot cause many notifications by the names that it lists.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::notification::fresh_id;
use crate::audit::Exit;
use crate::clock::Timestamp;
use crate::report::{Untrusted, UntrustedReport};
use crate::trust::StoreError;
use crate::trust::failpoint::FileKind;
use crate::trust::files;

/// The shortest time between two notifications that report more databases, so that a server that lists other names
/// every second does not cause one every second.
const MIN_REPEAT_INTERVAL: Duration = Duration::from_secs(3600);
/// The name of the file, next to the outbox.
const FILE: &str = "notified";
/// The longest file that is read: a few names of 128 bytes.
const MAX_FILE: u64 = 64 << 10;

/// The news for a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Databases that cannot be trusted on first use.
    Untrusted,
    /// All of them can be trusted now, or are gone.
    Over,
}

/// The last notification, in this process or in an earlier one.
#[derive(Debug, Default)]
pub(super) struct Notified {
    path: PathBuf,
    /// The content of the last notification; `None` when the finding is over.
    last_report: Option<UntrustedReport>,
    /// The time of the last notification, and of the last one about tampering.
    at: Option<Timestamp>,
    tampering_at: Option<Timestamp>,
    /// The id of the last notification, if it was about tampering that is not over.
    id: Option<String>,
}

impl Notified {
    /// Reads the last notification of an earlier process. An unreadable file counts as none: its news is sent once
    /// more.
    pub fn load(directory: &Path) -> Notified {
        let path = directory.join(FILE);
        let bytes = files::read(&path, MAX_FILE).ok().flatten();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let parsed = text.as_deref().and_then(parse);
        let parsed = parsed.unwrap_or_default();
        Notified { path, ..parsed }
    }

    /// Returns the id of the last notification, if it was about tampering that is not over: each receiver gets it
    /// once.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the news after a cycle, and records it as the last notification. If no database is untrusted, the cycle
    /// must have reached the end of the server's list.
    pub fn news(&mut self, untrusted: &Untrusted, now: Timestamp) -> Option<News> {
        if untrusted.unproven == 0 {
            self.last_report.take()?;
            self.id = None;
            return Some(News::Over);
        }
        let is_news = match &self.last_report {
            Some(last_report) => untrusted.is_more_than(last_report),
            None => true,
        };
        let accuses = match &self.last_report {
            Some(last_report) => untrusted.shows_more_tampering_than(last_report),
            None => untrusted.is_tampering(),
        };
        let last = if accuses { self.tampering_at } else { self.at };
        // if the clock was set back, notifications are not suppressed for longer
        let is_soon = last.is_some_and(|last| last <= now && now.since(last) < MIN_REPEAT_INTERVAL);
        if !is_news || is_soon {
            return None;
        }
        self.note(untrusted, now);
        Some(News::Untrusted)
    }

    /// Lowers the counts to the databases that are left after a cycle that reached the end of the server's list.
    /// Returns whether the file must be written.
    pub fn lower_to(&mut self, untrusted: &Untrusted) -> bool {
        let last_report = self.last_report.as_mut();
        last_report.is_some_and(|last_report| last_report.lower_to(untrusted))
    }

    /// Records a notification.
    pub fn note(&mut self, untrusted: &Untrusted, now: Timestamp) {
        self.last_report = Some(untrusted.last_report());
        self.at = Some(now);
        self.id = untrusted.is_tampering().then(fresh_id);
        if untrusted.is_tampering() {
            self.tampering_at = Some(now);
        }
    }

    /// Writes the last notification to disk, for the next process.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self) -> Result<(), StoreError> {
        let unix = |at: Option<Timestamp>| at.map_or(0, Timestamp::unix);
        let mut text = format!("{} {}", unix(self.at), unix(self.tampering_at));
        text.extend(self.id.iter().flat_map(|id| [" ", id]));
        text.push('\n');
        if let Some(last_report) = &self.last_report {
            let worst = last_report.worst.code();
            text.push_str(&format!(
                "{} {} {worst}\n",
                last_report.unproven, last_report.tampering_count
            ));
            for name in &last_report.names {
                text.push_str(&format!("{name}\n")); // names of databases contain no white space
            }
        }
        files::replace(FileKind::Outbox, &self.path, text.as_bytes())
    }
}

fn parse(text: &str) -> Option<Notified> {
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let mut time = || -> Option<Option<Timestamp>> {
        let unix: u64 = first.next()?.parse().ok()?;
        Some((unix > 0).then(|| Timestamp::from_unix(unix)))
    };
    let (at, tampering_at) = (time()?, time()?);
    let id = first.next().map(str::to_owned);
    let last_report = match lines.next() {
        None => None,
        Some(line) => {
            let (unproven, rest) = line.split_once(' ')?;
            let (tampering_count, worst) = rest.split_once(' ')?;
            Some(UntrustedReport {
                unproven: unproven.parse().ok()?,
                tampering_count: tampering_count.parse().ok()?,
                worst: Exit::of_code(worst.parse().ok()?)?,
                names: lines.map(str::to_owned).collect(),
            })
        }
    };
    Some(Notified {
        path: PathBuf::new(),
        last_report,
        at,
        tampering_at,
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Verdict;

    fn none() -> Notified {
        Notified::load(Path::new("/nowhere"))
    }

    fn refused(count: u64) -> Untrusted {
        Untrusted {
            unproven: count,
            worst: Some(Verdict::Refused),
            ..Untrusted::default()
        }
    }

    fn with_tampering(count: u64, tampering_count: u64) -> Untrusted {
        Untrusted {
            tampering_count,
            worst: Some(Verdict::Tampered(crate::trust::Tampering::BadSignature)),
            ..refused(count)
        }
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix(1_000_000 + second)
    }

    #[test]
    fn names_that_come_and_go_every_second_send_two_notifications_an_hour_at_most() {
        let mut notified = none();
        let mut sent = Vec::new();
        for second in 0..3 * 3600 {
            let untrusted = refused(if second % 2 == 0 { 5_000 + second } else { 0 });
            sent.extend(notified.news(&untrusted, at(second)));
        }
        let both = [News::Untrusted, News::Over];
        assert_eq!(sent, [both, both, both].concat());
    }

    #[test]
    fn more_of_them_are_notified_after_an_hour() {
        let mut notified = none();
        let news = notified.news(&refused(20), at(0));
        assert_eq!(news, Some(News::Untrusted));
        assert_eq!(notified.news(&refused(30), at(9_000)), None);
        assert_eq!(notified.news(&refused(40), at(3_599)), None);
        let news = notified.news(&refused(40), at(3_600));
        assert_eq!(news, Some(News::Untrusted));
        // also if the clock was set back
        let news = notified.news(&refused(80), at(100));
        assert_eq!(news, Some(News::Untrusted));
    }

    #[test]
    fn tampering_does_not_wait_for_the_hour() {
        let mut notified = none();
        notified.news(&refused(20), at(0));
        let with_tampering = with_tampering(20, 1);
        assert_eq!(notified.news(&with_tampering, at(1)), Some(News::Untrusted));
        for second in 2..100 {
            let untrusted = if second % 2 == 0 {
                refused(0)
            } else {
                with_tampering.clone()
            };
            assert_ne!(notified.news(&untrusted, at(second)), Some(News::Untrusted));
        }
    }

    #[test]
    fn further_tampering_waits_for_an_hour_after_the_first() {
        let mut notified = none();
        for (second, tampering_count, is_news) in [
            (0, 1, true),
            (60, 2, false),
            (3_599, 2, false),
            (3_600, 2, true),
            (9_000, 2, false),
        ] {
            let news = notified.news(&with_tampering(20, tampering_count), at(second));
            assert_eq!(news.is_some(), is_news, "{second}");
        }
    }

    #[test]
    fn tampering_that_comes_and_goes_is_notified_twice_an_hour_at_most() {
        let mut notified = none();
        let mut sent = 0;
        for second in 0..3 * 3600 {
            let untrusted = match second % 3 {
                0 => refused(20 + second),
                1 => with_tampering(20 + second, second),
                _ => with_tampering(20, 1),
            };
            sent += u32::from(notified.news(&untrusted, at(second)).is_some());
            notified.lower_to(&untrusted);
        }
        assert!((3..=6).contains(&sent), "{sent}");
    }

    #[test]
    fn the_next_process_continues_from_the_last_notification() {
        let directory =
            std::env::temp_dir().join(format!("immuaudit-untrusted-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let mut notified = Notified::load(&directory);
        notified.news(&refused(20), at(0));
        notified.save().unwrap();
        let mut next = Notified::load(&directory);
        assert_eq!(next.news(&refused(20), at(9_000)), None);
        assert!(!next.lower_to(&refused(20)));
        assert_eq!(next.news(&refused(0), at(9_000)), Some(News::Over));
        next.save().unwrap();
        let mut next = Notified::load(&directory);
        assert_eq!(next.news(&refused(0), at(9_000)), None);
        assert_eq!(next.news(&refused(5), at(10)), None); // the hour is not over
        assert_eq!(next.id(), None);
        // an accusation has an id until it is over
        next.news(&with_tampering(5, 1), at(20));
        let id = next.id().map(str::to_owned);
        assert!(id.is_some());
        next.save().unwrap();
        let mut next = Notified::load(&directory);
        assert_eq!(next.id().map(str::to_owned), id);
        next.news(&refused(0), at(30));
        assert_eq!(next.id(), None);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
