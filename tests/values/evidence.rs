//! Findings about values: their evidence verifies without the server, and one fault raises one
//! alarm.

use std::fs;

use crate::support::caller::Caller;
use crate::support::program::Program;
use crate::support::proxy::Proxy;
use crate::support::value_scene::{DB, NONE, Scene, cycle, sweep};
use immuaudit::audit::{Outcome, Rechecked, Verdict, recheck};
use immuaudit::config::Values;
use immuaudit::drill::{Emulated, Lie, LieSchedule, NewEntry, NewTransaction, Options};
use immuaudit::ledger::Digest;
use immuaudit::trust::{Answer, Evidence, Shortened, Tampering};
use immuaudit::wire::{self, method, proto};
use protobuf::Message;

const INCONSISTENT: Verdict = Verdict::Tampered(Tampering::Inconsistent);

/// Returns all evidence for the scene's database.
fn evidence(scene: &Scene) -> Vec<Evidence> {
    let directory = scene.folder.join("trust/tested/evidence").join(DB);
    let files = fs::read_dir(directory).into_iter().flatten();
    let paths = files.map(|file| file.expect("a file").path());
    let mut found: Vec<Evidence> = paths
        .map(|path| Evidence::parse(&fs::read(path).expect("a file")).expect("evidence"))
        .collect();
    found.sort_by_key(|evidence| evidence.finding.shown.map(|shown| shown.tx));
    found
}

/// Verifies evidence offline, and returns the finding or the reason why it is not reproduced.
fn verified(evidence: &Evidence) -> Result<String, String> {
    match recheck(evidence, &[]) {
        Rechecked::Shown { what, .. } => Ok(what.to_string()),
        Rechecked::NotReproduced(why) => Err(why.to_string()),
    }
}

/// Returns the lies about values that are tampering.
fn tampering_lies() -> impl Iterator<Item = Lie> {
    let values = Lie::ALL.iter().filter(|lie| lie.group() == "value");
    values
        .copied()
        .filter(|lie| lie.due().verdicts.contains(&"bad-value"))
}

#[test]
fn evidence_of_every_lie_about_values_verifies_offline() {
    let sampled = Values { sample: 5, ..NONE };
    for lie in tampering_lies() {
        for values in [Some(sampled), None] {
            let scene = Scene::new(Options::default());
            scene.embedded.grow(DB, 8);
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

/// Returns a ledger with `last` transactions, in which transaction `broken` does not follow the
/// previous one.
fn with_broken_link(broken: u64, last: u64) -> Scene {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, broken - 1);
    scene.embedded.write(
        DB,
        NewTransaction {
            entries: vec![NewEntry::set("another", "chain")],
            prev_alh: Some(Digest::of(&[b"another"])),
            ..NewTransaction::default()
        },
    );
    scene.embedded.grow(DB, last - broken);
    scene
}

fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
    outcomes.iter().map(|outcome| outcome.verdict).collect()
}

#[test]
fn a_broken_link_anywhere_in_a_scan_is_one_alarm() {
    // the first scan has 64 transactions
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
        let result = verified(&found[0]);
        assert!(result.is_ok(), "{broken}: {result:?}");
        let shown = found[0].finding.shown.map(|shown| shown.tx);
        assert_eq!(shown, Some(broken), "{reasons:?}");
    }
}

#[test]
fn evidence_of_a_tree_of_another_history_verifies_offline() {
    for lie in [
        Lie::SwappedInTree,
        Lie::SwappedLater,
        Lie::SwappedBeforeTheSource,
    ] {
        let scene = Scene::new(lie.options());
        scene.embedded.grow(DB, 100);
        scene.embedded.lie(LieSchedule::from(lie));
        let mut auditor = scene.trusting();
        let (_, outcomes) = sweep(&mut auditor);
        assert_eq!(
            verdicts(&outcomes),
            [INCONSISTENT],
            "{}: {outcomes:?}",
            lie.name()
        );
        for evidence in evidence(&scene) {
            let result = verified(&evidence);
            assert!(
                result.is_ok(),
                "{}: {}: {result:?}",
                lie.name(),
                evidence.finding.reason
            );
            println!("{}: {} => {result:?}", lie.name(), evidence.finding.reason);
        }
    }
}

/// Returns the server's current answers to the recorded requests.
fn asked_again(scene: &Scene, evidence: &Evidence) -> Vec<Answer> {
    let mut caller = Caller::new(scene.embedded.port());
    caller.log_in(DB).expect("a login");
    let methods = [
        method::VERIFIABLE_TX_BY_ID,
        method::TX_BY_ID,
        method::TX_SCAN,
        method::GET,
    ];
    let mut again = |recorded: &Answer| {
        let of_call = |method: &&&'static str| method.ends_with(&format!("/{}", recorded.call));
        let mut answer = recorded.clone();
        if let Some(method) = methods.iter().find(of_call) {
            let reply = caller.call(method, recorded.request.clone());
            answer.reply = Ok(reply.bytes().into());
        }
        answer
    };
    evidence.answers.iter().map(&mut again).collect()
}

#[test]
fn evidence_with_honest_answers_proves_nothing() {
    for lie in [
        Lie::EditedValue,
        Lie::EditedKey,
        Lie::ValueWithMatchingHash,
        Lie::CorruptValueReported,
    ] {
        let scene = Scene::of_sixty();
        let mut auditor = scene.trusting();
        scene.embedded.lie(LieSchedule::from(lie).about(7));
        sweep(&mut auditor);
        scene.embedded.be_honest();
        let mut evidence = evidence(&scene).remove(0);
        assert!(verified(&evidence).is_ok(), "{}", lie.name());
        evidence.answers = asked_again(&scene, &evidence);
        let result = verified(&evidence);
        assert!(result.is_err(), "{}: {result:?}", lie.name());
    }
}

/// Returns the evidence with each recorded transaction changed.
fn with_changed(evidence: &Evidence, change: impl Fn(&mut proto::Tx)) -> Evidence {
    let mut changed = evidence.clone();
    for answer in &mut changed.answers {
        let Ok(reply) = &answer.reply else { continue };
        let bytes = match answer.call.as_str() {
            "VerifiableTxById" => {
                let mut message = proto::VerifiableTx::parse_from_bytes(reply).expect("an answer");
                change(message.tx.as_mut().expect("a transaction"));
                message.write_to_bytes()
            }
            "TxById" => {
                let mut tx = proto::Tx::parse_from_bytes(reply).expect("an answer");
                change(&mut tx);
                tx.write_to_bytes()
            }
            "TxScan" => {
                let mut list = proto::TxList::parse_from_bytes(reply).expect("an answer");
                list.txs.iter_mut().for_each(&change);
                list.write_to_bytes()
            }
            _ => continue,
        };
        answer.reply = Ok(bytes.expect("a message").into());
    }
    changed
}

#[test]
fn bad_values_outside_the_trusted_history_prove_nothing() {
    for lie in [Lie::EditedValue, Lie::EditedKey, Lie::ValueWithMatchingHash] {
        let scene = Scene::of_sixty();
        let mut auditor = scene.trusting();
        scene.embedded.lie(LieSchedule::from(lie).about(7));
        sweep(&mut auditor);
        let evidence = evidence(&scene).remove(0);
        assert!(verified(&evidence).is_ok());
        let header = |change: fn(&mut proto::TxHeader)| {
            with_changed(&evidence, |tx| {
                change(tx.header.as_mut().expect("a header"))
            })
        };
        for (name, changed) in [
            ("id", header(|header| header.id += 1)),
            ("ts", header(|header| header.ts += 1)),
            ("prev_alh", header(|header| header.prev_alh[0] ^= 1)),
            ("eh", header(|header| header.eh[0] ^= 1)),
            ("nentries", header(|header| header.nentries += 1)),
            ("bl_tx_id", header(|header| header.bl_tx_id -= 1)),
            ("bl_root", header(|header| header.bl_root[0] ^= 1)),
        ] {
            let result = verified(&changed);
            assert!(result.is_err(), "{} {name}: {result:?}", lie.name());
        }
        let mut unproven = evidence.clone();
        for answer in &mut unproven.answers {
            let Ok(reply) = &answer.reply else { continue };
            if let Ok(mut message) = proto::VerifiableTx::parse_from_bytes(reply) {
                message.dual_proof.take();
                answer.reply = Ok(message.write_to_bytes().expect("a message").into());
            }
        }
        assert!(verified(&unproven).is_err(), "{}", lie.name());
        let mut of_another = evidence.clone();
        let trusted = of_another
            .finding
            .trusted
            .as_mut()
            .expect("a trusted state");
        trusted.state.hash = Digest::of(&[b"another history"]);
        assert!(verified(&of_another).is_err(), "{}", lie.name());
    }
}

#[test]
fn a_broken_link_without_one_of_its_two_proofs_rests_on_the_auditors_record() {
    let scene = with_broken_link(140, 150);
    let mut auditor = scene.trusting();
    sweep(&mut auditor);
    let evidence = evidence(&scene).remove(0);
    let result = verified(&evidence).expect("shown");
    assert!(
        result.contains("transactions 139 and 140 are both proven"),
        "{result}"
    );
    let of_tx = |bytes: &[u8]| Some(wire::verifiable_tx(bytes).ok()?.tx?.header.id());
    let is_proof_of = |answer: &Answer, tx| {
        let reply = answer.reply.as_ref().ok();
        reply.and_then(|reply| of_tx(reply)) == Some(tx)
    };
    let mut without = evidence.clone();
    without.answers.retain(|answer| !is_proof_of(answer, 139));
    let result = verified(&without).expect("the transaction is proven");
    assert!(result.contains("this auditor recorded"), "{result}");
    let mut alone = evidence.clone();
    alone.answers.retain(|answer| is_proof_of(answer, 139));
    assert!(!alone.answers.is_empty());
    verified(&alone).expect_err("nothing is proven of the transaction");
}

#[test]
fn a_value_too_long_for_evidence_is_left_out_of_its_transaction() {
    let mut scene = Scene::new(Options::default());
    scene.max_answer = 16 << 20;
    scene.embedded.grow(DB, 20);
    scene.embedded.set(DB, "long", &"x".repeat(3 << 20));
    scene.embedded.grow(DB, 20);
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(LieSchedule::from(Lie::EditedValue).about(21));
    sweep(&mut auditor);
    let evidence = evidence(&scene).remove(0);
    let result = verified(&evidence).expect("shown");
    assert!(result.contains("transaction 21 is proven"), "{result}");
    assert!(result.contains("this auditor recorded"), "{result}");
    let shortened = evidence
        .answers
        .iter()
        .filter_map(|answer| answer.shortened);
    assert!(
        shortened
            .clone()
            .all(|how| matches!(how, Shortened::WithoutValues(_)))
    );
    assert_eq!(shortened.count(), 1);
}

#[test]
fn evidence_of_values_read_by_key_verifies_offline() {
    for server in [
        Emulated::V0_9_0,
        Emulated::V0_9_2,
        Emulated::V1_1_0,
        Emulated::V1_2_4,
    ] {
        let scene = Scene::new(Options {
            server,
            ..Options::default()
        });
        scene.embedded.grow(DB, 60);
        let mut auditor = scene.trusting();
        scene
            .embedded
            .lie(LieSchedule::from(Lie::EditedValue).about(31));
        sweep(&mut auditor);
        let found = evidence(&scene);
        assert_eq!(found.len(), 1, "{server:?}");
        let result = verified(&found[0]);
        let expected = "the hash of a sent value differs";
        assert!(
            result
                .as_ref()
                .is_ok_and(|result| result.contains(expected)),
            "{server:?}: {result:?}"
        );
    }
}

/// The most memory of the program with default settings, in KiB.
const MAX_KIB: u64 = 48 << 10;

#[test]
fn findings_about_long_values_are_kept_without_the_values() {
    let scene = Scene::new(Options::default());
    for tx in 0..16 {
        let value = "x".repeat(3 << 20);
        scene.embedded.set(DB, &format!("key/{tx}"), &value);
    }
    let program = Program::new(scene.embedded.port(), &scene.folder.path().join("trust"));
    program.once().is(0, DB, "first-seen");
    scene.embedded.lie(Lie::EditedValue);
    let (run, most) = program.run_measured(&["--once", "--audit-sample", "16"]);
    run.ends_with(2);
    assert_eq!(evidence(&scene).len(), 16);
    for evidence in evidence(&scene) {
        let result = verified(&evidence).expect("shown");
        assert!(result.contains("this auditor recorded"), "{result}");
    }
    assert!(most < MAX_KIB, "{most} KiB");
}

/// A report has up to sixteen findings, and each of them used to copy its answers.
#[test]
fn a_transaction_with_thousands_of_edited_entries_is_one_answer_in_memory() {
    let scene = Scene::new(Options::default());
    let entries = (0..20_000).map(|i| NewEntry::set(format!("key/{i}"), format!("value {i}")));
    scene.embedded.commit(DB, entries.collect());
    let proxy = Proxy::before(scene.embedded.port());
    let program = Program::new(proxy.port, &scene.folder.path().join("trust"));
    program.once().is(0, DB, "first-seen");
    let edit = |tx: &mut proto::Tx| {
        let entries = tx.entries.iter_mut();
        entries
            .filter(|entry| !entry.value.is_empty())
            .for_each(|entry| entry.value.push(b'!'));
    };
    proxy.distort(move |call, _, reply| match call {
        "TxScan" => reply.message::<proto::TxList>(|list| list.txs.iter_mut().for_each(edit)),
        "VerifiableTxById" => reply.message::<proto::VerifiableTx>(|answer| {
            answer.tx.as_mut().into_iter().for_each(edit);
        }),
        _ => {}
    });

    let (run, most) = program.run_measured(&["--once", "--audit-sample", "1"]);
    run.ends_with(2);

    // one answer of 1.7 MB, in encoded and decoded form, instead of one for each of sixteen
    // findings
    assert!(most < MAX_KIB, "{most} KiB");
}

#[test]
fn evidence_of_another_header_in_a_scan_verifies_offline() {
    let scene = Scene::of_sixty();
    let proxy = Proxy::before(scene.embedded.port());
    let program = Program::new(proxy.port, &scene.folder.path().join("trust"));
    program.once().is(0, DB, "first-seen");
    proxy.distort(|call, _, reply| {
        if call == "TxScan" {
            reply.message::<proto::TxList>(|list| {
                let headers = list.txs.iter_mut().filter_map(|tx| tx.header.as_mut());
                headers
                    .filter(|header| header.id == 31)
                    .for_each(|header| header.ts += 1);
            });
        }
    });
    program.run(&["sweep"]).ends_with(2);
    let found = evidence(&scene);
    let [found] = found.as_slice() else {
        panic!("{found:?}");
    };
    let result = verified(found).expect("shown");
    assert!(
        result.contains("transaction 31 is proven to have hash"),
        "{result}"
    );
    let mut honest = found.clone();
    honest.answers = asked_again(&scene, found);
    verified(&honest).expect_err("an honest scan");
}
