//! Resolves the settings of peers: other auditors whose checkpoints are compared.

use super::effective::Effective;
use super::monitoring_settings::PeerSettings;
use super::peer_table::{self, PeerTable};
use super::proxy::Proxies;
use super::raw_settings::RawSettings;
use super::receivers::{keep, one_url, plaintext, roots, through};
use super::renewable::password_file;
use super::secret::Secret;
use super::settings::Settings;
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::transport::{Login, Roots};

/// The setting with the number of peers that must confirm a database.
const REQUIRED: &str = "audit-peers-required";

/// Creates the peers, those of the flags first. Adds all errors to `problems`.
pub(super) fn peers(
    raw: &RawSettings,
    proxies: &Proxies,
    warnings: &mut Vec<SettingsWarning>,
    problems: &mut Vec<SettingsError>,
) -> Vec<PeerSettings> {
    let mut peers: Vec<PeerSettings> = Vec::new();
    for (url, key) in &raw.peers {
        let known = peers.iter_mut().find(|peer| peer.name == key.name);
        if let Some(peer) = known {
            peer.keys.push(key.clone());
            continue;
        }
        if let Some(proxy) = keep(through(url, proxies, warnings), problems) {
            peers.push(PeerSettings {
                name: key.name.clone(),
                url: url.clone(),
                keys: vec![key.clone()],
                roots: Roots::System,
                proxy,
                login: None,
            });
        }
    }
    for table in &raw.peer_tables {
        peers.extend(of_table(table, proxies, warnings, problems));
    }
    peers
}

fn of_table(
    table: &PeerTable,
    proxies: &Proxies,
    warnings: &mut Vec<SettingsWarning>,
    problems: &mut Vec<SettingsError>,
) -> Option<PeerSettings> {
    let wanted = "expected one URL: a peer has one";
    let url = one_url(&table.url, wanted, warnings, problems);
    let roots = keep(roots(table.ca.as_ref()), problems);
    let login = match (&table.username, &table.password) {
        (Some(username), Some(given)) => {
            let password = keep(password_file(given, warnings), problems);
            password.map(|password| Some(login(username, password)))
        }
        _ => Some(None),
    };
    let (url, name) = (url?, table.keys.first()?.name.clone());
    if table.password.is_some() {
        warnings.extend(plaintext(&url));
    }
    Some(PeerSettings {
        name,
        keys: table.keys.clone(),
        proxy: keep(through(&url, proxies, warnings), problems)?,
        url,
        roots: roots?,
        login: login?,
    })
}

fn login(username: &str, password: Secret) -> Login {
    Login {
        username: username.to_owned(),
        password,
    }
}

/// Returns the problems of tables whose name is already used by an earlier table or by `--audit-peer`.
pub(super) fn repeated(raw: &RawSettings) -> Vec<SettingsError> {
    let name = |table: &PeerTable| table.keys.first().map(|key| key.name.clone());
    let mut problems = Vec::new();
    for (place, table) in raw.peer_tables.iter().enumerate() {
        let Some(of) = name(table) else { continue };
        let mut earlier = raw.peer_tables.iter().take(place);
        let is_taken = earlier.any(|other| name(other).as_ref() == Some(&of))
            || raw.peers.iter().any(|(_, key)| key.name == of);
        if is_taken {
            problems.push(SettingsError::BadTable {
                table: peer_table::TABLE,
                source: table.source.clone(),
                fault: format!("another peer has a key with the name \"{of}\" too"),
            });
        }
    }
    problems
}

/// Checks that there are enough peers to confirm a database.
///
/// # Errors
/// There are fewer peers than must confirm.
pub(super) fn enough(settings: &Settings, effective: &Effective) -> Result<(), SettingsError> {
    let (peers, required) = (
        settings.monitoring.peers.len(),
        settings.monitoring.peers_required,
    );
    match effective.source(REQUIRED) {
        Some(source) if required > peers => Err(SettingsError::BadValue {
            flag: REQUIRED,
            source: source.clone(),
            value: Some(required.to_string()),
            wanted: format!(
                "at most {peers}, the number of configured peers: add peers with --audit-peer or [[peer]] tables, or reduce the number"
            ),
        }),
        _ => Ok(()),
    }
}
