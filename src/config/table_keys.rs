//! The keys of one table of an array in a settings file, such as `[[receiver]]`.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::settings_error::SettingsError;
use super::source::Source;

/// A key that a table may have, with its name in messages.
pub(super) type Key = (&'static str, &'static str);

/// Passes the keys of the table `[[name]]` to `take`, in the order of the file, and returns those that occur. A key
/// that is not among `keys`, or that occurs twice (in capitals and small letters), is an error. `source` returns the
/// line of a byte in the file.
pub(super) fn each_key<'t>(
    name: &'static str,
    table: &'t DeTable<'_>,
    keys: &[Key],
    source: &impl Fn(usize) -> Source,
    problems: &mut Vec<SettingsError>,
    mut take: impl FnMut(Key, &'t DeValue<'_>, Source, &mut Vec<SettingsError>),
) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let source = source(key.span().start);
        let written = key.get_ref().to_ascii_lowercase();
        match keys.iter().find(|(key, _)| *key == written) {
            Some((key, _)) if !seen.insert(*key) => problems.push(SettingsError::BadTable {
                table: name,
                source,
                fault: format!("the key {key} occurs twice"),
            }),
            Some(key) => take(*key, value.get_ref(), source, problems),
            None => problems.push(SettingsError::UnknownKey {
                nearest: nearest(&written, keys.iter().map(|(key, _)| *key)),
                key: key.get_ref().to_string(),
                source,
            }),
        }
    }
    seen
}
