//! The rules about one database's outcome.

use std::time::Duration;

use immuaudit::audit::{Outcome, Overdue, Verdict};
use immuaudit::drill::Lie;
use immuaudit::ledger::State;

use crate::oracle::{BrokenRule, Circumstances, DatabaseRecord, Rule, broken};
use crate::scene::Scene;
use crate::trouble::CurrentLie;

/// The most intervals for which a database may be unproven, as in the README.
const MAX_UNPROVEN_INTERVALS: u32 = 3;

pub const TAMPERING: [&str; 4] = ["inconsistent", "rolled-back", "bad-signature", "bad-value"];

pub fn lied_to(
    known: &mut DatabaseRecord,
    outcome: &Outcome,
    current: &CurrentLie,
    calm: bool,
) -> Result<(), BrokenRule> {
    let accused = outcome.verdict.is_tampering();
    let description = || {
        let lie = current.lie.name();
        format!(
            "{}: {} {} under {lie}",
            outcome.database,
            outcome.verdict,
            outcome.why()
        )
    };
    // under these lies some answers are honest, and some proofs do not need the changed part
    let at_times = ["value", "proof"].contains(&current.lie.group())
        || [Lie::Alternating, Lie::BrokenChain].contains(&current.lie);
    if current.is_tampering_lie() && !at_times && outcome.is_proven() {
        return broken(Rule::Accused, description());
    }
    let due = current.lie.due().verdicts;
    // values that are missing in a transaction may be read in another way
    let may_be_proven = due.contains(&"consistent") || current.lie.group() == "value";
    let (rule, right) = match current.is_tampering_lie() {
        true => (Rule::Accused, accused),
        false => {
            let proven = may_be_proven && outcome.verdict.is_proven();
            // reading the values finds it, and it contradicts nothing
            let withheld = current.lie == Lie::WithheldTransaction;
            let unread = withheld && outcome.verdict == Verdict::Unread;
            (
                Rule::NoneWaits,
                proven || unread || due.contains(&outcome.verdict.word()),
            )
        }
    };
    let excused = at_times && known.caught;
    known.caught |= calm || accused;
    if right || excused || !calm {
        return Ok(());
    }
    broken(rule, description())
}

pub fn overdue(
    known: &mut DatabaseRecord,
    outcome: &Outcome,
    interval: Duration,
    sight: &Circumstances<'_>,
) -> Result<(), BrokenRule> {
    if known.trusted.is_none() {
        return Ok(());
    }
    let allowed = interval * MAX_UNPROVEN_INTERVALS;
    let is_overdue = matches!(outcome.overdue, Some(Overdue::Unproven(_)));
    let most = sight.end - known.proven.0;
    let least = sight.begin.saturating_sub(known.proven.1);
    let description = || {
        let (database, verdict, overdue) = (&outcome.database, outcome.verdict, outcome.overdue);
        format!("{database}: {verdict}, proven {least:?} to {most:?} ago, {overdue:?}")
    };
    if outcome.is_proven() {
        known.counts_since = None;
        known.is_misdated = false;
    }
    let is_early = most < allowed && known.counts_since.is_none() && !known.is_misdated;
    let counted = known.counts_since.unwrap_or_default();
    let is_late = least > allowed && sight.begin.saturating_sub(counted) > allowed;
    if is_overdue && (outcome.is_proven() || is_early) || !is_overdue && is_late {
        return broken(Rule::ProvenOrOverdue, description());
    }
    Ok(())
}

pub fn is_honest(scene: &Scene, database: &str, state: State) -> Result<(), BrokenRule> {
    if scene.deleted.contains_key(database) {
        return Ok(());
    }
    let honest = scene.embedded.state_at(database, state.tx);
    match honest == Some(state) {
        true => Ok(()),
        false => broken(
            Rule::TrustByProof,
            format!("{database}: {state} is trusted, and the ledger was {honest:?}"),
        ),
    }
}

/// Judges the values of a database that had no trouble for some intervals.
pub fn read_in_time(outcome: &Outcome) -> Result<(), BrokenRule> {
    // a sweep has its own period, and the auditor may have been down for longer
    let late = outcome.values_overdue;
    let late = late.filter(|late| !matches!(late, Overdue::Unswept(_)));
    if outcome.verdict != Verdict::Unread && late.is_none() {
        return Ok(());
    }
    let (database, verdict, why) = (&outcome.database, outcome.verdict, outcome.why());
    broken(Rule::ReadInTime, format!("{database}: {verdict} {why}"))
}
