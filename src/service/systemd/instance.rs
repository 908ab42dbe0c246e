//! One of several auditors on this host: its paths, and its existing files.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::account::{self, Account};
use super::facts::read;
use super::unit::USER;
use crate::config::{INSTANCES, Instance};

/// The template's unit file, which is written here unless the system's package contains it.
pub(super) const TEMPLATE: &str = "/etc/systemd/system/immuaudit@.service";
/// The template's unit file from the Debian package.
const PACKAGED: &str = "/usr/lib/systemd/system/immuaudit@.service";
/// The first port for an instance, 1000 above the default port of monitoring.
const FIRST_PORT: u16 = 10477;

/// The existing files and users of an instance, and of others.
#[derive(Clone, Debug, Default)]
pub struct InstanceFacts {
    /// The user with the name of the instance.
    pub user: Option<Account>,
    /// Whether there is a group of that name.
    pub group: bool,
    /// The text of the template that `install` wrote.
    pub template: Option<String>,
    /// The template's text, from a package.
    pub packaged: Option<String>,
    /// The text of the drop-in.
    pub drop_in: Option<String>,
    /// The instance's file for Prometheus.
    pub target: Option<String>,
    /// Whether there is a password file of the instance's name.
    pub password: bool,
    /// The ports of the other instances.
    pub taken: BTreeSet<u16>,
    /// The other instances with a settings file.
    pub others: usize,
}

/// The paths of the files of an instance.
pub(super) struct Paths {
    pub unit: String,
    pub user: String,
    pub drop_in: PathBuf,
    pub target: PathBuf,
    pub password: PathBuf,
    pub states: PathBuf,
}

impl Paths {
    pub fn of(instance: &Instance, config: &Path) -> Paths {
        let directory = format!("/etc/systemd/system/immuaudit@{instance}.service.d");
        Paths {
            unit: unit_of(instance),
            user: user_of(instance),
            drop_in: Path::new(&directory).join("install.conf"),
            target: config.with_extension("json"),
            password: config.with_extension("pass"),
            states: states_of(instance),
        }
    }
}

/// Returns the name of the user of an instance.
pub fn user_of(instance: &Instance) -> String {
    format!("{USER}-{instance}")
}

/// Returns the directory of the states of an instance.
pub fn states_of(instance: &Instance) -> PathBuf {
    Path::new("/var/lib").join(INSTANCES).join(instance.name())
}

/// Returns the name of an instance's unit.
pub fn unit_of(instance: &Instance) -> String {
    format!("immuaudit@{instance}.service")
}

impl InstanceFacts {
    /// Reads the facts.
    ///
    /// # Errors
    /// An existing file cannot be read.
    pub fn look(instance: &Instance, config: &Path) -> Result<InstanceFacts, String> {
        let paths = Paths::of(instance, config);
        let mut facts = InstanceFacts {
            user: Account::find(&paths.user),
            group: account::group(&paths.user).is_some(),
            template: read(Path::new(TEMPLATE))?,
            packaged: read(Path::new(PACKAGED))?,
            drop_in: read(&paths.drop_in)?,
            target: read(&paths.target)?,
            password: paths.password.is_file(),
            ..InstanceFacts::default()
        };
        let folder = config.parent().unwrap_or(Path::new("/"));
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        for path in files.map(|file| file.path()) {
            if path == config || path.extension().is_none_or(|end| end != "toml") {
                continue;
            }
            facts.others += 1;
            facts
                .taken
                .extend(read(&path)?.as_deref().and_then(port_in));
        }
        Ok(facts)
    }

    /// Returns a port that no other instance has.
    pub(super) fn free_port(&self) -> u16 {
        let mut ports = FIRST_PORT..u16::MAX;
        let free = ports.find(|port| !self.taken.contains(port));
        free.unwrap_or(FIRST_PORT)
    }
}

/// Returns the port in an instance's settings file.
fn port_in(settings: &str) -> Option<u16> {
    let table: toml::Table = settings.parse().ok()?;
    let port = table.get("audit-monitoring-port")?.as_integer()?;
    u16::try_from(port).ok()
}

/// Returns the instance's address for Prometheus (`file_sd_configs`); `None` for an address that is valid on one
/// interface only. No name in it needs escapes: neither hosts nor instances have quotes in their names.
pub(super) fn target(instance: &Instance, host: &str, port: u16) -> Option<String> {
    if host.contains('%') {
        return None;
    }
    let host = match host.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => "localhost".to_owned(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    };
    Some(format!(
        "[{{\"targets\": [\"{host}:{port}\"], \"labels\": {{\"auditor\": \"{instance}\"}}}}]\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Instance {
        Instance::read("shop").unwrap()
    }

    #[test]
    fn each_instance_gets_a_port_that_no_other_has() {
        let of = |ports: &[u16]| InstanceFacts {
            taken: ports.iter().copied().collect(),
            ..InstanceFacts::default()
        };
        assert_eq!(of(&[]).free_port(), 10477);
        assert_eq!(of(&[10477, 10479]).free_port(), 10478);
        assert_eq!(port_in("audit-monitoring-port = 10480\n"), Some(10480));
        assert_eq!(port_in("audit-monitoring-port = 104800\n"), None);
    }

    #[test]
    fn the_prometheus_target_is_a_reachable_address() {
        for (host, shown) in [
            ("::", "localhost:1"),
            ("0.0.0.0", "localhost:1"),
            ("10.0.0.1", "10.0.0.1:1"),
            ("fd00::1", "[fd00::1]:1"),
            ("auditor.example", "auditor.example:1"),
        ] {
            let text = target(&shop(), host, 1);
            assert_eq!(
                text.unwrap(),
                format!(
                    "[{{\"targets\": [\"{shown}\"], \"labels\": {{\"auditor\": \"shop\"}}}}]\n"
                )
            );
        }
        assert_eq!(target(&shop(), "fe80::1%eth0", 1), None);
    }
}
