//! From the draft to the settings: what follows from several of them together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

use super::draft::{Draft, GivenPath, OwnSignatures, Password};
use super::file::content;
use super::filter::DatabaseFilter;
use super::monitoring;
use super::persona::Persona;
use super::problem::Problem;
use super::remark::Remark;
use super::renewable::{PasswordFile, TransportFiles};
use super::secret::Secret;
use super::settings::{
    AuditSettings, FirstSight, Format, LogFormat, Login, NewValues, Repeat, ReportSettings, Roots,
    ServerSettings, Settings, Signatures, Transport, TrustSettings, Values, Volume, authority,
};
use super::source::Source;
use super::table;
use super::url::is_loopback;
use crate::ledger::PublicKey;

/// The password of a server that nobody has configured (protocol.md §7).
const DEFAULT_PASSWORD: &str = "immudb";

/// The settings of a draft, and what is worth saying about them.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn resolve(draft: &Draft, remarks: &mut Vec<Remark>) -> Result<Settings, Vec<Problem>> {
    no_effect(draft, remarks);
    let transport = transport(draft, remarks);
    let login = login(draft, remarks);
    let signatures = signatures(draft, remarks);
    let directory = directory(draft);
    match (transport, login, signatures, directory) {
        (Ok(transport), Ok(login), Ok(signatures), Ok(directory)) => {
            let server = server(draft, transport, login);
            if matches!(server.transport, Transport::Plain) && !is_loopback(&server.address) {
                let address = server.address.clone();
                remarks.push(Remark::PlaintextLogin { address });
            }
            let monitoring = monitoring::resolve(draft, remarks)?;
            Ok(Settings {
                persona: draft.persona,
                instance: draft.instance.clone(),
                server,
                audit: audit(draft, signatures),
                trust: TrustSettings {
                    directory,
                    roots: draft.roots.as_ref().map(|given| given.path.clone()),
                },
                report: report(draft),
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

/// Where states are kept. Flags and variables are given by whoever starts the program in a directory; a file is read
/// wherever that is.
fn directory(draft: &Draft) -> Result<PathBuf, Problem> {
    for given in [&draft.directory, &draft.roots].into_iter().flatten() {
        if matches!(given.source, Source::File { .. }) && given.path.is_relative() {
            return Err(Problem::BadValue {
                flag: given.flag,
                source: given.source.clone(),
                value: Some(given.path.to_string_lossy().into_owned()),
                wanted: "a path from / on: a relative one is another directory wherever the program is started"
                    .to_owned(),
            });
        }
    }
    let directory = draft.directory.as_ref().map(|given| given.path.clone());
    directory.ok_or(Problem::NoDirectory)
}

fn server(
    draft: &Draft,
    (transport, transport_files): (Transport, Option<TransportFiles>),
    (login, password_file): (Login, Option<PasswordFile>),
) -> ServerSettings {
    let address = draft.address.clone();
    let port = port(draft.port);
    let name = match draft.server_label.as_str() {
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
        call_timeout: draft.call_timeout,
        max_recv_msg_size: i32::try_from(draft.max_recv_msg_size).unwrap_or(i32::MAX),
    }
}

fn audit(draft: &Draft, signatures: Signatures) -> AuditSettings {
    AuditSettings {
        databases: DatabaseFilter::new(draft.databases.clone()),
        repeat: if draft.once {
            Repeat::Once
        } else {
            Repeat::UntilStopped
        },
        interval: draft.interval,
        signatures,
        pins: draft.pins.clone(),
        first_sight: if draft.require_trusted {
            FirstSight::Refused
        } else {
            FirstSight::Taken
        },
        expect_growth: unless_off(draft.expect_growth),
        max_range: draft.max_range,
        values: Values {
            sample: draft.sample,
            new: if draft.verify_values {
                NewValues::All
            } else {
                NewValues::Sampled
            },
            sweep: unless_off(draft.sweep),
        },
        mirror: draft.mirror.then_some(draft.mirror_max),
    }
}

pub(super) fn report(draft: &Draft) -> ReportSettings {
    ReportSettings {
        format: if draft.json {
            Format::Json
        } else {
            Format::Text
        },
        volume: if draft.quiet {
            Volume::Quiet
        } else {
            Volume::Normal
        },
        log_level: draft.log_level.unwrap_or(LevelFilter::Info),
        log_format: draft.log_format.unwrap_or(LogFormat::Text),
    }
}

/// A port that the table has let through.
pub(super) fn port(number: u64) -> u16 {
    u16::try_from(number).unwrap_or_default()
}

/// A duration that 0 switches off.
pub(super) fn unless_off(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

/// Remarks on settings of TLS that are given and change nothing. Those of the files that immudb and immugw ship, which
/// are the defaults, say nothing.
fn no_effect(draft: &Draft, remarks: &mut Vec<Remark>) {
    let paths = [&draft.certificate, &draft.pkey, &draft.clientcas];
    for given in paths.into_iter().flatten().filter(|_| !draft.mtls) {
        let default = table::find(given.flag).map(|setting| Path::new(setting.default));
        if Some(given.path.as_path()) != default && given.path != Path::new("") {
            remarks.push(Remark::NoEffect {
                flag: given.flag,
                source: given.source.clone(),
                needs: "--mtls",
            });
        }
    }
}

/// Reads how the server is reached, and keeps the files that may be replaced meanwhile.
fn transport(
    draft: &Draft,
    remarks: &mut Vec<Remark>,
) -> Result<(Transport, Option<TransportFiles>), Vec<Problem>> {
    if draft.mtls && draft.tls_ca.is_some() {
        return Err(vec![Problem::FlagsExclude {
            flag: "mtls",
            other: "tls-ca",
            remedy: "under --mtls, name the CAs by --clientcas",
        }]);
    }
    let loose = |given: &&GivenPath| draft.mtls && everybody_reads(&given.path);
    if let Some(given) = draft.pkey.as_ref().filter(loose) {
        let path = given.path.clone();
        remarks.push(Remark::LooseKeyFile { path });
    }
    let files = TransportFiles::of(draft)?;
    let transport = match &files {
        Some(files) => files.read()?,
        None if draft.tls => Transport::Tls {
            roots: Roots::System,
            server_name: draft.servername.clone(),
        },
        None => Transport::Plain,
    };
    Ok((transport, files))
}

/// Reads who logs in, and keeps the file of a password that may be replaced meanwhile.
fn login(
    draft: &Draft,
    remarks: &mut Vec<Remark>,
) -> Result<(Login, Option<PasswordFile>), Problem> {
    let names = [&draft.audit_username, &draft.username];
    let username = names.into_iter().find(|name| !name.is_empty());
    let (password, file) = match draft.audit_password.as_ref().or(draft.password.as_ref()) {
        None => (Secret::new(DEFAULT_PASSWORD.to_owned()), None),
        Some(Password::Text(secret)) => (secret.clone(), None),
        Some(Password::File(given)) => {
            let password = password_file(given, remarks)?;
            (password, Some(PasswordFile::new(given.clone())))
        }
    };
    if password.expose() == DEFAULT_PASSWORD {
        remarks.push(Remark::DefaultPassword);
    }
    let login = Login {
        username: username
            .map_or(draft.persona.auditor(), String::as_str)
            .to_owned(),
        password,
    };
    Ok((login, file))
}

/// Reads the password in a file.
pub(super) fn password_file(
    given: &GivenPath,
    remarks: &mut Vec<Remark>,
) -> Result<Secret, Problem> {
    let password = PasswordFile::new(given.clone()).read()?;
    if everybody_reads(&given.path) {
        let path = given.path.clone();
        remarks.push(Remark::LoosePasswordFile { path });
    }
    Ok(password)
}

pub(super) fn everybody_reads(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}

/// A key that is given counts, and what comes with an answer only where there is none.
fn signatures(draft: &Draft, remarks: &mut Vec<Remark>) -> Result<Signatures, Problem> {
    let Some(given) = &draft.signing_keys else {
        return Ok(match draft.signatures {
            Some(OwnSignatures::Validate) => {
                remarks.push(Remark::OwnKey);
                Signatures::ByTheAnswersOwnKey
            }
            Some(OwnSignatures::Ignore) | None => Signatures::NotRequired,
        });
    };
    if draft.signatures == Some(OwnSignatures::Ignore) && draft.persona == Persona::Immugw {
        return Err(Problem::FlagsExclude {
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
