//! A ledger whose values are read by an auditor in the test's own process.

use std::time::Duration;

use immuaudit::audit::{Auditor, Outcome, Policy, Report, SweepStatus, Verdict};
use immuaudit::clock;
use immuaudit::config::Values;
use immuaudit::drill::{Embedded, NewEntry, NewTransaction, Options};
use immuaudit::ledger::TxMetadata;
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::trust::{Location, SweepSummary, Tampering};

use super::in_process;
use super::temp_dir::TempDir;

pub const DB: &str = "defaultdb";
pub const VALUE: Verdict = Verdict::Tampered(Tampering::BadValue);

/// No values unless a test sweeps.
pub const NONE: Values = Values::NONE;

/// Every value in each cycle.
pub const ALL: Values = Values {
    sample: u64::MAX,
    ..NONE
};

pub struct Scene {
    pub embedded: Embedded,
    pub folder: TempDir,
    pub max_answer: i32,
}

impl Scene {
    pub fn new(options: Options) -> Scene {
        Scene {
            embedded: Embedded::start(options).expect("the embedded ledger"),
            folder: TempDir::new(),
            max_answer: 4 << 20,
        }
    }

    /// Returns a scene with sixty transactions of one entry.
    pub fn of_sixty() -> Scene {
        let scene = Scene::new(Options::default());
        scene.embedded.grow(DB, 60);
        scene
    }

    pub fn location(&self) -> Location {
        in_process::location(self.folder.join("trust"))
    }

    pub fn auditor(&self, values: Values) -> Auditor {
        self.auditor_with(Policy {
            values,
            ..Policy::of_consistency()
        })
    }

    #[allow(dead_code)] // each test program uses a part
    pub fn auditor_with(&self, policy: Policy) -> Auditor {
        let endpoint = Endpoint {
            max_answer: self.max_answer,
            ..Endpoint::on_loopback(self.embedded.port())
        };
        let server = in_process::server(endpoint, Duration::from_secs(10), &Stop::new());
        let store = in_process::open(&self.location(), clock::now());
        Auditor::new(server, store, policy)
    }

    /// Returns an auditor that trusts the current state of the ledger.
    pub fn trusting(&self) -> Auditor {
        let mut auditor = self.auditor(NONE);
        let outcome = cycle(&mut auditor);
        assert!(outcome.verdict.is_proven(), "{outcome:?}");
        auditor
    }
}

/// Returns a transaction that records a truncation of all transactions before `before`.
pub fn truncation(before: u64) -> NewTransaction {
    NewTransaction {
        entries: vec![NewEntry::set("truncated", "")],
        metadata: Some(TxMetadata {
            truncated_tx_id: before,
            extra: Vec::new(),
        }),
        ..NewTransaction::default()
    }
}

pub fn cycle(auditor: &mut Auditor) -> Outcome {
    let mut cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.outcomes.len(), 1, "{cycle:?}");
    cycle.outcomes.remove(0)
}

/// Runs a complete sweep and returns its summary and the reported outcomes.
pub fn sweep(auditor: &mut Auditor) -> (SweepSummary, Vec<Outcome>) {
    let mut outcomes = Vec::new();
    loop {
        let slice = auditor.sweep(DB);
        outcomes.extend(slice.outcome);
        match slice.status {
            SweepStatus::Completed(swept) => return (swept, outcomes),
            SweepStatus::InProgress { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

pub fn report(outcome: &Outcome) -> &Report {
    outcome.values.as_ref().expect("a report of values")
}

pub fn broken(outcome: &Outcome) -> Vec<u64> {
    let broken = &report(outcome).broken;
    broken.iter().map(|broken| broken.tx).collect()
}
