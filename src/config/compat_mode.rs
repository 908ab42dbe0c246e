//! The compatibility mode: immuclient or immugw.

/// The program whose settings and files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompatMode {
    /// `immuclient audit-mode`.
    #[default]
    Immuclient,
    /// The auditor of immugw.
    Immugw,
}

/// The setting that selects the mode.
pub(super) const FLAG: &str = "as";

impl CompatMode {
    /// Returns the prefix of the variables. Metrics have the same prefix in lower case.
    pub fn prefix(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "IMMUCLIENT",
            CompatMode::Immugw => "IMMUGW",
        }
    }

    /// Returns the default user for the login.
    pub(super) fn default_user(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "immudb",
            CompatMode::Immugw => "immugwauditor",
        }
    }

    /// Returns the name of the settings file.
    pub fn file_name(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "immuclient.toml",
            CompatMode::Immugw => "immugw.toml",
        }
    }

    /// Returns the arguments that select the mode on a command line, with a blank in front.
    pub fn arguments(self) -> &'static str {
        match self {
            CompatMode::Immuclient => "",
            CompatMode::Immugw => " --as immugw",
        }
    }
}
