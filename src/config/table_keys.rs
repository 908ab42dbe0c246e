//! The keys of one table of an array in a settings file, such as `[[receiver]]`.

use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::settings_error::SettingsError;
use super::source::Source;

/// A key that a table may have, with its name in messages.
pub(super) type Key = (&'static str, &'static str);

/// Passes the keys of a table to `take`, in the order of the file. A key that is not among `keys` is an error.
/// `source` returns the line of a byte in the file.
pub(super) fn each_key<'t>(
    table: &'t DeTable<'_>,
    keys: &[Key],
    source: &impl Fn(usize) -> Source,
    problems: &mut Vec<SettingsError>,
    mut take: impl FnMut(Key, &'t DeValue<'_>, Source, &mut Vec<SettingsError>),
) {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let source = source(key.span().start);
        let name = key.get_ref().to_ascii_lowercase();
        match keys.iter().find(|(key, _)| *key == name) {
            Some(key) => take(*key, value.get_ref(), source, problems),
            None => problems.push(SettingsError::UnknownKey {
                nearest: nearest(&name, keys.iter().map(|(key, _)| *key)),
                key: key.get_ref().to_string(),
                source,
            }),
        }
    }
}
