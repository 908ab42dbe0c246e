//! The settings that decide which variables and files are read: `--as` and `--instance`. They are read before all
//! others.

use super::compat_mode::{self, CompatMode};
use super::defaults;
use super::effective::Effective;
use super::flags::{self, Assignment};
use super::instance::{self, Instance};
use super::process::Process;
use super::raw_settings::RawSettings;
use super::settings_error::SettingsError;
use super::source::Source;
use super::table;

impl Process {
    /// Returns the mode from `--as`, else from `IMMUAUDIT_AS`, else from the program's name.
    ///
    /// # Errors
    /// `--as` or the variable names no mode.
    pub(super) fn compat_mode(&self) -> Result<CompatMode, SettingsError> {
        let (mut raw, mut effective) = (RawSettings::default(), Effective::default());
        let Some(setting) = table::find(compat_mode::FLAG) else {
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
        if let Some(name) = defaults::compat_mode(self, CompatMode::default(), None) {
            take(name, Source::Default)?;
        }
        let name = setting.variable_of("IMMUAUDIT");
        if let Some(text) = self.variable(&name) {
            take(text.to_owned(), Source::Variable(name))?;
        }
        // flags of one mode only are read later; none of them can take this flag as its value
        let line = flags::read(&self.arguments, CompatMode::default());
        let of = |given: &&Assignment| given.setting.flag == compat_mode::FLAG;
        if let Some(given) = line.given.iter().find(of) {
            effective.take(&mut raw, given)?;
        }
        Ok(raw.compat_mode)
    }

    /// Returns the instance that `--instance` names.
    ///
    /// # Errors
    /// The name is not valid.
    pub(super) fn instance(&self) -> Result<Option<Instance>, SettingsError> {
        let (mut raw, mut effective) = (RawSettings::default(), Effective::default());
        let line = flags::read(&self.arguments, self.compat_mode()?);
        for given in line
            .given
            .iter()
            .filter(|of| of.setting.flag == instance::FLAG)
        {
            effective.take(&mut raw, given)?;
        }
        Ok(raw.instance)
    }
}
