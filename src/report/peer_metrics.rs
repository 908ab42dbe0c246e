//! The metrics of peers.

use super::exposition::{Exposition, Labels, Type};
use super::status_registry::Snapshot;
use crate::audit::{PeerReport, Standing};
use crate::clock::Timestamp;

/// Writes the metrics of peers, if there are any.
pub(super) fn metrics(text: &mut Exposition, snapshot: &Snapshot) {
    if snapshot.peers.is_empty() {
        return;
    }
    let server = Labels::new(&[("server", &snapshot.instance.server)]);
    let mut family = text.family(
        "immuaudit_peer_last_fetch_timestamp_seconds",
        Type::Gauge,
        "Time of the peer's last response; 0: none since the start.",
    );
    for peer in &snapshot.peers {
        let fetched = peer.fetched.map_or(0, Timestamp::unix);
        family.sample(&server.clone().and("peer", &peer.peer), fetched);
    }
    let mut of_each: Vec<(Labels, &PeerReport)> = Vec::new();
    for row in snapshot.databases.values() {
        let database = server.clone().and("database", &row.database);
        let peers = row.peers.iter();
        of_each.extend(peers.map(|peer| (database.clone().and("peer", peer.peer.as_str()), peer)));
    }
    let mut family = text.family(
        "immuaudit_peer_state",
        Type::Gauge,
        "Relation of the peer's checkpoint of the database to the trusted state here: 1 for the current one, 0 for the others.",
    );
    for (labels, peer) in &of_each {
        for standing in Standing::ALL {
            let is = u8::from(peer.standing == standing);
            family.sample_of(labels, ("state", standing.word()), is);
        }
    }
    let mut family = text.family(
        "immuaudit_peer_last_agreement_timestamp_seconds",
        Type::Gauge,
        "Time at which the peer last confirmed a matching state of the database; 0: never.",
    );
    for (labels, peer) in &of_each {
        family.sample(labels, peer.agreed.map_or(0, |agreed| agreed.time.unix()));
    }
    let mut family = text.family(
        "immuaudit_peer_agreed_transaction",
        Type::Gauge,
        "Last transaction of the database on which the peer agrees; 0: none.",
    );
    for (labels, peer) in &of_each {
        family.sample(labels, peer.agreed.map_or(0, |agreed| agreed.state.tx));
    }
    let mut family = text.family(
        "immuaudit_peers_overdue",
        Type::Gauge,
        "1 if for three intervals a peer's checkpoint could not be compared, or too few peers confirmed the database.",
    );
    for row in snapshot.databases.values() {
        let labels = server.clone().and("database", &row.database);
        family.sample(&labels, u8::from(row.peers_overdue));
    }
}
