//! Resolves the raw settings, with the checks and defaults that need several settings.

use std::path::{Path, PathBuf};

use log::LevelFilter;

use super::audit_settings::{AuditSettings, FirstUse, NewValues, RunMode, Signatures, Values};
use super::compat_mode::CompatMode;
use super::content::content;
use super::filter::DatabaseFilter;
use super::monitoring;
use super::raw_settings::{OwnSignatures, RawSettings};
use super::renewable::{PasswordFile, TransportFiles, password_file};
use super::report_settings::{Format, LogFormat, ReportSettings, Verbosity};
use super::secret::Secret;
use super::settings::{ServerSettings, Settings, TrustSettings, authority};
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::source::Source;
use super::sourced::{Password, SourcedPath};
use super::table;
use super::transport::{Login, Roots, Transport};
use super::url::is_loopback;
use super::value::{port, unless_off};
use crate::ledger::PublicKey;
use crate::sys::{self, words};

/// The password of a newly installed server (protocol.md §7).
const DEFAULT_PASSWORD: &str = "immudb";

/// Resolves the raw settings, and adds warnings about them.
///
/// # Errors
/// All errors of the settings.
pub(super) fn resolve(
    raw: &RawSettings,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Settings, Vec<SettingsError>> {
    no_effect(raw, warnings);
    let transport = transport(raw, warnings);
    let login = login(raw, warnings);
    let signatures = signatures(raw, warnings);
    let directory = directory(raw);
    match (transport, login, signatures, directory) {
        (Ok(transport), Ok(login), Ok(signatures), Ok(directory)) => {
            let server = server(raw, transport, login);
            if matches!(server.transport, Transport::Plain) && !is_loopback(&server.address) {
                let address = server.address.clone();
                warnings.push(SettingsWarning::PlaintextLogin { address });
            }
            let monitoring = monitoring::resolve(raw, warnings)?;
            Ok(Settings {
                compat_mode: raw.compat_mode,
                instance: raw.instance.clone(),
                server,
                audit: audit(raw, signatures),
                trust: TrustSettings {
                    directory,
                    roots: raw.roots.as_ref().map(|given| absolute(&given.path)),
                },
                report: report(raw),
                monitoring,
            })
        }
        (transport, login, signatures, directory) => {
            let mut problems = transport.err().unwrap_or_default();
            problems.extend(login.err());
            problems.extend(signatures.err());
            problems.extend(directory.err());
            Err(problems)
        }
    }
}

/// Returns the directory for states. A path in a settings file must be absolute, because the program may start in any
/// directory. Flags and variables may be relative, because the user who gives them knows the directory.
fn directory(raw: &RawSettings) -> Result<PathBuf, SettingsError> {
    for given in [&raw.directory, &raw.roots].into_iter().flatten() {
        if matches!(given.source, Source::File { .. }) && given.path.is_relative() {
            return Err(SettingsError::BadValue {
                flag: given.flag,
                source: given.source.clone(),
                value: Some(given.path.to_string_lossy().into_owned()),
                wanted: format!(
                    "{}, because a relative one depends on the directory in which the program is started",
                    words::ABSOLUTE
                ),
            });
        }
    }
    let directory = raw.directory.as_ref().map(|given| absolute(&given.path));
    directory.ok_or(SettingsError::NoDirectory)
}

/// Returns the path from the root, because paths in reports and commands are also used in other directories.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

fn server(
    raw: &RawSettings,
    (transport, transport_files): (Transport, Option<TransportFiles>),
    (login, password_file): (Login, Option<PasswordFile>),
) -> ServerSettings {
    let address = raw.address.clone();
    let port = port(raw.port);
    let name = match raw.server_label.as_str() {
        "" => authority(&address, port),
        label => label.to_owned(),
    };
    ServerSettings {
        name,
        address,
        port,
        transport,
        transport_files,
        login,
        password_file,
        call_timeout: raw.call_timeout,
        max_recv_msg_size: i32::try_from(raw.max_recv_msg_size).unwrap_or(i32::MAX),
    }
}

fn audit(raw: &RawSettings, signatures: Signatures) -> AuditSettings {
    AuditSettings {
        databases: DatabaseFilter::new(raw.databases.clone()),
        run_mode: if raw.once {
            RunMode::Once
        } else {
            RunMode::UntilStopped
        },
        interval: raw.interval,
        signatures,
        pins: raw.pins.clone(),
        first_use: if raw.no_first_use {
            FirstUse::Refuse
        } else {
            FirstUse::Trust
        },
        max_idle: unless_off(raw.max_idle),
        max_fetch: raw.max_fetch,
        values: Values {
            sample: raw.sample,
            new: if raw.verify_values {
                NewValues::All
            } else {
                NewValues::Sampled
            },
            sweep: unless_off(raw.sweep),
        },
        mirror: raw.mirror.then_some(raw.mirror_max),
    }
}

pub(super) fn report(raw: &RawSettings) -> ReportSettings {
    ReportSettings {
        format: if raw.json { Format::Json } else { Format::Text },
        verbosity: if raw.quiet {
            Verbosity::Quiet
        } else {
            Verbosity::Normal
        },
        log_level: raw.log_level.unwrap_or(LevelFilter::Info),
        log_format: raw.log_format.unwrap_or(LogFormat::Text),
    }
}

/// Warns about TLS settings that have no effect. Those in the files that immudb and immugw ship, which are the
/// defaults, cause no warning.
fn no_effect(raw: &RawSettings, warnings: &mut Vec<SettingsWarning>) {
    let paths = [&raw.certificate, &raw.pkey, &raw.clientcas];
    for given in paths.into_iter().flatten().filter(|_| !raw.mtls) {
        let default = table::find(given.flag).map(|setting| Path::new(setting.default));
        if Some(given.path.as_path()) != default && given.path != Path::new("") {
            warnings.push(SettingsWarning::NoEffect {
                flag: given.flag,
                source: given.source.clone(),
                needs: "--mtls",
            });
        }
    }
}

/// Returns the transport to the server, and the files that may be replaced while the program runs.
fn transport(
    raw: &RawSettings,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<(Transport, Option<TransportFiles>), Vec<SettingsError>> {
    if raw.mtls && raw.tls_ca.is_some() {
        return Err(vec![SettingsError::FlagsExclude {
            flag: "mtls",
            other: "tls-ca",
            remedy: "with --mtls, give the CAs with --clientcas",
        }]);
    }
    let loose = |given: &&SourcedPath| raw.mtls && sys::everybody_reads(&given.path);
    if let Some(given) = raw.pkey.as_ref().filter(loose) {
        let path = given.path.clone();
        warnings.push(SettingsWarning::LooseKeyFile { path });
    }
    let files = TransportFiles::of(raw)?;
    let transport = match &files {
        Some(files) => files.read()?,
        None if raw.tls => Transport::Tls {
            roots: Roots::System,
            server_name: raw.servername.clone(),
        },
        None => Transport::Plain,
    };
    Ok((transport, files))
}

/// Returns the login, and the file of the password, which may be replaced while the program runs.
fn login(
    raw: &RawSettings,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<(Login, Option<PasswordFile>), SettingsError> {
    let names = [&raw.audit_username, &raw.username];
    let username = names.into_iter().find(|name| !name.is_empty());
    let (password, file) = match raw.audit_password.as_ref().or(raw.password.as_ref()) {
        None => (Secret::new(DEFAULT_PASSWORD.to_owned()), None),
        Some(Password::Text(secret)) => (secret.clone(), None),
        Some(Password::File(given)) => {
            let password = password_file(given, warnings)?;
            (password, Some(PasswordFile::new(given.clone())))
        }
    };
    if password.expose() == DEFAULT_PASSWORD {
        warnings.push(SettingsWarning::DefaultPassword);
    }
    let login = Login {
        username: username
            .map_or(raw.compat_mode.default_user(), String::as_str)
            .to_owned(),
        password,
    };
    Ok((login, file))
}

/// Returns the required signatures. The key in a response counts only if no key is given.
fn signatures(
    raw: &RawSettings,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Signatures, SettingsError> {
    let Some(given) = &raw.signing_keys else {
        return Ok(match raw.signatures {
            Some(OwnSignatures::Validate) => {
                warnings.push(SettingsWarning::OwnKey);
                Signatures::ByTheAnswersOwnKey
            }
            Some(OwnSignatures::Ignore) | None => Signatures::NotRequired,
        });
    };
    if raw.signatures == Some(OwnSignatures::Ignore) && raw.compat_mode == CompatMode::Immugw {
        return Err(SettingsError::FlagsExclude {
            flag: "audit-signature=ignore",
            other: "server-signing-pub-key",
            remedy: "leave one of them out",
        });
    }
    match content(&given.path) {
        Ok(Some(text)) => PublicKey::from_pem(&text)
            .map(Signatures::By)
            .map_err(|fault| given.problem(&fault.to_string())),
        Ok(None) => Err(given.problem("there is no such file")),
        Err(fault) => Err(given.problem(&fault)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_number_and_name() {
        for (address, loopback) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("localhost", true),
            ("LocalHost.", true),
            ("db.localhost", true),
            ("10.0.0.1", false),
            ("0.0.0.0", true),
            ("::", true),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
        ] {
            assert_eq!(is_loopback(address), loopback, "{address}");
        }
    }
}
