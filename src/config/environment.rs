//! Settings from the environment, and from systemd's credentials.

use std::path::Path;

use super::compat_mode::{self, CompatMode};
use super::flags::Assignment;
use super::kind::Kind;
use super::nearest::nearest;
use super::process::Process;
use super::setting::{Layers, Origin, Setting};
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::source::Source;
use super::table::{self, TABLE};

/// The prefix of immuaudit's variables, which override those of the compatibility mode.
const OURS: &str = "IMMUAUDIT";

/// Returns the assignments from the environment, weakest first. An empty variable counts as not set.
pub(super) fn read(process: &Process, compat_mode: CompatMode) -> Vec<Assignment> {
    let own = settings().filter_map(|setting| Some((setting, setting.variable?.to_owned())));
    // the variables of a mode cannot select the mode
    let theirs = given_by_variable()
        .filter(|setting| setting.flag != compat_mode::FLAG && setting.is_known(compat_mode));
    let theirs = theirs.map(|setting| (setting, setting.variable_of(compat_mode.prefix())));
    let ours = settings().map(|setting| (setting, setting.variable_of(OURS)));
    let derived = theirs.chain(ours);
    let given = own.chain(derived).filter_map(|(setting, name)| {
        let texts = vec![process.variable(&name)?.to_owned()];
        let source = Source::Variable(name);
        Some(Assignment {
            setting,
            texts,
            source,
        })
    });
    given.collect()
}

/// Returns the flag, without hyphens in front, that a variable with this prefix names.
fn flag_of(variable: &str, prefix: &str) -> Option<String> {
    let rest = variable.strip_prefix(prefix)?.strip_prefix('_')?;
    Some(rest.to_ascii_lowercase().replace('_', "-"))
}

/// Returns errors about variables that have the name of a setting in 0.1.0.
pub(super) fn former(process: &Process, compat_mode: CompatMode) -> Vec<SettingsError> {
    let mut problems = Vec::new();
    for (name, value) in &process.variables {
        let prefixes = [OURS, compat_mode.prefix()].into_iter();
        let mut named = prefixes.filter_map(|prefix| {
            let setting = table::find_by_former_name(&flag_of(name, prefix)?)?;
            Some(setting.variable_of(prefix))
        });
        let now = named.next().filter(|_| !value.is_empty());
        problems.extend(now.map(|now| SettingsError::FormerSetting {
            given: name.clone(),
            now,
        }));
    }
    problems
}

/// Returns warnings about variables with our prefix that name no setting, which are probably mistakes.
pub(super) fn unknown(process: &Process) -> Vec<SettingsWarning> {
    let mut warnings = Vec::new();
    for name in process.variables.keys() {
        let Some(flag) = flag_of(name, OURS) else {
            continue;
        };
        if !settings().any(|setting| setting.variable_of(OURS) == *name) {
            let nearest = nearest(&flag, settings().map(|setting| setting.flag))
                .and_then(table::find)
                .map(|setting| setting.variable_of(OURS));
            warnings.push(SettingsWarning::UnknownVariable {
                name: name.clone(),
                nearest,
            });
        }
    }
    warnings
}

/// Returns the passwords, and the URLs with tokens, that systemd passes: each is a file in `$CREDENTIALS_DIRECTORY`
/// with the name of its setting.
pub(super) fn credentials(process: &Process) -> Vec<Assignment> {
    let Some(directory) = process.variable("CREDENTIALS_DIRECTORY") else {
        return Vec::new();
    };
    let files = settings().filter_map(|setting| {
        let (named, takes_one) = match setting.flag.strip_suffix("-file") {
            Some(named) => {
                let kind = &table::find(named)?.kind;
                (named, kind.is_secret() || kind.is_url())
            }
            // a key that only a file may contain
            None => (setting.flag, matches!(setting.kind, Kind::SecretFile(_))),
        };
        let path = Path::new(directory).join(named);
        (takes_one && path.exists()).then(|| Assignment {
            setting,
            texts: vec![path.to_string_lossy().into_owned()],
            source: Source::Credential(path),
        })
    });
    files.collect()
}

/// Returns the settings that a variable may set.
fn settings() -> impl Iterator<Item = &'static Setting> {
    given_by_variable().filter(|setting| setting.origin != Origin::Gateway)
}

fn given_by_variable() -> impl Iterator<Item = &'static Setting> {
    TABLE
        .iter()
        .filter(|setting| setting.layers != Layers::Flag)
}
