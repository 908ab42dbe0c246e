//! `roots`: what is trusted, shown and changed by the operator.

mod export;
mod forget;
mod import;
mod list;

use super::setup::CommandError;
use crate::audit::Exit;
use crate::config::{RootsTask, Settings};

/// Does what was asked for.
pub fn run(settings: &Settings, task: RootsTask) -> Result<Exit, CommandError> {
    match task {
        RootsTask::Export => export::run(settings),
        RootsTask::List => list::run(settings),
        RootsTask::Import { path, alarm } => import::run(settings, &path, alarm),
        RootsTask::Forget { database } => forget::run(settings, &database),
    }
}
