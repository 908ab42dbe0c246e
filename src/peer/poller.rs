//! The last responses of all peers, which the main thread stores. It waits for responses only in a run of a single
//! cycle, and in a first cycle if peers must confirm each database.

use std::collections::BTreeMap;
use std::time::Instant;

use super::judge::{PeerResponse, Witness};
use super::word::Word;
use crate::checkpoint::KeyName;
use crate::clock::Timestamp;

/// The source of the peers' checkpoints.
pub trait Source {
    /// Sends a request to every peer. The responses come later; a call before that sends no second request.
    fn ask(&mut self);

    /// Returns the responses that have come since the last call, without waiting.
    fn take(&mut self) -> Vec<Answer>;

    /// Waits until every peer has responded, but no longer than `until`.
    fn wait(&mut self, until: Instant);
}

/// A response of a peer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The peer.
    pub peer: KeyName,
    /// Its checkpoints, or the reason why there are none.
    pub peer_response: Result<PeerResponse, String>,
}

/// The last response of a peer.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// The time of the last response.
    pub fetched: Option<Timestamp>,
    /// The reason why the peer did not respond to the last request.
    pub failure: Option<String>,
    /// The peer's checkpoints, by database.
    pub words: BTreeMap<String, Word>,
    /// Its checkpoints of other servers.
    pub of_others: usize,
    /// The number of refused parts of its response, and the reason for the first of them.
    pub refused: Option<(usize, String)>,
}

impl Latest {
    /// Returns the reason why the peer has no checkpoint of a database.
    pub fn why_nothing(&self) -> String {
        match (&self.failure, self.fetched, &self.refused) {
            (Some(why), ..) => why.clone(),
            (None, None, _) => "it has not answered yet".to_owned(),
            (None, Some(_), Some((count, why))) => {
                format!(
                    "it sent no valid checkpoint of this database; {count} parts of its response are invalid, the first: {why}"
                )
            }
            (None, Some(_), None) if self.of_others > 0 && self.words.is_empty() => format!(
                "its {} checkpoints are of servers with another --server-label",
                self.of_others
            ),
            (None, Some(_), None) => "it sent no checkpoint of this database".to_owned(),
        }
    }
}

/// The peers, and the last response of each.
#[derive(Default)]
pub struct PeerPoller {
    /// The peers, in the order of the settings.
    peers: Vec<(KeyName, Latest)>,
    required: usize,
    source: Option<Box<dyn Source>>,
    waits: bool,
    /// Whether no cycle has requested checkpoints yet.
    is_new: bool,
}

impl PeerPoller {
    /// Creates a poller of these peers; `required` of them must confirm each database.
    pub fn new(peers: &[Witness], required: usize, source: Box<dyn Source>) -> PeerPoller {
        let latest = |peer: &Witness| (peer.name.clone(), Latest::default());
        PeerPoller {
            peers: peers.iter().map(latest).collect(),
            required,
            source: Some(source).filter(|_| !peers.is_empty()),
            waits: false,
            is_new: true,
        }
    }

    /// Waits for the peers in each cycle, as a run with only one cycle must.
    #[must_use]
    pub fn waiting(self) -> PeerPoller {
        PeerPoller {
            waits: true,
            ..self
        }
    }

    /// Returns whether there are no peers.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Returns whether this cycle waits for the peers. The first cycle does if some of them must confirm each database:
    /// the confirmations of an earlier run may be old, and would be reported as overdue.
    pub fn waits_now(&mut self) -> bool {
        let is_new = std::mem::take(&mut self.is_new);
        !self.is_empty() && (self.waits || (is_new && self.required > 0))
    }

    /// Returns how many peers must confirm each database.
    pub fn required(&self) -> usize {
        self.required
    }

    /// Returns the peers' names, in the order of the settings.
    pub fn names(&self) -> impl Iterator<Item = &KeyName> + Clone {
        self.peers.iter().map(|(name, _)| name)
    }

    /// Returns the last response of each peer.
    pub fn all(&self) -> impl Iterator<Item = (&KeyName, &Latest)> {
        self.peers.iter().map(|(name, latest)| (name, latest))
    }

    /// Requests the checkpoints of every peer.
    pub fn ask(&mut self) {
        if let Some(source) = &mut self.source {
            source.ask();
        }
    }

    /// Waits for the responses, but no longer than `until`.
    pub fn wait(&mut self, until: Instant) {
        if let Some(source) = &mut self.source {
            source.wait(until);
        }
    }

    /// Processes the responses that have come. A peer that does not respond keeps its last checkpoints, which
    /// become stale.
    pub fn take_in(&mut self, now: Timestamp) {
        let answers = self.source.as_mut().map(|source| source.take());
        for Answer {
            peer,
            peer_response,
        } in answers.unwrap_or_default()
        {
            let Some((_, latest)) = self.peers.iter_mut().find(|(name, _)| *name == peer) else {
                continue;
            };
            match peer_response {
                Err(why) => latest.failure = Some(why),
                Ok(peer_response) => {
                    let why = peer_response.why.map(|why| why.to_string());
                    *latest = Latest {
                        fetched: Some(now),
                        failure: None,
                        words: peer_response.words,
                        of_others: peer_response.of_others,
                        refused: why.map(|why| (peer_response.refused, why)),
                    };
                }
            }
        }
    }

    /// Removes checkpoints of databases that `keeps` does not select.
    pub fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        for (_, latest) in &mut self.peers {
            latest.words.retain(|database, _| keeps(database));
        }
    }
}

impl std::fmt::Debug for PeerPoller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
