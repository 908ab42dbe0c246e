//! Settings from the environment, and from systemd's credentials.

use std::path::Path;

use super::flags::Given;
use super::nearest::nearest;
use super::process::Process;
use super::remark::Remark;
use super::setting::{Layers, Setting};
use super::source::Source;
use super::table::TABLE;

/// The prefixes of the variables, the stronger one last.
const PREFIXES: [&str; 2] = ["IMMUCLIENT", "IMMUAUDIT"];

/// Everything the environment says, weakest first. An empty variable is one that is not set.
pub(super) fn read(process: &Process) -> Vec<Given> {
    let mut given = Vec::new();
    for setting in settings() {
        let own = setting.variable.map(str::to_owned);
        let derived = PREFIXES.map(|prefix| setting.variable_of(prefix));
        for name in own.into_iter().chain(derived) {
            if let Some(text) = process.variable(&name) {
                given.push(Given {
                    setting,
                    texts: vec![text.to_owned()],
                    source: Source::Variable(name),
                });
            }
        }
    }
    given
}

/// Variables of ours that name no setting: likely a mistake, but nobody's command.
pub(super) fn unknown(process: &Process) -> Vec<Remark> {
    let [_, ours] = PREFIXES;
    let mut remarks = Vec::new();
    for name in process.variables.keys() {
        let Some(rest) = name
            .strip_prefix(ours)
            .and_then(|rest| rest.strip_prefix('_'))
        else {
            continue;
        };
        if !settings().any(|setting| setting.variable_of(ours) == *name) {
            let flag = rest.to_ascii_lowercase().replace('_', "-");
            let nearest = nearest(&flag, settings().map(|setting| setting.flag))
                .and_then(super::table::find)
                .map(|setting| setting.variable_of(ours));
            remarks.push(Remark::UnknownVariable {
                name: name.clone(),
                nearest,
            });
        }
    }
    remarks
}

/// Passwords that systemd hands over: a file in `$CREDENTIALS_DIRECTORY` named as the setting.
pub(super) fn credentials(process: &Process) -> Vec<Given> {
    let Some(directory) = process.variable("CREDENTIALS_DIRECTORY") else {
        return Vec::new();
    };
    let files = settings().filter_map(|setting| {
        let secret = setting.flag.strip_suffix("-file")?;
        let path = Path::new(directory).join(secret);
        let is_password = super::table::find(secret)?.kind.is_secret();
        (is_password && path.exists()).then(|| Given {
            setting,
            texts: vec![path.to_string_lossy().into_owned()],
            source: Source::Credential(path),
        })
    });
    files.collect()
}

fn settings() -> impl Iterator<Item = &'static Setting> {
    TABLE
        .iter()
        .filter(|setting| setting.layers != Layers::Flag)
}
