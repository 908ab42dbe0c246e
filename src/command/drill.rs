//! `drill`: runs every known lie against an auditor, and checks that each is detected and no honest server is accused.

use std::io;
use std::time::Duration;

use super::exercise::{self, ExerciseResult};
use super::exercise_peers;
use super::setup::CommandError;
use crate::audit::Exit;
use crate::clock::Clock;
use crate::config::{Drill, nearest};
use crate::drill::{Growth, Lie, PeerLie, Served, Split, serve};
use crate::report::print;
use crate::stop::Stop;

/// Lists the lies, runs all of them against an auditor, or serves the embedded ledger for manual tests.
pub fn run(drill: Drill) -> Result<Exit, CommandError> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    match drill {
        Drill::List => {
            for exercise in all() {
                let (name, what) = (exercise.name(), exercise.describe());
                print(&format!("{name:32} {what}"));
            }
            Ok(Exit::Good)
        }
        Drill::Table { lie: None } => table(&all(), &stop),
        Drill::Table { lie: Some(name) } => table(&[named(&name)?], &stop),
        Drill::Serve {
            port,
            databases,
            views,
            lie,
            grow,
        } => {
            let lie = lie.map(|name| served(&name)).transpose()?;
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
                .map_err(|failure| CommandError::Drill(failure.to_string()))?;
            Ok(Exit::Good)
        }
    }
}

/// A lie, and the auditors that it is run against.
#[derive(Clone, Copy)]
enum Exercise {
    /// The server lies to one auditor.
    Lie(Lie),
    /// The server lies to one of two auditors that compare checkpoints.
    Split(Split),
    /// Like `Split`, but the server is honest again before the auditors compare.
    Healed,
    /// A peer lies to an auditor.
    Peer(PeerLie),
}

impl Exercise {
    fn name(self) -> &'static str {
        match self {
            Exercise::Lie(lie) => lie.name(),
            Exercise::Split(split) => split.name(),
            Exercise::Healed => exercise_peers::HEALED,
            Exercise::Peer(lie) => lie.name(),
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Exercise::Lie(lie) => lie.describe(),
            Exercise::Split(split) => split.describe(),
            Exercise::Healed => {
                "shows its second user another history for a while, and is honest again before two auditors can compare"
            }
            Exercise::Peer(lie) => lie.describe(),
        }
    }

    fn due(self) -> String {
        match self {
            Exercise::Lie(lie) => exercise::due_in_words(lie),
            Exercise::Split(_) | Exercise::Healed => "split-view".to_owned(),
            Exercise::Peer(lie) => format!("consistent, {}", lie.due()),
        }
    }

    fn exercise_result(self) -> Result<ExerciseResult, CommandError> {
        let exercise_result = match self {
            Exercise::Lie(lie) => exercise::lied_to(lie),
            Exercise::Split(split) => exercise_peers::split(split),
            Exercise::Healed => exercise_peers::healed(),
            Exercise::Peer(lie) => exercise_peers::lied_to_by(lie),
        };
        exercise_result.map_err(CommandError::Drill)
    }
}

fn all() -> Vec<Exercise> {
    let lies = Lie::ALL.iter().copied().map(Exercise::Lie);
    let splits = Split::ALL.iter().copied().map(Exercise::Split);
    let peers = PeerLie::ALL.iter().copied().map(Exercise::Peer);
    let healed = [Exercise::Healed];
    lies.chain(splits).chain(healed).chain(peers).collect()
}

fn named(name: &str) -> Result<Exercise, CommandError> {
    let named = all().into_iter().find(|exercise| exercise.name() == name);
    named.ok_or_else(|| {
        let near = nearest(name, all().into_iter().map(Exercise::name));
        let near = near.map_or_else(String::new, |near| format!("; the nearest is {near}"));
        CommandError::Drill(format!(
            "there is no lie {name:?}{near}; immuaudit drill --list prints all"
        ))
    })
}

/// Returns the lie that a server runs for manual tests.
fn served(name: &str) -> Result<Lie, CommandError> {
    match named(name)? {
        Exercise::Lie(lie) => Ok(lie),
        Exercise::Split(_) | Exercise::Healed => Err(CommandError::Drill(format!(
            "{name} shows one of two users another history: give --views 2 instead"
        ))),
        Exercise::Peer(_) => Err(CommandError::Drill(format!(
            "{name} is the lie of a peer, not of a server: immuaudit drill --lie {name} runs it"
        ))),
    }
}

/// Prints a row for each lie. The exit code is good only if each was detected and no honest server was accused.
fn table(lies: &[Exercise], stop: &Stop) -> Result<Exit, CommandError> {
    let begin = Clock::system().instant();
    let (mut counted, mut missed) = (0, 0);
    print(&row("behaviour of the server", "expected", "verdict", "ms"));
    let mut print_row = |what: &str, due: &str, exercise_result: &ExerciseResult| {
        let verdict = if exercise_result.right {
            exercise_result.verdict.clone()
        } else {
            missed += 1;
            format!("{}  <-- WRONG", exercise_result.verdict)
        };
        print(&row(
            what,
            due,
            &verdict,
            &exercise_result.took.as_millis().to_string(),
        ));
    };
    let honest = exercise::honest().map_err(CommandError::Drill)?;
    for (what, due, exercise_result) in &honest {
        print_row(what, due, exercise_result);
    }
    for lie in lies {
        if stop.requested() {
            return Ok(Exit::Incomplete);
        }
        print_row(lie.name(), &lie.due(), &lie.exercise_result()?);
        counted += 1;
    }
    print(&format!(
        "{counted} lies, {} honest steps, {missed} wrong results, {:.1} s",
        honest.len(),
        Clock::system().since(begin).as_secs_f64()
    ));
    Ok(if missed == 0 {
        Exit::Good
    } else {
        Exit::Tampered
    })
}

fn row(what: &str, due: &str, exercise_result: &str, ms: &str) -> String {
    format!("{what:32} {due:28} {exercise_result:34} {ms:>6}")
}
