//! A server behind a proxy that changes its responses, and the auditor's verdict.

use immuaudit::audit::{Auditor, Cycle, Outcome, Policy, Verdict};
use immuaudit::config::Values;
use immuaudit::drill::{Embedded, Emulated, Lag, Options};
use immuaudit::random::Random;
use immuaudit::trust::Tampering;

use super::in_process;
use super::proxy::{Body, Distort, Proxy};
use super::temp_dir::TempDir;

pub const DB: &str = "defaultdb";
pub const INCONSISTENT: Verdict = Verdict::Tampered(Tampering::Inconsistent);

/// A server behind a proxy, and a directory for the auditor's files.
pub struct Scene {
    pub embedded: Embedded,
    pub proxy: Proxy,
    pub folder: TempDir,
}

impl Scene {
    pub fn new(lag: Lag) -> Scene {
        Scene::of(Options {
            lag,
            ..Options::default()
        })
    }

    /// Returns a scene with a server of this version.
    pub fn of_version(server: Emulated) -> Scene {
        Scene::of(Options {
            server,
            ..Options::default()
        })
    }

    fn of(options: Options) -> Scene {
        let embedded = Embedded::start(options).expect("an embedded ledger");
        Scene {
            proxy: Proxy::before(embedded.port()),
            embedded,
            folder: TempDir::new(),
        }
    }

    /// Returns a scene with ten trusted transactions and two more.
    pub fn grown(lag: Lag) -> Scene {
        let scene = Scene::new(lag);
        scene.embedded.grow(DB, 10);
        assert_eq!(scene.cycle().verdict, Verdict::FirstSeen);
        scene.embedded.grow(DB, 2);
        scene
    }

    pub fn cycle(&self) -> Outcome {
        self.cycle_with(Policy::of_consistency())
    }

    pub fn cycle_reading_values(&self) -> Outcome {
        self.cycle_with(Policy {
            values: Values {
                sample: 1,
                ..Values::NONE
            },
            ..Policy::of_consistency()
        })
    }

    pub fn cycle_with(&self, policy: Policy) -> Outcome {
        let mut cycle = self.complete_cycle(policy);
        assert_eq!(cycle.outcomes.len(), 1, "{cycle:?}");
        cycle.outcomes.remove(0)
    }

    pub fn complete_cycle(&self, policy: Policy) -> Cycle {
        let server = in_process::server_on(self.proxy.port);
        let store = in_process::store(self.folder.join("trust"));
        // the same draws in every run: a response is changed only for some transactions
        let random = Random::of_seed(1);
        let mut auditor = Auditor::new(server, store, policy).with_random(random);
        auditor.cycle(|_| {})
    }
}

/// Replaces every response of a call by an error.
pub fn fails(call: &'static str, code: i32, message: &'static str) -> Distort {
    Box::new(move |name, _, reply| {
        if name == call {
            reply.body = Body::Error(code, message.into());
        }
    })
}

pub const CANNOT_PROVE: &str = "binary linking mismatch at tx 10";
pub const CORRUPTED: &str = "tx data is corrupted";
pub const NOT_FOUND: &str = "tx not found";
