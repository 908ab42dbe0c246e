//! Reads the task of `audit-mode WORD`: the settings file of the service, and the parameters for it.

use std::path::{Path, PathBuf};

use super::command::CommandName;
use super::compat_mode::CompatMode;
use super::environment;
use super::file::{self, Files};
use super::flags::Assignment;
use super::gather::{self, Gathered, config_file};
use super::instance::{self, Instance};
use super::instances::{self, Own};
use super::kind::Kind;
use super::parameter::Parameter;
use super::process::Process;
use super::raw_settings::RawSettings;
use super::resolve::resolve;
use super::run::{Run, in_place};
use super::secret::Secret;
use super::setting::Layers;
use super::settings_error::{SettingsError, SettingsErrors};
use super::source::Source;
use super::sourced::SourcedPath;
use super::task::{Control, Installation, ServiceTask, Task};
use super::toml_text::{array, quoted};
use super::value;

/// The meaning of the word after `audit-mode`.
enum Wanted {
    Install,
    Uninstall,
    Control(Control),
}

/// Reads the task of `audit-mode WORD`.
pub(super) fn load(
    process: &Process,
    raw: &RawSettings,
    flags: &[Assignment],
    word: &str,
) -> Result<Run, SettingsErrors> {
    let wanted = match word {
        "install" => Wanted::Install,
        "uninstall" => Wanted::Uninstall,
        "start" => Wanted::Control(Control::Start),
        "stop" => Wanted::Control(Control::Stop),
        "restart" => Wanted::Control(Control::Restart),
        "status" => Wanted::Control(Control::Status),
        _ => {
            let (command, word) = (CommandName::AuditMode.word().to_owned(), word.to_owned());
            return Err(SettingsError::UnexpectedWord { command, word }.into());
        }
    };
    if let Some((flag, commands)) = raw.service_flag(word) {
        return Err(SettingsError::FlagOfCommand { flag, commands }.into());
    }
    // the service reads only this file; an instance also reads the common file
    let compat_mode = process.compat_mode()?;
    let environment = environment::read(process, compat_mode);
    let instance = process.instance()?;
    let config = match (&instance, config_file(&environment, flags)) {
        (Some(instance), _) => {
            instance_config(process, compat_mode, &environment, flags, instance)?
        }
        (None, Some(given)) => absolute(process, &given.path),
        (None, None) => usual_config(process, compat_mode, &wanted)?,
    };
    let files = if let Some(instance) = &instance {
        instances::read(process, compat_mode, None, instance, Own::MayBeAbsent)
    } else if config.exists() {
        let given = SourcedPath {
            path: config.clone(),
            flag: "config",
            source: Source::Default,
        };
        file::read(process, compat_mode, Some(given))
    } else {
        Files::default()
    };
    let Gathered {
        raw,
        effective,
        mut warnings,
    } = gather::gather_with(process, environment, files, flags)?;
    if matches!(wanted, Wanted::Install) {
        in_place(&raw, &effective, &Task::Audit)?;
    }
    let settings = resolve(&raw, &mut warnings).map_err(SettingsErrors)?;
    let given = environment::read(process, compat_mode);
    let named = |path: &Option<SourcedPath>| {
        let named = path.as_ref().filter(|of| of.source != Source::Default);
        named.map(|of| absolute(process, &of.path))
    };
    let installation = || Installation {
        config,
        instance: instance.clone(),
        parameters: parameters(process, given.iter().chain(flags)),
        directory: named(&raw.directory),
        roots: named(&raw.roots),
        dry_run: raw.dry_run,
    };
    let task = match wanted {
        Wanted::Install => ServiceTask::Install(installation()),
        Wanted::Uninstall => ServiceTask::Uninstall {
            purge: raw.purge,
            installation: installation(),
        },
        Wanted::Control(control) => ServiceTask::Control(control, instance),
    };
    Ok(Run {
        task: Task::Service(task),
        settings,
        warnings,
        effective,
    })
}

/// Returns the settings file of a service if none is named: the existing one of immuaudit, else that of the
/// compatibility mode.
///
/// # Errors
/// Both exist, and the service would ignore one; or the existing one is the common file of instances.
fn usual_config(
    process: &Process,
    compat_mode: CompatMode,
    wanted: &Wanted,
) -> Result<PathBuf, SettingsError> {
    let compat = process.system_directory.join(compat_mode.file_name());
    let ours = process.system_directory.join(file::OURS);
    match (compat.exists(), ours.exists()) {
        (true, true) if matches!(wanted, Wanted::Install) => {
            Err(SettingsError::TwoSettingsFiles { compat, ours })
        }
        // `install` writes settings into its file, and the instances would read them
        (false, true) if matches!(wanted, Wanted::Install) && has_instances(process)? => {
            Err(SettingsError::CommonFile { ours })
        }
        (false, true) => Ok(ours),
        _ => Ok(compat),
    }
}

fn has_instances(process: &Process) -> Result<bool, SettingsError> {
    let (instances, _) = process.instances()?;
    Ok(!instances.is_empty())
}

/// Returns the settings file of an instance. The instance has its own directory for states, and its unit names no
/// file.
fn instance_config(
    process: &Process,
    compat_mode: CompatMode,
    environment: &[Assignment],
    flags: &[Assignment],
    instance: &Instance,
) -> Result<PathBuf, SettingsErrors> {
    if compat_mode == CompatMode::Immugw {
        return Err(gather::instance_as_immugw().into());
    }
    let fixed = ["config", "dir", "roots-filepath"];
    let given = environment.iter().chain(flags);
    let problems: Vec<SettingsError> = given
        .filter(|given| fixed.contains(&given.setting.flag))
        .map(|given| SettingsError::FlagsExclude {
            flag: given.setting.flag,
            other: instance::FLAG,
            remedy: "remove it, because an instance has its own settings file and its own directory of states",
        })
        .collect();
    if problems.is_empty() {
        Ok(instance.config(&process.system_directory))
    } else {
        Err(SettingsErrors(problems))
    }
}

/// Returns a line for each setting that a file may have. If a setting is given twice, the stronger one counts.
pub(super) fn parameters<'a>(
    process: &Process,
    given: impl Iterator<Item = &'a Assignment>,
) -> Vec<Parameter> {
    let mut parameters: Vec<(&str, Parameter)> = Vec::new();
    for given in given {
        if let Some(parameter) = parameter(process, given) {
            let slot = given.setting.slot_name();
            parameters.retain(|(of, _)| *of != slot);
            parameters.push((slot, parameter));
        }
    }
    let parameters = parameters.into_iter().map(|(_, parameter)| parameter);
    parameters.collect()
}

/// Returns the line for a setting that a file may have. Paths are absolute, because the service runs in another
/// directory.
fn parameter(process: &Process, given: &Assignment) -> Option<Parameter> {
    let setting = given.setting;
    if setting.layers != Layers::All || setting.origin.is_unused() {
        return None;
    }
    let text = given.texts.last()?;
    let value = match setting.kind {
        // printed without their secrets
        Kind::Secret(_) | Kind::SigningKey(_) | Kind::Url(_) | Kind::Proxy(_) => quoted(text),
        Kind::Urls(_) | Kind::Peers(_) => {
            let urls = given.texts.iter().flat_map(|text| value::list(text));
            array(urls.map(|url| quoted(&url)))
        }
        Kind::Path(_) | Kind::SecretFile(_) | Kind::UrlFile(_) if !text.is_empty() => {
            quoted(&absolute(process, Path::new(text)).to_string_lossy())
        }
        // printed in full
        Kind::Switch(_)
        | Kind::Text(_)
        | Kind::MaybeText(_)
        | Kind::Instance(_)
        | Kind::Host(_)
        | Kind::Choice(_)
        | Kind::Count(..)
        | Kind::Bytes(..)
        | Kind::Duration(..)
        | Kind::List(_)
        | Kind::Pins(_)
        | Kind::VerifierKeys(_)
        | Kind::Path(_)
        | Kind::Command(_)
        | Kind::UrlFile(_)
        | Kind::SecretFile(_)
        | Kind::Unused
        | Kind::UnusedSwitch => {
            let mut raw = RawSettings::default();
            let set = setting
                .kind
                .set(&mut raw, setting.flag, &given.source, &given.texts);
            set.ok()? // the problem was reported when the setting was read
        }
    };
    Some(Parameter {
        key: setting.current().flag,
        value: Secret::new(value),
    })
}

fn absolute(process: &Process, path: &Path) -> PathBuf {
    let path = process.directory.join(path);
    std::path::absolute(&path).unwrap_or(path)
}
