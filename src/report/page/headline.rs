//! The headline: the overall condition in a title and one or two sentences.

use crate::report::condition::Condition;
use crate::report::database_status::DatabaseStatus;
use crate::report::overall::{Overall, is_undelivered};
use crate::report::status_registry::Snapshot;
use crate::text::counted;

/// Returns the sentences under the title.
pub fn sentences(snapshot: &Snapshot, all: Overall) -> String {
    let rows = || snapshot.databases.values();
    let total = rows().count();
    let count = |select: &dyn Fn(&DatabaseStatus) -> bool| rows().filter(|row| select(row)).count();
    match all {
        Overall::Good => match total {
            0 => "No database has transactions yet.".into(),
            1 => "The database extends its trusted state.".into(),
            _ => format!("Each of the {total} databases extends its trusted state."),
        },
        Overall::Starting => "The first cycle has not ended yet.".into(),
        Overall::Attention => format!(
            "Every state is proven, but some facts need attention. {}",
            attention(snapshot)
        ),
        Overall::Unproven => {
            let unproven = count(&|row| row.facts().condition() == Condition::Unproven);
            let what = match unproven {
                0 => "The last cycle was not complete.".into(),
                _ => format!(
                    "{} could not be proven or read in time.",
                    share(unproven, total)
                ),
            };
            format!("{what} No tampering has been seen.")
        }
        Overall::Stalled => {
            let seconds = counted(snapshot.stalled.as_secs(), "second");
            format!("No progress for {seconds}.")
        }
        Overall::Tampered => match count(&DatabaseStatus::is_alarming) {
            0 => "A database without a trusted state contradicts itself.".into(),
            alarming => format!("{} an open alarm.", share_has(alarming, total)),
        },
    }
}

/// Returns a sentence for each kind of fact that needs attention.
fn attention(snapshot: &Snapshot) -> String {
    let total = snapshot.databases.len();
    let facts: Vec<_> = snapshot.databases.values().map(|row| row.facts()).collect();
    let mut sentences = Vec::new();
    let absent: u64 = facts.iter().map(|facts| facts.absent).sum();
    if absent > 0 {
        let of = facts.iter().filter(|facts| facts.absent > 0).count();
        sentences.push(format!(
            "{} {} whose values are absent on the server.",
            share_has(of, total),
            counted(absent, "transaction")
        ));
    }
    let behind: u64 = facts.iter().map(|facts| facts.behind).sum();
    if behind > 0 {
        let of = facts.iter().filter(|facts| facts.behind > 0).count();
        sentences.push(format!(
            "{} {} that {} not read yet.",
            share_has(of, total),
            counted(behind, "new transaction"),
            if behind == 1 { "is" } else { "are" }
        ));
    }
    let unsigned = facts.iter().filter(|facts| facts.is_unsigned).count();
    if unsigned > 0 {
        sentences.push(format!(
            "{} lost the signature of the state.",
            share_has(unsigned, total)
        ));
    }
    let receivers = snapshot.notifications.iter();
    let undelivered = receivers.filter(|counts| is_undelivered(counts)).count() as u64;
    if undelivered > 0 {
        let of = counted(undelivered, "receiver");
        sentences.push(format!("Notifications to {of} are not delivered."));
    }
    sentences.join(" ")
}

/// Returns some of the databases as the subject of a sentence.
fn share(count: usize, total: usize) -> String {
    match total {
        1 => "The database".into(),
        _ if count == total => format!("All {total} databases"),
        _ => format!("{count} of {total} databases"),
    }
}

fn share_has(count: usize, total: usize) -> String {
    let verb = if count == 1 { "has" } else { "have" };
    format!("{} {verb}", share(count, total))
}
