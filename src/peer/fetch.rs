//! The thread that requests the peers' checkpoints, one after the other. Only a run of a single cycle waits for it, and
//! a first cycle if peers must confirm each database.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::judge::{Witness, judge};
use super::poller::{Answer, Source};
use crate::checkpoint::KeyName;
use crate::clock::Clock;
use crate::config::{PeerSettings, Url};
use crate::http::Client;
use crate::ledger::encode_base64;

/// The maximum length of a peer's response, in bytes: some 3,000 databases. A longer one is refused.
pub const MAX_ANSWER: u64 = 1 << 20;
/// The time limit for one round over all peers. Each peer gets a part of it, so that a silent one does not delay
/// the others. A run with only one cycle waits this long, so that it also gets the response of the last of several
/// peers.
pub const ROUND_TIMEOUT: Duration = Duration::from_secs(5);
/// The minimum time for one peer: a connection over TLS to the other side of the world. More than five silent
/// peers make a round longer; each round begins with another peer.
const MIN_TIME: Duration = Duration::from_secs(1);
/// The maximum number of responses that wait to be processed. The thread waits when it is reached.
const MAX_WAITING: usize = 8;
/// The path under which a peer serves its checkpoints.
const PATH: &str = "/checkpoints";

/// Requests the peers' checkpoints over HTTP, in a thread of its own that ends when this is dropped.
pub struct Fetcher {
    rounds: SyncSender<()>,
    answers: Receiver<Answer>,
    arrived: Vec<Answer>,
    peers: usize,
    /// Responses that are still to come.
    due: usize,
    clock: Clock,
}

impl Fetcher {
    /// Starts the thread. `server` is the label of the server that is audited here.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(peers: &[PeerSettings], server: &str, clock: Clock) -> std::io::Result<Fetcher> {
        let timeout = time_for_each(peers.len());
        let mut connections: VecDeque<PeerConnection> = peers
            .iter()
            .map(|peer| PeerConnection::new(peer, timeout))
            .collect();
        let server = server.to_owned();
        // at most one round waits; a second one would ask for the same
        let (rounds, due) = sync_channel(1);
        let (sender, answers) = sync_channel(MAX_WAITING);
        let run = move || {
            for () in due {
                for connection in &connections {
                    if sender.send(connection.ask(&server)).is_err() {
                        return;
                    }
                }
                // the next round begins with another peer, for an auditor that waits for a part of each round only
                if let Some(first) = connections.pop_front() {
                    connections.push_back(first);
                }
            }
        };
        thread::Builder::new().name("peers".into()).spawn(run)?;
        Ok(Fetcher {
            rounds,
            answers,
            arrived: Vec::new(),
            peers: peers.len(),
            due: 0,
            clock,
        })
    }
}

impl Source for Fetcher {
    fn ask(&mut self) {
        // no second round during a round, because it would make a slow peer even slower
        if self.due == 0 && self.rounds.try_send(()).is_ok() {
            self.due = self.peers;
        }
    }

    fn take(&mut self) -> Vec<Answer> {
        loop {
            match self.answers.try_recv() {
                Ok(answer) => {
                    self.due = self.due.saturating_sub(1);
                    self.arrived.push(answer);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    return std::mem::take(&mut self.arrived);
                }
            }
        }
    }

    fn wait(&mut self, until: Instant) {
        while self.due > 0 {
            let Ok(answer) = self.answers.recv_timeout(self.clock.until(until)) else {
                return;
            };
            self.due -= 1;
            self.arrived.push(answer);
        }
    }
}

/// Returns the time that each of several peers has in a round.
fn time_for_each(peers: usize) -> Duration {
    let count = u32::try_from(peers).unwrap_or(u32::MAX).max(1);
    (ROUND_TIMEOUT / count).max(MIN_TIME)
}

/// The connection to one peer.
struct PeerConnection {
    peer: Witness,
    client: Client,
    /// The value of the header `authorization`.
    authorization: Option<String>,
}

impl PeerConnection {
    fn new(settings: &PeerSettings, timeout: Duration) -> PeerConnection {
        let url = url_of_checkpoints(&settings.url);
        let proxy = settings.proxy.as_ref();
        let basic = settings.login.as_ref().map(|login| {
            let login = format!("{}:{}", login.username, login.password.expose());
            format!("Basic {}", encode_base64(login.as_bytes()))
        });
        PeerConnection {
            peer: Witness {
                name: settings.name.clone(),
                keys: settings.keys.clone(),
            },
            client: Client::new(&url, &settings.roots, proxy, timeout),
            authorization: basic,
        }
    }

    fn ask(&self, server: &str) -> Answer {
        let peer_response = self.fetch();
        Answer {
            peer: self.peer.name.clone(),
            peer_response: peer_response.map(|bytes| judge(&bytes, &self.peer, server)),
        }
    }

    fn fetch(&self) -> Result<Vec<u8>, String> {
        let mut request = self.client.get().header("accept", "text/plain");
        if let Some(basic) = &self.authorization {
            request = request.header("authorization", basic);
        }
        let answer = request.call();
        let mut answer = answer.map_err(|error| self.client.why(&error))?;
        let status = answer.status();
        if status.as_u16() != 200 {
            // a redirect is refused too: only the operator decides which host is asked
            return Err(self.client.refused(status.as_u16()));
        }
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        body.read_to_vec().map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => {
                format!("its response is longer than {MAX_ANSWER} bytes")
            }
            error => self.client.why(&error),
        })
    }
}

/// Returns the URL with the path of the checkpoints, unless it has that path or a query already.
fn url_of_checkpoints(url: &Url) -> Url {
    let full_url = url.expose();
    let is_full_url =
        full_url.contains(['?', '#']) || full_url.trim_end_matches('/').ends_with(PATH);
    let longer = format!("{}{PATH}", full_url.trim_end_matches('/'));
    match is_full_url {
        true => url.clone(),
        false => Url::read(&longer).unwrap_or_else(|_| url.clone()),
    }
}

/// A test's response in place of the peer: the bytes of its checkpoints, or the reason why they do not come.
type TestResponse = dyn FnMut(&KeyName) -> Result<Vec<u8>, String>;

/// Peers in the thread of the auditor itself, for tests: a closure returns each response immediately.
pub struct InProcess {
    peers: Vec<Witness>,
    server: String,
    test_response: Box<TestResponse>,
    asked: bool,
}

impl InProcess {
    /// Creates peers of the server with this label.
    pub fn new(
        peers: &[Witness],
        server: &str,
        test_response: impl FnMut(&KeyName) -> Result<Vec<u8>, String> + 'static,
    ) -> InProcess {
        InProcess {
            peers: peers.to_vec(),
            server: server.to_owned(),
            test_response: Box::new(test_response),
            asked: false,
        }
    }
}

impl Source for InProcess {
    fn ask(&mut self) {
        self.asked = true;
    }

    fn take(&mut self) -> Vec<Answer> {
        if !std::mem::take(&mut self.asked) {
            return Vec::new();
        }
        let test_response = &mut self.test_response;
        let answers = self.peers.iter().map(|peer| Answer {
            peer: peer.name.clone(),
            peer_response: test_response(&peer.name).map(|bytes| judge(&bytes, peer, &self.server)),
        });
        answers.collect()
    }

    fn wait(&mut self, _until: Instant) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_peers_together_have_the_time_of_a_round_and_each_at_least_a_second() {
        for (peers, each) in [(0, 5_000), (1, 5_000), (2, 2_500), (5, 1_000), (50, 1_000)] {
            assert_eq!(time_for_each(peers), Duration::from_millis(each), "{peers}");
        }
    }

    #[test]
    fn a_base_url_is_completed_and_a_full_url_stays_unchanged() {
        for (given, asked) in [
            ("http://h:9477", "http://h:9477/checkpoints"),
            ("http://h:9477/", "http://h:9477/checkpoints"),
            ("https://h/zone-a", "https://h/zone-a/checkpoints"),
            (
                "https://h/zone-a/checkpoints",
                "https://h/zone-a/checkpoints",
            ),
            ("https://h/checkpoints/", "https://h/checkpoints/"),
            ("https://h/?t=1", "https://h/?t=1"),
        ] {
            let url = Url::read(given).unwrap();
            assert_eq!(url_of_checkpoints(&url).expose(), asked);
        }
    }
}
