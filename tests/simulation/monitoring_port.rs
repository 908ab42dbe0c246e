//! The monitoring port of an auditor with peers: the real registry, which decides which checkpoints are served, without
//! the HTTP server in front of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use immuaudit::audit::Cycle;
use immuaudit::checkpoint::SignerKey;
use immuaudit::clock::{SimulatedTime, Timestamp};
use immuaudit::config::Values;
use immuaudit::report::{InstanceInfo, StatusRegistry, checkpoints_text};
use immuaudit::server::Calls;

/// The response of a monitoring port: checkpoints, or an error.
type Response = Result<Vec<u8>, String>;

pub struct MonitoringPort {
    server: &'static str,
    /// The time of the auditor's host, which dates the checkpoints. It can be wrong.
    time: SimulatedTime,
    registry: StatusRegistry,
    response: Rc<RefCell<Response>>,
}

impl MonitoringPort {
    /// Returns the port of an auditor of `server` that starts now. It refuses connections until a cycle ends.
    pub fn new(server: &'static str, now: Timestamp) -> MonitoringPort {
        let time = SimulatedTime::starting_at(now);
        MonitoringPort {
            server,
            registry: registry(server, &time),
            time,
            response: Rc::new(RefCell::new(no_connection())),
        }
    }

    /// Returns the function with which a peer fetches the checkpoints.
    pub fn fetch(&self) -> impl Fn() -> Response + 'static {
        let response = self.response.clone();
        move || response.borrow().clone()
    }

    /// Refuses connections until the next cycle ends, because the auditor restarts.
    pub fn restart(&mut self) {
        self.registry = registry(self.server, &self.time);
        self.refuse();
    }

    /// Refuses connections until the next cycle ends.
    pub fn refuse(&self) {
        *self.response.borrow_mut() = no_connection();
    }

    /// Publishes a cycle, and serves the checkpoints by a clock that shows `now`, which `key` signs.
    pub fn publish(&self, cycle: &Cycle, key: &Arc<SignerKey>, now: Timestamp) {
        let behind = seconds(now) - seconds(self.time.clock().now());
        self.time.step_wall_clock(behind);
        self.registry.sign_by(Some(key.clone()));
        cycle
            .outcomes
            .iter()
            .for_each(|outcome| self.registry.publish(outcome));
        self.registry.publish_cycle(cycle, None);
        let text = checkpoints_text(&self.registry.snapshot());
        *self.response.borrow_mut() = Ok(text.into_bytes());
    }
}

fn registry(server: &str, time: &SimulatedTime) -> StatusRegistry {
    let about = InstanceInfo {
        server: server.to_owned(),
        address: "127.0.0.1:3322".to_owned(),
        interval: Duration::ZERO,
        values: Values::NONE,
        call_timeout: Duration::ZERO,
        config: String::new(),
        started: time.clock().now(),
    };
    StatusRegistry::new(about, Calls::new(time.clock()))
}

fn no_connection() -> Response {
    Err("no connection".to_owned())
}

fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.unix()).expect("a time of this century")
}
