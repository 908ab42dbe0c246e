//! The record of a world, in the order of simulated time: its last lines, and a digest of all
//! lines. The digest is the same whenever the same world runs.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use immuaudit::ledger::Digest;

use crate::world::Moment;

/// The most lines that are stored; the oldest ones are dropped.
const MAX_LINES: usize = 400;

#[derive(Default)]
pub struct Record {
    lines: VecDeque<String>,
    /// Lines that are not in the digest yet.
    pending: Vec<u8>,
    digest: Option<Digest>,
    /// Whether every line is printed immediately.
    pub printed: bool,
}

impl Record {
    pub fn note(&mut self, at: Duration, line: impl fmt::Display) {
        let line = format!("{} {line}", Moment(at));
        if self.printed {
            println!("{line}");
        }
        self.pending.extend(line.as_bytes());
        self.pending.push(b'\n');
        if self.pending.len() > 1 << 16 {
            self.settle();
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Returns the digest of every line so far.
    pub fn digest(&mut self) -> Digest {
        self.settle();
        self.digest.unwrap_or(Digest::OF_NOTHING)
    }

    pub fn lines(&self) -> impl Iterator<Item = &String> {
        self.lines.iter()
    }

    fn settle(&mut self) {
        let before = self.digest.unwrap_or(Digest::OF_NOTHING);
        self.digest = Some(Digest::of(&[before.as_bytes(), &self.pending]));
        self.pending.clear();
    }
}
