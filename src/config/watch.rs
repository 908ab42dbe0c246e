//! Who watches and is notified: what follows from those settings together.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::draft::{Draft, GivenPath, Password};
use super::pem::{self, Holds};
use super::problem::Problem;
use super::remark::Remark;
use super::resolve::{is_loopback, password_file, port};
use super::secret::Secret;
use super::settings::{Auth, Listen, Login, NotifySettings, Roots, WatchSettings, When};
use super::signing::SigningKey;
use super::source::Source;

/// Rights of a mode that let somebody else than the owner write.
const OTHERS_WRITE: u32 = 0o022;

pub(super) fn resolve(
    draft: &Draft,
    remarks: &mut Vec<Remark>,
) -> Result<WatchSettings, Vec<Problem>> {
    let password = secret(draft.notification_password.as_ref(), remarks);
    let signing = signing(draft.notification_secret.as_ref(), remarks);
    let roots = match &draft.notification_ca {
        None => Ok(Roots::System),
        Some(given) => pem::read(given, Holds::Certificates).map(Roots::Pem),
    };
    let exec = draft.exec.as_ref().map(exec).transpose();
    match (password, signing, roots, exec) {
        (Ok(password), Ok(signing), Ok(roots), Ok(exec)) => {
            let password = password.unwrap_or_else(|| Secret::new(String::new()));
            if !password.expose().is_empty() {
                let open = draft
                    .notification_urls
                    .iter()
                    .filter_map(|url| plain_host(url));
                remarks.extend(open.map(|host| Remark::PlaintextNotification { host }));
            }
            Ok(WatchSettings {
                monitoring: (!draft.no_monitoring).then(|| Listen {
                    host: draft.monitoring_host.clone(),
                    port: port(draft.monitoring_port),
                }),
                notify: NotifySettings {
                    urls: draft.notification_urls.clone(),
                    login: Login {
                        username: draft.notification_username.clone(),
                        password,
                    },
                    auth: draft.notification_auth.unwrap_or(Auth::Body),
                    secret: signing,
                    roots,
                    when: draft.notify.unwrap_or(When::Changes),
                    exec,
                },
                heartbeat: draft.heartbeat_url.clone(),
            })
        }
        (password, signing, roots, exec) => {
            let problems = [password.err(), signing.err(), roots.err(), exec.err()];
            Err(problems.into_iter().flatten().collect())
        }
    }
}

fn secret(given: Option<&Password>, remarks: &mut Vec<Remark>) -> Result<Option<Secret>, Problem> {
    Ok(match given {
        None => None,
        Some(Password::Text(secret)) => Some(secret.clone()),
        Some(Password::File(given)) => Some(password_file(given, remarks)?),
    })
}

/// The key that notifications are signed with.
fn signing(
    given: Option<&Password>,
    remarks: &mut Vec<Remark>,
) -> Result<Option<SigningKey>, Problem> {
    let Some(secret) = secret(given, remarks)? else {
        return Ok(None);
    };
    // no key ends with a blank, and an editor leaves one without showing it
    let key = SigningKey::read(secret.expose().trim_end());
    match (key, given) {
        (Ok(key), _) => Ok(Some(key)),
        (Err(wanted), Some(Password::File(given))) => {
            Err(given.problem(&format!("wanted is {wanted}")))
        }
        (Err(_), _) => Ok(None), // was refused when it was read
    }
}

/// The host of a URL whose bytes anybody on the way can read.
fn plain_host(url: &str) -> Option<String> {
    let authority = url.strip_prefix("http://")?.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!is_loopback(host)).then(|| host.to_owned())
}

/// Whoever can write the settings file decides what runs as this user, so a file that somebody else
/// could have written, or that merely lies where the program was started, names no program.
fn exec(given: &GivenPath) -> Result<Vec<String>, Problem> {
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
