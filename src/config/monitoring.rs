//! Resolves the settings of monitoring and notifications.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::OTHERS_WRITE;
use super::peers::peers;
use super::proxy::Proxies;
use super::raw_settings::{Password, RawSettings, SourcedPath};
use super::receivers::{heartbeat, webhooks};
use super::resolve::{password_file, port};
use super::settings::{Listen, MonitoringSettings, NotifyOn, NotifySettings};
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::source::Source;
use crate::checkpoint::SignerKey;

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

/// The key that checkpoints are signed with.
fn signer(
    raw: &RawSettings,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Option<Arc<SignerKey>>, SettingsError> {
    let Some(Password::File(given)) = &raw.signing_key else {
        return Ok(None);
    };
    let secret = password_file(given, warnings)?;
    let key = SignerKey::read(secret.expose().trim_end());
    let key = key.map_err(|why| given.problem(&format!("no key of immuaudit key new: {why}")))?;
    Ok(Some(Arc::new(key)))
}

/// Whoever can write the settings file decides what runs as this user, so a file that somebody else
/// could have written, or that merely lies where the program was started, names no program.
fn exec(given: &SourcedPath) -> Result<Vec<String>, SettingsError> {
    if let Source::File { path, .. } = &given.source {
        distrust(path, &given.path).map_or(Ok(()), |fault| {
            let remedy = "or give --audit-exec by flag or environment";
            Err(given.problem(&format!(
                "not taken from {}: {fault}, {remedy}",
                path.display()
            )))
        })?;
    }
    let command = given.path.to_string_lossy();
    Ok(command.split_whitespace().map(str::to_owned).collect())
}

/// Why a settings file may not name this program; `None`: it may. The owner is the owner of what is open, and the
/// program is read from there again, for another file may have stood there when it was read first.
fn distrust(path: &Path, program: &Path) -> Option<String> {
    let real = std::fs::canonicalize(path).ok();
    let here = std::env::current_dir().ok();
    // one that is no plain file could keep whoever opens it waiting
    let plain = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let file = plain.then(|| File::open(path).ok()).flatten();
    let metadata = file.as_ref().and_then(|file| file.metadata().ok());
    let text = file.and_then(|file| std::io::read_to_string(file).ok());
    if !plain {
        return Some("it is no plain file: put it into one".to_owned());
    }
    let (Some(real), Some(metadata), Some(text)) = (real, metadata, text) else {
        return Some("it cannot be looked at".to_owned());
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
    if ![0, crate::sys::effective_user()].contains(&metadata.uid()) {
        Some("the file belongs to another user: chown it".to_owned())
    } else if metadata.mode() & OTHERS_WRITE != 0 {
        Some("others can write the file: chmod go-w it".to_owned())
    } else if in_working_directory {
        Some("the file lies in the working directory: move it to /etc/immudb or $HOME".to_owned())
    } else {
        None
    }
}

/// Does a settings file name this program?
fn names(text: &str, program: &Path) -> bool {
    let table: toml::Table = text.parse().unwrap_or_default();
    table.iter().any(|(key, value)| {
        key.eq_ignore_ascii_case("audit-exec") && value.as_str() == program.to_str()
    })
}
