//! A state that a server showed is judged, whatever happens between its reception and its turn: a renewed
//! credential, a new login, a broken connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::Simulation;
use immuaudit::audit::{Auditor, Cycle, Exit, Policy, Verdict};
use immuaudit::drill::{Delivery, Lie, LieSchedule, Options, Sent};
use immuaudit::trust::Tampering;
use immuaudit::wire::method;

const DELAY: Duration = Duration::from_millis(5);
const PERMISSION_DENIED: i32 = 7;
/// A call, and its delivery for as many times.
type Trouble = (&'static str, Option<&'static str>, Delivery, u32);

struct Scene {
    simulation: Simulation,
    auditor: Auditor,
    troubles: Rc<RefCell<Vec<Trouble>>>,
}

impl Scene {
    /// Returns an auditor that trusts the databases `a`, `b` and `defaultdb`.
    fn new() -> Scene {
        let simulation = Simulation::new(Options::default().with_databases(&["a", "b"]));
        for name in ["a", "b", "defaultdb"] {
            simulation.embedded.grow(name, 3);
        }
        let troubles = Rc::<RefCell<Vec<Trouble>>>::default();
        let next = troubles.clone();
        let network = move |sent: &Sent<'_>| {
            let mut next = next.borrow_mut();
            let is_it = |(call, database, _, times): &&mut Trouble| {
                *call == sent.call && *database == sent.database && *times > 0
            };
            let Some((_, _, delivery, times)) = next.iter_mut().find(is_it) else {
                return Delivery::After(DELAY);
            };
            *times -= 1;
            delivery.clone()
        };
        let auditor = simulation.auditor(Policy::of_consistency(), network);
        let mut scene = Scene {
            simulation,
            auditor,
            troubles,
        };
        for _ in 0..3 {
            assert_eq!(scene.cycle().exit(), Exit::Good);
        }
        scene
    }

    fn cycle(&mut self) -> Cycle {
        let cycle = self.auditor.cycle(|_| {});
        self.simulation.time.advance(cycle.interval);
        cycle
    }

    /// Runs a cycle in which the first state of a database, and no other, is of another history.
    fn cycle_with_a_fork_shown_once(&mut self, database: &str, troubles: &[Trouble]) {
        *self.troubles.borrow_mut() = troubles.to_vec();
        self.simulation.embedded.lie(LieSchedule {
            database: Some(database.into()),
            ..LieSchedule::from(Lie::Alternating)
        });
        let cycle = self.cycle();
        let left = self.troubles.borrow();
        assert!(left.iter().all(|(.., times)| *times == 0), "{left:?}");
        let mut outcomes = cycle.outcomes.iter();
        let outcome = outcomes.find(|outcome| outcome.database == database);
        let verdict = outcome.map(|outcome| outcome.verdict);
        let accused = Verdict::Tampered(Tampering::Inconsistent);
        assert_eq!(verdict, Some(accused));
    }
}

fn refused() -> Delivery {
    Delivery::Status(DELAY, PERMISSION_DENIED, "token has expired".into())
}

/// The prefetched call and the repeated one are refused, so the database is opened again.
#[test]
fn a_received_state_is_judged_after_another_database_was_opened_again() {
    let trouble = (method::CURRENT_STATE, Some("a"), refused(), 2);
    Scene::new().cycle_with_a_fork_shown_once("b", &[trouble]);
}

/// The first state of a cycle is received together with the list.
#[test]
fn a_received_state_is_judged_after_a_new_login() {
    let trouble = (method::DATABASE_LIST, None, refused(), 1);
    Scene::new().cycle_with_a_fork_shown_once("a", &[trouble]);
}

/// After the new login the database has to be opened again.
#[test]
fn a_received_state_is_judged_although_its_database_can_no_longer_be_opened() {
    let troubles = [
        (method::DATABASE_LIST, None, refused(), 1),
        (method::USE_DATABASE, Some("a"), refused(), 2),
    ];
    Scene::new().cycle_with_a_fork_shown_once("a", &troubles);
}

#[test]
fn a_received_state_is_judged_after_the_connection_broke() {
    let trouble = (method::CURRENT_STATE, Some("a"), Delivery::Cut(DELAY), 2);
    Scene::new().cycle_with_a_fork_shown_once("b", &[trouble]);
}
