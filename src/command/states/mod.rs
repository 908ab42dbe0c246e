//! `states`: lists, exports, imports and removes trusted states.

mod export;
mod forget;
mod import;
mod list;

use super::setup::CommandError;
use crate::audit::Exit;
use crate::config::{Settings, StatesTask};

/// Runs one subcommand.
pub fn run(settings: &Settings, task: StatesTask) -> Result<Exit, CommandError> {
    match task {
        StatesTask::Export => export::run(settings),
        StatesTask::List => list::run(settings),
        StatesTask::Import { path, alarm } => import::run(settings, &path, alarm),
        StatesTask::Forget { database } => forget::run(settings, &database),
    }
}
