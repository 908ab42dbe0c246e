//! The report about tampering in a history, as text and as JSON.

mod compared;
mod history;
mod json;
mod steps;
mod values;

use crate::audit::{CorruptionReport, DiffError, Differences, Exit, Located, MirrorDifferences};
use crate::clock::Timestamp;
use crate::text::Escaped;

pub use json::tamper_report_json;

/// The findings of a search for tampering in one database.
#[derive(Debug)]
pub struct TamperReport {
    /// The database.
    pub database: String,
    /// The result for its history; `None` if the server was not asked.
    pub located: Option<Located>,
    /// The corrupt values, if values were searched.
    pub values: Option<CorruptionReport>,
    /// The result of a comparison.
    pub compared: Option<Compared>,
}

/// The other side of a comparison, and its result.
#[derive(Debug)]
pub enum Compared {
    /// A second server.
    Server {
        /// Its address.
        of: String,
        /// The differences.
        compared: Result<Box<Differences>, DiffError>,
    },
    /// A mirror.
    Mirror {
        /// Its file.
        of: String,
        /// The differences.
        compared: Result<MirrorDifferences, DiffError>,
    },
}

impl TamperReport {
    /// Returns the exit code of the program.
    pub fn exit(&self) -> Exit {
        let located = self.located.as_ref().map_or(Exit::Good, Located::exit);
        let values = match &self.values {
            Some(values) if values.total() > 0 => Exit::Tampered,
            Some(values) if values.halted.is_some() => Exit::Incomplete,
            _ => Exit::Good,
        };
        let compared = match &self.compared {
            None => Exit::Good,
            Some(Compared::Server {
                compared: Ok(differences),
                ..
            }) => match (differences.first, &differences.unproven) {
                (Some(_), _) => Exit::Tampered,
                (None, Some(_)) => Exit::Incomplete,
                (None, None) => Exit::Good,
            },
            Some(Compared::Mirror {
                compared: Ok(differences),
                ..
            }) => match differences.found.broken {
                Some(_) => Exit::Tampered,
                None if differences.found.holds == Some(differences.compared) => Exit::Good,
                None => Exit::Incomplete,
            },
            Some(Compared::Server {
                compared: Err(not), ..
            })
            | Some(Compared::Mirror {
                compared: Err(not), ..
            }) => match not {
                DiffError::Local(_) => Exit::Local,
                _ => Exit::Incomplete,
            },
        };
        located.max(values).max(compared)
    }
}

/// Returns the report as text.
pub fn tamper_report_text(server: &str, found: &TamperReport) -> String {
    let mut lines = vec![format!(
        "{} of server {server}",
        Escaped::new(&found.database)
    )];
    if let Some(located) = &found.located {
        lines.push(format!("located {}", located.at));
        history::lines(&mut lines, located, found.values.as_ref());
    }
    if let Some(values) = &found.values {
        values::lines(&mut lines, values);
    }
    if let Some(compared) = &found.compared {
        compared::lines(&mut lines, compared);
    }
    if let Some(located) = &found.located {
        steps::lines(&mut lines, located, found);
    }
    lines.join("\n")
}

fn unix(seconds: i64) -> Timestamp {
    Timestamp::from_unix(u64::try_from(seconds).unwrap_or(0))
}
