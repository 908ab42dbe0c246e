//! Evidence held against its own raw answers, offline: does what it claims follow from them, and
//! whom does it convince?

use std::fmt;

use protobuf::Message;

use super::verdict::Reason;
use crate::ledger::{
    self, BadSignature, ClaimedState, Fault, Parts, PublicKey, Refusal, State, StateShape,
    verify_entries,
};
use crate::trust::{Answer, Evidence, Tampering, Trusted};
use crate::wire::{self, proto};

/// What checking evidence again came to.
#[derive(Debug)]
pub enum Rechecked {
    /// The answers show what the evidence claims.
    Shown {
        /// What they show.
        what: Shows,
        /// Whom that convinces.
        bearing: Bearing,
    },
    /// They do not, or not they alone.
    NotShown(NotShown),
}

/// What the answers of a finding show.
#[derive(Debug)]
pub enum Shows {
    /// The same transaction with two hashes.
    TwoHashes { tx: u64 },
    /// A proof from the trusted state to the one shown, which is refused.
    RefusedProof(Refusal),
    /// A state older than the trusted one.
    OlderState { trusted: u64, shown: u64 },
    /// A list of databases without this one.
    NotListed,
    /// The server's own word that the database is gone, or its data damaged.
    OwnWord(String),
    /// A state that is not signed as it should be.
    BadSignature(BadSignature),
    /// A transaction whose entries or values do not hash to what its header says.
    BadEntries(Refusal),
}

/// Whom evidence convinces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// Everybody who has the server's key: two states that it signed exclude each other.
    Proof,
    /// Both states are signed by the server's key, so it did show both; which came first, and what it sent
    /// beside them, is the auditor's record.
    SignedStates,
    /// Those who trust this auditor.
    AuditorsWord,
}

/// Why the answers alone do not show it.
#[derive(Debug)]
pub enum NotShown {
    /// No answer that would show it is in the file.
    Absent(&'static str),
    /// The answer is there, and shows nothing wrong.
    Holds,
    /// The answer is there and cannot be read.
    Unreadable(wire::Malformed),
    /// A signature cannot be checked without the key.
    NoKey,
}

/// Checks evidence again; `keys` are the server's, where they are known.
pub fn recheck(evidence: &Evidence, keys: &[PublicKey]) -> Rechecked {
    let case = Case { evidence, keys };
    match case.shows() {
        Ok(what) => Rechecked::Shown {
            bearing: case.bearing(&what),
            what,
        },
        Err(not_shown) => Rechecked::NotShown(not_shown),
    }
}

struct Case<'a> {
    evidence: &'a Evidence,
    keys: &'a [PublicKey],
}

impl Case<'_> {
    fn shows(&self) -> Result<Shows, NotShown> {
        let finding = &self.evidence.finding;
        match finding.kind {
            Tampering::Inconsistent | Tampering::SplitView => self.shows_another_history(),
            Tampering::RolledBack => self.shows_less(),
            Tampering::Signature => self.shows_a_bad_signature(),
            Tampering::Value => self.shows_bad_values(),
        }
    }

    fn answers(&self) -> impl Iterator<Item = &Answer> {
        let whole = self.evidence.answers.iter();
        whole
            .filter(|kept| kept.cut_from.is_none())
            .map(|kept| &kept.answer)
    }

    fn replies(&self, call: &str) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.answers()
            .filter(move |answer| answer.call == call)
            .filter_map(|answer| Some((&answer.request[..], &answer.reply.as_ref().ok()?[..])))
    }

    fn trusted(&self) -> Result<&Trusted, NotShown> {
        let trusted = self.evidence.finding.trusted.as_ref();
        trusted.ok_or(NotShown::Absent("trusted state"))
    }

    /// The state that the finding is about, as the server's answer has it.
    fn claimed(&self) -> Result<ClaimedState, NotShown> {
        let shown = self.evidence.finding.shown;
        let mut unreadable = None;
        for (_, reply) in self.replies("CurrentState") {
            match wire::state(reply) {
                Ok(claimed) if Some(claimed.state) == shown => return Ok(claimed),
                Ok(_) => {}
                Err(malformed) => unreadable = Some(malformed),
            }
        }
        Err(match unreadable {
            Some(malformed) => NotShown::Unreadable(malformed),
            None => NotShown::Absent("answer with the state that is said to have been shown"),
        })
    }

    fn shows_another_history(&self) -> Result<Shows, NotShown> {
        let trusted = self.trusted()?.state;
        let shown = match self.evidence.finding.kind {
            // another auditor's word stands for the server's answer
            Tampering::SplitView => self.evidence.finding.shown,
            _ => Some(self.claimed()?.state),
        };
        let shown = shown.ok_or(NotShown::Absent("state that was shown"))?;
        if shown.tx == trusted.tx {
            return match shown.hash == trusted.hash {
                true => Err(NotShown::Holds),
                false => Ok(Shows::TwoHashes { tx: shown.tx }),
            };
        }
        let (source, target) = match shown.tx < trusted.tx {
            true => (shown, trusted),
            false => (trusted, shown),
        };
        self.refused(&source, &target).map(Shows::RefusedProof)
    }

    /// The recorded proof of this pair, with the parts fetched beside it, refused once more.
    fn refused(&self, source: &State, target: &State) -> Result<Refusal, NotShown> {
        let asked = |request: &[u8]| proto::VerifiableTxRequest::parse_from_bytes(request).ok();
        let mut parts = Parts::default();
        let mut proof = None;
        for (request, reply) in self.replies("VerifiableTxById") {
            let Some(asked) = asked(request).filter(|asked| asked.tx == target.tx) else {
                continue;
            };
            let answer = wire::verifiable_tx(reply);
            if asked.prove_since_tx == source.tx {
                proof = Some(answer.map_err(NotShown::Unreadable)?);
            } else if let Ok(part) = answer {
                let inclusion = part.proof.inclusion;
                parts.inclusions.insert(asked.prove_since_tx, inclusion);
            }
        }
        for (request, reply) in self.replies("TxById") {
            let asked = proto::TxRequest::parse_from_bytes(request).ok();
            if let (Some(asked), Ok(tx)) = (asked, wire::tx(reply)) {
                parts.headers.insert(asked.tx, tx.header);
            }
        }
        let refused = match &proof {
            Some(proof) => {
                let verified = ledger::verify(source, target, &proof.proof, &parts);
                match (verified, &proof.tx) {
                    (Err(refusal), _)
                        if !matches!(refusal.reason, ledger::Reason::TreeShrinks { .. }) =>
                    {
                        Err(refusal)
                    }
                    (Err(_), _) => ledger::excuse(source, target, &parts.headers).map(drop),
                    (Ok(_), Some(tx)) => proof.proof.verify_answer(target.tx, &tx.header),
                    (Ok(_), None) => Ok(()),
                }
            }
            None if !parts.headers.is_empty() => {
                ledger::excuse(source, target, &parts.headers).map(drop)
            }
            None => return Err(NotShown::Absent("proof from the one state to the other")),
        };
        match refused {
            Err(refusal) if refusal.fault() == Fault::Inconsistent => Ok(refusal),
            Err(refusal) => Err(NotShown::Unreadable(refusal.into())),
            Ok(()) => Err(NotShown::Holds),
        }
    }

    fn shows_less(&self) -> Result<Shows, NotShown> {
        let trusted = self.trusted()?.state;
        let nothing_older = if self.evidence.finding.shown.is_some() {
            match self.claimed() {
                Ok(shown) if shown.state.tx < trusted.tx => {
                    return Ok(Shows::OlderState {
                        trusted: trusted.tx,
                        shown: shown.state.tx,
                    });
                }
                Ok(_) => NotShown::Holds,
                Err(absent) => absent,
            }
        } else if let Some(word) = self.errors().last() {
            return Ok(Shows::OwnWord(word));
        } else {
            NotShown::Absent("list without the database")
        };
        // a hidden database may show as much as ever
        let name = self.evidence.finding.database.as_bytes();
        for (_, reply) in self.replies("DatabaseList") {
            let names = wire::database_list(reply).map_err(NotShown::Unreadable)?;
            if !names.iter().any(|listed| listed == name) {
                return Ok(Shows::NotListed);
            }
        }
        Err(nothing_older)
    }

    fn errors(&self) -> impl Iterator<Item = String> {
        self.answers()
            .filter_map(|answer| answer.reply.as_ref().err().cloned())
    }

    fn shows_a_bad_signature(&self) -> Result<Shows, NotShown> {
        let claimed = self.claimed()?;
        if claimed.signature.is_some() && self.keys.is_empty() {
            return Err(NotShown::NoKey);
        }
        let database = &self.evidence.finding.database;
        match claimed.verify_signature(database, self.keys) {
            Err(bad) => Ok(Shows::BadSignature(bad)),
            Ok(()) => Err(NotShown::Holds),
        }
    }

    fn shows_bad_values(&self) -> Result<Shows, NotShown> {
        let mut whole = None;
        for answer in self.answers() {
            let Ok(reply) = &answer.reply else { continue };
            let txs: Vec<wire::Tx> = match answer.call.as_str() {
                "TxById" => wire::tx(reply).into_iter().collect(),
                "VerifiableTxById" => wire::verifiable_tx(reply)
                    .ok()
                    .and_then(|a| a.tx)
                    .into_iter()
                    .collect(),
                "TxScan" => wire::tx_list(reply)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .collect(),
                _ => continue,
            };
            for tx in txs {
                let sent = tx.entries.iter().filter(|entry| !entry.value.is_empty());
                let values = sent.map(|entry| entry.verify_value(&tx.header));
                let checks = values.chain([verify_entries(&tx.header, &tx.entries)]);
                match checks
                    .filter_map(Result::err)
                    .find(|r| r.fault() == Fault::Inconsistent)
                {
                    Some(refusal) => return Ok(Shows::BadEntries(refusal)),
                    None => whole = Some(NotShown::Holds),
                }
            }
        }
        match self.errors().last() {
            Some(word) => Ok(Shows::OwnWord(word)),
            None => Err(whole.unwrap_or(NotShown::Absent("transaction"))),
        }
    }

    fn bearing(&self, what: &Shows) -> Bearing {
        let finding = &self.evidence.finding;
        let (Some(trusted), Ok(claimed)) = (&finding.trusted, self.claimed()) else {
            return Bearing::AuditorsWord;
        };
        let trusted = ClaimedState {
            shape: trusted.shape.unwrap_or(StateShape::WithDatabase),
            database: finding.database.clone().into(),
            state: trusted.state,
            signature: trusted.signature.clone(),
        };
        let signed = |state: &ClaimedState| state.verify_signature(&finding.database, self.keys);
        match (signed(&trusted).and(signed(&claimed)), what) {
            (Err(_), _) => Bearing::AuditorsWord,
            (Ok(()), Shows::TwoHashes { .. }) => Bearing::Proof,
            (Ok(()), _) => Bearing::SignedStates,
        }
    }
}

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shows::TwoHashes { tx } => write!(f, "{}", Reason::OtherHash { tx: *tx }),
            Shows::RefusedProof(refusal) => write!(f, "the recorded proof is refused: {refusal}"),
            Shows::OlderState { trusted, shown } => write!(
                f,
                "transaction {trusted} was shown before, then no more than {shown}"
            ),
            Shows::NotListed => f.write_str("the database is not listed any more"),
            Shows::OwnWord(word) => write!(f, "the server says so itself: {word}"),
            Shows::BadSignature(bad) => write!(f, "{bad}"),
            Shows::BadEntries(refusal) => write!(f, "{refusal}"),
        }
    }
}

impl fmt::Display for Bearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bearing::Proof => {
                "proof against the server: two states that exclude each other bear its signature"
            }
            Bearing::SignedStates => {
                "both states bear the server's signature, so it did show both; their order, and what \
                 was sent beside them, rest on this auditor's record"
            }
            Bearing::AuditorsWord => "it convinces only those who trust this auditor: no two states signed by a known key are in it",
        })
    }
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotShown::Absent(what) => write!(f, "there is no {what} in the file"),
            NotShown::Holds => f.write_str("the recorded answers show nothing wrong"),
            NotShown::Unreadable(malformed) => {
                write!(f, "the recorded answer cannot be read: {malformed}")
            }
            NotShown::NoKey => f.write_str(
                "the signature cannot be checked without the key: give --server-signing-pub-key",
            ),
        }
    }
}
