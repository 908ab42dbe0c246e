//! A line of the settings file that the installation of a service writes.

use super::secret::Secret;

/// A line of the service's settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The setting.
    pub key: &'static str,
    /// The value as TOML, which may be a password or have a token.
    pub value: Secret,
}
