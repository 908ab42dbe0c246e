//! Slow servers, and servers with different responses to repeated calls.

use std::time::{Duration, Instant};

use crate::support::distorted::{DB, Scene};
use crate::support::in_process;
use crate::support::proxy::Body;
use immuaudit::audit::{Auditor, Overdue, Policy, SweepStatus, Verdict, Warning};
use immuaudit::config::Values;
use immuaudit::drill::Lag;
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::trust::Tampering;
use immuaudit::wire::proto;
use protobuf::Message;

fn auditor(scene: &Scene, timeout: Duration, policy: Policy) -> Auditor {
    let endpoint = Endpoint::on_loopback(scene.proxy.port);
    let server = in_process::server(endpoint, timeout, &Stop::new());
    Auditor::new(
        server,
        in_process::store(scene.folder.join("trust")),
        policy,
    )
}

fn sampling(sample: u64) -> Policy {
    Policy {
        values: Values {
            sample,
            ..Values::NONE
        },
        interval: Duration::from_millis(10),
        ..Policy::of_consistency()
    }
}

/// The states take most of the time that a cycle has for them.
#[test]
fn slow_states_leave_time_for_values_and_a_cut_sample_is_overdue() {
    let scene = Scene::new(Lag::None);
    scene.embedded.grow(DB, 200);
    let mut auditor = auditor(&scene, Duration::from_secs(10), sampling(32))
        .with_shortest_cycle(Duration::from_secs(1));
    auditor.cycle(|_| {});
    let read = |auditor: &Auditor| auditor.values_read(DB).map_or(0, |of| of.read);
    assert_eq!(read(&auditor), 32);
    scene.proxy.distort(|call, _, _| {
        let slow = match call {
            "CurrentState" => 300,
            "TxScan" | "VerifiableTxById" => 200,
            _ => 0,
        };
        std::thread::sleep(Duration::from_millis(slow));
    });
    let begin = Instant::now();
    let mut overdue = false;
    while begin.elapsed() < Duration::from_secs(20) && !overdue {
        let before = read(&auditor);
        let outcome = auditor.cycle(|_| {}).outcomes.remove(0);
        assert!(read(&auditor) > before, "{outcome:?}");
        let cut = |warning: &Warning| matches!(warning, Warning::SampleCut { .. });
        assert!(outcome.warnings.iter().any(cut), "{outcome:?}");
        overdue = matches!(outcome.values_overdue, Some(Overdue::Cut(_)));
    }
    assert!(overdue);
    scene.proxy.be_honest();
    let outcome = auditor.cycle(|_| {}).outcomes.remove(0);
    assert!(outcome.is_complete(), "{outcome:?}");
}

/// Two replicas behind one name respond in this way if one of them has edited values. The second, good
/// response does not withdraw the finding.
#[test]
fn a_value_that_is_edited_only_in_scans_is_tampering() {
    let scene = Scene::new(Lag::None);
    scene.embedded.grow(DB, 40);
    let mut auditor = auditor(&scene, Duration::from_secs(10), sampling(20));
    auditor.cycle(|_| {});
    // a scan returns the edited values; single reads return the original ones
    scene.proxy.distort(move |call, _, reply| {
        if call == "TxScan" {
            reply.message(|answer: &mut proto::TxList| {
                let entries = answer.txs.iter_mut().flat_map(|tx| &mut tx.entries);
                let values = entries.map(|entry| &mut entry.value);
                values
                    .filter(|value| !value.is_empty())
                    .for_each(|value| value[0] ^= 1);
            });
        }
    });
    let outcome = auditor.cycle(|_| {}).outcomes.remove(0);
    assert_eq!(
        outcome.verdict,
        Verdict::Tampered(Tampering::BadValue),
        "{outcome:?}"
    );
}

/// A paced sweep must not delay a check, so its calls have a short deadline. It still skips a
/// transaction that is never answered.
#[test]
fn a_paced_sweep_skips_a_transaction_without_a_response() {
    let scene = Scene::new(Lag::None);
    scene.embedded.grow(DB, 3);
    let policy = Policy {
        values: Values {
            sweep: Some(Duration::from_secs(1)),
            ..Values::NONE
        },
        ..sampling(0)
    };
    let mut auditor = auditor(&scene, Duration::from_secs(10), policy);
    auditor.cycle(|_| {});
    scene.proxy.distort(|call, request, reply| {
        let silent = match call {
            "TxScan" => {
                let scan = proto::TxScanRequest::parse_from_bytes(request).expect("a scan");
                scan.initial_tx <= 2 && scan.initial_tx + u64::from(scan.limit) > 2
            }
            "VerifiableTxById" => {
                let asked = proto::VerifiableTxRequest::parse_from_bytes(request);
                asked.expect("a request").tx == 2
            }
            "TxById" => {
                proto::TxRequest::parse_from_bytes(request)
                    .expect("a request")
                    .tx
                    == 2
            }
            _ => false,
        };
        if silent {
            reply.body = Body::Silence;
        }
    });
    let mut ended = None;
    for _ in 0..20 {
        let slice = auditor.sweep_at_pace(Instant::now() + Duration::from_millis(50));
        if let SweepStatus::Completed(swept) = slice.status {
            ended = Some((swept.read, swept.of));
            break;
        }
    }
    assert_eq!(ended, Some((2, 3)));
    let due = auditor.values_read(DB).map(|of| of.due.contains(2));
    assert_eq!(due, Some(true));
}
