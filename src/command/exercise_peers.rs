//! Exercises with auditors that compare checkpoints: a server with two views, and wrong peers.

use std::time::Duration;

use super::exercise::{
    CALL_TIMEOUT, DATABASE, ExerciseResult, Folder, SERVER, auditor, by_its_key,
};
use crate::audit::{Auditor, Outcome, Policy};
use crate::checkpoint::{KeyName, SignerKey};
use crate::clock::{self, Clock, Timestamp};
use crate::config::{PeerSettings, Roots, Secret, Url};
use crate::drill::{Embedded, Options, Peer, PeerLie, Serving, SigningKey, Split, fill};
use crate::ledger::{Digest, Signature, State, StateShape};
use crate::peer::{Fetcher, PeerPoller, Witness};
use crate::report::checkpoint;
use crate::server::Login;

/// The user that gets the second view.
const SECOND: &str = "immudb2";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The name of the exercise in which the server is honest again before the auditors could compare.
pub const HEALED: &str = "split-view-healed";

/// Runs two auditors of a server that shows one of them another history. Each must find this by the other's
/// checkpoint.
pub fn split(split: Split) -> Result<ExerciseResult, String> {
    let mut pair = Pair::new()?;
    if split == Split::FromNowOn {
        pair.both(&["first-seen"])?;
        pair.both(&["consistent"])?;
    }
    pair.server.split(DATABASE, split);
    pair.both(&["first-seen", "consistent"])?;
    pair.both(&["split-view"])?;
    pair.exercise_result()
}

/// Runs [`split`] with auditors that cannot reach each other until the server shows both the first history again.
pub fn healed() -> Result<ExerciseResult, String> {
    let mut pair = Pair::new()?;
    pair.both(&["first-seen"])?;
    pair.both(&["consistent"])?;
    pair.server.split(DATABASE, Split::FromNowOn);
    pair.connected = false;
    pair.both(&["consistent"])?;
    pair.server.heal(DATABASE);
    pair.server.grow(DATABASE, 1);
    pair.run_and_check(1, &["inconsistent"])?;
    pair.connected = true;
    pair.publish();
    pair.run_and_check(0, &["split-view"])?;
    pair.exercise_result()
}

/// Runs an auditor of an honest server with a wrong peer: the auditor must report the peer and raise no alarm.
pub fn lied_to_by(lie: PeerLie) -> Result<ExerciseResult, String> {
    let server = Embedded::start(Options::default()).map_err(|error| error.to_string())?;
    fill(&server, DATABASE);
    let mut side = Side::new(&server, "immudb", "zone-a", "zone-b")?;
    let key = signer("zone-b")?;
    let of = |server: &Embedded| server.state(DATABASE).ok_or("no such database");
    let early = of(&server)?;
    let note_of = |state, signature, time| note(SERVER, state, signature, &key, time);
    let now = later();
    side.peer.serve(Serving::Text(note_of(early, None, now)));
    side.run_and_check(&["first-seen"])?;
    side.run_and_check(&["consistent"])?;
    server.grow(DATABASE, 3);
    let now = later();
    let state = of(&server)?;
    let other = State {
        hash: Digest::of(&[b"another history"]),
        ..state
    };
    let text = |text| Serving::Text(text);
    side.peer.serve(match lie {
        PeerLie::OtherHash => text(note_of(other, None, now)),
        PeerLie::OtherServerKey => {
            let signed = SigningKey::generate()
                .and_then(|key| key.sign(StateShape::WithDatabase, DATABASE, &other));
            text(note_of(other, signed.as_ref(), now))
        }
        PeerLie::Replayed => text(note_of(early, None, now)),
        PeerLie::Stale => text(note_of(state, None, now - DAY.as_secs())),
        PeerLie::FromTheFuture => text(note_of(state, None, now + DAY.as_secs())),
        PeerLie::OtherOrigin => text(note("another", other, None, &key, now)),
        PeerLie::OtherKey => text(note(SERVER, other, None, &signer("zone-c")?, now)),
        PeerLie::Changed => {
            let whole = note_of(state, None, now);
            text(whole.replacen(&format!("\n{}\n", state.tx), "\n999\n", 1))
        }
        PeerLie::Garbage => text("<!doctype html><title>404</title>".to_owned()),
        PeerLie::Endless => Serving::Endless,
        PeerLie::Silent => Serving::Silence,
    });
    side.run_and_check(&["consistent"])?;
    let (standing, alarms) = side.standing_and_alarms();
    let mut exercise_result = side.exercise_result.ok_or("there was no verdict")?;
    exercise_result.right &= standing == lie.due() && alarms == 0;
    exercise_result.verdict = format!("{}, {standing}", exercise_result.verdict);
    Ok(exercise_result)
}

/// Two auditors of one server with two views, each the peer of the other.
struct Pair {
    server: Embedded,
    sides: [Side; 2],
    /// Whether the auditors can reach each other.
    connected: bool,
}

impl Pair {
    fn new() -> Result<Pair, String> {
        let options = Options {
            second_user: Some(SECOND.to_owned()),
            ..Options::default()
        };
        let server = Embedded::start(options.signed()).map_err(|error| error.to_string())?;
        fill(&server, DATABASE);
        let first = Side::new(&server, "immudb", "zone-a", "zone-b")?;
        let second = Side::new(&server, SECOND, "zone-b", "zone-a")?;
        Ok(Pair {
            server,
            sides: [first, second],
            connected: true,
        })
    }

    /// Runs a cycle of each auditor and then exchanges their checkpoints.
    fn both(&mut self, due: &[&str]) -> Result<(), String> {
        self.run_and_check(0, due)?;
        self.run_and_check(1, due)?;
        self.publish();
        Ok(())
    }

    fn run_and_check(&mut self, side: usize, due: &[&str]) -> Result<(), String> {
        let side = self.sides.get_mut(side).ok_or("there are two sides")?;
        side.run_and_check(due)
    }

    /// Returns the second auditor's last result if it was wrong, else the first auditor's.
    fn exercise_result(self) -> Result<ExerciseResult, String> {
        let [first, second] = self.sides;
        let exercise_result = match second.exercise_result {
            Some(exercise_result) if !exercise_result.right => Some(exercise_result),
            _ => first.exercise_result,
        };
        exercise_result.ok_or_else(|| "there was no verdict".to_owned())
    }

    fn publish(&mut self) {
        let [first, second] = &self.sides;
        if self.connected {
            first.peer.serve(Serving::Text(second.checkpoint.clone()));
            second.peer.serve(Serving::Text(first.checkpoint.clone()));
        }
    }
}

/// An auditor, its published checkpoint, and its peer.
struct Side {
    auditor: Auditor,
    key: SignerKey,
    checkpoint: String,
    peer: Peer,
    last: Option<Outcome>,
    exercise_result: Option<ExerciseResult>,
    _folder: Folder,
}

impl Side {
    fn new(server: &Embedded, user: &str, name: &str, other: &str) -> Result<Side, String> {
        let folder = Folder::new()?;
        let login = Login {
            username: user.into(),
            password: Secret::new("immudb".to_owned()),
        };
        let policy = Policy {
            signatures: by_its_key(server)?,
            ..Policy::of_consistency()
        };
        let peer = Peer::start().map_err(|error| error.to_string())?;
        let peer_poller = peer_poller(&peer, signer(other)?)?;
        Ok(Side {
            auditor: auditor(server, login, CALL_TIMEOUT, policy, &folder)?
                .with_peers_of(peer_poller),
            key: signer(name)?,
            checkpoint: String::new(),
            peer,
            last: None,
            exercise_result: None,
            _folder: folder,
        })
    }

    /// Runs a cycle, and signs the state if it was proven. An unexpected result is never replaced by a later one.
    fn run_and_check(&mut self, due: &[&str]) -> Result<(), String> {
        let begin = Clock::system().instant();
        let cycle = self.auditor.cycle(|_| {});
        let took = Clock::system().since(begin);
        let outcome = cycle
            .outcomes
            .into_iter()
            .find(|of| of.database == DATABASE);
        let outcome = outcome.ok_or("the database was not checked")?;
        if let (Some(state), true) = (outcome.shown, outcome.state_verdict().is_proven()) {
            let signature = outcome.signature.as_ref();
            self.checkpoint = note(SERVER, state, signature, &self.key, later());
        }
        if self
            .exercise_result
            .as_ref()
            .is_none_or(|exercise_result| exercise_result.right)
        {
            let verdict = outcome.verdict.word().to_owned();
            self.exercise_result = Some(ExerciseResult {
                right: due.contains(&verdict.as_str()),
                verdict,
                took,
            });
        }
        self.last = Some(outcome);
        Ok(())
    }

    /// Returns the peer's standing and the number of open alarms after the last cycle.
    fn standing_and_alarms(&self) -> (&'static str, usize) {
        let peers = self.last.iter().flat_map(|outcome| &outcome.peers);
        let standing = peers.map(|peer| peer.standing.word()).next();
        let alarms = self.last.as_ref().map_or(0, |outcome| outcome.open_alarms);
        (standing.unwrap_or("unknown"), alarms)
    }
}

fn peer_poller(peer: &Peer, key: SignerKey) -> Result<PeerPoller, String> {
    let key = key.public().clone();
    let url = Url::read(&peer.url()).map_err(|_| "no URL".to_owned())?;
    let settings = PeerSettings {
        name: key.name.clone(),
        url,
        keys: vec![key.clone()],
        roots: Roots::System,
        proxy: None,
        login: None,
    };
    let witness = Witness {
        name: key.name.clone(),
        keys: vec![key],
    };
    let fetcher = Fetcher::start(&[settings], SERVER, Clock::system());
    let fetcher = fetcher.map_err(|error| error.to_string())?;
    Ok(PeerPoller::new(&[witness], 0, Box::new(fetcher)).waiting())
}

/// Creates the key of an auditor of the exercise, which has no value outside it.
fn signer(name: &str) -> Result<SignerKey, String> {
    let seed = Digest::of(&[name.as_bytes()]);
    let name = KeyName::new(name).ok_or("no name of a key")?;
    SignerKey::of_seed(name, seed.as_bytes()).ok_or_else(|| "no key".to_owned())
}

fn note(
    server: &str,
    state: State,
    signature: Option<&Signature>,
    key: &SignerKey,
    time: u64,
) -> String {
    let time = Timestamp::from_unix(time);
    checkpoint((server, DATABASE), state, signature, key, time)
}

/// Returns the time of a checkpoint in unix seconds, one second ahead. A checkpoint of the second in which a history
/// began to be trusted could be of the history before it.
fn later() -> u64 {
    clock::now().unix() + 1
}
