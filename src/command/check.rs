//! `config --check`: reports the errors and warnings of the settings without starting an audit.

use log::Level;

use super::setup::{self, CommandError};
use crate::audit::Exit;
use crate::config::{Settings, SettingsWarning};
use crate::report::print;
use crate::stop::Stop;
use crate::trust::Store;

/// Prints the warnings, if no error would prevent an audit from starting.
pub fn run(settings: &Settings, warnings: &[SettingsWarning]) -> Result<Exit, CommandError> {
    setup::server(settings, Stop::new())?;
    let location = setup::location(settings);
    Store::act_as_owner(&location)?;
    Store::check_label(&location, &settings.server.authority())?;
    print("the settings are valid");
    for warning in warnings
        .iter()
        .filter(|warning| warning.level() <= Level::Warn)
    {
        print(&format!("warning: {warning}"));
    }
    Ok(Exit::Good)
}
