//! The settings of reports.

use log::LevelFilter;

/// The settings of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// The format of reports.
    pub format: Format,
    /// Whether reports without findings are printed.
    pub verbosity: Verbosity,
    /// The least important log line that is written.
    pub log_level: LevelFilter,
    /// The format of log lines.
    pub log_format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object.
    Json,
}

/// The format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether reports without findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// All reports.
    Normal,
    /// Only reports about something that is not well.
    Quiet,
}
