//! A URL of HTTP. Only scheme, host and port are printed, because path and query may have a token.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

/// The length limit of a URL, in bytes.
const MAX_URL_BYTES: usize = 2048;
/// The text that replaces a hidden part.
const HIDDEN: &str = "***";

/// An `http` or `https` URL. `Display` and `Debug` show scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// Reads an `http` or `https` URL with a host and without a password (RFC 3986 §3.2.1, §7.5). The parser is the
    /// same as for the request.
    ///
    /// # Errors
    /// The expected form of a URL.
    pub fn read(text: &str) -> Result<Url, String> {
        let text = text.trim();
        if text.contains(HIDDEN) {
            return Err(format!(
                "the whole URL, because {HIDDEN} replaces the hidden part of a URL"
            ));
        }
        let plain = text.len() <= MAX_URL_BYTES && text.chars().all(|c| c.is_ascii_graphic());
        let uri = text.parse::<Uri>().ok().filter(|_| plain);
        if uri.is_some_and(|uri| names_a_host(&uri)) {
            return Ok(Url(text.to_owned()));
        }
        Err(
            "http:// or https:// and a host, without user and password in it, with a port up to 65535 or none, in printable ASCII"
                .to_owned(),
        )
    }

    /// Returns the whole URL, for the request only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        host(authority)
    }

    /// Returns whether the URL is requested over TLS.
    pub fn is_https(&self) -> bool {
        let scheme = self.0.split(':').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case("https")
    }

    /// Returns scheme, host and port, with a mark if there is more.
    pub fn masked(&self) -> String {
        masked(&self.0).unwrap_or_else(|| HIDDEN.to_owned())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = self.masked();
        f.write_str(masked.strip_suffix("/***").unwrap_or(&masked))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the host of an authority, an IPv6 address without brackets.
pub(super) fn host(authority: &str) -> &str {
    let behind = authority.rsplit('@').next().unwrap_or_default();
    match behind.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => behind.split(':').next().unwrap_or_default(),
    }
}

/// Returns whether a host is this machine. A connection to the unspecified address also goes to this machine.
pub(super) fn is_loopback(address: &str) -> bool {
    let address = address.trim_end_matches('.').to_ascii_lowercase();
    match address.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback() || ip.is_unspecified(),
        // RFC 6761 §6.3
        Err(_) => address == "localhost" || address.ends_with(".localhost"),
    }
}

/// Returns the part that may be shown of a text that should be a URL: scheme, host and port, and marks for the rest.
/// Returns `None` if the end of these parts is not known.
pub(super) fn masked(text: &str) -> Option<String> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let host = authority.rsplit('@').next()?;
    let of_host = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let is_known = scheme.chars().all(|c| c.is_ascii_alphanumeric()) && host.chars().all(of_host);
    let user = match host.len() == authority.len() {
        true => "",
        false => "***@",
    };
    let rest = match path {
        "" | "/" => "",
        _ => "/***",
    };
    is_known.then(|| format!("{scheme}://{user}{host}{rest}"))
}

/// Returns the byte at which a token may begin in a text with URLs; `None` if there is no token.
pub(super) fn secret_from(text: &str) -> Option<usize> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let rest = text.get(start..)?;
    let end = rest.find(['/', '?', '#', '\\', ',']).unwrap_or(rest.len());
    let is_open = start > 0 && !rest.get(..end)?.contains('@');
    let from = if is_open { start + end } else { start };
    (from < text.len()).then_some(from)
}

/// Returns whether requests can be sent to this URL, and whether it has no user and password.
fn names_a_host(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else {
        return false;
    };
    let host = authority.host();
    // if the port is not a number, the request would go to the default port of the scheme
    let port = authority.as_str() == host || authority.port_u16().is_some();
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    scheme && port && !host.is_empty() && !authority.as_str().contains('@')
}

/// Reads the URLs in a text, one in each line. Ignores lines that are empty or begin with `#`.
///
/// # Errors
/// The line, and the expected form of a URL.
pub(super) fn lines(text: &str) -> Result<Vec<Url>, String> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let urls = lines.map(|(number, line)| {
        Url::read(line).map_err(|wanted| format!("line {number}: expected {wanted}"))
    });
    let urls: Vec<Url> = urls.collect::<Result<_, _>>()?;
    match urls.is_empty() {
        true => Err("expected a URL in a line".to_owned()),
        false => Ok(urls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_no_password() {
        for good in [
            "http://localhost:8080/x",
            "https://hooks.example/T/B?x=1",
            "http://[::1]:9/",
            "https://hooks.example?x=1#y",
        ] {
            assert_eq!(Url::read(good).unwrap().expose(), good);
        }
        for wrong in [
            "",
            "hooks.example",
            "ftp://x/",
            "http://",
            "https:///x",
            "http://user:password@x/",
            "http://user@x:80/",
            "http://x/ y",
            "http://x/\r\nHost: y",
            "http://:80/",
            "http://x:70000/",
            "http://x:port/",
            "http://x:/",
            "http://[::1/",
            "http://x\\y/",
            "http://a,b:c@d/",
            "https://hooks.example/***",
        ] {
            assert!(Url::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_is_shown_as_scheme_host_and_port() {
        for (url, shown, host) in [
            (
                "https://hooks.example/T/B?x=1",
                "https://hooks.example",
                "hooks.example",
            ),
            (
                "https://hooks.example:8443?x=1",
                "https://hooks.example:8443",
                "hooks.example",
            ),
            ("http://[::1]:9/", "http://[::1]:9", "::1"),
        ] {
            let url = Url::read(url).unwrap();
            assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
            assert_eq!(url.host(), host);
        }
        let url = Url::read("https://hooks.example/T").unwrap();
        assert_eq!(url.masked(), "https://hooks.example/***");
        for (wrong, shown) in [
            ("ftp://x.example/T", Some("ftp://x.example/***")),
            ("http://user:pw@x:1/T", Some("http://***@x:1/***")),
            ("hooks.example/T", None),
            ("https:// T", None),
            ("T", None),
        ] {
            assert_eq!(masked(wrong).as_deref(), shown);
        }
    }

    #[test]
    fn the_url_for_ps_ends_before_a_possible_token() {
        for (text, open) in [
            ("https://h/T", "https://h"),
            ("https://h:1?T", "https://h:1"),
            ("https://h,https://i/T", "https://h"),
            ("https://user:T@h", "https://"),
            ("T", ""),
        ] {
            assert_eq!(secret_from(text), Some(open.len()), "{text}");
        }
        assert_eq!(secret_from("https://h"), None);
    }

    #[test]
    fn a_file_holds_a_url_in_a_line() {
        let urls = lines("# ours\n\nhttps://h/T \r\nhttp://i/\n").unwrap();
        let urls: Vec<&str> = urls.iter().map(Url::expose).collect();
        assert_eq!(urls, ["https://h/T", "http://i/"]);
        let wanted = lines("https://h/T\nsecret\n").unwrap_err();
        assert!(
            wanted.starts_with("line 2: ") && !wanted.contains("secret"),
            "{wanted}"
        );
        assert!(lines("# none\n").is_err() && lines("\u{feff}https://h/").is_err());
    }
}
