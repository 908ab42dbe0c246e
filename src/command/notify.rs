//! `notify --test`: does a notification arrive, and a heartbeat?

use super::open::{self, Failed};
use crate::audit::Exit;
use crate::config::Settings;
use crate::notify::Notifier;
use crate::report::print;
use crate::trust::Store;

/// One try for each receiver and for the heartbeat, told on stdout.
pub fn run(settings: &Settings) -> Result<Exit, Failed> {
    Store::act_as_owner(&open::location(settings))?; // the program of --audit-exec has no other rights than in the service
    let tested = Notifier::test(&settings.server.name, &settings.watch);
    if tested.is_empty() {
        return Err(Failed::NobodyToNotify);
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
