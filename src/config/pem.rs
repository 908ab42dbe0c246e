//! PEM files: read and checked before gRPC sees them, which says nothing useful about a bad one.

use super::draft::GivenPath;
use super::file::content;
use super::problem::Problem;
use crate::ledger::decode_base64;

/// What a PEM file has to hold.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    Certificates,
    PrivateKey,
}

/// The text of a PEM file that holds at least one whole block of what is needed.
///
/// # Errors
/// The setting, the file and what is wrong with it.
pub(super) fn read(given: &GivenPath, holds: Holds) -> Result<String, Problem> {
    let text = content(&given.path)
        .and_then(|text| text.ok_or_else(|| "there is no such file".to_owned()));
    let checked = text.and_then(|text| check(&text, holds).map(|()| text));
    checked.map_err(|fault| given.problem(&fault))
}

/// RFC 7468 §3: whole blocks of base64 between their lines.
fn check(text: &str, holds: Holds) -> Result<(), String> {
    let wanted = |label: &str| match holds {
        Holds::Certificates => label == "CERTIFICATE",
        Holds::PrivateKey => label.ends_with("PRIVATE KEY"),
    };
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
                if wanted(label) {
                    if label.starts_with("ENCRYPTED") || base64.starts_with("Proc-Type") {
                        let remedy = "write it without a passphrase: openssl pkey -in FILE";
                        return Err(format!("line {begin}: an encrypted key; {remedy}"));
                    }
                    if !whole {
                        return Err(format!("line {begin}: this {label} block is damaged"));
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

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nQUJD\n-----END EC PRIVATE KEY-----\n";

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
    fn an_encrypted_key_is_told_what_to_do_with() {
        for text in [
            KEY.replace("EC PRIVATE", "ENCRYPTED PRIVATE"),
            KEY.replace("QUJD", "Proc-Type: 4,ENCRYPTED\n\nQUJD"),
        ] {
            let fault = check(&text, Holds::PrivateKey).unwrap_err();
            assert!(fault.contains("without a passphrase"), "{fault}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_line() {
        for (text, fault) in [
            (KEY.to_owned(), "no CERTIFICATE block in it"),
            (String::new(), "no CERTIFICATE block in it"),
            (
                CERTIFICATE.replace("QUJD", "Q*JD"),
                "line 1: this CERTIFICATE block is damaged",
            ),
            (
                CERTIFICATE.replace("QUJD", ""),
                "line 1: this CERTIFICATE block is damaged",
            ),
            (CERTIFICATE.replace("QUJD", "\0"), "line 2: a NUL byte"),
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
}
