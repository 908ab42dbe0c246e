//! `audit-mode install`, `uninstall`, `start`, `stop`, `restart` and `status`: the auditor as a service of Windows.

use std::env;

use super::setup::CommandError;
use crate::audit::Exit;
use crate::config::{Control, Installation, ServiceTask, Settings};
use crate::report::print;
use crate::service::{self, Service};
use crate::sys::ServiceState;

/// Runs the task, and prints each step before it is done.
pub fn run(settings: &Settings, task: ServiceTask) -> Result<Exit, CommandError> {
    match task {
        ServiceTask::Install(installation) => install(settings, &installation),
        ServiceTask::Uninstall {
            purge,
            installation,
        } => uninstall(settings, &installation, purge),
        ServiceTask::Control(_, Some(_)) => Err(one_service()),
        ServiceTask::Control(control, None) => {
            let done = match control {
                Control::Start => service::start(),
                Control::Stop => service::stop(),
                Control::Restart => service::restart(),
                Control::Status => Ok(()),
            };
            done.map_err(CommandError::Service)?;
            let state = service::state().map_err(CommandError::Service)?;
            print(&format!("immuaudit: {}", service::describe(state)));
            let is_as_wanted = match control {
                Control::Stop => matches!(state, ServiceState::Stopped(_) | ServiceState::Absent),
                _ => matches!(state, ServiceState::Running(_)),
            };
            Ok(match is_as_wanted {
                true => Exit::Good,
                false => Exit::Incomplete,
            })
        }
    }
}

/// Returns the error for `--instance`.
fn one_service() -> CommandError {
    CommandError::Service(
        "there is one service on Windows, without --instance: have the Task Scheduler run further auditors (docs/windows.md)".into(),
    )
}

fn install(settings: &Settings, installation: &Installation) -> Result<Exit, CommandError> {
    if installation.instance.is_some() {
        return Err(one_service());
    }
    let program = env::current_exe()
        .map_err(|error| CommandError::Service(format!("the path of this program: {error}")))?;
    let service = Service {
        program,
        compat_mode: settings.compat_mode,
        config: installation.config.clone(),
        parameters: installation.parameters.clone(),
        states: settings.trust.directory.clone(),
        roots: settings.trust.roots.clone(),
        contains_states: installation.directory.is_some(),
    };
    let steps = service.steps().map_err(CommandError::Service)?;
    for step in &steps {
        print(&service.describe(step));
        if !installation.dry_run {
            service.take(step).map_err(CommandError::Service)?;
        }
    }
    Ok(Exit::Good)
}

fn uninstall(
    settings: &Settings,
    installation: &Installation,
    purge: bool,
) -> Result<Exit, CommandError> {
    if installation.instance.is_some() {
        return Err(one_service());
    }
    let states = settings.trust.directory.display();
    if purge {
        return Err(CommandError::Service(format!(
            "--purge is not supported on Windows: uninstall without it, then remove {states} and {} by hand",
            installation.config.display()
        )));
    }
    print("removes the service");
    if !installation.dry_run {
        service::remove().map_err(CommandError::Service)?;
    }
    print(&format!("the states in {states} are kept"));
    Ok(Exit::Good)
}
