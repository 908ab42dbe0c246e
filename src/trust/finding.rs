//! Tampering that the audit found, for evidence and an alarm.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::claim::Claim;
use super::file_name::escape;
use super::text::cut;
use super::trusted_state::TrustedState;
use crate::ledger::{Digest, State};

/// The kinds of tampering: the verdicts that accuse the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tampering {
    /// The shown state does not extend the trusted one.
    Inconsistent,
    /// The server shows less than before: older, emptied, vanished, hidden.
    RolledBack,
    /// The state is not signed as configured.
    BadSignature,
    /// A stored entry does not match the ledger's hash.
    BadValue,
    /// Two auditors were shown two histories.
    SplitView,
}

const WORDS: [(Tampering, &str); 5] = [
    (Tampering::Inconsistent, "inconsistent"),
    (Tampering::RolledBack, "rolled-back"),
    (Tampering::BadSignature, "bad-signature"),
    (Tampering::BadValue, "bad-value"),
    (Tampering::SplitView, "split-view"),
];

/// The words of 0.1.0 that have changed since. Its files contain them, and so does every finding's id.
const FORMER_WORDS: [(Tampering, &str); 2] = [
    (Tampering::BadSignature, "signature"),
    (Tampering::BadValue, "value"),
];

/// Returns the current word for a verdict's word in a file of this version or of 0.1.0.
pub(super) fn current_word(word: &str) -> &str {
    let former = FORMER_WORDS.iter().find(|(_, former)| *former == word);
    former.map_or(word, |(kind, _)| kind.word())
}

impl Tampering {
    /// Returns the word that is printed for it.
    pub fn word(self) -> &'static str {
        let word = WORDS.iter().find(|(kind, _)| *kind == self);
        word.map_or("", |(_, word)| word)
    }

    /// Returns the word in the id of a finding: the one of 0.1.0, so that its open alarms are not raised again.
    fn word_in_id(self) -> &'static str {
        let former = FORMER_WORDS.iter().find(|(kind, _)| *kind == self);
        former.map_or(self.word(), |(_, word)| word)
    }
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The error for a word that is no kind of tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TamperingError;

impl std::error::Error for TamperingError {}

impl std::fmt::Display for TamperingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a kind of tampering")
    }
}

impl FromStr for Tampering {
    type Err = TamperingError;

    /// Reads a word of this version or of 0.1.0.
    fn from_str(text: &str) -> Result<Tampering, TamperingError> {
        let text = current_word(text);
        let kind = WORDS.iter().find(|(_, word)| *word == text);
        kind.map(|(kind, _)| *kind).ok_or(TamperingError)
    }
}

/// One finding: the trusted state, the shown state, and every response that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The database.
    pub database: String,
    /// The kind of tampering.
    pub kind: Tampering,
    /// Details as text: emptied, vanished, the refusal's text.
    pub reason: String,
    /// The trusted state; `None` on first use.
    pub trusted: Option<TrustedState>,
    /// The claim about one transaction in the history of the trusted state; `None` for a finding about the state.
    pub claim: Option<Claim>,
    /// The state that the server claims; `None` if it claims none because the database has vanished.
    pub shown: Option<State>,
    /// The `immudb-uuid` that the shown state came with.
    pub uuid: Option<String>,
    /// Whether the identity differs from the trusted state's.
    pub identity_changed: bool,
    /// The requests and responses, in order.
    pub answers: Vec<Answer>,
}

/// A call and its raw response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The method's name.
    pub call: String,
    /// The request, as sent.
    pub request: Vec<u8>,
    /// The reply, as received, or the error in its place. Findings of one response share its bytes.
    pub reply: Result<Arc<Vec<u8>>, String>,
    /// The part of the reply that was left out.
    pub shortened: Option<Shortened>,
}

/// The way in which a reply was shortened, and its original length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortened {
    /// The end of the reply is missing.
    Cut(u64),
    /// The values in the reply are missing, everything else is present.
    WithoutValues(u64),
}

impl Shortened {
    /// Returns the mark of a reply of this many bytes whose end is missing.
    pub fn cut(length: usize) -> Shortened {
        Shortened::Cut(u64::try_from(length).unwrap_or(u64::MAX))
    }

    /// Returns the mark of a reply of this many bytes that was stored without its values.
    pub fn without_values(length: usize) -> Shortened {
        Shortened::WithoutValues(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

impl Answer {
    /// The name of another auditor's signed checkpoint among the responses.
    pub const CHECKPOINT: &'static str = "checkpoint of another auditor";
    /// The name of the response of another auditor's `/states` among the responses.
    pub const STATES: &'static str = "states of another auditor";
    /// The name of another auditor's `states export` among the responses.
    pub const EXPORT: &'static str = "states export of another auditor";
    /// The approximate number of bytes that a response takes in evidence in addition to its request and reply.
    pub const OVERHEAD: usize = 200;

    /// Returns the bytes that the response uses of the limit for the responses of a finding
    /// ([`Limits::answers`](super::Limits)).
    pub fn size(&self) -> usize {
        let reply = match &self.reply {
            Ok(bytes) => bytes.len(),
            Err(error) => error.len(),
        };
        let size = self.request.len().saturating_add(reply);
        size.saturating_add(Answer::OVERHEAD)
    }

    /// Returns the response with request and reply cut to this many bytes each.
    #[must_use]
    pub fn cut(mut self, most: usize) -> Answer {
        let whole = match &self.reply {
            Ok(bytes) => bytes.len(),
            Err(error) => error.len(),
        };
        let whole = whole.max(self.request.len());
        if whole <= most {
            return self;
        }
        self.request.truncate(most);
        self.reply = match self.reply {
            Ok(bytes) if bytes.len() > most => {
                Ok(Arc::new(bytes.iter().take(most).copied().collect()))
            }
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(cut(&error, most / 12)), // a character takes up to 10 bytes as text
        };
        // a cut response is no longer a valid excerpt
        self.shortened = Some(Shortened::cut(whole));
        self
    }
}

/// The length limit of a stored reason, in characters.
const MAX_REASON_CHARS: usize = 1_000;

/// The classes of reasons whose words have changed since 0.1.0, each with the words of 0.1.0 that its ids contain.
const FORMER_CLASSES: [(&str, &str); 3] = [
    (
        "a transaction differs from the proven one at transaction",
        "another transaction is read than is proven at transaction",
    ),
    (
        "the hash chain is broken at transaction",
        "the chain is broken at transaction",
    ),
    (
        "more transactions are corrupt",
        "more transactions are broken",
    ),
];

/// The reason for a database that the server does not list although its history is intact.
pub(crate) const HIDDEN: &str = "hidden";
/// The reason for a database that the server no longer has. Its alarm can be adopted.
pub(crate) const VANISHED: &str = "vanished";
/// The class of reasons for another auditor's state that was to be imported, and that the server's history lacks.
pub(crate) const IMPORTED: &str = "the imported state";

impl Finding {
    /// Returns the trusted state that the shown state contradicts. `None` for a finding about one transaction, whose
    /// alarm has no state to adopt, and for one about an imported state, which was never trusted here.
    pub(super) fn contradicted(&self) -> Option<&TrustedState> {
        let compared = self.compared();
        compared.filter(|_| !is_of_import(&self.reason))
    }

    /// Returns the state with which the shown state was compared. `None` for a finding about one transaction: it stays
    /// the same finding while the trusted state grows.
    fn compared(&self) -> Option<&TrustedState> {
        match self.claim {
            Some(_) => None,
            None => self.trusted.as_ref(),
        }
    }

    /// Returns the id of the finding: 12 hexadecimal digits, the same for the same database, kind, contradicted
    /// and shown state and class of reason. The class ends before the first colon or digit, so that a server
    /// cannot make many findings of one by varying a detail. A hidden database with an intact history grows, and
    /// stays one finding: its states are left out. If the words of a class change, its id keeps the former words, so
    /// that an open alarm is not raised again (`tests/alarms/words.rs`).
    pub fn id(&self) -> String {
        self.numbered_id(0)
    }

    /// Returns the id that the finding has if other findings have those of all lower numbers. A server that chooses
    /// the shown hash can make two findings with the same id.
    pub(super) fn numbered_id(&self, number: usize) -> String {
        let class = class(&self.reason);
        let former = FORMER_CLASSES.iter().find(|(now, _)| *now == class);
        let class = former.map_or(class, |(_, former)| former);
        let is_hidden = is_hidden(self.kind, &self.reason);
        let state = |state: Option<State>| match state {
            Some(state) if !is_hidden => state.to_string(),
            _ => "none".into(),
        };
        let mut distinct = format!(
            "{}\n{}\n{}\n{}\n{}",
            escape(&self.database),
            self.kind.word_in_id(),
            state(self.compared().map(|trusted| trusted.state)),
            state(self.shown),
            escape(class)
        );
        if number > 0 {
            distinct = format!("{distinct}\n{number}");
        }
        let hash = Digest::of(&[distinct.as_bytes()]).to_string();
        hash.get(..12).unwrap_or_default().into()
    }

    /// Returns whether a finding of this kind, reason and shown state, which has an id of this finding, is this
    /// finding. The shown state decides, because only that is the server's choice.
    pub(super) fn is_same(&self, kind: Tampering, reason: &str, shown: Option<State>) -> bool {
        let is_hidden_here = is_hidden(self.kind, &self.reason);
        self.kind == kind
            && is_hidden_here == is_hidden(kind, reason)
            && (is_hidden_here || self.shown == shown)
    }

    /// Returns the reason, cut to the length that is stored.
    pub(super) fn kept_reason(&self) -> String {
        cut(&self.reason, MAX_REASON_CHARS)
    }
}

/// Returns the class of a reason: its text before the first colon or digit.
fn class(reason: &str) -> &str {
    let class = reason
        .split(|c: char| c == ':' || c.is_ascii_digit())
        .next();
    class.unwrap_or_default().trim()
}

/// Returns whether a finding with this reason is about another auditor's state that was to be imported.
pub(super) fn is_of_import(reason: &str) -> bool {
    class(reason) == IMPORTED
}

/// Returns whether a finding is about a database that the server hides, and whose history is intact.
fn is_hidden(kind: Tampering, reason: &str) -> bool {
    kind == Tampering::RolledBack && class(reason) == HIDDEN
}
