//! Values from servers of every version with every lag, and the walk along chain and tree, which
//! follows one history only.

use std::fs;

use crate::support::value_scene::{DB, NONE, Scene, VALUE, broken, cycle, sweep};
use immuaudit::audit::{Rechecked, Verdict, Walk, recheck};
use immuaudit::config::Values;
use immuaudit::drill::{
    Emulated, Lag, Ledger, Lie, LieSchedule, NewEntry, NewTransaction, Options,
};
use immuaudit::ledger::{Digest, HeaderFields, HeaderVersion, TxHeader};
use immuaudit::trust::{Evidence, Tampering};

#[test]
fn edits_are_found_on_every_version_with_every_lag() {
    for server in Emulated::ALL {
        let lags = match server {
            Emulated::V1_11_1 => vec![Lag::None, Lag::By(7)],
            _ => vec![Lag::None, Lag::Unsteady, Lag::Batches(9)],
        };
        for lag in lags {
            let scene = Scene::new(Options {
                server,
                lag: lag.clone(),
                ..Options::default()
            });
            scene.embedded.grow(DB, 40);
            scene
                .embedded
                .commit(DB, vec![NewEntry::reference("ref", "key/3", 4)]);
            let several = |n| NewEntry::set(format!("several/{n}"), "value");
            scene.embedded.commit(DB, (0..5).map(several).collect());
            let mut auditor = scene.trusting();
            let (swept, outcomes) = sweep(&mut auditor);
            assert!(outcomes.is_empty(), "{server:?} {lag:?}: {outcomes:?}");
            assert_eq!((swept.read, swept.of), (42, 42), "{server:?} {lag:?}");
            scene
                .embedded
                .lie(LieSchedule::from(Lie::EditedValue).about(11));
            let (_, outcomes) = sweep(&mut auditor);
            assert_eq!(outcomes[0].verdict, VALUE, "{server:?} {lag:?}");
            assert_eq!(broken(&outcomes[0]), [11], "{server:?} {lag:?}");
        }
    }
}

/// Before 1.2 values are read by key, and only those of plain keys; 0.9.0 returns the latest value.
#[test]
fn values_that_an_old_server_cannot_send_are_counted() {
    for (server, unreadable) in [
        (Emulated::V1_1_0, 1),
        (Emulated::V0_9_2, 1),
        (Emulated::V0_9_0, 2),
    ] {
        let scene = Scene::new(Options {
            server,
            ..Options::default()
        });
        let entries = vec![
            NewEntry::set("twice", "first"),
            NewEntry::of_kind(1, "set", "of a set"),
        ];
        scene.embedded.commit(DB, entries);
        scene.embedded.set(DB, "twice", "second");
        let mut auditor = scene.trusting();
        let (swept, outcomes) = sweep(&mut auditor);
        assert!(outcomes.is_empty(), "{server:?}: {outcomes:?}");
        let unavailable = swept.unavailable.unreadable;
        assert_eq!((swept.read, unavailable), (2, unreadable), "{server:?}");
    }
}

/// No tree proof of the later pairs is possible; the chain of headers shows the position of each.
#[test]
fn an_old_server_whose_last_tree_is_a_small_one_is_read_one_by_one() {
    let mut sizes: Vec<u64> = (0..11).collect();
    sizes.push(3);
    let scene = Scene::new(Options {
        server: Emulated::V1_1_0,
        lag: Lag::Table(sizes),
        ..Options::default()
    });
    scene.embedded.grow(DB, 12);
    // nearly all transactions, each read alone
    let mut auditor = scene.auditor(Values { sample: 11, ..NONE });
    cycle(&mut auditor);
    let outcome = cycle(&mut auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
    assert_eq!(auditor.values_read(DB).map(|values| values.read), Some(22));
}

/// Each transaction is in the tree, so its proof is valid, but one of them names another
/// predecessor.
#[test]
fn a_chain_that_differs_from_the_tree_is_found_by_a_sweep() {
    for server in [Emulated::V0_9_0, Emulated::V1_11_1] {
        let scene = Scene::new(Options {
            server,
            ..Options::default()
        });
        scene.embedded.grow(DB, 20);
        let draft = NewTransaction {
            entries: vec![NewEntry::set("another", "chain")],
            prev_alh: Some(Digest::of(&[b"another"])),
            ..NewTransaction::default()
        };
        scene.embedded.write(DB, draft);
        scene.embedded.grow(DB, 5);
        let mut auditor = scene.trusting();
        let (_, outcomes) = sweep(&mut auditor);
        let expected = Verdict::Tampered(Tampering::Inconsistent);
        let verdicts: Vec<Verdict> = outcomes.iter().map(|found| found.verdict).collect();
        assert_eq!(verdicts, [expected], "{server:?}: {outcomes:?}");
    }
}

pub fn ledger(lag: Lag, size: u64) -> Ledger {
    let mut ledger = Ledger::new(HeaderVersion::V1, lag);
    for number in 1..=size {
        ledger.commit(vec![NewEntry::set(format!("{number}"), "value")]);
    }
    ledger
}

/// Returns a header with a changed field, as a server with two histories may write it.
pub fn changed(header: &TxHeader, change: impl Fn(&mut HeaderFields)) -> TxHeader {
    let mut fields = header.fields().clone();
    change(&mut fields);
    TxHeader::new(fields).expect("a header")
}

#[test]
fn the_walk_follows_chain_and_tree_and_no_other() {
    use immuaudit::audit::{Corruption, Step};
    let other = Digest::of(&[b"other"]);
    for lag in [Lag::None, Lag::By(5), Lag::Unsteady] {
        let ledger = ledger(lag.clone(), 50);
        for wrong in 2..=50u64 {
            let mut walk = Walk::default();
            for stored in ledger.txs() {
                let header = &stored.header;
                let id = header.id();
                // restored from its stored part, the walk continues
                if lag == Lag::None && id % 10 == 3 {
                    walk = Walk::restore(walk.at(), walk.hash(), walk.peaks());
                }
                if id == wrong {
                    let tree = changed(header, |fields| fields.bl_root = other);
                    let step = walk.clone().pass(&tree);
                    assert!(
                        matches!(step, Step::Broken(Corruption::Tree { .. })),
                        "{id}: {step:?}"
                    );
                    // a tree that includes the transaction itself, or a later one
                    for size in [id, id + 1, u64::MAX] {
                        let large = changed(header, |fields| fields.bl_tx_id = size);
                        let step = walk.clone().pass(&large);
                        assert!(
                            matches!(step, Step::Broken(Corruption::Tree { .. })),
                            "{id}, a tree of {size}: {step:?}"
                        );
                    }
                    let chain = changed(header, |fields| fields.prev_alh = other);
                    let step = walk.clone().pass(&chain);
                    assert!(
                        matches!(step, Step::Broken(Corruption::Chain { .. })),
                        "{id}: {step:?}"
                    );
                }
                assert_eq!(walk.pass(header), Step::Follows, "{id}");
            }
        }
    }
}

#[test]
fn the_walk_learns_a_skipped_hash_from_the_next_header() {
    use immuaudit::audit::Step;
    let ledger = ledger(Lag::None, 50);
    let mut walk = Walk::default();
    for stored in ledger.txs() {
        if stored.header.id() == 1 {
            walk.skip();
        } else if stored.header.id() % 7 == 0 {
            walk.skip();
            walk = Walk::restore(walk.at(), walk.hash(), walk.peaks());
        } else {
            assert_eq!(
                walk.pass(&stored.header),
                Step::Follows,
                "{:?}",
                stored.header
            );
        }
    }
}

/// One header has an old tree, whose root the walk has forgotten; in it, transaction 450 differs
/// from the chain. All other headers have the chain's tree, but a larger one, so that none of them
/// can be proven to the trusted state.
#[test]
fn a_tree_older_than_the_walk_is_compared_with_the_chain() {
    for forged in [false, true] {
        let scene = Scene::new(Options::default());
        let mut ledger = ledger(Lag::None, 1_600);
        if forged {
            let other = Digest::of(&[b"other"]);
            let of_chain = &ledger.tx(450).expect("transaction 450").header;
            let header = changed(of_chain, |fields| fields.eh = other);
            ledger.hold(header);
        }
        ledger.write(NewTransaction {
            tree_size: Some(500),
            ..NewTransaction::default()
        });
        scene.embedded.put_ledger(DB, ledger);
        let mut auditor = scene.trusting();
        let (swept, outcomes) = sweep(&mut auditor);
        assert_eq!(swept.of, 1_601);
        let verdicts: Vec<Verdict> = outcomes.iter().map(|outcome| outcome.verdict).collect();
        assert_eq!(verdicts.is_empty(), !forged, "{outcomes:?}");
        assert!(
            verdicts.iter().all(|verdict| verdict.is_tampering()),
            "{verdicts:?}"
        );
        // the evidence verifies without the server
        let mut shown = 0;
        let directory = scene.folder.join("trust/tested/evidence").join(DB);
        for file in fs::read_dir(directory).into_iter().flatten() {
            let bytes = fs::read(file.expect("a file").path()).expect("a file");
            let evidence = Evidence::parse(&bytes).expect("evidence");
            let rechecked = recheck(&evidence, &[]);
            assert!(
                matches!(rechecked, Rechecked::Shown { .. }),
                "{rechecked:?}"
            );
            shown += 1;
        }
        assert_eq!(shown, usize::from(forged));
    }
}
