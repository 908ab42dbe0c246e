//! `audit-mode install`, `uninstall`, `start`, `stop`, `restart` and `status`: the auditor as a service of systemd.

use std::env;

use super::setup::CommandError;
use crate::audit::Exit;
use crate::config::{Control, Installation, ServiceTask, Settings};
use crate::report::{print, print_error};
use crate::service::{
    Facts, InstanceFacts, NoSystemd, Plan, Purge, Service, Step, UNIT, control, is_systemd, unit_of,
};
use crate::sys;

/// Runs the task, and prints each step before it is done.
pub fn run(settings: &Settings, task: ServiceTask) -> Result<Exit, CommandError> {
    match task {
        ServiceTask::Install(installation) => {
            let (service, facts) = look(settings, &installation)?;
            let plan = match &installation.instance {
                Some(instance) => {
                    let own = InstanceFacts::look(instance, &service.config);
                    let own = own.map_err(CommandError::Service)?;
                    let listen = settings.monitoring.listen.as_ref();
                    Plan::install_instance(&service, listen, &facts, (instance, &own))
                }
                None => Plan::install(&service, &facts),
            };
            carry_out(&plan.map_err(CommandError::Service)?, &installation)
        }
        ServiceTask::Uninstall {
            purge,
            installation,
        } => {
            let (service, facts) = look(settings, &installation)?;
            let purge = if purge {
                Purge::Everything
            } else {
                Purge::Nothing
            };
            let plan = match &installation.instance {
                Some(instance) => {
                    let own = InstanceFacts::look(instance, &service.config);
                    let own = own.map_err(CommandError::Service)?;
                    Ok(Plan::uninstall_instance(
                        &service,
                        facts.config.as_deref(),
                        purge,
                        (instance, &own),
                    ))
                }
                None => Plan::uninstall(&service, &facts, purge),
            };
            carry_out(&plan.map_err(CommandError::Service)?, &installation)
        }
        ServiceTask::Control(word, instance) => {
            systemd()?;
            let unit = instance.as_ref().map_or(UNIT.to_owned(), unit_of);
            let word = match word {
                Control::Start => "start",
                Control::Stop => "stop",
                Control::Restart => "restart",
                Control::Status => "status",
            };
            let well = control(word, &unit).map_err(|error| {
                CommandError::Service(format!("systemctl {word} {unit}: {error}"))
            })?;
            Ok(if well { Exit::Good } else { Exit::Incomplete })
        }
    }
}

fn systemd() -> Result<(), CommandError> {
    if is_systemd() {
        Ok(())
    } else {
        Err(CommandError::Service(NoSystemd.to_string()))
    }
}

fn look(
    settings: &Settings,
    installation: &Installation,
) -> Result<(Service, Facts), CommandError> {
    let program = env::current_exe()
        .map_err(|error| CommandError::Service(format!("the path of this program: {error}")))?;
    let service = Service {
        program,
        compat_mode: settings.compat_mode,
        config: installation.config.clone(),
        parameters: installation.parameters.clone(),
        directory: installation.directory.clone(),
        roots: installation.roots.clone(),
        call_timeout: settings.server.call_timeout,
        memory: settings.server.memory_needed(),
    };
    let facts = Facts::look(&service.program, &service.config, &service.named())
        .map_err(CommandError::Service)?;
    Ok((service, facts))
}

fn carry_out(plan: &Plan, installation: &Installation) -> Result<Exit, CommandError> {
    if installation.dry_run {
        for step in &plan.0 {
            print(&step.full_text());
        }
        if !is_systemd() {
            print_error(&format!("immuaudit: {NoSystemd}"));
        }
        return Ok(Exit::Good);
    }
    systemd()?;
    if !sys::is_root() {
        return Err(CommandError::Service(
            "only root may do this: sudo immuaudit audit-mode ...; --dry-run shows every step"
                .into(),
        ));
    }
    for step in &plan.0 {
        print(&step.summary());
        if !matches!(step, Step::Note(_)) {
            step.take()
                .map_err(|fault| CommandError::Service(fault.to_string()))?;
        }
    }
    Ok(Exit::Good)
}
