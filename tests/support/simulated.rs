//! An auditor and an embedded ledger in one thread, with simulated time and a simulated network.
//! Nothing waits in real time, and a test sees the same times in every run.

use std::time::Duration;

use immuaudit::audit::{Auditor, Policy};
use immuaudit::clock::{Clock, SimulatedTime, Timestamp};
use immuaudit::config::Secret;
use immuaudit::drill::{Delivery, Embedded, Options, Sent};
use immuaudit::server::{Login, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::Store;

use super::in_process::{location, open};
use super::temp_dir::TempDir;
use super::value_scene::ALL;

/// The begin of simulated time: 2027-01-15T08:00:00Z.
pub const START: u64 = 1_800_000_000;
/// The deadline of a call.
pub const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Simulation {
    pub time: SimulatedTime,
    pub clock: Clock,
    pub embedded: Embedded,
    pub folder: TempDir,
    pub stop: Stop,
}

impl Simulation {
    /// Returns a ledger with these options, in simulated time.
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
            folder: TempDir::in_memory(),
            stop: Stop::new(),
        }
    }

    /// Returns a client of the ledger over this network.
    pub fn server(&self, network: impl FnMut(&Sent<'_>) -> Delivery + 'static) -> Server {
        let login = Login {
            username: "immudb".into(),
            password: Secret::new("immudb".into()),
        };
        let transport = Box::new(self.embedded.in_process(network));
        Server::over(transport, login, TIMEOUT, self.stop.clone()).with_clock(self.clock.clone())
    }

    /// Opens the auditor's files.
    pub fn store(&self) -> Store {
        let location = location(self.folder.path());
        let store = open(&location, self.clock.now());
        store.with_clock(self.clock.clone())
    }

    /// Opens the same files while the auditor uses them, as a separate command does.
    pub fn shared_store(&self) -> Store {
        let store = Store::open_shared(&location(self.folder.path())).expect("a store");
        store.with_clock(self.clock.clone())
    }

    /// Returns an auditor of the ledger over a network. Another one after a drop is like a program
    /// after a restart.
    pub fn auditor(
        &self,
        policy: Policy,
        network: impl FnMut(&Sent<'_>) -> Delivery + 'static,
    ) -> Auditor {
        Auditor::new(self.server(network), self.store(), policy)
    }
}

/// Returns the policy that reads every value in each cycle.
pub fn with_every_value() -> Policy {
    Policy {
        values: ALL,
        ..Policy::of_consistency()
    }
}

/// Returns a network on which every answer takes this time.
pub fn taking(time: Duration) -> impl FnMut(&Sent<'_>) -> Delivery + 'static {
    move |_| Delivery::After(time)
}
