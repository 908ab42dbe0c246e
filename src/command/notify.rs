//! `notify --test`: tests whether a notification and a heartbeat arrive.

use super::setup::{self, CommandError};
use crate::audit::Exit;
use crate::config::Settings;
use crate::notify::Notifier;
use crate::report::print;
use crate::trust::Store;

/// Sends a test to each receiver and to the heartbeat once, and prints the results.
pub fn run(settings: &Settings) -> Result<Exit, CommandError> {
    Store::act_as_owner(&setup::location(settings))?; // --audit-exec has the same permissions as in the service
    let tested = Notifier::test(&settings.server.name, &settings.monitoring);
    if tested.is_empty() {
        return Err(CommandError::NoReceivers);
    }
    let mut exit = Exit::Good;
    for tested in tested {
        match tested.delivered {
            Ok(()) => print(&format!("{}: delivered", tested.receiver)),
            Err(undelivered) => {
                print(&format!(
                    "{}: not delivered: {}",
                    tested.receiver, undelivered.why
                ));
                exit = Exit::Incomplete;
            }
        }
    }
    Ok(exit)
}
