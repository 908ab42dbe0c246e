//! Reads and checks PEM files before gRPC reads them, because gRPC's errors about them are not useful.

use std::fmt;

use super::content::content;
use super::der::{self, Public};
use super::settings_error::SettingsError;
use super::sourced::SourcedPath;
use crate::ledger::decode_base64;

/// The required contents of a PEM file.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    Certificates,
    PrivateKey,
}

/// Returns the text of a PEM file that has at least one complete block of the required kind.
///
/// # Errors
/// The setting, the file and its error.
pub(super) fn read(given: &SourcedPath, holds: Holds) -> Result<String, SettingsError> {
    let text = content(&given.path)
        .and_then(|text| text.ok_or_else(|| "there is no such file".to_owned()));
    let checked = text.and_then(|text| check(&text, holds).map(|()| text));
    checked.map_err(|fault| given.problem(&fault))
}

/// Checks that a private key belongs to its certificate, which is the first one in the file.
///
/// # Errors
/// The key belongs to another certificate.
pub(super) fn is_key_of(key: &str, certificate: &str) -> Result<(), &'static str> {
    let key = first(key, Holds::PrivateKey);
    let certificate = first(certificate, Holds::Certificates);
    match (key, certificate) {
        (Some(Public::Known(key)), Some(Public::Known(of))) if key != of => {
            Err("it does not belong to the certificate")
        }
        _ => Ok(()),
    }
}

/// Returns the public key in the first block of the required kind in a checked text.
fn first(text: &str, holds: Holds) -> Option<Public> {
    let mut lines = text.lines().map(str::trim);
    let label = lines.find_map(|line| {
        let label = line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
        holds.wants(label).then_some(label)
    })?;
    let base64: String = lines.take_while(|line| !line.starts_with('-')).collect();
    public(label, &base64, holds)
}

/// Returns the public key in a block; `None` if the block's contents do not match its label.
fn public(label: &str, base64: &str, holds: Holds) -> Option<Public> {
    let der = decode_base64(base64)?;
    match holds {
        Holds::Certificates => der::of_certificate(&der).map(Public::Known),
        Holds::PrivateKey => der::of_private_key(label, &der),
    }
}

impl Holds {
    fn wants(self, label: &str) -> bool {
        match self {
            Holds::Certificates => label == "CERTIFICATE",
            Holds::PrivateKey => label.ends_with("PRIVATE KEY"),
        }
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Holds::Certificates => "certificate (X.509)",
            Holds::PrivateKey => "private key",
        })
    }
}

/// Checks that the text has complete blocks of base64 between their lines (RFC 7468 §3).
fn check(text: &str, holds: Holds) -> Result<(), String> {
    let mut found = false;
    let mut open: Option<(usize, &str, String)> = None;
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.contains('\0') {
            return Err(format!("line {line}: a NUL byte"));
        }
        let begins = text
            .strip_prefix("-----BEGIN ")
            .and_then(|text| text.strip_suffix("-----"));
        let ends = text
            .strip_prefix("-----END ")
            .and_then(|text| text.strip_suffix("-----"));
        match (&mut open, begins, ends) {
            (None, Some(label), _) => open = Some((line, label, String::new())),
            (Some((begin, label, base64)), _, Some(end)) => {
                let whole =
                    end == *label && decode_base64(base64).is_some_and(|der| !der.is_empty());
                if holds.wants(label) {
                    if label.starts_with("ENCRYPTED") || base64.starts_with("Proc-Type") {
                        let remedy = "remove its passphrase: openssl pkey -in FILE";
                        return Err(format!("line {begin}: an encrypted key; {remedy}"));
                    }
                    if !whole {
                        return Err(format!("line {begin}: this {label} block is damaged"));
                    }
                    if public(label, base64, holds).is_none() {
                        return Err(format!(
                            "line {begin}: there is no {holds} in this {label} block"
                        ));
                    }
                    found = true;
                }
                open = None;
            }
            (Some((_, _, base64)), None, None) => base64.push_str(text),
            (None, _, Some(_)) | (Some(_), Some(_), _) => {
                return Err(format!("line {line}: a block that does not begin or end"));
            }
            (None, None, None) => {} // RFC 7468 §2: explanatory text
        }
    }
    match (open, found, holds) {
        (Some((line, label, _)), _, _) => {
            Err(format!("line {line}: the {label} block does not end"))
        }
        (None, true, _) => Ok(()),
        (None, false, Holds::Certificates) => Err("no CERTIFICATE block in it".to_owned()),
        (None, false, Holds::PrivateKey) => Err("no PRIVATE KEY block in it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate of CN=x, valid until 2126.
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBbzCCARWgAwIBAgIUchrRtNBljVz7qvPmNLgA1m1USHUwCgYIKoZIzj0EAwIw\n\
        DDEKMAgGA1UEAwwBeDAgFw0yNjExMjgyMTA5NTBaGA8yMTI2MTEwNDIxMDk1MFow\n\
        DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO74gwOOe9gu\n\
        8nxq0hN/MKYnIK39iVQo4foGmFri4AleCJazRELa646sflUH0UERtTbfUAd4Kl0f\n\
        rQrqXOwiECSjUzBRMB0GA1UdDgQWBBQmlCDwq5SAHOKduycFCKbhUBm36zAfBgNV\n\
        HSMEGDAWgBQmlCDwq5SAHOKduycFCKbhUBm36zAPBgNVHRMBAf8EBTADAQH/MAoG\n\
        CCqGSM49BAMCA0gAMEUCIQD9JJSu8LCxXZDfY4K/IjKkoFtOLi//rpmuGo2+sdzQ\n\
        7wIgYeH09VpCueb347Aa+bGxbElE/2spurbCyqHL81pVV1s=\n\
        -----END CERTIFICATE-----\n";
    /// The private key of the certificate.
    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIIh1s7k26Rk7FBbz2xMmPtKxYQ8KqXEYOcVXg6RIXwcYoAoGCCqGSM49\n\
        AwEHoUQDQgAE7viDA4572C7yfGrSE38wpicgrf2JVCjh+gaYWuLgCV4IlrNEQtrr\n\
        jqx+VQfRQRG1Nt9QB3gqXR+tCupc7CIQJA==\n\
        -----END EC PRIVATE KEY-----\n";

    #[test]
    fn a_file_holds_what_it_should() {
        let parameters = "-----BEGIN EC PARAMETERS-----\nQUI=\n-----END EC PARAMETERS-----\n";
        assert_eq!(
            check(
                &format!("issued by us\n{CERTIFICATE}{CERTIFICATE}"),
                Holds::Certificates
            ),
            Ok(())
        );
        assert_eq!(
            check(&format!("{parameters}{KEY}"), Holds::PrivateKey),
            Ok(())
        );
    }

    #[test]
    fn an_encrypted_key_is_refused_with_a_remedy() {
        for text in [
            KEY.replace("EC PRIVATE", "ENCRYPTED PRIVATE"),
            KEY.replace("KEY-----\nMHcC", "KEY-----\nProc-Type: 4,ENCRYPTED\n\nMHcC"),
        ] {
            let fault = check(&text, Holds::PrivateKey).unwrap_err();
            assert!(fault.contains("remove its passphrase"), "{fault}");
        }
    }

    #[test]
    fn an_error_in_a_file_is_reported_with_its_line() {
        for (text, fault) in [
            (KEY.to_owned(), "no CERTIFICATE block in it"),
            (String::new(), "no CERTIFICATE block in it"),
            (
                CERTIFICATE.replace("MIIBbz", "MIIBb*"),
                "line 1: this CERTIFICATE block is damaged",
            ),
            (
                "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
                "line 1: this CERTIFICATE block is damaged",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n".to_owned(),
                "line 1: there is no certificate (X.509) in this CERTIFICATE block",
            ),
            (CERTIFICATE.replace("MIIBbz", "\0"), "line 2: a NUL byte"),
            (
                CERTIFICATE.replace("END CERT", "END SERT"),
                "line 1: this CERTIFICATE block is damaged",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nQUJD\n".to_owned(),
                "line 1: the CERTIFICATE block does not end",
            ),
            (
                format!("-----END CERTIFICATE-----\n{CERTIFICATE}"),
                "line 1: a block that does not begin or end",
            ),
        ] {
            assert_eq!(check(&text, Holds::Certificates), Err(fault.to_owned()));
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_reported() {
        assert_eq!(is_key_of(KEY, CERTIFICATE), Ok(()));
        // differs in one bit of the public key
        let tail = "jqx+VQfR";
        let other = KEY.replace(tail, "Aqx+VQfR");
        assert!(is_key_of(&other, CERTIFICATE).is_err());
    }
}
