//! `states export`: writes the trusted states, so that another auditor can compare them.

use std::io::ErrorKind;

use crate::audit::Exit;
use crate::clock;
use crate::command::setup::{self, CommandError};
use crate::config::Settings;
use crate::report::{print_error, try_print};
use crate::trust::Store;

/// Writes the trusted states to stdout.
pub fn run(settings: &Settings) -> Result<Exit, CommandError> {
    let store = Store::open_shared(&setup::location(settings))?;
    let file = store.export(clock::now())?;
    match try_print(String::from_utf8_lossy(&file).trim_end_matches('\n')) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            print_error(&format!(
                "immuaudit: the export is incomplete: stdout: {error}"
            ));
            Ok(Exit::Local)
        }
        _ => Ok(Exit::Good),
    }
}
