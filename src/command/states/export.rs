//! `states export`: writes the trusted states, so that another auditor can compare them.

use crate::audit::Exit;
use crate::clock;
use crate::command::output::print_data;
use crate::command::setup::{self, CommandError};
use crate::config::Settings;
use crate::trust::Store;

/// Writes the trusted states to stdout.
pub fn run(settings: &Settings) -> Result<Exit, CommandError> {
    let store = Store::open_shared(&setup::location(settings))?;
    let file = store.export(clock::now())?;
    let text = String::from_utf8_lossy(&file);
    Ok(print_data(text.trim_end_matches('\n'), "export"))
}
