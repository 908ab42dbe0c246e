//! Reads values as people write them: numbers, durations, lists, pins, passwords. Each function returns the value, or
//! the expected form as the error.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::audit_settings::Pin;
use super::url::Url;
use crate::checkpoint::VerifierKey;
use crate::ledger::{State, decode_base64};
use crate::sys;

/// The expected form of a value.
pub(super) type Wanted = String;

/// Units of a duration, in milliseconds; the longest name first if one begins like another.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The longest duration of a setting: a longer one is probably a mistake.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads one of Go's truth values, which immuclient accepts.
pub(super) fn boolean(text: &str) -> Result<bool, Wanted> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// Reads a whole number within a range.
pub(super) fn count(text: &str, least: u64, most: u64) -> Result<u64, Wanted> {
    let number = text.trim().parse().ok();
    let in_range = number.filter(|number| (least..=most).contains(number));
    in_range.ok_or_else(|| format!("a whole number from {least} to {most}"))
}

/// Units of a size that people may write, in bytes. They are not accepted, but the error has the number of bytes.
const SIZES: [(&str, u64); 3] = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)];

/// Reads a whole number of bytes within a range. If the text has a unit, the error has the number of bytes.
pub(super) fn bytes(text: &str, least: u64, most: u64) -> Result<u64, Wanted> {
    count(text, least, most).map_err(|_| {
        let wanted = format!("a whole number of bytes from {least} to {most}, without a unit");
        match with_unit(text.trim()) {
            Some(bytes) => format!("{wanted}: this is {bytes}"),
            None => format!("{wanted}: 32 MiB are {}", 32 << 20),
        }
    })
}

/// Returns the bytes of a size such as `32M`, `32MB` or `32MiB`.
fn with_unit(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit
        .trim_start()
        .trim_end_matches('b')
        .trim_end_matches('i');
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

/// Reads a duration such as `250ms`, `5m` or `1h30m`, of at least `least`; "0" if `least` is zero.
pub(super) fn duration(text: &str, least: Duration) -> Result<Duration, Wanted> {
    let wanted = || {
        let least = if least.is_zero() {
            "0".to_owned()
        } else {
            shown_duration(least)
        };
        format!(
            "a duration with its unit (ms, s, m, h), such as 30s or 1h30m, from {least} to {}",
            shown_duration(MAX_DURATION)
        )
    };
    let text = text.trim();
    let value = if text == "0" {
        Some(Duration::ZERO)
    } else {
        parts(text)
    };
    value
        .filter(|value| (least..=MAX_DURATION).contains(value))
        .ok_or_else(wanted)
}

fn parts(text: &str) -> Option<Duration> {
    let (mut sum, mut rest) = (0u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let (fraction, tail) = match tail.strip_prefix('.') {
            Some(tail) => tail.split_at_checked(tail.find(|c: char| !c.is_ascii_digit())?)?,
            None => ("", tail),
        };
        let (name, unit) = UNITS.iter().find(|(name, _)| tail.starts_with(name))?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(*unit)?)?;
        if !fraction.is_empty() {
            let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
            sum = sum.checked_add(fraction.parse::<u64>().ok()?.checked_mul(*unit)? / scale)?;
        }
        rest = tail.strip_prefix(name)?;
    }
    (!text.is_empty()).then(|| Duration::from_millis(sum))
}

/// Formats a duration in the form that [`duration`] reads.
pub(super) fn shown_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, unit) in UNITS.iter().rev() {
        if rest >= *unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() {
        "0".to_owned()
    } else {
        text
    }
}

/// Splits a comma-separated list, without white space and empty entries.
pub(super) fn list(text: &str) -> impl Iterator<Item = String> {
    let entries = text.split(',').map(str::trim);
    entries.filter(|entry| !entry.is_empty()).map(str::to_owned)
}

/// Reads `URL=KEY`, another auditor and its public key. Both may have `=`, so a valid key must follow the separator.
pub(super) fn peer(text: &str) -> Result<(Url, VerifierKey), Wanted> {
    let wanted =
        "URL=KEY: an auditor's address and its public key, as immuaudit key show prints it";
    let mut why = None;
    for (at, _) in text.match_indices('=') {
        let (url, key) = text.split_at_checked(at).unwrap_or_default();
        match VerifierKey::read(key.trim_start_matches('=').trim()) {
            Ok(key) => return Ok((Url::read(url)?, key)),
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(match why {
        Some(why) => format!("{wanted} (the key: {why})"),
        None => wanted.to_owned(),
    })
}

/// Checks that no two addresses have keys with the same name, because metrics and files identify a peer by its name.
/// Several keys with one name at one address are old and new keys of one auditor.
///
/// # Errors
/// The expected form.
pub(super) fn one_url_a_name(peers: &[(Url, VerifierKey)]) -> Result<(), Wanted> {
    let names_another = |(url, key): &(Url, VerifierKey)| {
        let mut others = peers.iter();
        others.any(|(other, of)| of.name == key.name && other != url)
    };
    match peers.iter().any(names_another) {
        true => Err("one URL for each key name, because every auditor has its own name".to_owned()),
        false => Ok(()),
    }
}

/// Reads `DATABASE:TX:HASH`.
pub(super) fn pin(text: &str) -> Result<Pin, Wanted> {
    let wanted = || {
        "DATABASE:TX:HASH, with a transaction from 1 and its hash in 64 hexadecimal digits"
            .to_owned()
    };
    let mut parts = text.trim().rsplitn(3, ':');
    let (Some(hash), Some(tx), Some(database)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wanted());
    };
    let (Ok(hash), Ok(tx @ 1..)) = (hash.parse(), tx.parse()) else {
        return Err(wanted());
    };
    if database.is_empty() {
        return Err(wanted());
    }
    Ok(Pin {
        database: database.to_owned(),
        state: State { tx, hash },
    })
}

/// Reads a host name or an IP address. Removes the brackets that an IPv6 address may have (RFC 3986 §3.2.2).
pub(super) fn host(text: &str) -> Result<String, Wanted> {
    let text = text.trim();
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = inside.unwrap_or(text);
    // after % comes the interface of a link-local address (RFC 4007 §11)
    let number = bare.split('%').next().unwrap_or_default();
    let is_number = number.parse::<Ipv6Addr>().is_ok();
    let of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = inside.is_none() && bare.len() <= 253 && bare.chars().all(of_name);
    if !bare.is_empty() && (is_number || is_name) && self::text(bare).is_ok() {
        return Ok(bare.to_owned());
    }
    Err("a host name or an IP address, without scheme, port or path".to_owned())
}

/// Checks that the text is a program's full path with its arguments; an empty text means no program.
pub(super) fn command(text: &str) -> Result<(), Wanted> {
    let fits = text.is_empty() || (sys::is_full_path(text) && self::text(text).is_ok());
    fits.then_some(()).ok_or_else(|| {
        "a program's full path, and its words separated by spaces (there is no shell)".to_owned()
    })
}

/// Reads a password, as plain text or as `enc:` and its base64 (protocol.md §7).
pub(super) fn password(text: &str) -> Result<String, Wanted> {
    let Some(base64) = text.strip_prefix("enc:") else {
        return Ok(text.to_owned());
    };
    let bytes = decode_base64(base64.trim()).unwrap_or_default();
    String::from_utf8(bytes)
        .ok()
        .filter(|password| !password.is_empty())
        .ok_or_else(|| "after enc:, the base64 of a password".to_owned())
}

/// Reads a text for a log: one line of printable characters, and not too long.
pub(super) fn text(text: &str) -> Result<String, Wanted> {
    let fits = text.len() <= 1024 && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "at most 1024 bytes without control characters".to_owned())
}

/// Converts a port that the table has checked.
pub(super) fn port(number: u64) -> u16 {
    u16::try_from(number).unwrap_or_default()
}

/// Returns the duration; `None` if it is 0, which means off.
pub(super) fn unless_off(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_a_number_and_no_url() {
        for (given, bare) in [
            ("db.example.org", Some("db.example.org")),
            (" immudb_1 ", Some("immudb_1")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("[::1]", Some("::1")),
            ("fe80::1%eth0", Some("fe80::1%eth0")),
            ("", None),
            ("http://db", None),
            ("db:3322", None),
            ("db/x", None),
            ("a b", None),
            ("[db]", None),
            ("[::1", None),
        ] {
            assert_eq!(host(given).ok().as_deref(), bare, "{given}");
        }
    }

    #[test]
    fn a_duration_needs_its_unit() {
        let ms = Duration::from_millis;
        for (text, value) in [
            ("250ms", Some(ms(250))),
            ("5m", Some(ms(300_000))),
            ("1h30m", Some(ms(5_400_000))),
            ("1.5s", Some(ms(1_500))),
            ("300", None),
            ("", None),
            ("m", None),
            ("-5m", None),
            ("5 m", None),
            ("5d", None),
            ("99999999999999999999h", None),
            ("9000h", None),
            ("1.99999999999999999999999s", None),
        ] {
            assert_eq!(duration(text, Duration::ZERO).ok(), value, "{text}");
        }
    }

    #[test]
    fn nothing_is_a_duration_only_where_it_means_off() {
        assert_eq!(duration("0", Duration::ZERO), Ok(Duration::ZERO));
        assert!(duration("0", Duration::from_millis(1)).is_err());
        assert!(duration("0s", Duration::from_millis(1)).is_err());
    }

    #[test]
    fn a_duration_is_shown_as_it_is_read() {
        for text in ["250ms", "5m", "1h30m", "1s500ms", "8784h", "0"] {
            assert_eq!(
                shown_duration(duration(text, Duration::ZERO).unwrap()),
                text
            );
        }
    }

    #[test]
    fn a_number_out_of_range_is_none() {
        assert_eq!(count("5", 1, 5), Ok(5));
        for text in ["0", "6", "-1", "", "five", "1e3", "99999999999999999999"] {
            assert!(count(text, 1, 5).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pin_names_database_transaction_and_hash() {
        let hash = "ab".repeat(32);
        let pin_of = |text: String| pin(&text).ok().map(|pin| (pin.database, pin.state.tx));
        assert_eq!(
            pin_of(format!("shop:7:{hash}")),
            Some(("shop".to_owned(), 7))
        );
        for wrong in [
            format!("shop:0:{hash}"),
            format!(":7:{hash}"),
            format!("7:{hash}"),
            "shop:7:ab".to_owned(),
            String::new(),
        ] {
            assert_eq!(pin_of(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn an_encoded_password_is_decoded() {
        assert_eq!(password("enc:aW1tdWRi").as_deref(), Ok("immudb"));
        assert_eq!(password("immudb").as_deref(), Ok("immudb"));
        for wrong in ["enc:", "enc:%%%", "enc:/w=="] {
            assert!(password(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_drops_blanks() {
        assert_eq!(list(" a, b,,").collect::<Vec<_>>(), ["a", "b"]);
    }
}
