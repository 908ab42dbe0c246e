//! `roots export`: what is trusted, for another auditor to compare.

use crate::audit::Exit;
use crate::clock;
use crate::command::open::{self, Failed};
use crate::config::Settings;
use crate::report::print;
use crate::trust::Store;

/// Writes what is trusted to stdout.
pub fn run(settings: &Settings) -> Result<Exit, Failed> {
    let store = Store::open_beside(&open::location(settings))?;
    let file = store.export(clock::now())?;
    print(String::from_utf8_lossy(&file).trim_end_matches('\n'));
    Ok(Exit::Good)
}
