//! The name of one of several auditors on this host.

use std::fmt;
use std::path::{Path, PathBuf};

/// The setting that names the instance.
pub(super) const FLAG: &str = "instance";

/// The directory of the instances' settings files, in the system's directory of settings files. The directory of
/// their states, in `/var/lib`, has the same name.
pub const DIRECTORY: &str = "immuaudit.d";

/// The longest name in bytes: `immuaudit-` and this name are a user's name, whose limit is 31 (systemd, useradd).
const MAX_NAME_BYTES: usize = 21;

/// The name of an instance. It becomes part of paths, of a unit's name and of a user's name, so it may have no
/// special meaning in any of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance(String);

impl Instance {
    /// Reads a name.
    ///
    /// # Errors
    /// The expected form of a name.
    pub fn read(text: &str) -> Result<Instance, String> {
        let within = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let at_the_ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        let fits = bytes.len() <= MAX_NAME_BYTES
            && bytes.iter().all(|b| within(*b))
            && at_the_ends(bytes.first())
            && at_the_ends(bytes.last());
        if fits {
            Ok(Instance(text.to_owned()))
        } else {
            Err(format!(
                "1 to {MAX_NAME_BYTES} lowercase letters, digits, - and _, with a letter or digit at both ends"
            ))
        }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Returns the path of its settings file.
    pub(super) fn config(&self, system_directory: &Path) -> PathBuf {
        system_directory
            .join(DIRECTORY)
            .join(format!("{}.toml", self.0))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_nothing_more_than_a_name() {
        for name in [
            "a",
            "shop",
            "shop-2",
            "7",
            "a_b",
            &"a".repeat(MAX_NAME_BYTES),
        ] {
            assert_eq!(Instance::read(name).unwrap().name(), name);
        }
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for name in [
            "", ".", "..", "a/b", "../a", "a.b", "a b", "a@b", "%i", "A", "ä", "-a", "a-", "_a",
            "a\n", "a\0", &long,
        ] {
            assert!(Instance::read(name).is_err(), "{name:?}");
        }
    }
}
