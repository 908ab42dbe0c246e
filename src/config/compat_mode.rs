//! The compatibility mode: immuclient or immugw. It decides which variables, files and settings are read, so it is
//! read before everything else.

use super::effective::Effective;
use super::flags::{self, Assignment};
use super::kind::Word;
use super::process::Process;
use super::raw_settings::RawSettings;
use super::settings_error::SettingsError;
use super::source::Source;
use super::table;

/// The program whose settings and files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompatMode {
    /// `immuclient audit-mode`.
    #[default]
    Immuclient,
    /// The auditor of immugw.
    Immugw,
}

/// The setting that selects the mode; the mode's own variables cannot.
pub(super) const FLAG: &str = "as";

/// The values of `--as`.
#[rustfmt::skip]
pub(super) const WORDS: &[Word] = &[
    ("immuclient", |d| d.compat_mode = CompatMode::Immuclient),
    ("immugw", |d| d.compat_mode = CompatMode::Immugw),
];

impl CompatMode {
    /// Returns the prefix of the variables. Metrics have the same prefix in lower case.
    pub fn prefix(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "IMMUCLIENT",
            CompatMode::Immugw => "IMMUGW",
        }
    }

    /// Returns the default user for the login.
    pub(super) fn auditor(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "immudb",
            CompatMode::Immugw => "immugwauditor",
        }
    }

    /// Returns the name of the settings file.
    pub fn file_name(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "immuclient.toml",
            CompatMode::Immugw => "immugw.toml",
        }
    }

    /// Returns the arguments that select the mode on a command line, with a blank in front.
    pub fn arguments(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "",
            CompatMode::Immugw => " --as immugw",
        }
    }
}

impl Process {
    /// Returns the mode from `--as`, else from `IMMUAUDIT_AS`, else from the program's name.
    ///
    /// # Errors
    /// `--as` or the variable names no mode.
    pub(super) fn compat_mode(&self) -> Result<CompatMode, SettingsError> {
        let (mut raw, mut effective) = (RawSettings::default(), Effective::default());
        let Some(setting) = table::find(FLAG) else {
            return Ok(CompatMode::default());
        };
        let mut take = |text: String, source| {
            let texts = vec![text];
            let given = Assignment {
                setting,
                texts,
                source,
            };
            effective.take(&mut raw, &given)
        };
        if let Some(name) = self.compat_mode_by_name() {
            take(name, Source::Default)?;
        }
        let name = setting.variable_of("IMMUAUDIT");
        if let Some(text) = self.variable(&name) {
            take(text.to_owned(), Source::Variable(name))?;
        }
        // flags of one mode only are read later; none of them can take this flag as its value
        let line = flags::read(&self.arguments, CompatMode::default());
        let of = |given: &&Assignment| given.setting.flag == FLAG;
        if let Some(given) = line.given.iter().find(of) {
            effective.take(&mut raw, given)?;
        }
        Ok(raw.compat_mode)
    }

    /// Returns the port for metrics: that of the program that the mode replaces, or 0 for an instance.
    pub(super) fn monitoring_port(&self) -> Option<String> {
        if let Ok(Some(_)) = self.instance() {
            return Some("0".to_owned()); // the service without an instance has the fixed port
        }
        let port = match self.compat_mode() {
            Ok(CompatMode::Immugw) => "9476",
            Ok(CompatMode::Immuclient) | Err(_) => "9477",
        };
        Some(port.to_owned())
    }

    /// Returns the compatibility mode that the program's name selects.
    pub(super) fn compat_mode_by_name(&self) -> Option<String> {
        let name = if self.name == "immugw" {
            "immugw"
        } else {
            "immuclient"
        };
        Some(name.to_owned())
    }
}
