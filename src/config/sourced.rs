//! Values of settings that remember their source, and values that are in a file.

use std::path::PathBuf;

use super::secret::Secret;
use super::settings_error::SettingsError;
use super::source::Source;
use super::url::Url;

/// A path with its setting and source, so that an error about the file can name them.
#[derive(Clone, Debug)]
pub(super) struct SourcedPath {
    pub path: PathBuf,
    pub flag: &'static str,
    pub source: Source,
}

impl SourcedPath {
    /// Returns the error that this file has a fault.
    pub fn problem(&self, fault: &str) -> SettingsError {
        SettingsError::BadFile {
            flag: self.flag,
            source: self.source.clone(),
            path: self.path.clone(),
            fault: fault.to_owned(),
        }
    }
}

/// URLs, or the file that contains them.
#[derive(Clone)]
pub(super) enum Urls {
    Texts(Vec<Url>),
    File(SourcedPath),
}

impl Urls {
    /// Returns the keys and values for a table; URLs have only scheme, host and port.
    pub fn masked(&self) -> Vec<(&'static str, String)> {
        match self {
            Urls::Texts(urls) => urls.iter().map(|url| ("url", url.masked())).collect(),
            Urls::File(given) => vec![("url-file", given.path.to_string_lossy().into_owned())],
        }
    }
}

impl Default for Urls {
    fn default() -> Urls {
        Urls::Texts(Vec::new())
    }
}

/// A password, or the file that contains it.
#[derive(Clone)]
pub(super) enum Password {
    Text(Secret),
    File(SourcedPath),
}
