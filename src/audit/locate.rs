//! Finding where a history was rewritten: the calls behind [`crate::locate`], for the alarm and for the command.

use super::auditor::Auditor;
use super::located::{Listed, Located, Lost, ServerView};
use super::verdict::{Reason, Verdict};
use crate::audit::check::membership::{self, AncestorCheck};
use crate::audit::check::state;
use crate::clock::Timestamp;
use crate::ledger::{Digest, State};
use crate::locate::{Acceptance, Checkpoint, Grounds, Probe, TxHashes, Window, narrow};
use crate::server::{DatabaseList, Server, ServerErrorKind};
use crate::text::Escaped;
use crate::trust::{
    Alarm, DatedState, Extent, LocatedRecord, Mirror, StoreError, Tampering, TrustOrigin,
    TrustedState,
};

/// The limit of the mirrors that are opened, and so read, when an alarm is raised, in bytes. A mirror that is already
/// open does not count.
const MAX_MIRROR_BYTES_AT_ALARM: u64 = 64 << 20;
/// The number of transactions that are fetched one by one for a single proof of an old server when an alarm is raised.
const MAX_RANGE_AT_ALARM: u64 = 32;

impl Auditor {
    /// Returns the range in which the history was rewritten; `None` if there is nothing to request, or no time. The
    /// verdict, the evidence and the alarm exist already.
    pub(super) fn window_at_alarm(
        &mut self,
        verdict: Verdict,
        about_state: bool,
        trusted: Option<&TrustedState>,
        shown: Option<State>,
        alarm: Option<&Alarm>,
    ) -> Option<Window> {
        let of_history = matches!(
            verdict,
            Verdict::Tampered(Tampering::Inconsistent | Tampering::RolledBack)
        );
        let trusted = trusted.filter(|_| of_history && about_state)?;
        let shown = shown.filter(|shown| shown.tx > 0)?;
        let database = trusted.database.as_str();
        let known = self.databases.of(database).window.as_deref();
        let same = |known: &&Window| known.shown == shown && known.newest.state == trusted.state;
        if let Some(known) = known.filter(same) {
            return Some(known.clone());
        }
        if !self.server.has_time() {
            return None; // without a call nothing is proven, and a report that says so would alarm without a reason
        }
        let line = self.line(database).ok()?;
        let searched = self.databases.of(database).turn.searched;
        let granted = self.search_time.grant(searched)?;
        let begin = self.now();
        let until = begin + granted;
        let own = self.databases.of(database).mirror.take();
        let small = || {
            self.store
                .mirrored_bytes()
                .is_ok_and(|bytes| bytes <= MAX_MIRROR_BYTES_AT_ALARM)
        };
        let opened = match own {
            None if small() => self.mirror_of(database, trusted.since),
            _ => None,
        };
        let mirror = own.as_deref().filter(|own| own.since() == trusted.since);
        let mirror = mirror.or(opened.as_ref());
        let before = self.server.limit(until);
        let range = self.policy.max_fetch.min(MAX_RANGE_AT_ALARM);
        let window = window(&mut self.server, database, &line, mirror, shown, range);
        self.server.restore(before);
        let taken = self.server.clock().since(begin);
        let record = self.databases.of(database);
        record.mirror = own;
        let is_decided = window.as_ref().is_some_and(|of| of.undecided.is_empty());
        if self.search_time.end(searched, granted, taken, is_decided) {
            record.turn.searched = self.cycles;
        }
        let window = window?;
        if is_decided {
            record.window = Some(Box::new(window.clone()));
        }
        if let Some(alarm) = alarm {
            self.keep_window(alarm, &window);
        }
        Some(window)
    }

    /// Stores the window next to the evidence.
    fn keep_window(&self, alarm: &Alarm, window: &Window) {
        let record = record(window, window.to_string(), self.wall_time());
        if let Err(failure) = self.store.save_located(alarm, &record, Extent::Range) {
            log::warn!(database:% = alarm.database, reason:% = failure; "the range of the tampering could not be written");
        }
    }

    /// Finds which part of a database's trusted history is intact; `None` if the program is asked to end. Changes no
    /// trusted state.
    pub fn locate(&mut self, database: &str) -> Option<Located> {
        let until = self.now() + self.overdue_after();
        self.within(until, |auditor| auditor.look_for(database))
    }

    fn look_for(&mut self, database: &str) -> Option<Located> {
        let before = self.server.calls().counted().total();
        self.server.begin_cycle();
        self.server.begin_transcript();
        let trusted = self.store.load(database);
        let mirror = match &trusted {
            Ok(Some(trusted)) => self.mirror_of(database, trusted.since),
            _ => None,
        };
        let present = match trusted {
            Ok(Some(_)) => match self.line(database) {
                Ok(line) => self.present(database, &line, mirror.as_ref())?,
                Err(failure) => ServerView::Local(failure),
            },
            Ok(None) => ServerView::NothingTrusted,
            Err(failure) => ServerView::Local(failure),
        };
        let (alarms, alarms_error) = match self.store.open_alarms(Some(database)) {
            Ok(alarms) => (alarms, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        Some(Located {
            database: database.into(),
            at: self.wall_time(),
            present,
            mirrored: mirror.map(|mirror| mirror.last()),
            alarms,
            alarms_error,
            calls: self.server.calls().counted().total().saturating_sub(before),
        })
    }

    fn present(
        &mut self,
        database: &str,
        line: &[Checkpoint],
        mirror: Option<&Mirror>,
    ) -> Option<ServerView> {
        let (Some(oldest), Some(newest)) = (line.first().copied(), line.last().copied()) else {
            return Some(ServerView::NothingTrusted);
        };
        let lost = Lost { oldest, newest };
        let listed = match self.server.databases() {
            Ok(list) if list.leaves_out(database) => Listed::Hidden,
            Ok(DatabaseList::Shown(_)) => Listed::Yes,
            Ok(DatabaseList::Assumed) => Listed::Unknown,
            Err(failure) if failure.kind == ServerErrorKind::Stopped => return None,
            Err(_) => Listed::Unknown,
        };
        let claimed = match self.server.state(database) {
            Ok(claimed) => claimed,
            Err(failure) => {
                return match failure.kind {
                    ServerErrorKind::Stopped => None,
                    ServerErrorKind::NoSuchDatabase => Some(ServerView::Vanished(lost)),
                    _ => Some(ServerView::NotShown(failure)),
                };
            }
        };
        if claimed.state.tx == 0 {
            return Some(ServerView::Emptied(lost));
        }
        let params = self.params();
        let refused = state::check_claim(&claimed, database, &params).err();
        let window = window(
            &mut self.server,
            database,
            line,
            mirror,
            claimed.state,
            params.max_fetch,
        )?;
        Some(ServerView::Shows {
            window,
            listed,
            refused,
        })
    }

    /// Returns the trusted states of a database, each an ancestor of the next.
    pub(super) fn line(&self, database: &str) -> Result<Vec<Checkpoint>, StoreError> {
        let line = self.store.dated_line(database)?.into_iter();
        let checkpoint = |dated: DatedState| Checkpoint {
            state: dated.state,
            accepted: Acceptance {
                at: dated.accepted,
                by: match dated.how {
                    TrustOrigin::Pinned => Grounds::Pin,
                    TrustOrigin::Adopted { .. } => Grounds::Adoption,
                    TrustOrigin::FirstSeen | TrustOrigin::Proven | TrustOrigin::Imported => {
                        Grounds::Audit
                    }
                },
            },
        };
        Ok(line.map(checkpoint).collect())
    }

    /// Returns the mirror; `None` if it cannot be read, because it only makes the result more precise.
    pub(super) fn mirror_of(&self, database: &str, since: Timestamp) -> Option<Mirror> {
        self.store
            .mirror(database, since)
            .unwrap_or_else(|failure| {
                log::warn!(database:% = database, reason:% = failure; "the mirror cannot be read");
                None
            })
    }

    /// Stores the whole report next to the evidence of the open alarm that it is about, else of the last alarm. An
    /// earlier result stays if it is narrower, or about another shown state.
    pub fn save_report(&self, located: &Located, report: &str) -> Result<(), StoreError> {
        let kept = match &located.present {
            ServerView::Shows { window, .. } => record(window, report.into(), located.at),
            _ => LocatedRecord {
                located: located.at,
                shown: None,
                intact: None,
                broken: None,
                report: report.into(),
            },
        };
        let of_this = |alarm: &&Alarm| kept.shown.is_some() && alarm.shown == kept.shown;
        let alarm = located.alarms.iter().rfind(of_this);
        let Some(alarm) = alarm.or(located.alarms.last()) else {
            return Ok(());
        };
        self.store.save_located(alarm, &kept, Extent::Report)
    }
}

fn record(window: &Window, report: String, now: Timestamp) -> LocatedRecord {
    LocatedRecord {
        located: now,
        shown: Some(window.shown),
        intact: window.intact.map(|point| point.tx),
        broken: window.broken.map(|point| point.tx),
        report,
    }
}

/// Compares a line of trusted states with the shown state by the server's proofs. Returns `None` if the program is
/// asked to end or the line is empty.
pub(super) fn window(
    server: &mut Server,
    database: &str,
    line: &[Checkpoint],
    mirror: Option<&Mirror>,
    shown: State,
    range: u64,
) -> Option<Window> {
    let mut stopped = false;
    let mut ask = |old: &State| {
        let answer = answer(server, database, old, &shown, range);
        stopped |= answer.is_none();
        answer.unwrap_or_else(|| Probe::Aborted(Escaped::default()))
    };
    let mut kept = mirror.map(Kept);
    let mirror = kept.as_mut().map(|kept| kept as &mut dyn TxHashes);
    let window = narrow(line, mirror, shown, &mut ask)?;
    (!stopped).then_some(window)
}

/// Requests the server's proof about one old state; `None` if the program is asked to end.
pub(super) fn answer(
    server: &mut Server,
    database: &str,
    old: &State,
    shown: &State,
    range: u64,
) -> Option<Probe> {
    if !server.has_time() {
        return Some(Probe::Aborted(Escaped::new(
            "no time was left for the call",
        )));
    }
    Some(
        match membership::check_ancestor(server, database, old, shown, range) {
            AncestorCheck::Proven(proven) => Probe::of_proof(old, shown, &proven),
            AncestorCheck::Chained(hash) => Probe::of_chain(old, &hash),
            AncestorCheck::Unknown(reason) => {
                let why = Escaped::new(&reason.to_string());
                match ends(&reason) {
                    true => Probe::Aborted(why),
                    false => Probe::Unknown(why),
                }
            }
            AncestorCheck::Stopped => return None,
        },
    )
}

/// Returns whether no further call can help, because the server or the database is unavailable or the time is over.
fn ends(reason: &Reason) -> bool {
    let Reason::Failure(failure) = reason else {
        return matches!(reason, Reason::TookTooLong);
    };
    matches!(
        failure.kind,
        ServerErrorKind::Unreachable
            | ServerErrorKind::BadLogin
            | ServerErrorKind::NotLoggedIn
            | ServerErrorKind::NoAuthentication
            | ServerErrorKind::Forbidden
            | ServerErrorKind::NoSuchDatabase
            | ServerErrorKind::Unloaded
    )
}

/// A mirror as the search reads it.
struct Kept<'a>(&'a Mirror);

impl TxHashes for Kept<'_> {
    fn last(&self) -> u64 {
        self.0.last()
    }

    fn alh(&mut self, tx: u64) -> Option<Digest> {
        self.0.alh(tx)
    }
}
