//! Resolves the receivers of notifications and heartbeats.

use super::content::content;
use super::monitoring_settings::{Auth, HeartbeatSettings, NotifyOn, Webhook};
use super::pem::{self, Holds};
use super::proxy::{Proxies, Proxy};
use super::raw_settings::RawSettings;
use super::receiver_table::ReceiverTable;
use super::renewable::password_file;
use super::secret::Secret;
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::signing::SigningKey;
use super::sourced::{Password, SourcedPath, Urls};
use super::transport::{Login, Roots};
use super::url::{self, Url, is_loopback};
use crate::sys;

/// Creates the receivers, those of the flags first. Adds all errors to `problems`.
pub(super) fn webhooks(
    raw: &RawSettings,
    proxies: &Proxies,
    warnings: &mut Vec<SettingsWarning>,
    problems: &mut Vec<SettingsError>,
) -> Vec<Webhook> {
    let mut webhooks = Vec::new();
    let given = of_flags(raw, proxies, warnings, problems);
    webhooks.extend(given.unwrap_or_default());
    for table in &raw.receivers {
        webhooks.extend(of_table(table, proxies, warnings, problems));
    }
    webhooks
}

/// Returns the heartbeat, if its URL is given.
pub(super) fn heartbeat(
    raw: &RawSettings,
    proxies: &Proxies,
    warnings: &mut Vec<SettingsWarning>,
    problems: &mut Vec<SettingsError>,
) -> Option<HeartbeatSettings> {
    let url = one_url(&raw.heartbeat_url, "expected one URL", warnings, problems);
    let roots = keep(roots(raw.heartbeat_ca.as_ref()), problems);
    let url = url?;
    let proxy = keep(through(&url, proxies, warnings), problems);
    Some(HeartbeatSettings {
        proxy: proxy?,
        roots: roots?,
        url,
    })
}

/// Returns the CAs that are trusted for an HTTP server.
pub(super) fn roots(given: Option<&SourcedPath>) -> Result<Roots, SettingsError> {
    match given {
        None => Ok(Roots::System),
        Some(given) => pem::read(given, Holds::Certificates).map(Roots::Pem),
    }
}

/// Returns the receivers of `--audit-notification-url`, which share login, secret and CA.
fn of_flags(
    raw: &RawSettings,
    proxies: &Proxies,
    warnings: &mut Vec<SettingsWarning>,
    problems: &mut Vec<SettingsError>,
) -> Option<Vec<Webhook>> {
    let urls = keep(urls(&raw.notification_urls, warnings), problems);
    let password = keep(
        secret(raw.notification_password.as_ref(), warnings),
        problems,
    );
    let signing = keep(
        signing(raw.notification_secret.as_ref(), warnings),
        problems,
    );
    let roots = keep(roots(raw.notification_ca.as_ref()), problems);
    let (urls, password, signing, roots) = (urls?, password?, signing?, roots?);
    let password = password.unwrap_or_else(|| Secret::new(String::new()));
    let mut webhooks = Vec::new();
    for url in urls {
        if !password.expose().is_empty() {
            warnings.extend(plaintext(&url));
        }
        webhooks.push(Webhook {
            name: None,
            proxy: keep(through(&url, proxies, warnings), problems)?,
            url,
            login: Login {
                username: raw.notification_username.clone(),
                password: password.clone(),
            },
            auth: raw.notification_auth.clone().unwrap_or(Auth::Body),
            secret: signing.clone(),
            roots: roots.clone(),
            when: raw.notify.unwrap_or(NotifyOn::Changes),
        });
    }
    Some(webhooks)
}

fn of_table(
    table: &ReceiverTable,
    proxies: &Proxies,
    warnings: &mut Vec<SettingsWarning>,
    problems: &mut Vec<SettingsError>,
) -> Option<Webhook> {
    let wanted = "expected one URL: a receiver has one";
    let url = one_url(&table.url, wanted, warnings, problems);
    let roots = keep(roots(table.ca.as_ref()), problems);
    let secret = table.secret.clone().map(Password::File);
    let secret = keep(signing(secret.as_ref(), warnings), problems);
    let auth = match &table.auth {
        None => Some(Auth::Body),
        Some(given) => keep(header(given, warnings), problems).map(Auth::Header),
    };
    let url = url?;
    if table.auth.is_some() {
        warnings.extend(plaintext(&url));
    }
    Some(Webhook {
        name: Some(table.name.clone()),
        proxy: keep(through(&url, proxies, warnings), problems)?,
        url,
        login: Login {
            username: String::new(),
            password: Secret::new(String::new()),
        },
        auth: auth?,
        secret: secret?,
        roots: roots?,
        when: table.when,
    })
}

pub(super) fn keep<T>(
    result: Result<T, SettingsError>,
    problems: &mut Vec<SettingsError>,
) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

/// Returns the only URL of a setting; `wanted` is the error for a file with several.
pub(super) fn one_url(
    given: &Urls,
    wanted: &str,
    warnings: &mut Vec<SettingsWarning>,
    problems: &mut Vec<SettingsError>,
) -> Option<Url> {
    let mut urls = keep(urls(given, warnings), problems)?.into_iter();
    let url = urls.next()?;
    if let (Some(_), Urls::File(given)) = (urls.next(), given) {
        problems.push(given.problem(wanted));
    }
    Some(url)
}

fn urls(given: &Urls, warnings: &mut Vec<SettingsWarning>) -> Result<Vec<Url>, SettingsError> {
    let given = match given {
        Urls::Texts(urls) => return Ok(urls.clone()),
        Urls::File(given) => given,
    };
    let text = match content(&given.path) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(given.problem("there is no such file")),
        Err(fault) => return Err(given.problem(&fault)),
    };
    if sys::everybody_reads(&given.path) {
        let path = given.path.clone();
        warnings.push(SettingsWarning::LooseUrlFile { path });
    }
    url::lines(&text).map_err(|fault| given.problem(&fault))
}

/// Returns the proxy of a URL and adds a message about it, so that no request is redirected silently.
pub(super) fn through(
    url: &Url,
    proxies: &Proxies,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Option<Proxy>, SettingsError> {
    let proxy = proxies.of(url)?;
    let said = proxy.as_ref().map(|proxy| SettingsWarning::Proxied {
        url: url.to_string(),
        proxy: proxy.to_string(),
    });
    warnings.extend(said);
    Ok(proxy)
}

/// Returns a warning about the host if a password goes to it without encryption.
pub(super) fn plaintext(url: &Url) -> Option<SettingsWarning> {
    let is_open = !url.is_https() && !is_loopback(url.host());
    is_open.then(|| SettingsWarning::PlaintextNotification {
        host: url.host().to_owned(),
    })
}

fn secret(
    given: Option<&Password>,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Option<Secret>, SettingsError> {
    Ok(match given {
        None => None,
        Some(Password::Text(secret)) => Some(secret.clone()),
        Some(Password::File(given)) => Some(password_file(given, warnings)?),
    })
}

/// Reads the key with which notifications are signed.
fn signing(
    given: Option<&Password>,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Option<SigningKey>, SettingsError> {
    let Some(secret) = secret(given, warnings)? else {
        return Ok(None);
    };
    // no key ends with a blank, but editors do not show one
    let key = SigningKey::read(secret.expose().trim_end());
    match (key, given) {
        (Ok(key), _) => Ok(Some(key)),
        (Err(wanted), Some(Password::File(given))) => {
            Err(given.problem(&format!("expected {wanted}")))
        }
        (Err(_), _) => Ok(None), // refused when it was read
    }
}

/// Reads the value of the `Authorization` header from a file (RFC 9110 §5.5: visible ASCII and blanks between).
fn header(
    given: &SourcedPath,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Secret, SettingsError> {
    let secret = password_file(given, warnings)?;
    let value = secret.expose().trim();
    let fits = !value.is_empty() && value.chars().all(|c| matches!(c, ' '..='~'));
    match fits {
        true => Ok(Secret::new(value.to_owned())),
        false => Err(given.problem(
            "expected the value of an Authorization header in one line, such as Bearer and a token",
        )),
    }
}
