//! Where notifications and heartbeats go: what follows from their settings together.

use super::draft::{Draft, GivenPath, Password, Urls};
use super::file::content;
use super::pem::{self, Holds};
use super::problem::Problem;
use super::proxy::{Proxies, Proxy};
use super::receiver_table::ReceiverTable;
use super::remark::Remark;
use super::resolve::{everybody_reads, password_file};
use super::secret::Secret;
use super::settings::{Auth, HeartbeatSettings, Login, Roots, Webhook, When};
use super::signing::SigningKey;
use super::url::{self, Url, is_loopback};

/// Makes the receivers, those of the flags first. Everything that is wrong goes to `problems`.
pub(super) fn webhooks(
    draft: &Draft,
    proxies: &Proxies,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Problem>,
) -> Vec<Webhook> {
    let mut webhooks = Vec::new();
    let given = of_flags(draft, proxies, remarks, problems);
    webhooks.extend(given.unwrap_or_default());
    for table in &draft.receivers {
        webhooks.extend(of_table(table, proxies, remarks, problems));
    }
    webhooks
}

/// The heartbeat, if its URL is given.
pub(super) fn heartbeat(
    draft: &Draft,
    proxies: &Proxies,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Problem>,
) -> Option<HeartbeatSettings> {
    let url = one_url(&draft.heartbeat_url, "expected one URL", remarks, problems);
    let roots = keep(roots(draft.heartbeat_ca.as_ref()), problems);
    let url = url?;
    let proxy = keep(through(&url, proxies, remarks), problems);
    Some(HeartbeatSettings {
        proxy: proxy?,
        roots: roots?,
        url,
    })
}

/// Returns what vouches for a server of HTTP.
pub(super) fn roots(given: Option<&GivenPath>) -> Result<Roots, Problem> {
    match given {
        None => Ok(Roots::System),
        Some(given) => pem::read(given, Holds::Certificates).map(Roots::Pem),
    }
}

/// The receivers of `--audit-notification-url`: they share login, secret and CA.
fn of_flags(
    draft: &Draft,
    proxies: &Proxies,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Webhook>> {
    let urls = keep(urls(&draft.notification_urls, remarks), problems);
    let password = keep(
        secret(draft.notification_password.as_ref(), remarks),
        problems,
    );
    let signing = keep(
        signing(draft.notification_secret.as_ref(), remarks),
        problems,
    );
    let roots = keep(roots(draft.notification_ca.as_ref()), problems);
    let (urls, password, signing, roots) = (urls?, password?, signing?, roots?);
    let password = password.unwrap_or_else(|| Secret::new(String::new()));
    let mut webhooks = Vec::new();
    for url in urls {
        if !password.expose().is_empty() {
            remarks.extend(plaintext(&url));
        }
        webhooks.push(Webhook {
            name: None,
            proxy: keep(through(&url, proxies, remarks), problems)?,
            url,
            login: Login {
                username: draft.notification_username.clone(),
                password: password.clone(),
            },
            auth: draft.notification_auth.clone().unwrap_or(Auth::Body),
            secret: signing.clone(),
            roots: roots.clone(),
            when: draft.notify.unwrap_or(When::Changes),
        });
    }
    Some(webhooks)
}

fn of_table(
    table: &ReceiverTable,
    proxies: &Proxies,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Problem>,
) -> Option<Webhook> {
    let wanted = "expected one URL: a receiver has one";
    let url = one_url(&table.url, wanted, remarks, problems);
    let roots = keep(roots(table.ca.as_ref()), problems);
    let secret = table.secret.clone().map(Password::File);
    let secret = keep(signing(secret.as_ref(), remarks), problems);
    let auth = match &table.auth {
        None => Some(Auth::Body),
        Some(given) => keep(header(given, remarks), problems).map(Auth::Header),
    };
    let url = url?;
    if table.auth.is_some() {
        remarks.extend(plaintext(&url));
    }
    Some(Webhook {
        name: Some(table.name.clone()),
        proxy: keep(through(&url, proxies, remarks), problems)?,
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

pub(super) fn keep<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

/// Returns the URL of what has one alone; `wanted` is what is said of a file with several.
pub(super) fn one_url(
    given: &Urls,
    wanted: &str,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Problem>,
) -> Option<Url> {
    let mut urls = keep(urls(given, remarks), problems)?.into_iter();
    let url = urls.next()?;
    if let (Some(_), Urls::File(given)) = (urls.next(), given) {
        problems.push(given.problem(wanted));
    }
    Some(url)
}

fn urls(given: &Urls, remarks: &mut Vec<Remark>) -> Result<Vec<Url>, Problem> {
    let given = match given {
        Urls::Texts(urls) => return Ok(urls.clone()),
        Urls::File(given) => given,
    };
    let text = match content(&given.path) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(given.problem("there is no such file")),
        Err(fault) => return Err(given.problem(&fault)),
    };
    if everybody_reads(&given.path) {
        let path = given.path.clone();
        remarks.push(Remark::LooseUrlFile { path });
    }
    url::lines(&text).map_err(|fault| given.problem(&fault))
}

/// The proxy of a URL, which is said: nobody is to be led elsewhere in silence.
pub(super) fn through(
    url: &Url,
    proxies: &Proxies,
    remarks: &mut Vec<Remark>,
) -> Result<Option<Proxy>, Problem> {
    let proxy = proxies.of(url)?;
    let said = proxy.as_ref().map(|proxy| Remark::Proxied {
        url: url.to_string(),
        proxy: proxy.to_string(),
    });
    remarks.extend(said);
    Ok(proxy)
}

/// The host that a password goes to where anybody on the way can read it.
pub(super) fn plaintext(url: &Url) -> Option<Remark> {
    let is_open = !url.is_https() && !is_loopback(url.host());
    is_open.then(|| Remark::PlaintextNotification {
        host: url.host().to_owned(),
    })
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
            Err(given.problem(&format!("expected {wanted}")))
        }
        (Err(_), _) => Ok(None), // was refused when it was read
    }
}

/// The value of the `Authorization` header that a file holds (RFC 9110 §5.5: visible ASCII and blanks between).
fn header(given: &GivenPath, remarks: &mut Vec<Remark>) -> Result<Secret, Problem> {
    let secret = password_file(given, remarks)?;
    let value = secret.expose().trim();
    let fits = !value.is_empty() && value.chars().all(|c| matches!(c, ' '..='~'));
    match fits {
        true => Ok(Secret::new(value.to_owned())),
        false => Err(given.problem(
            "expected the value of an Authorization header in one line, such as Bearer and a token",
        )),
    }
}
