//! The kinds of values of settings: how each is read, stored and printed.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::audit_settings::Pin;
use super::instance::Instance;
use super::proxy::Chosen;
use super::raw_settings::RawSettings;
use super::secret::Secret;
use super::signing::SigningKey;
use super::source::Source;
use super::sourced::{Password, SourcedPath, Urls};
use super::toml_text::{array, quoted};
use super::url::{self, Url};
use super::value::{self, Wanted};
use crate::checkpoint::{PRIVATE, VerifierKey};

/// The field of the raw settings that gets a value.
type Slot<T> = fn(&mut RawSettings) -> &mut T;

/// An allowed word, and its effect.
pub(super) type Word = (&'static str, fn(&mut RawSettings));

/// The completion of a value in a shell.
pub(super) enum Completion {
    /// The flag has no value.
    NoValue,
    /// The names of files.
    Files,
    /// These words.
    Words(&'static [Word]),
    /// The value is not known in advance.
    Unknown,
}

/// The kind of a setting, with its field in the raw settings.
pub(super) enum Kind {
    /// True or false; the flag may have no value.
    Switch(Slot<bool>),
    /// One line of text.
    Text(Slot<String>),
    /// One line of text for which "not given" differs from the default.
    MaybeText(Slot<Option<String>>),
    /// The name of an instance.
    Instance(Slot<Option<Instance>>),
    /// The name or the IP address of a host.
    Host(Slot<String>),
    /// One of a few words, each with its effect.
    Choice(&'static [Word]),
    /// A whole number within a range.
    Count(RangeInclusive<u64>, Slot<u64>),
    /// A number of bytes within a range.
    Bytes(RangeInclusive<u64>, Slot<u64>),
    /// A duration of at least this one; if this one is zero, zero means "off".
    Duration(Duration, Slot<Duration>),
    /// Names, comma-separated or as a TOML array.
    List(Slot<Vec<String>>),
    /// States to start from; the flag collects.
    Pins(Slot<Vec<Pin>>),
    /// Other auditors, each with a public key; the flag collects.
    Peers(Slot<Vec<(Url, VerifierKey)>>),
    /// Public keys of auditors; the flag collects.
    VerifierKeys(Slot<Vec<VerifierKey>>),
    /// A file or directory.
    Path(Slot<Option<SourcedPath>>),
    /// The full path of a program, and its arguments.
    Command(Slot<Option<SourcedPath>>),
    /// A URL.
    Url(Slot<Urls>),
    /// Several URLs, comma-separated or as a TOML array; the flag collects.
    Urls(Slot<Urls>),
    /// A file with the URLs of another setting's slot, one a line.
    UrlFile(Slot<Urls>),
    /// A proxy, or none.
    Proxy(Slot<Option<Chosen>>),
    /// A password, plain or `enc:`.
    Secret(Slot<Option<Password>>),
    /// A key that notifications are signed with.
    SigningKey(Slot<Option<Password>>),
    /// A file with the password of another setting's slot.
    SecretFile(Slot<Option<Password>>),
    /// A text of immuclient that has no effect in an audit.
    Unused,
    /// A switch of immuclient that has no effect in an audit.
    UnusedSwitch,
}

impl Kind {
    /// Returns whether the flag may have no value.
    pub fn is_switch(&self) -> bool {
        matches!(self, Kind::Switch(_) | Kind::UnusedSwitch)
    }

    /// Returns the shell completion for the value.
    pub fn completion(&self) -> Completion {
        match self {
            Kind::Switch(_) | Kind::UnusedSwitch => Completion::NoValue,
            Kind::Path(_) | Kind::SecretFile(_) | Kind::UrlFile(_) | Kind::Command(_) => {
                Completion::Files
            }
            Kind::Choice(words) => Completion::Words(words),
            _ => Completion::Unknown,
        }
    }

    /// Returns whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Kind::Secret(_) | Kind::SigningKey(_))
    }

    /// Returns whether the value has URLs, which may have tokens.
    pub fn is_url(&self) -> bool {
        matches!(
            self,
            Kind::Url(_) | Kind::Urls(_) | Kind::Proxy(_) | Kind::Peers(_)
        )
    }

    /// Returns the byte at which the secret part of a value begins; `None` if all of the value may be shown.
    pub fn secret_from(&self, value: &str) -> Option<usize> {
        match self {
            _ if self.is_secret() => Some(0),
            Kind::Peers(_) => {
                let key = value.find(PRIVATE);
                url::secret_from(value).into_iter().chain(key).min()
            }
            _ if self.is_url() => url::secret_from(value),
            // a private key by mistake, instead of a public key or a file
            Kind::VerifierKeys(_) | Kind::SecretFile(_) => value.find(PRIVATE),
            _ => None,
        }
    }

    /// Returns the part of a wrong value that may be shown.
    pub fn shown(&self, texts: &[String]) -> Option<String> {
        match self {
            _ if self.is_secret() || texts.iter().any(|text| text.contains(PRIVATE)) => None,
            _ if self.is_url() => {
                let urls = texts.iter().flat_map(|text| value::list(text));
                let shown: Option<Vec<String>> = urls.map(|text| url::masked(&text)).collect();
                shown.map(|shown| shown.join(","))
            }
            _ => Some(texts.join(",")),
        }
    }

    /// Reads `texts` (one, except for lists), stores the value, and returns it as TOML.
    ///
    /// # Errors
    /// The expected form of the value.
    pub fn set(
        &self,
        raw: &mut RawSettings,
        flag: &'static str,
        source: &Source,
        texts: &[String],
    ) -> Result<String, Wanted> {
        let text = texts.last().map(String::as_str).unwrap_or_default();
        let path = || SourcedPath {
            path: PathBuf::from(text),
            flag,
            source: source.clone(),
        };
        match self {
            Kind::Switch(slot) => {
                let on = value::boolean(text)?;
                *slot(raw) = on;
                Ok(on.to_string())
            }
            Kind::Text(slot) => {
                *slot(raw) = value::text(text)?;
                Ok(quoted(text))
            }
            Kind::Host(slot) => {
                *slot(raw) = value::host(text)?;
                Ok(quoted(text))
            }
            Kind::Instance(slot) => {
                *slot(raw) = Some(Instance::read(text)?);
                Ok(quoted(text))
            }
            Kind::MaybeText(slot) => {
                *slot(raw) = Some(value::text(text)?).filter(|text| !text.is_empty());
                Ok(quoted(text))
            }
            Kind::Choice(choices) => {
                let (_, choose) = choices
                    .iter()
                    .find(|(word, _)| *word == text)
                    .ok_or_else(|| words(choices))?;
                choose(raw);
                Ok(quoted(text))
            }
            Kind::Count(range, slot) => {
                let number = value::count(text, *range.start(), *range.end())?;
                *slot(raw) = number;
                Ok(number.to_string())
            }
            Kind::Bytes(range, slot) => {
                let number = value::bytes(text, *range.start(), *range.end())?;
                *slot(raw) = number;
                Ok(number.to_string())
            }
            Kind::Duration(least, slot) => {
                let duration = value::duration(text, *least)?;
                *slot(raw) = duration;
                Ok(quoted(&value::shown_duration(duration)))
            }
            Kind::List(slot) => {
                let names: Vec<String> = texts.iter().flat_map(|text| value::list(text)).collect();
                let shown = array(names.iter().map(|name| quoted(name)));
                *slot(raw) = names;
                Ok(shown)
            }
            Kind::Pins(slot) => {
                let pins = texts.iter().flat_map(|text| value::list(text));
                let pins: Vec<Pin> = pins
                    .map(|text| value::pin(&text))
                    .collect::<Result<_, _>>()?;
                let shown = array(pins.iter().map(|pin| quoted(&pin.to_string())));
                *slot(raw) = pins;
                Ok(shown)
            }
            Kind::Peers(slot) => {
                let peers = texts.iter().flat_map(|text| value::list(text));
                let peers: Vec<(Url, VerifierKey)> = peers
                    .map(|text| value::peer(&text))
                    .collect::<Result<_, _>>()?;
                value::one_url_a_name(&peers)?;
                let shown = peers
                    .iter()
                    .map(|(url, key)| quoted(&format!("{}={key}", url.masked())));
                let shown = array(shown);
                *slot(raw) = peers;
                Ok(shown)
            }
            Kind::VerifierKeys(slot) => {
                let keys = texts.iter().flat_map(|text| value::list(text));
                let keys: Vec<VerifierKey> = keys
                    .map(|text| {
                        let key = VerifierKey::read(&text);
                        key.map_err(|why| format!("an auditor's public key: {why}"))
                    })
                    .collect::<Result<_, _>>()?;
                let shown = array(keys.iter().map(|key| quoted(&key.to_string())));
                *slot(raw) = keys;
                Ok(shown)
            }
            Kind::Path(slot) => {
                *slot(raw) = (!text.is_empty()).then(path);
                Ok(quoted(text))
            }
            Kind::Command(slot) => {
                value::command(text)?;
                *slot(raw) = (!text.is_empty()).then(path);
                Ok(quoted(text))
            }
            Kind::Url(slot) => {
                let url = match text {
                    "" => None,
                    text => Some(Url::read(text)?),
                };
                let shown = quoted(&url.as_ref().map(Url::masked).unwrap_or_default());
                *slot(raw) = Urls::Texts(url.into_iter().collect());
                Ok(shown)
            }
            Kind::Urls(slot) => {
                let urls = texts.iter().flat_map(|text| value::list(text));
                let urls: Vec<Url> = urls
                    .map(|text| Url::read(&text))
                    .collect::<Result<_, _>>()?;
                let shown = array(urls.iter().map(|url| quoted(&url.masked())));
                *slot(raw) = Urls::Texts(urls);
                Ok(shown)
            }
            Kind::UrlFile(slot) => {
                *slot(raw) = match text {
                    "" => Urls::default(),
                    _ => Urls::File(path()),
                };
                Ok(quoted(text))
            }
            Kind::Proxy(slot) => {
                let chosen = match text {
                    "" => None,
                    text => Some(Chosen::read(text, source)?),
                };
                let shown = match &chosen {
                    Some(Chosen::Through(_)) => url::masked(text).unwrap_or(Secret::SHOWN.into()),
                    _ => text.to_owned(),
                };
                *slot(raw) = chosen;
                Ok(quoted(&shown))
            }
            Kind::Secret(slot) => {
                let secret = Secret::new(value::password(text)?);
                *slot(raw) = (!text.is_empty()).then_some(Password::Text(secret));
                Ok(quoted(if text.is_empty() { "" } else { Secret::SHOWN }))
            }
            Kind::SigningKey(slot) => {
                let secret = Secret::new(value::password(text)?);
                if !text.is_empty() {
                    SigningKey::read(secret.expose())?;
                }
                *slot(raw) = (!text.is_empty()).then_some(Password::Text(secret));
                Ok(quoted(if text.is_empty() { "" } else { Secret::SHOWN }))
            }
            Kind::SecretFile(_) if text.contains(PRIVATE) => {
                Err("the name of a file with the key, not the key itself".to_owned())
            }
            Kind::SecretFile(slot) => {
                *slot(raw) = (!text.is_empty()).then(|| Password::File(path()));
                Ok(quoted(text))
            }
            Kind::Unused => Ok(quoted(text)),
            Kind::UnusedSwitch => Ok(value::boolean(text)?.to_string()),
        }
    }
}

fn words(choices: &[Word]) -> Wanted {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    format!("one of {}", words.join(", "))
}
