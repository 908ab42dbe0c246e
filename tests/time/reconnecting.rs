//! Failures of a call that close the connection, and the retries of a failed connection, in
//! simulated time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::{Simulation, TIMEOUT};
use immuaudit::config::Secret;
use immuaudit::drill::{Delivery, InProcess, Options, Sent};
use immuaudit::server::{Connection, LONG_PAUSE, Login, Server, ServerErrorKind, Tls, Transport};
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";
const DELAY: Duration = Duration::from_millis(100);
const SHORT: Duration = Duration::from_millis(50);

/// A transport that counts its connections.
struct Counting {
    inner: InProcess,
    connections: Rc<Cell<u32>>,
    ends: Rc<Cell<u32>>,
}

impl Transport for Counting {
    fn connect(&mut self, tls: Option<Tls>) -> Box<dyn Connection> {
        self.connections.set(self.connections.get() + 1);
        self.inner.connect(tls)
    }

    fn end(&mut self) {
        self.ends.set(self.ends.get() + 1);
    }
}

struct Scene {
    simulation: Simulation,
    server: Server,
    connections: Rc<Cell<u32>>,
    /// The number of times that the transport was ended.
    ends: Rc<Cell<u32>>,
    /// The fates of the next calls; after these, each call is answered after `DELAY`.
    next: Rc<RefCell<VecDeque<Delivery>>>,
}

impl Scene {
    /// Returns a server with an open database and one connection.
    fn new() -> Scene {
        let simulation = Simulation::new(Options::default());
        simulation.embedded.grow(DATABASE, 5);
        let (connections, ends) = (Rc::default(), Rc::default());
        let next = Rc::<RefCell<VecDeque<_>>>::default();
        let inner = {
            let next = next.clone();
            let network = move |_: &Sent<'_>| {
                let delivery = next.borrow_mut().pop_front();
                delivery.unwrap_or(Delivery::After(DELAY))
            };
            simulation.embedded.in_process(network)
        };
        let transport = Box::new(Counting {
            inner,
            connections: Rc::clone(&connections),
            ends: Rc::clone(&ends),
        });
        let login = Login {
            username: "immudb".into(),
            password: Secret::new("immudb".into()),
        };
        let server = Server::over(transport, login, TIMEOUT, simulation.stop.clone());
        let mut scene = Scene {
            server: server.with_clock(simulation.clock.clone()),
            simulation,
            connections,
            ends,
            next,
        };
        scene.state().expect("a state");
        scene
    }

    fn state(&mut self) -> Result<(), ServerErrorKind> {
        let state = self.server.state(DATABASE);
        state.map(drop).map_err(|failure| failure.kind)
    }

    /// Requests the state with less time than an answer takes.
    fn state_with_short_deadline(&mut self) -> Result<(), ServerErrorKind> {
        let until = self.simulation.clock.instant() + SHORT;
        let before = self.server.limit(until);
        let state = self.state();
        self.server.restore(before);
        state
    }

    fn deliver(&self, next: impl IntoIterator<Item = Delivery>) {
        self.next.borrow_mut().extend(next);
    }
}

#[test]
fn two_short_deadlines_in_a_row_close_the_connection() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        assert_eq!(
            scene.state_with_short_deadline(),
            Err(ServerErrorKind::CutShort)
        );
        assert_eq!(scene.state(), Ok(()));
        assert_eq!(scene.connections.get(), 1);
    }
    for _ in 0..2 {
        assert_eq!(
            scene.state_with_short_deadline(),
            Err(ServerErrorKind::CutShort)
        );
    }
    assert_eq!(scene.state(), Ok(()));
    assert_eq!(scene.connections.get(), 2);
}

#[test]
fn a_full_deadline_closes_the_connection() {
    let mut scene = Scene::new();
    scene.deliver([Delivery::Lost]);
    assert_eq!(scene.state(), Err(ServerErrorKind::Deadline(TIMEOUT)));
    assert_eq!(scene.state(), Ok(()));
    assert_eq!(scene.connections.get(), 2);
}

#[test]
fn a_connection_that_breaks_after_a_short_deadline_is_reopened() {
    let mut scene = Scene::new();
    assert_eq!(
        scene.state_with_short_deadline(),
        Err(ServerErrorKind::CutShort)
    );
    scene.deliver([Delivery::Cut(Duration::ZERO)]);
    let begin = scene.simulation.time.passed();
    assert_eq!(scene.state(), Ok(()));
    assert_eq!(scene.simulation.time.passed() - begin, DELAY, "immediately");
}

#[test]
fn a_retry_without_enough_time_stays_allowed() {
    let mut scene = Scene::new();
    let refused = Delivery::Refused(Duration::ZERO);
    scene.deliver([refused.clone(), refused.clone()]);
    assert_eq!(
        scene.state_with_short_deadline(),
        Err(ServerErrorKind::Unreachable)
    );
    scene.deliver([refused.clone()]);
    assert_eq!(scene.state(), Ok(()), "tried again after a pause");
    scene.deliver([refused.clone(), refused]);
    assert_eq!(
        scene.state(),
        Err(ServerErrorKind::Unreachable),
        "once in a cycle"
    );
}

#[test]
fn a_long_pause_closes_the_connection_and_keeps_the_login() {
    let mut scene = Scene::new();
    for rests in 1..=3 {
        scene.server.rest(LONG_PAUSE);
        assert_eq!(scene.ends.get(), rests);
        assert_eq!(scene.state(), Ok(()));
        assert_eq!(scene.connections.get(), rests + 1);
    }
    let calls = scene.simulation.embedded.calls();
    assert_eq!(calls.get(method::LOGIN), Some(&1));
    assert_eq!(calls.get(method::USE_DATABASE), Some(&1));
}

#[test]
fn a_short_pause_keeps_the_connection() {
    let mut scene = Scene::new();
    scene.server.rest(LONG_PAUSE - Duration::from_millis(1));
    assert_eq!(scene.state(), Ok(()));
    assert_eq!((scene.connections.get(), scene.ends.get()), (1, 0));
}
