//! Large values within a limit on memory. With the limit that is computed from
//! `--max-recv-msg-size`, all values are read, also edited ones; with a smaller limit the program
//! warns.

use std::fs;
use std::path::Path;

use crate::support::cgroup::Cgroup;
use crate::support::program::{Program, member};
use crate::support::temp_dir::TempDir;
use immuaudit::config::memory_needed;
use immuaudit::drill::{Embedded, Emulated, Lie, LieSchedule, NewEntry, Options};

const DATABASE: &str = "defaultdb";
const MIB: u64 = 1 << 20;

/// Starts a ledger with `values` transactions, each with a value of `length` bytes.
fn ledger(server: Emulated, values: u64, length: usize) -> Embedded {
    let embedded = Embedded::start(Options {
        server,
        ..Options::default()
    })
    .expect("a ledger");
    embedded.grow(DATABASE, 1);
    let value = "v".repeat(length);
    for number in 0..values {
        let entry = NewEntry::set(format!("large/{number}"), value.as_str());
        embedded.commit(DATABASE, vec![entry]);
    }
    embedded
}

fn evidence(state: &Path) -> usize {
    let files = fs::read_dir(state.join("tested/evidence").join(DATABASE));
    files.map_or(0, Iterator::count)
}

/// immudb allows values of up to 32 MiB. The test sets the size and the memory limit that the
/// program advises.
#[test]
fn a_value_of_30_mib_is_read_within_the_advised_memory_limit() {
    for server in [Emulated::V1_11_1, Emulated::V1_1_0] {
        let embedded = ledger(server, 1, 30 << 20);
        let folder = TempDir::new();
        let state = folder.join("state");
        let small = Program::new(embedded.port(), &state).with(&["--call-timeout=60s"]);
        let run = small.with(&["--audit-sample=9"]).once();
        run.is(1, DATABASE, "unread");
        let raised = match run.stderr.split("set it to ").nth(1) {
            Some(advice) => {
                let size = advice.split(' ').next().unwrap_or_default().to_owned();
                let memory = advice.split(" memory limit to ").nth(1);
                let memory = memory.and_then(|memory| memory.split(' ').next());
                let expected = memory_needed(size.parse().expect("a number")).to_string();
                assert_eq!(memory, Some(&*expected), "{advice}");
                size
            }
            None => (31 * MIB).to_string(), // without advice: this response has no size
        };
        let needed = memory_needed(raised.parse().expect("a number"));
        let cgroup = Cgroup::of(needed * MIB);
        let program = small
            .with(&["--max-recv-msg-size", &raised])
            .run_by(cgroup.prefix());
        let sampling = program.with(&["--audit-sample=9"]);
        let mut peaks = vec![];
        let (run, peak) = sampling.once_measured();
        run.is(0, DATABASE, "consistent");
        assert!(!run.stderr.contains("memory limit"), "{run:#?}");
        peaks.push(peak);
        let (run, peak) = program.run_measured(&["sweep"]);
        run.ends_with(0);
        peaks.push(peak);

        embedded.lie(LieSchedule::from(Lie::EditedValue).about(2));
        let (run, peak) = sampling.once_measured();
        run.is(2, DATABASE, "bad-value");
        assert!(!member(run.line(DATABASE), "evidence").is_empty());
        assert!(evidence(&state) >= 1, "{run:#?}");
        peaks.push(peak);
        let (run, peak) = program.run_measured(&["sweep"]);
        run.ends_with(2);
        peaks.push(peak);
        println!("{server:?}, at most {needed} MiB: {peaks:?} KiB resident");
        assert_eq!(cgroup.kills(), 0);
        let most = peaks.into_iter().max().unwrap_or_default() >> 10;
        // the response and its decoded form; gRPC has released its own buffers
        assert!(
            most < 24 + (needed - 32) / 8 * 5 / 2,
            "{most} of {needed} MiB"
        );
    }
}

#[test]
fn a_memory_limit_that_is_too_small_causes_a_warning() {
    let embedded = ledger(Emulated::V1_11_1, 0, 0);
    let folder = TempDir::new();
    let cgroup = Cgroup::of(64 * MIB);
    let program = Program::new(embedded.port(), &folder.join("state")).run_by(cgroup.prefix());
    let warning = "the memory limit is 64 MiB";
    let default = program.once();
    assert!(!default.stderr.contains("memory limit"), "{default:#?}");
    let raised = program.with(&["--max-recv-msg-size", "33554432"]).once();
    let count = raised.stderr.matches(warning).count();
    assert_eq!(count, usize::from(cgroup.is_enforced()), "{raised:#?}");
    assert!(
        !cgroup.is_enforced() || raised.stderr.contains("up to 288 MiB"),
        "{raised:#?}"
    );
    // `--quiet`, other commands and `config --check` print the warning too
    let large = ["--max-recv-msg-size", "33554432"];
    for args in [
        &["--once", "--quiet"][..],
        &["sweep", "--quiet"],
        &["sweep"],
    ] {
        let run = program.run(&[args, &large].concat());
        let count = run.ends_with(0).stderr.matches(warning).count();
        assert_eq!(count, usize::from(cgroup.is_enforced()), "{run:#?}");
    }
    let check = program.run(&[&["config", "--check"][..], &large].concat());
    assert_eq!(
        check.ends_with(0).stdout.contains(warning),
        cgroup.is_enforced(),
        "{check:#?}"
    );
}
