//! The Windows service: the steps of its installation, and its control.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::toml_edit::set_keys;
use crate::config::{CompatMode, Instance, Parameter};
use crate::sys::{self, Creation, ServiceState};

/// The first line of every settings file that `install` creates.
const SETTINGS: &str = "# settings of immuaudit: every one is shown by immuaudit --help --all\n";
/// The maximum size of a settings file that `install` changes, in bytes.
const MAX_SETTINGS: u64 = 1 << 20;
/// The number of checks whether the service has started or ended, and the pause between them: forty seconds in total.
const LOOKS: (u32, Duration) = (400, Duration::from_millis(100));
/// The bits of a mode for users other than the owner to write, or to replace the entries of a directory.
const OTHERS_WRITE: u32 = 0o022;
/// The bits of a mode for users other than the owner to create entries in a directory.
const OTHERS_ADD: u32 = 0o011;

/// Does nothing: on Windows, the store creates the directory of states.
pub fn make_usual_directory(_: &Path, _: Option<&Instance>) {}

/// The service to install.
#[derive(Clone, Debug)]
pub struct Service {
    /// The program of the service.
    pub program: PathBuf,
    /// The program that the service is compatible with.
    pub compat_mode: CompatMode,
    /// The settings file of the service.
    pub config: PathBuf,
    /// The settings to write into that file.
    pub parameters: Vec<Parameter>,
    /// The directory of the states.
    pub states: PathBuf,
    /// The directory of the trusted states, if it is another one.
    pub roots: Option<PathBuf>,
    /// Whether the settings contain that directory. Otherwise it becomes part of the command, because a service may
    /// have other variables.
    pub contains_states: bool,
}

/// One step of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sets keys in the settings file.
    Settings,
    /// Creates a directory that gives rights to the service and administrators only.
    Directory(PathBuf),
    /// Creates the service with this command.
    Install(String),
    /// Starts or restarts the service.
    Start,
}

impl Service {
    /// Returns the steps that create and start the service.
    ///
    /// # Errors
    /// Other users could replace the program.
    pub fn steps(&self) -> Result<Vec<Step>, String> {
        self.check_program()?;
        let mut steps = Vec::new();
        if !self.parameters.is_empty() {
            steps.push(Step::Settings);
        }
        steps.push(Step::Directory(self.states.clone()));
        steps.extend(self.roots.clone().map(Step::Directory));
        let log = sys::log_directory().ok_or("%ProgramData% is not set")?;
        steps.push(Step::Directory(log.clone()));
        steps.push(Step::Install(self.command(&log)));
        steps.push(Step::Start);
        Ok(steps)
    }

    /// Checks that only trusted users can replace the program, or add a library to its directory: others could run code
    /// as the service.
    fn check_program(&self) -> Result<(), String> {
        for (place, path) in self.program.ancestors().enumerate() {
            let rights = match place {
                0 => OTHERS_WRITE,
                1 => OTHERS_WRITE | OTHERS_ADD,
                // no user can rename or remove the root of a drive
                _ if path.parent().is_none() => break,
                _ => OTHERS_WRITE,
            };
            let found =
                sys::holding(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let why = if found.open.mode() & rights != 0 {
                found.open.to_string()
            } else if !found.owner.is_trusted() {
                format!("it belongs to {}", found.owner)
            } else {
                continue;
            };
            return Err(format!(
                "{}: {why}, so another user could run another program as the service: put the program into a directory that administrators alone may write, such as C:\\Program Files\\immuaudit, and install it from there",
                path.display()
            ));
        }
        Ok(())
    }

    /// Returns the command line of the service.
    fn command(&self, log: &Path) -> String {
        let (program, config) = (self.program.display(), self.config.display());
        let mode = self.compat_mode.arguments();
        let under = sys::UNDER_MANAGER;
        let file = match self.config.exists() || !self.parameters.is_empty() {
            true => format!(" --config \"{config}\""),
            false => String::new(),
        };
        let states = match self.contains_states {
            true => String::new(),
            false => format!(" --dir \"{}\"", self.states.display()),
        };
        let log = log.display();
        format!("\"{program}\" {under} \"{log}\" audit-mode{mode}{file}{states}")
    }

    /// Returns the description of a step.
    pub fn describe(&self, step: &Step) -> String {
        match step {
            Step::Settings => format!("writes {}", self.config.display()),
            Step::Directory(path) => format!("makes {}", path.display()),
            Step::Install(command) => format!("makes the service: {command}"),
            Step::Start => "starts the service".to_owned(),
        }
    }

    /// Performs a step.
    ///
    /// # Errors
    /// The description of the step, and the cause of the failure.
    pub fn take(&self, step: &Step) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: {}", self.describe(step), explained(&error));
        match step {
            Step::Settings => self.write_settings(),
            Step::Directory(path) => sys::make_service_directory(path).map_err(failed),
            Step::Install(command) => sys::install_service(command).map_err(failed),
            Step::Start => restart(),
        }
    }

    fn write_settings(&self) -> Result<(), String> {
        let path = &self.config;
        let failed = |error: io::Error| format!("{}: {}", path.display(), explained(&error));
        let before = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => SETTINGS.to_owned(),
            Err(error) => return Err(failed(error)),
            Ok(found) if found.len() > MAX_SETTINGS => {
                return Err(format!("{}: too large to be settings", path.display()));
            }
            Ok(_) => fs::read_to_string(path).map_err(failed)?,
        };
        let keys: Vec<(&str, &str)> = self
            .parameters
            .iter()
            .map(|parameter| (parameter.key, parameter.value.expose()))
            .collect();
        let after =
            set_keys(&before, &keys).map_err(|fault| format!("{}: {fault}", path.display()))?;
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(failed)?;
        }
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let _ = fs::remove_file(&new);
        let mut file = sys::open_private(&new, Creation::New).map_err(failed)?;
        file.write_all(after.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        drop(file);
        sys::replace(&new, path).map_err(failed)
    }
}

/// Returns the text of an error. If rights are missing, the text contains the remedy.
fn explained(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!(
                "{error} Only an administrator may do this: open a prompt with \"Run as administrator\""
            )
        }
        _ => error.to_string(),
    }
}

/// Returns the text of an error about the service itself.
fn of_service(error: &io::Error) -> String {
    // an error of the system has a number, and is about a file: the service's program is gone
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::NotFound, None) => {
            "there is no such service: make it with immuaudit audit-mode install".to_owned()
        }
        (io::ErrorKind::NotFound, Some(_)) => {
            format!(
                "the program of the service: {error} Install it again: immuaudit audit-mode install"
            )
        }
        _ => explained(error),
    }
}

/// Returns the state of the service.
///
/// # Errors
/// The manager refuses; the text of its error.
pub fn state() -> Result<ServiceState, String> {
    sys::service_state().map_err(|error| of_service(&error))
}

/// Waits until the service is neither starting nor stopping, and returns its state.
fn settled() -> Result<ServiceState, String> {
    for _ in 0..LOOKS.0 {
        match state()? {
            ServiceState::Starting | ServiceState::Stopping => thread::sleep(LOOKS.1),
            settled => return Ok(settled),
        }
    }
    Err(
        "the service is still starting or stopping after 40 seconds: run audit-mode status again"
            .to_owned(),
    )
}

/// Starts the service and waits until it runs.
///
/// # Errors
/// The cause why the service does not run.
pub fn start() -> Result<(), String> {
    if !matches!(settled()?, ServiceState::Running(_)) {
        sys::start_service().map_err(|error| of_service(&error))?;
    }
    match settled()? {
        ServiceState::Running(_) => Ok(()),
        state => {
            let log = sys::log_directory().unwrap_or_default();
            Err(format!(
                "the service ended right after its start ({}): the cause is in the log in {}",
                describe(state),
                log.display()
            ))
        }
    }
}

/// Stops the service and waits until it has ended.
///
/// # Errors
/// The cause why the service has not ended.
pub fn stop() -> Result<(), String> {
    if matches!(settled()?, ServiceState::Running(_)) {
        sys::stop_service().map_err(|error| of_service(&error))?;
        settled()?;
    }
    Ok(())
}

/// Stops and starts the service.
///
/// # Errors
/// The cause why the service does not run.
pub fn restart() -> Result<(), String> {
    stop()?;
    start()
}

/// Removes the service.
///
/// # Errors
/// The cause why the service still exists.
pub fn remove() -> Result<(), String> {
    stop()?;
    sys::remove_service().map_err(|error| of_service(&error))
}

/// Returns the text for a state of the service.
pub fn describe(state: ServiceState) -> String {
    match state {
        ServiceState::Absent => "not installed".to_owned(),
        ServiceState::Stopped(0) => "stopped".to_owned(),
        ServiceState::Stopped(code) => format!("stopped, with code {code}"),
        ServiceState::Starting => "starting".to_owned(),
        ServiceState::Running(process) => format!("running, process {process}"),
        ServiceState::Stopping => "stopping".to_owned(),
    }
}
