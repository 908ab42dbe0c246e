//! An auditor and an embedded ledger in one thread, with simulated time and a simulated network between them: nothing
//! is waited for, and the same test sees the same times in every run.

use std::time::Duration;

use immuaudit::audit::{Auditor, Policy};
use immuaudit::clock::{Clock, SimulatedTime, Timestamp};
use immuaudit::config::Secret;
use immuaudit::drill::{Delivery, Embedded, Options, Sent};
use immuaudit::server::{Login, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::Store;

use super::in_process::{location, open};
use super::place::Place;

/// When simulated time begins: 2027-01-15T08:00:00Z.
pub const START: u64 = 1_800_000_000;
/// The deadline of a call.
pub const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Simulation {
    pub time: SimulatedTime,
    pub clock: Clock,
    pub embedded: Embedded,
    pub place: Place,
    pub stop: Stop,
}

impl Simulation {
    /// A ledger as these options say, by simulated time.
    pub fn new(options: Options) -> Simulation {
        let time = SimulatedTime::starting_at(Timestamp::from_unix(START));
        let clock = time.clock();
        Simulation {
            embedded: Embedded::without_socket(Options {
                clock: clock.clone(),
                ..options
            }),
            time,
            clock,
            place: Place::in_memory(),
            stop: Stop::new(),
        }
    }

    /// The ledger behind a network, as the auditor calls it.
    pub fn server(&self, network: impl FnMut(&Sent<'_>) -> Delivery + 'static) -> Server {
        let login = Login {
            username: "immudb".into(),
            password: Secret::new("immudb".into()),
        };
        let transport = Box::new(self.embedded.in_process(network));
        Server::over(transport, login, TIMEOUT, self.stop.clone()).with_clock(self.clock.clone())
    }

    /// The auditor's files.
    pub fn store(&self) -> Store {
        let location = location(self.place.path());
        let store = open(&location, self.clock.now());
        store.with_clock(self.clock.clone())
    }

    /// The same files, beside the auditor that has them.
    pub fn store_beside(&self) -> Store {
        let store = Store::open_beside(&location(self.place.path())).expect("a store");
        store.with_clock(self.clock.clone())
    }

    /// An auditor of the ledger behind a network. Dropped and made again, it is a program that was restarted.
    pub fn auditor(
        &self,
        policy: Policy,
        network: impl FnMut(&Sent<'_>) -> Delivery + 'static,
    ) -> Auditor {
        Auditor::new(self.server(network), self.store(), policy)
    }
}

/// A network on which every answer takes this time.
pub fn taking(time: Duration) -> impl FnMut(&Sent<'_>) -> Delivery + 'static {
    move |_| Delivery::After(time)
}
