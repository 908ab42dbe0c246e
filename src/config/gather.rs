//! Gathers the settings of all layers. Each layer overrides the one before it.

use super::compat_mode::{self, CompatMode};
use super::effective::Effective;
use super::environment;
use super::file::{self, Files};
use super::flags::Assignment;
use super::instance::{self, Instance};
use super::instances::{self, Own};
use super::peers;
use super::process::Process;
use super::proxy::Environment;
use super::raw_settings::RawSettings;
use super::receiver_table;
use super::settings_error::{SettingsError, SettingsErrors};
use super::settings_warning::SettingsWarning;
use super::source::Source;
use super::sourced::SourcedPath;
use super::table::TABLE;
use crate::sys;

/// Returns the error for an instance in immugw compatibility mode, which has one auditor and one file.
pub(super) fn instance_as_immugw() -> SettingsError {
    SettingsError::FlagsExclude {
        flag: instance::FLAG,
        other: compat_mode::FLAG,
        remedy: "leave --as immugw out",
    }
}

/// The gathered settings of all layers.
pub(super) struct Gathered {
    pub raw: RawSettings,
    pub effective: Effective,
    pub warnings: Vec<SettingsWarning>,
}

/// Gathers the settings from defaults, files, credentials, environment and flags; each layer overrides the one before.
pub(super) fn gather(process: &Process, flags: &[Assignment]) -> Result<Gathered, SettingsErrors> {
    let compat_mode = process.compat_mode()?;
    let environment = environment::read(process, compat_mode);
    let config = config_file(&environment, flags);
    let files = match process.instance()? {
        Some(_) if compat_mode == CompatMode::Immugw => return Err(instance_as_immugw().into()),
        Some(instance) => instances::read(process, compat_mode, config, &instance, Own::MustExist),
        None => file::read(process, compat_mode, config),
    };
    gather_with(process, environment, files, flags)
}

/// Gathers the settings like [`gather`], with files that the caller has read.
pub(super) fn gather_with(
    process: &Process,
    environment: Vec<Assignment>,
    files: Files,
    flags: &[Assignment],
) -> Result<Gathered, SettingsErrors> {
    let (compat_mode, instance) = (process.compat_mode()?, process.instance()?);
    let mut warnings = environment::unknown(process);
    warnings.extend(files.warnings);
    let mut problems = files.problems;
    problems.extend(environment::former(process, compat_mode));
    let (of_files, working): (Vec<Assignment>, Vec<Assignment>) = files
        .given
        .into_iter()
        .partition(|given| !is_working_directory(given));
    warnings.extend(
        working
            .into_iter()
            .map(|given| SettingsWarning::WorkingDirectory {
                source: given.source,
            }),
    );
    let (mut raw, mut effective) = (RawSettings::default(), Effective::default());
    raw.environment = Environment::of(&process.variables);
    let defaults = defaults(process, compat_mode, instance.as_ref());
    let credentials = environment::credentials(process);
    let layers = [&defaults, &of_files, &credentials, &environment, flags];
    for given in layers.into_iter().flatten() {
        match effective.take(&mut raw, given) {
            Ok(()) => warnings.extend(warning(given)),
            Err(problem) => problems.push(problem),
        }
    }
    raw.receivers = files.receivers;
    raw.peer_tables = files.peers;
    effective.take_tables(&raw.receivers, &raw.peer_tables);
    problems.extend(peers::repeated(&raw));
    problems.extend(receiver_table::repeated(&raw.receivers));
    if problems.is_empty() {
        Ok(Gathered {
            raw,
            effective,
            warnings,
        })
    } else {
        Err(SettingsErrors(problems))
    }
}

/// Returns whether immuclient's or immugw's file puts states in the working directory, as the file that immugw ships
/// does.
fn is_working_directory(given: &Assignment) -> bool {
    let Source::File { path, .. } = &given.source else {
        return false;
    };
    let names = [CompatMode::Immuclient, CompatMode::Immugw].map(CompatMode::file_name);
    given.setting.flag == "dir"
        && names.iter().any(|name| path.ends_with(name))
        && [".", "./"]
            .map(String::from)
            .contains(&given.texts.concat())
}

/// Returns the defaults of the table, which every other layer overrides.
fn defaults(
    process: &Process,
    compat_mode: CompatMode,
    instance: Option<&Instance>,
) -> Vec<Assignment> {
    let given = TABLE.iter().filter_map(|setting| {
        let text = match setting.computed {
            Some(default) => default(process, compat_mode, instance)?,
            None => setting.default.to_owned(),
        };
        let (texts, source) = (vec![text], Source::Default);
        (texts != [""]).then_some(Assignment {
            setting,
            texts,
            source,
        })
    });
    given.collect()
}

/// Returns the file that `--config` names. Errors in other settings are reported when all are read.
pub(super) fn config_file(environment: &[Assignment], flags: &[Assignment]) -> Option<SourcedPath> {
    let (mut raw, mut effective) = (RawSettings::default(), Effective::default());
    for given in environment.iter().chain(flags) {
        let _ = effective.take(&mut raw, given);
    }
    raw.config
}

fn warning(given: &Assignment) -> Option<SettingsWarning> {
    let flag = given.setting.flag;
    if let Some(now) = given.setting.renamed {
        let source = given.source.clone();
        return Some(SettingsWarning::Renamed { flag, source, now });
    }
    match (given.setting.origin, &given.source) {
        (origin, source) if origin.is_unused() => Some(SettingsWarning::UnusedSetting {
            flag,
            source: source.clone(),
        }),
        (_, Source::Flag(_)) if given.setting.kind.is_secret() => {
            Some(SettingsWarning::PasswordOnCommandLine { flag })
        }
        (_, Source::File { path, .. })
            if given.setting.kind.is_secret() && sys::everybody_reads(path) =>
        {
            Some(SettingsWarning::LoosePasswordFile { path: path.clone() })
        }
        _ => None,
    }
}
