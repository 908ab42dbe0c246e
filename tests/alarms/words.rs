//! The words of a reason that the ID of a finding contains: those of the first version that had the
//! reason. With other words, an alarm that is open during an upgrade would be raised again.

use crate::support::trust_files::finding;
use immuaudit::audit::{CorruptEntry, Corruption, Reason, SplitBy};
use immuaudit::ledger::{BadSignature, Digest, Reason as Fault, Refusal, State, Step};
use immuaudit::server::{ServerError, ServerErrorKind};
use immuaudit::text::Escaped;
use immuaudit::trust::Tampering;

const STATE: State = State {
    tx: 7,
    hash: Digest::ZERO,
};

/// Returns the ID of a finding with this reason.
fn id(reason: &str) -> String {
    let mut finding = finding(None, Tampering::Inconsistent, Some(STATE));
    finding.reason = reason.to_owned();
    finding.id()
}

/// Asserts that a reason has the same ID as these words.
#[track_caller]
fn has_words(words: &str, reason: &str) {
    assert_eq!(
        id(words),
        id(reason),
        "the reason \"{reason}\" has another ID than \"{words}\". An ID contains the words before \
         the first colon or digit, so an alarm that is open during an upgrade would be raised again. \
         Add the new and the former words to FORMER_CLASSES in src/trust/finding.rs"
    );
}

#[test]
fn the_id_of_a_finding_about_a_state_is_stable() {
    for (words, reason) in [
        ("another hash for transaction", Reason::OtherHash { tx: 7 }),
        ("fewer transactions than shown before", Reason::Fewer),
        ("emptied", Reason::Emptied),
        ("vanished", Reason::Vanished),
        ("hidden", Reason::Hidden),
        (
            "the state is not signed",
            Reason::Signature(BadSignature::Absent),
        ),
        (
            "the state is of another database",
            Reason::Signature(BadSignature::OtherDatabase),
        ),
        (
            "the state is not signed by a configured key",
            Reason::Signature(BadSignature::NotByTheKey),
        ),
        (
            "the state is not signed by the key that came with it",
            Reason::Signature(BadSignature::NotByItsOwnKey),
        ),
        (
            "the pinned state",
            Reason::PinContradicts {
                pin: STATE,
                why: Box::new(Reason::Fewer),
            },
        ),
        (
            "the imported state",
            Reason::NotExtended {
                imported: STATE,
                why: Box::new(Reason::Fewer),
            },
        ),
        (
            "another auditor was shown another history, which the server signed",
            Reason::SplitView {
                peer: None,
                theirs: STATE,
                by: SplitBy::Signature { here: Digest::ZERO },
                agreed: None,
            },
        ),
        (
            "another auditor was shown another history, and the server shows it here too",
            Reason::SplitView {
                peer: None,
                theirs: STATE,
                by: SplitBy::Answer(Box::new(Reason::Fewer)),
                agreed: None,
            },
        ),
    ] {
        has_words(words, &reason.to_string());
    }
}

#[test]
fn the_id_of_a_finding_about_a_proof_is_stable() {
    for (step, words) in [
        (Step::Header, "header"),
        (Step::Answer, "answer"),
        (Step::Ids, "ids"),
        (Step::Alh, "transaction hash"),
        (Step::Inclusion, "inclusion proof"),
        (Step::Consistency, "consistency proof"),
        (Step::LastInclusion, "last inclusion proof"),
        (Step::LinearProof, "linear proof"),
        (Step::LinearAdvance, "linear advance proof"),
        (Step::OnwardLink, "onward link"),
        (Step::Entries, "entries"),
        (Step::Value, "value"),
    ] {
        let reason = Fault::Absent("part");
        let refusal = Refusal {
            step,
            tx: 7,
            reason,
        };
        has_words(&format!("{words} at transaction"), &refusal.to_string());
    }
}

#[test]
fn the_id_of_a_finding_about_an_entry_is_stable() {
    let (due, got) = (Digest::ZERO, Digest::OF_NOTHING);
    let reported = ServerError::new("TxById", ServerErrorKind::Corrupted);
    // tests/values/closed.rs tests that the program uses these words
    has_words(
        "more transactions are broken: 3",
        "more transactions are corrupt: 3",
    );
    for (what, words) in [
        (Corruption::Value { due, got }, "a value differs"),
        (Corruption::Entries { due, got }, "entries differ"),
        (Corruption::NoSuchEntry, "an entry differs"),
        (Corruption::Reported(reported), "the server reports damage"),
        (
            Corruption::Header { due, got },
            "another transaction is read than is proven",
        ),
        (
            Corruption::Place(Escaped::new("a reason")),
            "a transaction does not belong to the history",
        ),
        (Corruption::Chain { due, got }, "the chain is broken"),
        (Corruption::Tree { due, got }, "tree and chain differ"),
    ] {
        let corrupt = CorruptEntry {
            tx: 7,
            alh: None,
            entry: None,
            what,
        };
        has_words(&format!("{words} at transaction"), &corrupt.to_string());
    }
}
