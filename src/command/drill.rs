//! `drill`: an honest ledger passes, a lying one is caught.

use std::io;
use std::time::Duration;

use super::exercise::{self, Said};
use super::open::Failed;
use crate::audit::Exit;
use crate::clock::Clock;
use crate::config::Drill;
use crate::drill::{Growth, Lie, Served, Split, serve};
use crate::report::print;
use crate::stop::Stop;

/// Lists the lies, tells them all to an auditor, or serves for people to try things on.
pub fn run(drill: Drill) -> Result<Exit, Failed> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    match drill {
        Drill::List => {
            for lie in Lie::ALL {
                print(&format!("{:32} {}", lie.name(), lie.describe()));
            }
            Ok(Exit::Good)
        }
        Drill::Table { lie: None } => table(Lie::ALL, &stop),
        Drill::Table { lie: Some(name) } => table(&[named(&name)?], &stop),
        Drill::Serve {
            port,
            databases,
            views,
            lie,
            grow,
        } => {
            let lie = lie.map(|name| named(&name)).transpose()?;
            let growth = grow.map_or(Growth::ByClients, Growth::Every);
            let wait = |pause: Duration| {
                Clock::system().sleep(pause, &stop);
                stop.requested()
            };
            let served = Served {
                port,
                databases,
                split: (views > 1).then_some(Split::FromTheFirst),
                growth,
                lie,
            };
            serve(&served, &mut io::stdout(), wait)
                .map_err(|failure| Failed::Drill(failure.to_string()))?;
            Ok(Exit::Good)
        }
    }
}

fn named(name: &str) -> Result<Lie, Failed> {
    Lie::named(name).ok_or_else(|| {
        Failed::Drill(format!(
            "no lie is called {name:?}: immuaudit drill --list names them all"
        ))
    })
}

/// Prints a row a lie; good only if each was caught, and nothing honest accused.
fn table(lies: &[Lie], stop: &Stop) -> Result<Exit, Failed> {
    let begin = Clock::system().instant();
    let (mut told, mut missed) = (0, 0);
    print(&row("what the ledger did", "due", "the auditor said", "ms"));
    let mut tell = |what: &str, due: &str, said: &Said| {
        let verdict = if said.right {
            said.verdict.clone()
        } else {
            missed += 1;
            format!("{}  <-- WRONG", said.verdict)
        };
        print(&row(
            what,
            due,
            &verdict,
            &said.took.as_millis().to_string(),
        ));
    };
    let honest = exercise::honest().map_err(Failed::Drill)?;
    for (what, due, said) in &honest {
        tell(what, due, said);
    }
    for lie in lies {
        if stop.requested() {
            return Ok(Exit::Incomplete);
        }
        let said = exercise::lied_to(*lie).map_err(Failed::Drill)?;
        tell(lie.name(), &exercise::due_in_words(*lie), &said);
        told += 1;
    }
    print(&format!(
        "{told} lies told, {} honest steps, {missed} wrong, {:.1} s",
        honest.len(),
        Clock::system().since(begin).as_secs_f64()
    ));
    Ok(if missed == 0 {
        Exit::Good
    } else {
        Exit::Tampered
    })
}

fn row(what: &str, due: &str, said: &str, ms: &str) -> String {
    format!("{what:32} {due:28} {said:34} {ms:>6}")
}
