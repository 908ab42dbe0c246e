//! The progress of a long operation: a bar on a terminal, otherwise a plain line now and then.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::plain::print;
use crate::clock::Clock;

/// The time between two updates of a progress bar.
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);
/// The time between two plain progress lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// The number of characters between the bar's ends.
const WIDTH: u64 = 30;

/// The progress of reading one database.
#[derive(Debug)]
pub struct Bar {
    name: String,
    begin: Instant,
    from: Option<u64>,
    last_line: Option<Instant>,
    terminal: bool,
}

impl Bar {
    /// Creates a bar that shows the progress of `name`.
    pub fn new(name: &str) -> Bar {
        Bar {
            name: name.into(),
            begin: Clock::system().instant(),
            from: None,
            last_line: None,
            terminal: io::stdout().is_terminal(),
        }
    }

    /// Shows that `at` of `of` is done.
    pub fn show(&mut self, at: u64, of: u64) {
        let from = *self.from.get_or_insert(at);
        let often = if self.terminal {
            REDRAW_INTERVAL
        } else {
            LINE_INTERVAL
        };
        let last = self.last_line.unwrap_or(self.begin);
        if Clock::system().since(last) < often {
            return;
        }
        self.last_line = Some(Clock::system().instant());
        let line = line(
            &self.name,
            at,
            of,
            at.saturating_sub(from),
            Clock::system().since(self.begin),
        );
        if self.terminal {
            draw(&format!("{} {line}", bar(at, of)));
        } else {
            print(&line);
        }
    }

    /// Clears the bar for other lines.
    pub fn clear(&self) {
        if self.terminal {
            draw("");
        }
    }
}

/// Draws over the content of the current line.
fn draw(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = write!(stdout, "\r\x1b[K{text}").and_then(|()| stdout.flush());
}

fn bar(at: u64, of: u64) -> String {
    let full = (at.min(of) * WIDTH).checked_div(of).unwrap_or(0);
    let part = |from, to, c: &str| c.repeat(usize::try_from(to - from).unwrap_or(0));
    format!("[{}{}]", part(0, full, "#"), part(full, WIDTH, "."))
}

#[allow(clippy::cast_precision_loss)] // figures for people
fn line(name: &str, at: u64, of: u64, done: u64, time: Duration) -> String {
    let rate = done as f64 / time.as_secs_f64().max(0.001);
    let percent = at as f64 * 100.0 / of.max(1) as f64;
    let mut line = format!("{name}: {at} of {of} transactions ({percent:.0}%), {rate:.0}/s");
    if rate > 0.0 {
        let left = of.saturating_sub(at) as f64 / rate;
        line.push_str(&format!(", {} left", in_words(left)));
    }
    line
}

fn in_words(seconds: f64) -> String {
    let (hours, rest) = ((seconds / 3600.0).floor(), seconds % 3600.0);
    let (minutes, seconds) = ((rest / 60.0).floor(), rest % 60.0);
    if hours > 0.0 {
        format!("{hours:.0}h{minutes:.0}m")
    } else if minutes > 0.0 {
        format!("{minutes:.0}m{seconds:.0}s")
    } else {
        format!("{:.0}s", seconds.ceil())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_line_has_position_speed_and_time_left() {
        let minute = Duration::from_secs(60);
        assert_eq!(
            line("db", 3_000, 12_000, 1_500, minute),
            "db: 3000 of 12000 transactions (25%), 25/s, 6m0s left"
        );
        assert_eq!(
            line("db", 0, 0, 0, minute),
            "db: 0 of 0 transactions (0%), 0/s"
        );
    }

    #[test]
    fn a_bar_is_as_full_as_the_part_that_is_done() {
        assert_eq!(bar(0, 10), format!("[{}]", ".".repeat(30)));
        assert_eq!(
            bar(5, 10),
            format!("[{}{}]", "#".repeat(15), ".".repeat(15))
        );
        assert_eq!(bar(10, 10), format!("[{}]", "#".repeat(30)));
        assert_eq!(bar(0, 0), format!("[{}]", ".".repeat(30)));
    }
}
