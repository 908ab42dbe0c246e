//! The description of one setting: a row of the table.

use super::command::CommandName;
use super::compat_mode::CompatMode;
use super::instance::Instance;
use super::kind::Kind;
use super::process::Process;

/// Computes a default from the process, its compatibility mode and its instance.
pub(super) type Computed = fn(&Process, CompatMode, Option<&Instance>) -> Option<String>;

/// One row of the table.
pub(super) struct Setting {
    /// The flag with its dashes.
    pub long: &'static str,
    /// The name: the flag without dashes, the TOML key, and in capitals the end of the variable.
    pub flag: &'static str,
    /// The short flag.
    pub short: Option<char>,
    /// The short flag in immugw compatibility mode, where immuclient's letters have other meanings.
    pub short_as_immugw: Option<char>,
    /// The kind of its value, and the field that gets it.
    pub kind: Kind,
    /// The name of the value with its unit; empty for a switch.
    pub argument: &'static str,
    /// The default in the form of a given value; empty if there is none.
    pub default: &'static str,
    /// A default that depends on the process.
    pub computed: Option<Computed>,
    /// The line in the help.
    pub help: &'static str,
    /// The group in which help lists it.
    pub group: Group,
    /// Whether the short help also lists it.
    pub is_everyday: bool,
    /// The layers in which it may be given.
    pub layers: Layers,
    /// The program that defines its meaning.
    pub origin: Origin,
    /// An additional variable, which the derived ones override.
    pub variable: Option<&'static str>,
    /// The present name, if this is a former name.
    pub renamed: Option<&'static str>,
}

/// The group in which help lists a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// A section of settings that every command takes.
    In(Section),
    /// The help of this command, which is the only one that takes the setting.
    Of(CommandName),
}

/// The subject of a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Connection,
    Login,
    Tls,
    Audit,
    Trust,
    Values,
    Storage,
    Output,
    Monitoring,
    Notifications,
    Peers,
    General,
    Compatibility,
}

impl Section {
    /// Every section, in the order in which help lists them.
    pub const ALL: [Section; 13] = [
        Section::Connection,
        Section::Login,
        Section::Tls,
        Section::Audit,
        Section::Trust,
        Section::Values,
        Section::Storage,
        Section::Output,
        Section::Monitoring,
        Section::Notifications,
        Section::Peers,
        Section::General,
        Section::Compatibility,
    ];

    /// Returns the heading.
    pub fn title(self) -> &'static str {
        match self {
            Section::Connection => "Connection",
            Section::Login => "Login",
            Section::Tls => "TLS",
            Section::Audit => "Audit",
            Section::Trust => "Trust",
            Section::Values => "Value checks",
            Section::Storage => "Storage",
            Section::Output => "Output",
            Section::Monitoring => "Monitoring",
            Section::Notifications => "Notifications",
            Section::Peers => "Peers",
            Section::General => "General",
            Section::Compatibility => "Compatibility with immuclient and immugw",
        }
    }
}

/// The layers in which a setting may be given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layers {
    /// Flag, environment and files.
    All,
    /// Flag and environment.
    FlagAndEnvironment,
    /// Flag alone.
    Flag,
}

/// The program that defines the meaning of a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The setting is immuclient's.
    Immuclient,
    /// The setting is immugw's, and accepted only in immugw compatibility mode.
    Immugw,
    /// The setting is immuclient's. It has no effect in an audit, and is accepted so that old command lines work.
    Unused,
    /// The setting is that of immugw as a gateway. It is accepted only in its mode, so that old command lines work.
    Gateway,
    /// The setting is immuaudit's.
    Ours,
}

impl Origin {
    /// Returns whether the setting is accepted but has no use in an audit.
    pub fn is_unused(self) -> bool {
        matches!(self, Origin::Unused | Origin::Gateway)
    }
}

impl Setting {
    /// Creates a setting of immuaudit that every layer and every command takes.
    pub const fn new(
        section: Section,
        long: &'static str,
        kind: Kind,
        argument: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Setting {
        Setting {
            long,
            flag: without_dashes(long),
            short: None,
            short_as_immugw: None,
            kind,
            argument,
            default,
            computed: None,
            help,
            group: Group::In(section),
            is_everyday: false,
            layers: Layers::All,
            origin: Origin::Ours,
            variable: None,
            renamed: None,
        }
    }

    /// Creates a flag that only one command takes.
    pub const fn of(
        command: CommandName,
        long: &'static str,
        kind: Kind,
        argument: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Setting {
        Setting {
            group: Group::Of(command),
            layers: Layers::Flag,
            ..Setting::new(Section::General, long, kind, argument, default, help)
        }
    }

    pub const fn short(self, letter: char) -> Setting {
        Setting {
            short: Some(letter),
            short_as_immugw: Some(letter),
            ..self
        }
    }

    pub const fn short_as_immugw(self, letter: char) -> Setting {
        Setting {
            short_as_immugw: Some(letter),
            ..self
        }
    }

    pub const fn everyday(self) -> Setting {
        Setting {
            is_everyday: true,
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

    pub const fn immugw(self) -> Setting {
        Setting {
            origin: Origin::Immugw,
            ..self
        }
    }

    pub const fn unused(self) -> Setting {
        Setting {
            origin: Origin::Unused,
            ..self
        }
    }

    /// Makes this a setting of immugw as a gateway: accepted only in immugw compatibility mode, and without use in an
    /// audit.
    pub const fn gateway(self) -> Setting {
        Setting {
            origin: Origin::Gateway,
            layers: Layers::FlagAndEnvironment,
            ..self
        }
    }

    pub const fn computed(self, default: Computed) -> Setting {
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

    pub const fn renamed(self, now: &'static str) -> Setting {
        Setting {
            renamed: Some(now),
            ..self
        }
    }

    /// Returns the variable of this setting with a prefix such as `IMMUAUDIT`.
    pub fn variable_of(&self, prefix: &str) -> String {
        let name = self.flag.to_ascii_uppercase().replace('-', "_");
        format!("{prefix}_{name}")
    }

    /// Returns the short flag in this mode.
    pub fn short_flag(&self, compat_mode: CompatMode) -> Option<char> {
        match compat_mode {
            CompatMode::Immuclient => self.short,
            CompatMode::Immugw => self.short_as_immugw,
        }
    }

    /// Returns whether this mode has the flag.
    pub fn is_known(&self, compat_mode: CompatMode) -> bool {
        self.origin != Origin::Gateway || compat_mode == CompatMode::Immugw
    }

    /// Returns whether each further flag adds to the earlier ones.
    pub fn collects(&self) -> bool {
        matches!(
            self.kind,
            Kind::Pins(_) | Kind::Urls(_) | Kind::Peers(_) | Kind::VerifierKeys(_)
        )
    }

    /// Returns the name of the setting's field. A password and the file that contains it have the same field.
    pub fn slot_name(&self) -> &'static str {
        if let Some(now) = self.renamed {
            return now;
        }
        match self.kind {
            Kind::SecretFile(_) | Kind::UrlFile(_) => {
                self.flag.strip_suffix("-file").unwrap_or(self.flag)
            }
            _ => self.flag,
        }
    }

    /// Returns the only command that takes the flag.
    pub fn command(&self) -> Option<CommandName> {
        match self.group {
            Group::Of(command) => Some(command),
            Group::In(_) => None,
        }
    }
}

/// Returns the name of a flag. The table's test checks that every row has the two dashes.
const fn without_dashes(long: &'static str) -> &'static str {
    match long.as_bytes() {
        [b'-', b'-', name @ ..] => match std::str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => long,
        },
        _ => long,
    }
}
