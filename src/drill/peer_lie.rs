//! The lies of a peer, and the relation to the trusted history that each requires. None of them accuses a server.

/// A lie of a peer; [`PeerLie::describe`] returns its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerLie {
    /// Another hash, without further evidence.
    OtherHash,
    /// Another hash, with a signature by a key that is not known as the server's.
    OtherServerKey,
    /// An earlier response, again.
    Replayed,
    /// A checkpoint from yesterday.
    Stale,
    /// A checkpoint from tomorrow.
    FromTheFuture,
    /// Checkpoints of another server.
    OtherOrigin,
    /// A checkpoint that is signed by another key than the peer's.
    OtherKey,
    /// A checkpoint that was changed after it was signed.
    Changed,
    /// No checkpoints at all.
    Garbage,
    /// A response without an end.
    Endless,
    /// No response.
    Silent,
}

impl PeerLie {
    /// All lies.
    pub const ALL: &'static [PeerLie] = &[
        PeerLie::OtherHash,
        PeerLie::OtherServerKey,
        PeerLie::Replayed,
        PeerLie::Stale,
        PeerLie::FromTheFuture,
        PeerLie::OtherOrigin,
        PeerLie::OtherKey,
        PeerLie::Changed,
        PeerLie::Garbage,
        PeerLie::Endless,
        PeerLie::Silent,
    ];

    /// Returns its name in kebab-case.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns a description of the peer's behaviour.
    pub fn describe(self) -> &'static str {
        self.row().1
    }

    /// Returns the expected word for the relation of the peer's state to the trusted history.
    pub fn due(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            PeerLie::OtherHash => (
                "peer-other-hash",
                "a peer with another hash than the server",
                "disagrees",
            ),
            PeerLie::OtherServerKey => (
                "peer-other-server-key",
                "a peer with a state of another hash, signed by a key that is not the server's",
                "disagrees",
            ),
            PeerLie::Replayed => (
                "peer-replayed",
                "a peer that repeats a checkpoint from before the ledger grew",
                "behind",
            ),
            PeerLie::Stale => (
                "peer-stale",
                "a peer with a checkpoint of yesterday",
                "silent",
            ),
            PeerLie::FromTheFuture => (
                "peer-from-the-future",
                "a peer with a checkpoint of tomorrow",
                "silent",
            ),
            PeerLie::OtherOrigin => (
                "peer-other-origin",
                "a peer with checkpoints of another server",
                "silent",
            ),
            PeerLie::OtherKey => (
                "peer-other-key",
                "a peer that signs with another key than its own",
                "silent",
            ),
            PeerLie::Changed => (
                "peer-changed",
                "a peer with a checkpoint that was changed after it was signed",
                "silent",
            ),
            PeerLie::Garbage => (
                "peer-garbage",
                "a peer that responds with a page of HTML",
                "silent",
            ),
            // the peer's last answer counts until it is too old
            PeerLie::Endless => ("peer-endless", "a peer whose response has no end", "behind"),
            PeerLie::Silent => ("peer-silent", "a peer that never responds", "behind"),
        }
    }
}
