//! The plans that install and uninstall the service, step by step.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::Account;
use super::directory::Place;
use super::facts::Facts;
use super::mark;
use super::program::{HIDDEN, program_to_run};
use super::step::{Reader, Step};
use super::unit::{UNIT, UNIT_PATH, USER, Unit, below_states, check_name, default_state};
use crate::config::{CompatMode, Parameter, Secret};
use crate::service::sd_notify::watchdog;
use crate::service::toml_edit::set_keys;

/// The service to install.
#[derive(Clone, Debug)]
pub struct Service {
    /// The program of the service.
    pub program: PathBuf,
    /// The program that the service replaces.
    pub compat_mode: CompatMode,
    /// The settings file of the service.
    pub config: PathBuf,
    /// The parameters for the settings file.
    pub parameters: Vec<Parameter>,
    /// The directory of all its files, if the settings name one.
    pub directory: Option<PathBuf>,
    /// The directory of its trusted states, if the settings name one.
    pub roots: Option<PathBuf>,
    /// The deadline of each call.
    pub call_timeout: Duration,
    /// The memory limit, in MiB.
    pub memory: u64,
}

/// The data that is removed with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Only the unit.
    Nothing,
    /// Also states, settings and user.
    Everything,
}

/// The steps, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan(pub Vec<Step>);

/// Settings that name files, in addition to those that end in `-file` and `-ca`.
const PATHS: [&str; 4] = ["certificate", "pkey", "clientcas", "server-signing-pub-key"];

impl Plan {
    /// Returns the steps that create the service, without the steps that are already done.
    ///
    /// # Errors
    /// The existing settings file is no TOML, or a unit or directory that is not the auditor's is in the way.
    pub fn install(service: &Service, facts: &Facts) -> Result<Plan, String> {
        check_unit(UNIT_PATH, facts.unit.as_deref())?;
        check_names(service)?;
        check_directories(service, facts)?;
        let mut steps = hidden_files(service);
        for other in &facts.others {
            let name = other.file_name().unwrap_or_default().to_string_lossy();
            steps.push(Step::Note(format!(
                "{name} exists too: run systemctl disable --now {name} once this service runs"
            )));
        }
        let (program, copying) = program_to_run(&service.program, facts);
        let is_copied = program != service.program;
        steps.extend(copying);
        steps.extend(user(USER, facts.user.as_ref(), facts.group));
        let before = steps.len();
        steps.extend(settings(service, facts, Reader::Service)?);
        let mut elsewhere = service.elsewhere();
        elsewhere.retain(|path| !is_handed_over(facts, path));
        steps.extend(elsewhere.into_iter().map(|path| Step::Directory { path }));
        let unit = Unit {
            program,
            compat_mode: service.compat_mode,
            config: &service.config,
            directories: &service.directories(),
            watchdog: watchdog(service.call_timeout),
            memory: service.memory,
        };
        let unit = unit.text();
        if facts.unit.as_deref() != Some(&unit) {
            steps.push(Step::Write {
                path: UNIT_PATH.into(),
                text: Secret::new(unit),
                mode: 0o644,
                reader: Reader::Unchanged,
            });
            steps.push(Step::run(&["systemctl", "daemon-reload"]));
        }
        let is_new = steps.len() > before || is_copied;
        steps.push(Step::run(&["systemctl", "enable", UNIT]));
        // a running service must read the new files
        let word = if is_new { "restart" } else { "start" };
        steps.push(Step::run(&["systemctl", word, UNIT]));
        Ok(Plan(steps))
    }

    /// Returns the steps that remove the service.
    ///
    /// # Errors
    /// States are to be removed, and a service that `install` did not create may use them.
    pub fn uninstall(service: &Service, facts: &Facts, purge: Purge) -> Result<Plan, String> {
        let is_ours = facts.unit.as_deref().is_some_and(mark::is_our_unit);
        if purge == Purge::Everything {
            check_purge(facts, is_ours)?;
        }
        let mut steps = Vec::new();
        if is_ours {
            steps.push(Step::run(&["systemctl", "disable", "--now", UNIT]));
            steps.push(Step::Remove(UNIT_PATH.into()));
            steps.push(Step::run(&["systemctl", "daemon-reload"]));
        } else if facts.unit.is_some() {
            steps.push(Step::Note(format!(
                "{UNIT_PATH} was not written by audit-mode install and is kept"
            )));
        } else {
            steps.push(Step::Note(format!("there is no {UNIT_PATH}")));
        }
        for directory in service.directories() {
            steps.push(match purge {
                Purge::Everything => Step::RemoveStates(directory),
                Purge::Nothing => {
                    Step::Note(format!("the states in {} are kept", directory.display()))
                }
            });
        }
        steps.push(match purge {
            Purge::Everything => remove_settings(service, facts.config.as_deref()),
            Purge::Nothing => Step::Note(format!(
                "the settings in {} are kept",
                service.config.display()
            )),
        });
        match (&facts.user, purge) {
            (Some(user), Purge::Everything) if mark::is_our_user(user) => {
                steps.push(Step::run(&["userdel", USER]));
            }
            (Some(_), Purge::Everything) => steps.push(Step::Note(format!(
                "the user {USER} was not made by audit-mode install and is kept"
            ))),
            _ => {}
        }
        Ok(Plan(steps))
    }
}

impl Service {
    /// Returns the directories that the settings name.
    pub fn named(&self) -> Vec<PathBuf> {
        self.directory.iter().chain(&self.roots).cloned().collect()
    }

    /// Returns the directories that the service writes: that of all its files first, and that of the trusted states.
    fn directories(&self) -> Vec<PathBuf> {
        let directory = self.directory.clone().unwrap_or_else(default_state);
        let roots = self.roots.clone().filter(|roots| *roots != directory);
        [directory].into_iter().chain(roots).collect()
    }

    /// Returns the directories that systemd does not create.
    fn elsewhere(&self) -> Vec<PathBuf> {
        let mut elsewhere = self.directories();
        elsewhere.retain(|path| below_states(path).is_none());
        elsewhere
    }
}

/// Refuses to overwrite a unit that `install` did not write.
pub(super) fn check_unit(path: &str, there: Option<&str>) -> Result<(), String> {
    match there.is_some_and(|text| !mark::is_our_unit(text)) {
        true => Err(format!(
            "{path} was not written by audit-mode install: move it away first, or change it by hand"
        )),
        false => Ok(()),
    }
}

/// Returns the step that removes the settings file with this text, if `install` created it.
pub(super) fn remove_settings(service: &Service, there: Option<&str>) -> Step {
    match there.is_some_and(mark::are_our_settings) {
        true => Step::Remove(service.config.clone()),
        false => Step::Note(format!(
            "{} was not made by audit-mode install and is kept",
            service.config.display()
        )),
    }
}

/// Refuses to delete states if a service exists that `install` did not create.
fn check_purge(facts: &Facts, is_ours: bool) -> Result<(), String> {
    match (&facts.packaged, facts.active && !is_ours) {
        (Some(unit), _) => Err(format!(
            "{} comes from a package: remove it with sudo apt purge immuaudit",
            unit.display()
        )),
        (None, true) => Err(format!(
            "{UNIT} runs, and audit-mode install did not write its unit: systemctl stop {UNIT} first"
        )),
        (None, false) => Ok(()),
    }
}

/// Refuses a directory that is not the auditor's: systemd also gives a complete directory in /var/lib to the
/// service.
fn check_directories(service: &Service, facts: &Facts) -> Result<(), String> {
    for path in &service.named() {
        let why = match facts.place(path) {
            Place::Absent | Place::Ours => continue,
            Place::OfUser(_) if is_handed_over(facts, path) => continue,
            Place::OfUser(user) => format!("belongs to user {user}"),
            Place::Foreign if *path == default_state() => continue,
            Place::Foreign => "exists, and immuaudit did not create it".to_owned(),
            Place::Unknown(why) => format!("cannot be used: {why}"),
        };
        return Err(format!(
            "{} {why}: name a directory that does not exist yet, such as {}",
            path.display(),
            path.join("immuaudit").display()
        ));
    }
    Ok(())
}

/// Returns whether a directory already belongs to the service's user.
fn is_handed_over(facts: &Facts, path: &Path) -> bool {
    let user = facts.user.as_ref().map(|account| account.user);
    matches!(facts.place(path), Place::OfUser(owner) if Some(*owner) == user)
}

/// Refuses paths that a unit cannot name.
fn check_names(service: &Service) -> Result<(), String> {
    let paths = service.named().into_iter().chain([service.config.clone()]);
    paths.into_iter().try_for_each(|path| check_name(&path))
}

/// Returns notes about the files and directories that the service cannot see at their present paths.
pub(super) fn hidden_files(service: &Service) -> Vec<Step> {
    let is_path =
        |key: &str| key.ends_with("-file") || key.ends_with("-ca") || PATHS.contains(&key);
    let named = service.parameters.iter().filter(|named| is_path(named.key));
    let named = named.map(|named| PathBuf::from(named.value.expose().trim_matches('"')));
    let paths = [service.config.clone()].into_iter();
    let paths = paths.chain(service.named()).chain(named);
    let hidden = paths.filter(|path| HIDDEN.iter().any(|folder| path.starts_with(folder)));
    let note = |path: PathBuf| {
        Step::Note(format!(
            "the service does not see {} (PrivateTmp=, ProtectHome=): put it elsewhere, such as /etc/immudb",
            path.display()
        ))
    };
    hidden.map(note).collect()
}

/// Returns the step that creates a user and its group, as far as they do not exist.
pub(super) fn user(name: &str, user: Option<&Account>, group: bool) -> Option<Step> {
    let group = match (user, group) {
        (Some(_), true) => return None,
        (Some(_), false) => return Some(Step::run(&["groupadd", "--system", name])),
        (None, true) => &["--gid", name][..],
        (None, false) => &["--user-group"],
    };
    let words = [
        &["useradd", "--system"],
        group,
        &["--no-create-home", "--home-dir", "/nonexistent"],
        &["--shell", "/usr/sbin/nologin", "--comment", mark::COMMENT],
        &[name],
    ];
    Some(Step::run(&words.concat()))
}

/// Returns the steps that write the parameters into the settings file, which only root and the reader may read.
pub(super) fn settings(
    service: &Service,
    facts: &Facts,
    reader: Reader,
) -> Result<Vec<Step>, String> {
    let path = &service.config;
    let before = facts.config.as_deref();
    let keys: Vec<(&str, &str)> = service
        .parameters
        .iter()
        .map(|parameter| (parameter.key, parameter.value.expose()))
        .collect();
    let text_after = set_keys(before.unwrap_or(mark::SETTINGS), &keys)
        .map_err(|fault| format!("{}: {fault}", path.display()))?;
    let mut steps = Vec::new();
    let path = path.clone();
    let mode = 0o640;
    if before != Some(&text_after) {
        steps.push(Step::Write {
            path,
            text: Secret::new(text_after),
            mode,
            reader,
        });
    } else if facts.unit.is_none() && reader == Reader::Service {
        steps.push(Step::Permit { path, mode });
    }
    Ok(steps)
}

#[cfg(test)]
mod tests;
