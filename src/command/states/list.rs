//! `states list`: prints a line for each trusted state.

use crate::audit::Exit;
use crate::command::setup::{self, CommandError};
use crate::config::{Format, Settings};
use crate::report::{JsonObject, log_warning, print, print_error};
use crate::trust::{Store, TrustedState};

/// Prints the trusted states; databases without one are left out.
pub fn run(settings: &Settings) -> Result<Exit, CommandError> {
    let mut store = Store::open_shared(&setup::location(settings))?;
    let (mut exit, mut nothing) = (Exit::Good, true);
    for database in store.databases()? {
        match store.load(&database) {
            Ok(Some(trusted)) => {
                nothing = false;
                print(&match settings.report.format {
                    Format::Json => json(&settings.server.name, &trusted),
                    Format::Text => text(&trusted),
                });
            }
            Ok(None) => {}
            Err(failure) => {
                exit = Exit::Local;
                print_error(&format!("immuaudit: {failure}"));
            }
        }
    }
    if nothing && exit == Exit::Good && settings.report.format == Format::Text {
        print(&format!("{}: no trusted state yet", settings.server.name));
    }
    for warning in store.warnings() {
        log_warning(&settings.server.name, warning);
    }
    Ok(exit)
}

/// Formats a line: `DATABASE TX:HASH trusted TIME (HOW), unbroken since TIME`
fn text(trusted: &TrustedState) -> String {
    format!(
        "{} {} trusted {} ({}), unbroken since {}",
        trusted.database, trusted.state, trusted.accepted, trusted.how, trusted.since
    )
}

fn json(server: &str, trusted: &TrustedState) -> String {
    JsonObject::new()
        .text("server", Some(server))
        .text("database", Some(&trusted.database))
        .number("tx", Some(trusted.state.tx))
        .text("hash", Some(&trusted.state.hash.to_string()))
        .text("trust_origin", Some(&trusted.how.to_string()))
        .text("accepted", Some(&trusted.accepted.to_string()))
        .text("since", Some(&trusted.since.to_string()))
        .text("identity", trusted.uuid.as_deref())
        .end()
}
