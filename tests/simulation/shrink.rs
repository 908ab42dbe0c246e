//! The fewest events that still break the same rule: the shortest prefix, without the events that
//! are not needed.

use std::time::{Duration, Instant};

use crate::run::{Violation, WorldResult, run};
use crate::world::{Event, World};

/// The longest real time for which events are removed.
const MAX_SHRINK_TIME: Duration = Duration::from_secs(120);

/// Returns the world with fewer events, and its violation.
pub fn shrink(world: &World, violation: Violation) -> (World, Violation) {
    let begin = Instant::now();
    let mut least = (world.clone(), violation);
    cut(&mut least);
    let mut part = least.0.events.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        while at < least.0.events.len() && begin.elapsed() < MAX_SHRINK_TIME {
            let mut events = least.0.events.clone();
            events.drain(at..(at + part).min(events.len()));
            match fails(&least, events) {
                Some(smaller) => {
                    least = smaller;
                    cut(&mut least);
                }
                None => at += part,
            }
        }
        part /= 2;
    }
    least
}

/// Removes everything after the violation.
fn cut(least: &mut (World, Violation)) {
    let (world, violation) = least;
    world.events.retain(|event| event.at <= violation.at);
    world.length = world.length.min(violation.at + world.interval);
}

fn fails(least: &(World, Violation), events: Vec<Event>) -> Option<(World, Violation)> {
    let smaller = least.0.with_events(events);
    let WorldResult { violation, .. } = run(&smaller, false);
    let violation = violation?;
    (violation.broken.rule == least.1.broken.rule).then_some((smaller, violation))
}
