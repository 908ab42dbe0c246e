//! Tampering as the audit found it, on its way into evidence and an alarm.

use std::fmt;
use std::str::FromStr;

use super::name::escape;
use super::text::cut;
use super::trusted::Trusted;
use crate::ledger::{Digest, State};

/// The kinds of tampering (the verdicts of the design that accuse).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tampering {
    /// What is shown does not continue what is trusted.
    Inconsistent,
    /// Less is shown than before: older, emptied, vanished, hidden.
    RolledBack,
    /// Not signed as configured.
    Signature,
    /// A stored entry is not what the ledger's hash says.
    Value,
    /// Two places were shown two histories.
    SplitView,
}

const WORDS: [(Tampering, &str); 5] = [
    (Tampering::Inconsistent, "inconsistent"),
    (Tampering::RolledBack, "rolled-back"),
    (Tampering::Signature, "signature"),
    (Tampering::Value, "value"),
    (Tampering::SplitView, "split-view"),
];

impl Tampering {
    /// The word that it is told by.
    pub fn word(self) -> &'static str {
        let word = WORDS.iter().find(|(kind, _)| *kind == self);
        word.map_or("", |(_, word)| word)
    }
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word for no kind of tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTampering;

impl FromStr for Tampering {
    type Err = UnknownTampering;

    fn from_str(text: &str) -> Result<Tampering, UnknownTampering> {
        let kind = WORDS.iter().find(|(_, word)| *word == text);
        kind.map(|(kind, _)| *kind).ok_or(UnknownTampering)
    }
}

/// One finding: what was trusted, what was shown, and every answer that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub database: String,
    /// Which kind.
    pub kind: Tampering,
    /// More about it in free words: emptied, vanished, the refusal's text.
    pub reason: String,
    /// What is trusted; nothing at a first sight.
    pub trusted: Option<Trusted>,
    /// The state that the server claims; `None` where it claims none: the database has vanished.
    pub shown: Option<State>,
    /// The `immudb-uuid` it came with.
    pub uuid: Option<String>,
    /// Is that another one than the trusted state's?
    pub identity_changed: bool,
    /// What was asked and answered, in order.
    pub answers: Vec<Answer>,
}

/// A call and its raw answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The method's name.
    pub call: String,
    /// The request, as sent.
    pub request: Vec<u8>,
    /// The reply, as received, or the error it came with instead.
    pub reply: Result<Vec<u8>, String>,
}

/// Longest reason that is kept, in characters.
const REASON: usize = 1_000;

impl Finding {
    /// What this finding is known by: 12 hexadecimal digits, the same for the same database, kind, trusted
    /// and shown state and class of reason. The class leaves out all from the first colon or digit on, so that
    /// a server cannot make many findings of one by varying a detail.
    pub fn id(&self) -> String {
        let class = self
            .reason
            .split(|c: char| c == ':' || c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        let state = |state: Option<State>| state.map_or("none".into(), |state| state.to_string());
        let distinct = format!(
            "{}\n{}\n{}\n{}\n{}",
            escape(&self.database),
            self.kind,
            state(self.trusted.as_ref().map(|trusted| trusted.state)),
            state(self.shown),
            escape(class.trim())
        );
        let hash = Digest::of(&[distinct.as_bytes()]).to_string();
        hash.get(..12).unwrap_or_default().into()
    }

    /// The reason, as long as it is kept.
    pub(super) fn kept_reason(&self) -> String {
        cut(&self.reason, REASON)
    }
}
