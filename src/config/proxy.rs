//! The proxy of an HTTP request. The environment selects it as in curl, but requests to this machine have none.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

use super::settings_error::SettingsError;
use super::source::Source;
use super::url::{Url, host, is_loopback};
use crate::sys;

/// The word that switches proxies off.
const NONE: &str = "none";
/// The name of the setting.
const FLAG: &str = "proxy";
/// The default port of a proxy, as in curl.
const PORT: u16 = 1080;

/// A proxy. `Display` and `Debug` show scheme, host, port, and the source of the setting.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: String,
    named_by: Source,
}

impl Proxy {
    /// Returns the URL with user and password, for the connection only.
    pub fn expose(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        let host = rest.rsplit('@').next().unwrap_or_default();
        write!(f, "the proxy {scheme}://{host} ({})", self.named_by)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The value of `--proxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// No proxy, even if the environment names one.
    Never,
    /// This proxy.
    Through(Proxy),
}

impl Chosen {
    /// Reads `none` or a proxy.
    ///
    /// # Errors
    /// The expected form of a proxy.
    pub fn read(text: &str, source: &Source) -> Result<Chosen, String> {
        match text {
            NONE => Ok(Chosen::Never),
            _ => read(text, source).map(Chosen::Through),
        }
    }
}

/// The proxies of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    pub(super) chosen: Option<Chosen>,
    pub(super) environment: Environment,
}

/// The variables that curl uses.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Environment(BTreeMap<&'static str, String>);

/// Shows no values, which may have passwords.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// The variables with the proxy of an `http` URL, the strongest first. `HTTP_PROXY` is not used, as in curl, because
/// the client of a CGI program could set it by a header.
const HTTP: &[&str] = &["http_proxy", "all_proxy", "ALL_PROXY"];
/// The variables with the proxy of an `https` URL, the strongest first.
const HTTPS: &[&str] = &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// The variables with the hosts for which no proxy is used.
const EXCEPT: &[&str] = &["no_proxy", "NO_PROXY"];

impl Environment {
    /// Copies the variables that are set.
    pub fn of(variables: &BTreeMap<String, String>) -> Environment {
        let names = HTTP.iter().chain(HTTPS).chain(EXCEPT);
        let value = |name: &str| variables.get(&sys::variable_name(name.to_owned()));
        let set = names.filter_map(|name| Some((*name, value(name)?.clone())));
        Environment(set.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        let mut set = names.iter();
        set.find_map(|name| Some((*name, self.0.get(name)?.as_str())))
    }
}

impl Proxies {
    /// Returns the proxy for requests to this URL; `None` if they go to the host itself.
    ///
    /// # Errors
    /// The value of the variable is not a proxy.
    pub fn of(&self, url: &Url) -> Result<Option<Proxy>, SettingsError> {
        let except = self.environment.first(EXCEPT);
        let excepted = except.is_some_and(|(_, list)| is_excepted(url.host(), list));
        if excepted || is_loopback(url.host()) {
            return Ok(None);
        }
        let names = if url.is_https() { HTTPS } else { HTTP };
        match (&self.chosen, self.environment.first(names)) {
            (Some(Chosen::Never), _) | (None, None) => Ok(None),
            (Some(Chosen::Through(proxy)), _) => Ok(Some(proxy.clone())),
            (None, Some((name, text))) => {
                let source = Source::Variable(name.to_owned());
                let proxy = read(text, &source).map_err(|wanted| SettingsError::BadValue {
                    flag: FLAG,
                    source,
                    value: None,
                    wanted,
                });
                proxy.map(Some)
            }
        }
    }
}

/// Reads a proxy; without a scheme it is `http`, as in curl.
fn read(text: &str, source: &Source) -> Result<Proxy, String> {
    let wanted = || {
        "none, or http:// or https:// and a host, with a port and nothing after it, such as http://proxy.example:3128; SOCKS is not supported"
            .to_owned()
    };
    let text = text.trim().trim_end_matches('/');
    let url = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let uri: Uri = url.parse().map_err(|_| wanted())?;
    let authority = uri.authority().map(|authority| authority.as_str());
    let authority = authority.unwrap_or_default();
    let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let behind = authority.rsplit('@').next().unwrap_or_default();
    let port = behind.rsplit(']').next().unwrap_or_default();
    let has_port = port.contains(':');
    let is_whole = !has_port || uri.port_u16().is_some();
    let scheme = uri.scheme_str().unwrap_or_default();
    let has_scheme = matches!(scheme, "http" | "https");
    if !is_bare || !is_whole || !has_scheme || host(authority).is_empty() || url.contains("***") {
        return Err(wanted());
    }
    let url = match (has_port, scheme) {
        (false, "http") => format!("http://{authority}:{PORT}"),
        _ => format!("{scheme}://{authority}"),
    };
    // the parser that reads the URL again when the proxy is used
    ureq::Proxy::new(&url).map_err(|_| wanted())?;
    Ok(Proxy {
        url,
        named_by: source.clone(),
    })
}

/// Returns whether a list in curl's form has this host: by its name, the end of its name, its IP address, or a network
/// (CIDR).
fn is_excepted(host: &str, list: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let number: Option<IpAddr> = host.parse().ok();
    let mut entries = list
        .split([',', ' ', '\t'])
        .filter(|entry| !entry.is_empty());
    list.trim() == "*"
        || entries.any(|entry| {
            let entry = entry.trim_start_matches('.').trim_end_matches('.');
            let entry = entry.to_ascii_lowercase();
            let bare = entry.trim_start_matches('[').trim_end_matches(']');
            match number {
                Some(number) => is_in(number, bare),
                None => host.strip_suffix(bare).is_some_and(|before| {
                    !bare.is_empty() && (before.is_empty() || before.ends_with('.'))
                }),
            }
        })
}

/// Returns whether an IP address is this one, or in this network.
fn is_in(number: IpAddr, entry: &str) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse().ok()),
        None => (entry, Some(128)),
    };
    let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else {
        return false;
    };
    let differ = match (number, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(u32::from(a) ^ u32::from(b)) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => u128::from(a) ^ u128::from(b),
        _ => return false,
    };
    let leading: u32 = differ.leading_zeros();
    let all = if number.is_ipv4() { 32 } else { 128 };
    leading >= bits.min(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| {
            // as Process reads them
            (sys::variable_name(name.to_string()), value.to_string())
        });
        let proxies = Proxies {
            chosen: None,
            environment: Environment::of(&variables.collect()),
        };
        let proxy = proxies.of(&Url::read(url).unwrap()).unwrap();
        proxy.map(|proxy| proxy.expose().to_owned())
    }

    #[test]
    fn the_environment_decides_as_it_does_for_curl() {
        let (http, https) = ("http://h.example/", "https://h.example/");
        let p = "http://p:1";
        let some = Some(p.to_owned());
        assert_eq!(through(&[("http_proxy", p)], http), some);
        // Windows does not tell the two apart
        #[cfg(unix)]
        assert_eq!(through(&[("HTTP_PROXY", p)], http), None);
        assert_eq!(through(&[("http_proxy", p)], https), None);
        for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            assert_eq!(through(&[(name, p)], https), some, "{name}");
        }
        assert_eq!(
            through(&[("https_proxy", "http://q:2"), ("ALL_PROXY", p)], http),
            some
        );
        assert_eq!(through(&[("https_proxy", "")], https), None);
        assert_eq!(
            through(&[("http_proxy", "p")], http).as_deref(),
            Some("http://p:1080")
        );
        for own in ["http://127.0.0.1:1/", "http://[::1]/", "http://localhost/x"] {
            assert_eq!(through(&[("ALL_PROXY", p)], own), None, "{own}");
        }
    }

    #[test]
    fn hosts_that_are_excepted_are_asked_directly() {
        for (host, list, excepted) in [
            ("h.example", "*", true),
            ("h.example", "h.example", true),
            ("h.example", "a, .example", true),
            ("h.example", "example b", true),
            ("h.example", "ample", false),
            ("h.example", "", false),
            ("h.example", ",.", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "11.0.0.0/8", false),
            ("10.1.2.3", "2.3", false),
            ("fd00::1", "[fd00::1]", true),
            ("fd00::1", "fd00::/8", true),
            ("fd00::1", "10.0.0.0/0", false),
        ] {
            assert_eq!(is_excepted(host, list), excepted, "{host} {list}");
        }
    }

    #[test]
    fn a_proxy_is_shown_without_its_user() {
        let source = Source::Flag("proxy");
        let Ok(Chosen::Through(proxy)) = Chosen::read("http://user:pw@p:3128/", &source) else {
            panic!("a proxy");
        };
        assert_eq!(
            format!("{proxy:?}"),
            "the proxy http://p:3128 (flag --proxy)"
        );
        assert_eq!(Chosen::read("none", &source), Ok(Chosen::Never));
        for wrong in [
            "socks5://p:1",
            "http://",
            "http://p:x",
            "http://p/x",
            "http://p:1?x",
            "",
        ] {
            assert!(Chosen::read(wrong, &source).is_err(), "{wrong}");
        }
    }
}
