//! The real binary, killed with SIGKILL at every step of writing a file, then run again: what it
//! trusted it still trusts, and an alarm that was told is still there.

mod support;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use immuaudit::drill::{Embedded, Lie, Options};
use immuaudit::trust::fault;
use support::place::Place;
use support::program::{Program, member};

const DATABASE: &str = "defaultdb";
const SIGKILL: i32 = 9;

/// What the run that is killed has to write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    FirstSight,
    Advance,
    Raise,
}

fn killed(program: &Program, point: &str) -> bool {
    let mut program = program.with(&[]);
    program.variables = vec![(fault::VARIABLE.into(), point.into())];
    let status = program
        .command(&["--once"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the program runs");
    status.signal() == Some(SIGKILL)
}

fn told(program: &Program, name: &str) -> String {
    let run = program.run(&["status", "--json"]);
    member(run.line(DATABASE), name).to_owned()
}

#[test]
fn killed_at_any_step_the_program_goes_on_from_what_it_trusted() {
    let mut reached = BTreeSet::new();
    for work in [Work::FirstSight, Work::Advance, Work::Raise] {
        for point in fault::points() {
            let case = format!("{work:?} killed at {point}");
            let folder = Place::new();
            let server = Embedded::start(Options::default()).expect("an embedded ledger");
            server.grow(DATABASE, 10);
            let program = Program::new(server.port(), &folder.join("trust"));
            if work != Work::FirstSight {
                program.once().is(0, DATABASE, "first-seen");
                server.grow(DATABASE, 5);
            }
            if work == Work::Raise {
                program.once().is(0, DATABASE, "consistent");
                server.lie(Lie::OtherHash);
            }
            if !killed(&program, &point) {
                continue; // nothing of this kind is written in this work
            }
            reached.insert(point.clone());
            if work == Work::Raise {
                // it is found again, and one alarm
                let run = program.once();
                run.is(2, DATABASE, "inconsistent");
                assert_eq!(member(run.line(DATABASE), "open_alarms"), "1", "{case}");
                server.be_honest();
                server.grow(DATABASE, 1);
                program.once().is(2, DATABASE, "consistent");
                continue;
            }
            let run = program.once();
            let verdict = run.verdict(DATABASE);
            assert_eq!(run.code, Some(0), "{case}: {run:#?}");
            match work {
                Work::Advance => assert_eq!(verdict, "consistent", "{case}: {run:#?}"),
                _ => assert!(["first-seen", "consistent"].contains(&verdict), "{case}"),
            }
            let state = server.state(DATABASE).expect("a state");
            assert_eq!(told(&program, "tx"), state.tx.to_string(), "{case}");
        }
    }
    println!("killed at {} points", reached.len());
    assert!(reached.len() >= 30, "{reached:?}");
}
