//! The results of comparing a peer's last checkpoint, and their words in reports.

/// The relation of a peer's last checkpoint of a database to the local trusted state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Both auditors trust the same state.
    Agrees,
    /// The peer's state is in the local trusted history.
    Behind,
    /// The server proves that the peer's state extends the local trusted state.
    Ahead,
    /// The peer's state could not be compared yet.
    Pending,
    /// The peer has no checkpoint that counts.
    Silent,
    /// The peer's state contradicts the local server, but only the checkpoint is evidence against the server.
    Disagrees,
    /// The server showed two histories.
    Split,
}

impl Standing {
    /// Every standing, the best first.
    pub const ALL: [Standing; 7] = [
        Standing::Agrees,
        Standing::Behind,
        Standing::Ahead,
        Standing::Pending,
        Standing::Silent,
        Standing::Disagrees,
        Standing::Split,
    ];

    /// Returns the word of this standing in reports.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Agrees => "agrees",
            Standing::Behind => "behind",
            Standing::Ahead => "ahead",
            Standing::Pending => "pending",
            Standing::Silent => "silent",
            Standing::Disagrees => "disagrees",
            Standing::Split => "split",
        }
    }
}
