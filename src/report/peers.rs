//! The reports about peers: lines of the page and of `status`, and the log when a peer stops responding.

use log::Level;

use super::ago::ago;
use super::event::Event;
use super::json_object::JsonObject;
use crate::audit::PeerReport;
use crate::clock::Timestamp;
use crate::text::Escaped;
use crate::trust::PeerRecord;

/// The time of a peer's last response, and the reason why it has not responded since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFetched {
    /// The peer's name.
    pub peer: String,
    /// The time of its last response; `None`: none in this run.
    pub fetched: Option<Timestamp>,
    /// The reason why the peer did not respond to the last request.
    pub failure: Option<String>,
}

/// Returns the object for a peer and a database, from the stored record.
pub fn peer_record_json(record: &PeerRecord) -> JsonObject {
    let agreed = record.agreed;
    let disagreement = record.disagreement.as_ref();
    JsonObject::new()
        .text("peer", Some(&record.peer))
        .number("agreed_tx", agreed.map(|agreed| agreed.state.tx))
        .shown("agreed", agreed.map(|agreed| agreed.time))
        .shown("waiting", record.waiting.as_ref().map(|of| of.since))
        .number("disagreed_tx", disagreement.map(|of| of.theirs.tx))
        .shown("disagreed", disagreement.map(|of| of.found))
}

/// Returns a line about a peer and a database, for people.
pub fn peer_line(peer: &PeerReport, now: Timestamp) -> String {
    let name = Escaped::new(peer.peer.as_str());
    let agreed = peer.agreed.map(|agreed| {
        let (tx, age) = (agreed.state.tx, ago(now.since(agreed.time)));
        format!("; agreed at transaction {tx}, {age}")
    });
    // the peer's text in it is escaped already
    let why = peer.why.as_ref().map(|why| format!(" ({why})"));
    format!(
        "peer {name}: {}{}{}",
        peer.standing.word(),
        why.unwrap_or_default(),
        agreed.unwrap_or_default()
    )
}

/// Returns the line for a peer and a database, from the stored record.
pub fn peer_record_line(record: &PeerRecord, now: Timestamp) -> String {
    let name = Escaped::new(&record.peer);
    let agreed = match &record.agreed {
        None => "has not agreed yet".to_owned(),
        Some(agreed) => {
            let (tx, age) = (agreed.state.tx, ago(now.since(agreed.time)));
            format!("agreed at transaction {tx}, {age}")
        }
    };
    let waiting = record.waiting.as_ref().map(|waiting| {
        let age = ago(now.since(waiting.since));
        format!("; a checkpoint waits for a comparison, since {age}")
    });
    let disagreement = record.disagreement.as_ref().map(|of| {
        format!(
            "; DISAGREES since {}: transaction {} has hash {} there, but {} here",
            of.found, of.theirs.tx, of.theirs.hash, of.here.hash
        )
    });
    format!(
        "peer {name}: {agreed}{}{}",
        waiting.unwrap_or_default(),
        disagreement.unwrap_or_default()
    )
}

/// Logs a peer that does not respond any more, or responds again.
pub fn log_peer(server: &str, peer: &PeerFetched) {
    let (level, text) = match &peer.failure {
        Some(_) => (Level::Warn, "a peer does not answer"),
        None => (Level::Info, "a peer answers again"),
    };
    Event::new(level, text)
        .text("server", server)
        .text("peer", &peer.peer)
        .text_opt("reason", peer.failure.as_ref())
        .log();
}
