//! Resolves the settings of monitoring and notifications.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::OTHERS_WRITE;
use super::monitoring_settings::{Listen, MonitoringSettings, NotifyOn, NotifySettings};
use super::peers::peers;
use super::proxy::Proxies;
use super::raw_settings::RawSettings;
use super::receivers::{heartbeat, webhooks};
use super::renewable::password_file;
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::source::Source;
use super::sourced::{Password, SourcedPath};
use super::value::port;
use crate::checkpoint::SignerKey;
use crate::sys::{self, words};

pub(super) fn resolve(
    raw: &RawSettings,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<MonitoringSettings, Vec<SettingsError>> {
    let mut problems = Vec::new();
    let proxies = Proxies {
        chosen: raw.proxy.clone(),
        environment: raw.environment.clone(),
    };
    let webhooks = webhooks(raw, &proxies, warnings, &mut problems);
    let heartbeat = heartbeat(raw, &proxies, warnings, &mut problems);
    let signer = signer(raw, warnings).map_err(|problem| problems.push(problem));
    let peers = peers(raw, &proxies, warnings, &mut problems);
    let exec = raw.exec.as_ref().map(exec).transpose();
    let exec = exec.map_err(|problem| problems.push(problem));
    warnings.extend(raw.exec.as_ref().and_then(absent_program));
    match (exec, signer, problems.is_empty()) {
        (Ok(exec), Ok(signer), true) => Ok(MonitoringSettings {
            listen: (!raw.no_monitoring).then(|| Listen {
                host: raw.monitoring_host.clone(),
                port: port(raw.monitoring_port),
            }),
            notify: NotifySettings {
                webhooks,
                when: raw.notify.unwrap_or(NotifyOn::Changes),
                exec,
            },
            heartbeat,
            proxies,
            peers,
            peers_required: usize::try_from(raw.peers_required).unwrap_or(usize::MAX),
            signer,
        }),
        _ => Err(problems),
    }
}

/// Reads the key with which checkpoints are signed.
fn signer(
    raw: &RawSettings,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Option<Arc<SignerKey>>, SettingsError> {
    let Some(Password::File(given)) = &raw.signing_key else {
        return Ok(None);
    };
    let secret = password_file(given, warnings)?;
    let key = SignerKey::read(secret.expose().trim_end());
    let key = key
        .map_err(|why| given.problem(&format!("not a private key of immuaudit key new: {why}")))?;
    Ok(Some(Arc::new(key)))
}

/// Returns the program and its arguments. A user who can write the settings file decides which program runs as this
/// user. Therefore no file may name a program if another user could have written it, or if it is in the working
/// directory.
fn exec(given: &SourcedPath) -> Result<Vec<String>, SettingsError> {
    if let Source::File { path, .. } = &given.source {
        distrust(path, &given.path).map_or(Ok(()), |fault| {
            let remedy = "or give --audit-exec as a flag or in the environment";
            Err(given.problem(&format!("ignored in {}: {fault}, {remedy}", path.display())))
        })?;
    }
    let command = given.path.to_string_lossy();
    Ok(sys::words_of(&command))
}

/// Warns about a program that is not there. Its directory may be mounted later, so this is no error.
fn absent_program(given: &SourcedPath) -> Option<SettingsWarning> {
    let words = sys::words_of(&given.path.to_string_lossy());
    let program = PathBuf::from(words.first()?);
    let fault = match std::fs::metadata(&program) {
        Ok(found) if found.is_file() => return None,
        Ok(_) => "it is not a file",
        Err(error) if error.kind() == ErrorKind::NotFound => "there is no such file",
        Err(_) => return None, // this user may not see it
    };
    Some(SettingsWarning::NoProgram {
        program,
        source: given.source.clone(),
        fault,
    })
}

/// Returns the reason why a settings file may not name this program; `None` if it may. Owner and contents are those
/// of the file opened here, because the file may have been replaced after the first reading.
fn distrust(path: &Path, program: &Path) -> Option<String> {
    let real = std::fs::canonicalize(path).ok();
    let here = std::env::current_dir().ok();
    // opening another type of file, such as a pipe, could block
    let plain = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let file = plain.then(|| File::open(path).ok()).flatten();
    let holding = file.as_ref().and_then(|file| sys::holding_of(file).ok());
    let text = file.and_then(|file| std::io::read_to_string(file).ok());
    if !plain {
        return Some("it is not a regular file: use a regular file".to_owned());
    }
    let (Some(real), Some(holding), Some(text)) = (real, holding, text) else {
        return Some("it cannot be read".to_owned());
    };
    if !names(&text, program) {
        return Some("it changed while it was read: start again".to_owned());
    }
    let in_working_directory = here
        .and_then(|here| here.canonicalize().ok())
        .is_some_and(|here| {
            [Some(here.clone()), Some(here.join("configs"))]
                .contains(&real.parent().map(PathBuf::from))
        });
    if !holding.owner.is_trusted() {
        let remedy = words::TAKE_OVER;
        Some(format!("the file belongs to another user: {remedy}"))
    } else if holding.open.mode() & OTHERS_WRITE != 0 {
        let remedy = words::FORBID_WRITING;
        Some(format!("other users can write the file: {remedy}"))
    } else if in_working_directory {
        let places = words::SETTINGS_PLACES;
        Some(format!(
            "the file is in the working directory: move it to {places}"
        ))
    } else {
        None
    }
}

/// Returns whether a settings file names this program.
fn names(text: &str, program: &Path) -> bool {
    let table: toml::Table = text.parse().unwrap_or_default();
    table.iter().any(|(key, value)| {
        key.eq_ignore_ascii_case("audit-exec") && value.as_str() == program.to_str()
    })
}
