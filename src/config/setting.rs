//! One setting: everything there is to know about it.

use super::kind::Kind;
use super::process::Process;
use super::verb::Name;

/// One row of the table.
pub(super) struct Setting {
    /// Its name: the flag without dashes, the TOML key, and (in capitals) the variables' end.
    pub flag: &'static str,
    /// The flag's one letter.
    pub short: Option<char>,
    /// What its value is and where it goes.
    pub kind: Kind,
    /// What the value is called, and in what unit; empty for a switch.
    pub argument: &'static str,
    /// As one would write it; empty: not given.
    pub default: &'static str,
    /// A default that depends on who runs it and where.
    pub computed: Option<fn(&Process) -> Option<String>>,
    /// One line for people.
    pub help: &'static str,
    /// Where help shows it.
    pub group: Group,
    /// Where it may be given.
    pub layers: Layers,
    /// Whose meaning it has.
    pub origin: Origin,
    /// A variable of a name of its own, weaker than the derived ones.
    pub variable: Option<&'static str>,
}

/// Where help shows a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// In the short help.
    Everyday,
    /// In the whole help.
    Advanced,
    /// In the help of its verb, which alone takes it.
    Of(Name),
}

/// Where a setting may be given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layers {
    /// Flag, environment and files.
    All,
    /// Flag and environment.
    FlagAndEnvironment,
    /// Flag alone.
    Flag,
}

/// Whose meaning a setting has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Immuclient's.
    Immuclient,
    /// Immuclient's, taken so that its command lines run, but of no use in an audit.
    Unused,
    /// Our own.
    Ours,
}

impl Setting {
    /// An advanced setting of our own that every layer takes.
    pub const fn new(
        flag: &'static str,
        kind: Kind,
        argument: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Setting {
        Setting {
            flag,
            short: None,
            kind,
            argument,
            default,
            computed: None,
            help,
            group: Group::Advanced,
            layers: Layers::All,
            origin: Origin::Ours,
            variable: None,
        }
    }

    pub const fn short(self, letter: char) -> Setting {
        Setting {
            short: Some(letter),
            ..self
        }
    }

    pub const fn everyday(self) -> Setting {
        Setting {
            group: Group::Everyday,
            ..self
        }
    }

    pub const fn of(self, verb: Name) -> Setting {
        Setting {
            group: Group::Of(verb),
            layers: Layers::Flag,
            ..self
        }
    }

    pub const fn layers(self, layers: Layers) -> Setting {
        Setting { layers, ..self }
    }

    pub const fn immuclient(self) -> Setting {
        Setting {
            origin: Origin::Immuclient,
            ..self
        }
    }

    pub const fn unused(self) -> Setting {
        Setting {
            origin: Origin::Unused,
            ..self
        }
    }

    pub const fn computed(self, default: fn(&Process) -> Option<String>) -> Setting {
        Setting {
            computed: Some(default),
            ..self
        }
    }

    pub const fn variable(self, name: &'static str) -> Setting {
        Setting {
            variable: Some(name),
            ..self
        }
    }

    /// The variable of this setting under a prefix such as `IMMUAUDIT`.
    pub fn variable_of(&self, prefix: &str) -> String {
        let name = self.flag.to_ascii_uppercase().replace('-', "_");
        format!("{prefix}_{name}")
    }

    /// Does each further flag add to the ones before it?
    pub fn collects(&self) -> bool {
        matches!(self.kind, Kind::Pins(_) | Kind::Urls(_))
    }

    /// Settings of the same slot have the same: a password and the file that holds it.
    pub fn slot_name(&self) -> &'static str {
        match self.kind {
            Kind::SecretFile(_) => self.flag.strip_suffix("-file").unwrap_or(self.flag),
            _ => self.flag,
        }
    }

    /// The verb that alone takes it.
    pub fn verb(&self) -> Option<Name> {
        match self.group {
            Group::Of(verb) => Some(verb),
            Group::Everyday | Group::Advanced => None,
        }
    }
}
