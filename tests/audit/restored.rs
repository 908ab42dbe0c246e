//! Trusted states that are restored from a backup without the other files of the auditor.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::in_process::{location, open};
use crate::support::simulated::{Simulation, taking};
use immuaudit::audit::{Auditor, Outcome, Policy};
use immuaudit::drill::Options;
use immuaudit::ledger::StateShape;
use immuaudit::trust::{ImportBasis, Location, ObservedState, Store};

const DATABASE: &str = "defaultdb";

/// An auditor whose trusted states have a separate directory.
struct Scene {
    simulation: Simulation,
    location: Location,
}

impl Scene {
    fn new() -> Scene {
        let simulation = Simulation::new(Options::default());
        simulation.embedded.grow(DATABASE, 5);
        let location = Location {
            roots: Some(simulation.folder.join("roots")),
            ..location(simulation.folder.join("dir"))
        };
        Scene {
            simulation,
            location,
        }
    }

    fn auditor(&self) -> Auditor {
        let clock = &self.simulation.clock;
        let store = open(&self.location, clock.now()).with_clock(clock.clone());
        let server = self.simulation.server(taking(Duration::ZERO));
        Auditor::new(server, store, Policy::of_consistency())
    }

    /// Opens the same files while the auditor uses them.
    fn store(&self) -> Store {
        let store = Store::open_shared(&self.location).expect("a store");
        store.with_clock(self.simulation.clock.clone())
    }

    fn cycle(&self, auditor: &mut Auditor) -> Outcome {
        self.simulation.time.advance(Duration::from_secs(60));
        auditor.cycle(|_| {}).outcomes.remove(0)
    }

    /// Returns the files of the directory of the trusted states.
    fn roots(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let directory = self.simulation.folder.join("roots").join("tested");
        let names = ["state", "history"].map(|ending| format!("{DATABASE}.{ending}"));
        let path = names.map(|name| directory.join(name)).into_iter();
        path.map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect()
    }

    /// Audits transactions 5 and 10. Returns the auditor, and the files of the trusted states after transaction 5.
    fn audited(&self) -> (Auditor, Vec<(PathBuf, Vec<u8>)>) {
        let mut auditor = self.auditor();
        assert_eq!(self.cycle(&mut auditor).verdict.word(), "first-seen");
        let older = self.roots();
        self.simulation.embedded.grow(DATABASE, 5);
        assert_eq!(self.cycle(&mut auditor).verdict.word(), "consistent");
        (auditor, older)
    }
}

/// Returns the warnings about a restored state.
fn warnings(auditor: &mut Auditor) -> Vec<String> {
    let all = auditor.store_warnings().into_iter();
    let all = all.map(|warning| warning.to_string());
    all.filter(|text| text.contains("restored from a backup"))
        .collect()
}

#[test]
fn trusted_states_that_were_restored_alone_cause_a_warning() {
    let scene = Scene::new();
    let (auditor, older) = scene.audited();
    let later = scene.store().load(DATABASE).expect("a store");
    let later = later.expect("a trusted state").state;
    drop(auditor);
    for (path, bytes) in older {
        fs::write(path, bytes).expect("a file");
    }
    let mut auditor = scene.auditor();
    let warned = warnings(&mut auditor);
    assert_eq!(warned.len(), 1, "{warned:?}");
    for part in [
        "database defaultdb is transaction 5",
        "transaction 10 was proven at",
        &format!("--pin {DATABASE}:{later}"),
    ] {
        assert!(warned[0].contains(part), "{part}: {warned:?}");
    }
    let outcome = scene.cycle(&mut auditor);
    assert_eq!(outcome.previous.map(|state| state.tx), Some(5));
    assert_eq!(outcome.verdict.word(), "consistent", "{outcome:?}");
    drop(auditor);
    let warned = warnings(&mut scene.auditor());
    assert!(warned.is_empty(), "{warned:?}");
}

/// The ways in which an operator replaces the trusted state by an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    None,
    Adopted,
    Forgotten,
    Imported,
}

#[test]
fn a_state_that_an_operator_gave_up_causes_no_warning() {
    for decision in [
        Decision::None,
        Decision::Adopted,
        Decision::Forgotten,
        Decision::Imported,
    ] {
        let scene = Scene::new();
        let (mut auditor, _) = scene.audited();
        let mut older = scene
            .simulation
            .embedded
            .ledger(DATABASE)
            .expect("a ledger");
        older.truncate(5);
        let state = older.state();
        if decision != Decision::None {
            scene.simulation.embedded.put_ledger(DATABASE, older);
            let outcome = scene.cycle(&mut auditor);
            let alarm = outcome.alarm.expect("an alarm");
            let (store, now) = (scene.store(), scene.simulation.clock.now());
            if decision == Decision::Adopted {
                store.adopt(&alarm.id, "kim", now).expect("an adoption");
            } else {
                store.distrust(DATABASE, now).expect("no trusted state");
            }
            if decision == Decision::Imported {
                let imported = ObservedState {
                    state,
                    shape: StateShape::WithDatabase,
                    signature: None,
                    uuid: None,
                };
                let basis = ImportBasis::Shown(state);
                store
                    .import(DATABASE, &imported, basis, now)
                    .expect("an imported state");
            }
        }
        drop(auditor);
        let trusted = scene.store().load(DATABASE).expect("a store");
        let expected = match decision {
            Decision::None => Some(10),
            Decision::Forgotten => None,
            Decision::Adopted | Decision::Imported => Some(5),
        };
        assert_eq!(
            trusted.map(|trusted| trusted.state.tx),
            expected,
            "{decision:?}"
        );
        let warned = warnings(&mut scene.auditor());
        assert!(warned.is_empty(), "{decision:?}: {warned:?}");
    }
}
