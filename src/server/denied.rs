//! Databases that the server forbids the user to open, even with the token of a new login. A further login will
//! hardly help there, so it is made after growing pauses. Opening itself is tried in every cycle.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::error_kind::ServerErrorKind;
use super::server_error::ServerError;
use crate::text::Escaped;

/// The pause after the first refusal. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause: a permission that only a new login notices is noticed after an hour at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The databases that a new login did not open.
#[derive(Default)]
pub(super) struct Denied(HashMap<String, Denial>);

struct Denial {
    /// The server's message. Another message may have another cause, such as a token that ended.
    message: Escaped,
    /// The time at which the next login is due for this database.
    due: Instant,
    pause: Duration,
}

impl Denied {
    /// Returns whether a database is refused as it was with the token of a new login, and no further login is due
    /// for it.
    pub fn holds(&self, database: &str, failure: &ServerError, now: Instant) -> bool {
        let same = |denial: &Denial| now < denial.due && denial.message == failure.message;
        failure.kind == ServerErrorKind::Forbidden && self.0.get(database).is_some_and(same)
    }

    /// Records that a login is made because a database is refused, which makes the pause longer. If the
    /// login fails, it is not made again before the pause is over either.
    pub fn try_login(&mut self, database: &str, failure: &ServerError, now: Instant) {
        if let Some(denial) = self.same(database, failure) {
            denial.pause = LONGEST_PAUSE.min(denial.pause * 2);
            denial.due = now + denial.pause;
        }
    }

    /// Records that a database is refused with the token of a new login. Only a missing permission is
    /// recorded: if the server does not know the token, only a new login helps.
    pub fn add(&mut self, database: &str, failure: &ServerError, now: Instant) {
        if failure.kind != ServerErrorKind::Forbidden {
            self.0.remove(database);
        } else if let Some(denial) = self.same(database, failure) {
            denial.due = now + denial.pause;
        } else {
            let denial = Denial {
                message: failure.message.clone(),
                due: now + FIRST_PAUSE,
                pause: FIRST_PAUSE,
            };
            self.0.insert(database.into(), denial);
        }
    }

    fn same(&mut self, database: &str, failure: &ServerError) -> Option<&mut Denial> {
        let denial = self.0.get_mut(database)?;
        (denial.message == failure.message).then_some(denial)
    }

    /// Forgets a database.
    pub fn remove(&mut self, database: &str) {
        self.0.remove(database);
    }

    /// Forgets the databases that `keeps` does not select.
    pub fn keep(&mut self, keeps: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keeps(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: ServerErrorKind, message: &str) -> ServerError {
        ServerError {
            message: Escaped::new(message),
            ..ServerError::new("UseDatabase", kind)
        }
    }

    #[test]
    fn logins_for_a_forbidden_database_are_made_after_pauses_that_grow_to_an_hour() {
        let failure = refused(ServerErrorKind::Forbidden, "no");
        let mut denied = Denied::default();
        let mut now = Instant::now();
        assert!(!denied.holds("db", &failure, now));
        denied.add("db", &failure, now);
        for pause in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
            let due = now + Duration::from_secs(pause);
            assert!(denied.holds("db", &failure, due - Duration::from_nanos(1)));
            assert!(!denied.holds("db", &failure, due), "{pause}");
            now = due;
            denied.try_login("db", &failure, now);
            denied.add("db", &failure, now); // refused again, with the token of the new login
        }
        denied.remove("db");
        assert!(!denied.holds("db", &failure, now));
    }

    #[test]
    fn a_login_that_fails_makes_the_pause_longer() {
        let failure = refused(ServerErrorKind::Forbidden, "no");
        let mut denied = Denied::default();
        let now = Instant::now();
        denied.add("db", &failure, now);
        let due = now + FIRST_PAUSE;
        denied.try_login("db", &failure, due);
        assert!(denied.holds("db", &failure, due + FIRST_PAUSE));
        assert!(!denied.holds("db", &failure, due + FIRST_PAUSE * 2));
    }

    #[test]
    fn only_the_same_refusal_of_the_same_database_is_remembered() {
        let now = Instant::now();
        let mut denied = Denied::default();
        let no = refused(ServerErrorKind::Forbidden, "no");
        denied.add("db", &no, now);
        assert!(denied.holds("db", &no, now));
        assert!(!denied.holds("other", &no, now));
        assert!(!denied.holds("db", &refused(ServerErrorKind::Forbidden, "other"), now));
        assert!(!denied.holds("db", &refused(ServerErrorKind::NotLoggedIn, "no"), now));
        denied.add("db", &refused(ServerErrorKind::NotLoggedIn, "no"), now);
        assert!(!denied.holds("db", &no, now), "a token that is not known");
        denied.add("db", &no, now);
        denied.keep(|name| name != "db");
        assert!(!denied.holds("db", &no, now));
    }
}
