//! The settings that the rest of the program uses: typed, complete, and grouped by module.

use std::path::PathBuf;
use std::time::Duration;

use super::audit_settings::AuditSettings;
use super::compat_mode::CompatMode;
use super::instance::Instance;
use super::monitoring_settings::MonitoringSettings;
use super::renewable::{PasswordFile, TransportFiles};
use super::report_settings::ReportSettings;
use super::transport::{Login, Transport};

/// Every setting.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The compatibility mode.
    pub compat_mode: CompatMode,
    /// The instance, if there are several auditors on this host.
    pub instance: Option<Instance>,
    /// The server and its connection.
    pub server: ServerSettings,
    /// The settings of the checks.
    pub audit: AuditSettings,
    /// The location of the trusted states.
    pub trust: TrustSettings,
    /// The settings of reports.
    pub report: ReportSettings,
    /// The settings of monitoring and notifications.
    pub monitoring: MonitoringSettings,
}

/// One server and its connection.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The label of its trusted states.
    pub name: String,
    /// Host name or IP address, an IPv6 one without brackets.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Plain or TLS.
    pub transport: Transport,
    /// The files from which certificates and keys are read again.
    pub transport_files: Option<TransportFiles>,
    /// The login.
    pub login: Login,
    /// The file from which the password is read again.
    pub password_file: Option<PasswordFile>,
    /// Deadline of each call.
    pub call_timeout: Duration,
    /// The largest accepted response, in bytes.
    pub max_recv_msg_size: i32,
}

impl ServerSettings {
    /// Returns address and port, which are also the label of a server without a label.
    pub fn authority(&self) -> String {
        authority(&self.address, self.port)
    }
}

/// Returns an address and a port as one text.
pub(super) fn authority(address: &str, port: u16) -> String {
    match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    }
}

/// The location of the trusted states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// The directory of all files.
    pub directory: PathBuf,
    /// The directory of the trusted states, if it is not `directory`.
    pub roots: Option<PathBuf>,
}
