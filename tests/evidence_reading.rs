//! Findings made while values are read: their evidence verifies without the server, and one fault is one alarm.

mod support;

use std::fs;

use immuaudit::audit::{Outcome, Rechecked, Verdict, recheck};
use immuaudit::config::Values;
use immuaudit::drill::{Draft, Lie, NewEntry, Options, Telling};
use immuaudit::ledger::Digest;
use immuaudit::trust::{Evidence, Tampering};
use support::value_scene::{DB, NONE, Scene, cycle, sweep};

const INCONSISTENT: Verdict = Verdict::Tampered(Tampering::Inconsistent);

/// All evidence of the scene's database.
fn evidence(scene: &Scene) -> Vec<Evidence> {
    let directory = scene.place.join("trust/tested/evidence").join(DB);
    let files = fs::read_dir(directory).into_iter().flatten();
    let paths = files.map(|file| file.expect("a file").path());
    let mut found: Vec<Evidence> = paths
        .map(|path| Evidence::parse(&fs::read(path).expect("a file")).expect("evidence"))
        .collect();
    found.sort_by_key(|evidence| evidence.finding.shown.map(|shown| shown.tx));
    found
}

/// The text that verifies evidence offline, or why it does not.
fn verified(evidence: &Evidence) -> Result<String, String> {
    match recheck(evidence, &[]) {
        Rechecked::Shown { what, .. } => Ok(what.to_string()),
        Rechecked::NotShown(why) => Err(why.to_string()),
    }
}

/// Lies about values that accuse.
fn accusing_lies() -> impl Iterator<Item = Lie> {
    let values = Lie::ALL.iter().filter(|lie| lie.group() == "value");
    values
        .copied()
        .filter(|lie| lie.due().verdicts.contains(&"value"))
}

#[test]
fn evidence_of_every_lie_about_values_is_shown_offline_whether_read_alone_or_by_a_scan() {
    let sampled = Values { sample: 5, ..NONE };
    for lie in accusing_lies() {
        for values in [Some(sampled), None] {
            let scene = Scene::of_sixty();
            scene.trusting();
            scene.embedded.lie(lie);
            match values {
                Some(values) => drop(cycle(&mut scene.auditor(values))),
                None => drop(sweep(&mut scene.trusting())),
            }
            for evidence in evidence(&scene) {
                let name = format!("{} {:?}: {}", lie.name(), values, evidence.finding.reason);
                if evidence.answers.is_empty() {
                    continue;
                }
                assert!(
                    verified(&evidence).is_ok(),
                    "{name}: {:?}",
                    verified(&evidence)
                );
            }
        }
    }
}

/// A ledger of as many transactions, in which `broken` does not follow on the one before.
fn with_broken_link(broken: u64, last: u64) -> Scene {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, broken - 1);
    scene.embedded.write(
        DB,
        Draft {
            entries: vec![NewEntry::set("another", "chain")],
            prev_alh: Some(Digest::of(&[b"another"])),
            ..Draft::default()
        },
    );
    scene.embedded.grow(DB, last - broken);
    scene
}

fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
    outcomes.iter().map(|outcome| outcome.verdict).collect()
}

#[test]
fn a_broken_link_is_one_alarm_wherever_in_a_scan_it_lies() {
    // a first scan brings 64 transactions
    for broken in [2, 20, 64, 65, 66, 140] {
        let scene = with_broken_link(broken, 150);
        let mut auditor = scene.trusting();
        let (_, outcomes) = sweep(&mut auditor);
        assert_eq!(
            verdicts(&outcomes),
            [INCONSISTENT],
            "{broken}: {outcomes:?}"
        );
        let found = evidence(&scene);
        let reasons: Vec<&str> = found.iter().map(|of| &*of.finding.reason).collect();
        assert_eq!(reasons.len(), 1, "{broken}: {reasons:#?}");
        let said = verified(&found[0]);
        assert!(said.is_ok(), "{broken}: {said:?}");
        let shown = found[0].finding.shown.map(|shown| shown.tx);
        assert_eq!(shown, Some(broken), "{reasons:?}");
    }
}

#[test]
fn evidence_of_a_tree_that_holds_another_history_is_shown_offline() {
    for lie in [
        Lie::SwappedInTree,
        Lie::SwappedLater,
        Lie::SwappedBeforeTheSource,
    ] {
        let scene = Scene::new(lie.options());
        scene.embedded.grow(DB, 100);
        scene.embedded.lie(Telling::from(lie));
        let mut auditor = scene.trusting();
        let (_, outcomes) = sweep(&mut auditor);
        assert_eq!(
            verdicts(&outcomes),
            [INCONSISTENT],
            "{}: {outcomes:?}",
            lie.name()
        );
        for evidence in evidence(&scene) {
            let said = verified(&evidence);
            assert!(
                said.is_ok(),
                "{}: {}: {said:?}",
                lie.name(),
                evidence.finding.reason
            );
            println!("{}: {} => {said:?}", lie.name(), evidence.finding.reason);
        }
    }
}
