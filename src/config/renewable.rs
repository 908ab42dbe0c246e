//! Files of secrets and certificates, which may be replaced while the program runs. They are read at the start and
//! again later.

use super::content::content;
use super::pem::{self, Holds};
use super::raw_settings::RawSettings;
use super::secret::Secret;
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::sourced::SourcedPath;
use super::transport::{Roots, Transport};
use super::value;
use crate::sys;

/// The default name in the server's certificate, as in immuclient.
const DEFAULT_SERVER_NAME: &str = "localhost";

/// A file with a password.
#[derive(Clone, Debug)]
pub struct PasswordFile(SourcedPath);

impl PasswordFile {
    pub(super) fn new(given: SourcedPath) -> PasswordFile {
        PasswordFile(given)
    }

    /// Reads the first line of the file. The newline at its end is not a part of the password.
    ///
    /// # Errors
    /// The setting, the file and its error.
    pub fn read(&self) -> Result<Secret, SettingsError> {
        let given = &self.0;
        let text = match content(&given.path) {
            Ok(Some(text)) => Secret::new(text),
            Ok(None) => return Err(given.problem("there is no such file")),
            Err(fault) => return Err(given.problem(&fault)),
        };
        if text.expose().starts_with('\u{feff}') {
            return Err(given.problem("it begins with a byte order mark: remove the mark"));
        }
        let mut lines = text.expose().lines();
        let (Some(line), None) = (lines.next().filter(|line| !line.is_empty()), lines.next())
        else {
            return Err(given.problem("expected one line, the password"));
        };
        let password = value::password(line);
        password
            .map(Secret::new)
            .map_err(|wanted| given.problem(&format!("expected {wanted}")))
    }
}

/// Reads the password in a file, and warns if everybody can read the file.
pub(super) fn password_file(
    given: &SourcedPath,
    warnings: &mut Vec<SettingsWarning>,
) -> Result<Secret, SettingsError> {
    let password = PasswordFile::new(given.clone()).read()?;
    if sys::everybody_reads(&given.path) {
        let path = given.path.clone();
        warnings.push(SettingsWarning::LoosePasswordFile { path });
    }
    Ok(password)
}

/// The files of certificates and keys that the settings name.
#[derive(Clone, Debug)]
pub struct TransportFiles(Files);

#[derive(Clone, Debug)]
enum Files {
    /// The CAs of the server.
    Tls {
        roots: SourcedPath,
        server_name: Option<String>,
    },
    Mutual {
        certificate: SourcedPath,
        key: SourcedPath,
        authorities: SourcedPath,
        server_name: String,
    },
}

impl TransportFiles {
    /// Returns the files that the settings name; `None` if there are none.
    ///
    /// # Errors
    /// A file for mutual TLS is missing in the settings.
    pub(super) fn of(raw: &RawSettings) -> Result<Option<TransportFiles>, Vec<SettingsError>> {
        if !raw.mtls {
            // the other files need --mtls
            let files = raw.tls_ca.clone().map(|roots| Files::Tls {
                roots,
                server_name: raw.servername.clone(),
            });
            return Ok(files.map(TransportFiles));
        }
        let needed = |given: &Option<SourcedPath>, flag| {
            let missing = || SettingsError::NoFile { flag, by: "mtls" };
            given.clone().ok_or_else(missing)
        };
        let certificate = needed(&raw.certificate, "certificate");
        let key = needed(&raw.pkey, "pkey");
        let authorities = needed(&raw.clientcas, "clientcas");
        match (certificate, key, authorities) {
            (Ok(certificate), Ok(key), Ok(authorities)) => {
                let server_name = raw.servername.clone();
                Ok(Some(TransportFiles(Files::Mutual {
                    certificate,
                    key,
                    authorities,
                    server_name: server_name.unwrap_or(DEFAULT_SERVER_NAME.to_owned()),
                })))
            }
            (certificate, key, authorities) => {
                // problems of the given files are reported too
                let named = [
                    certificate.map(|given| (given, Holds::Certificates)),
                    key.map(|given| (given, Holds::PrivateKey)),
                    authorities.map(|given| (given, Holds::Certificates)),
                ];
                let read = |file: Result<(SourcedPath, Holds), SettingsError>| {
                    file.and_then(|(given, holds)| pem::read(&given, holds))
                };
                let problems = named.into_iter().filter_map(|file| read(file).err());
                Err(problems.collect())
            }
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// The settings, the files and their errors.
    pub fn read(&self) -> Result<Transport, Vec<SettingsError>> {
        match &self.0 {
            Files::Tls { roots, server_name } => {
                let pem = pem::read(roots, Holds::Certificates).map_err(|problem| vec![problem])?;
                Ok(Transport::Tls {
                    roots: Roots::Pem(pem),
                    server_name: server_name.clone(),
                })
            }
            Files::Mutual {
                certificate,
                key,
                authorities,
                server_name,
            } => {
                let named = (certificate, key);
                let certificate = pem::read(certificate, Holds::Certificates);
                let key = pem::read(key, Holds::PrivateKey);
                let authorities = pem::read(authorities, Holds::Certificates);
                match (certificate, key, authorities) {
                    (Ok(certificate), Ok(key), Ok(authorities)) => {
                        let key = Secret::new(key);
                        pem::is_key_of(key.expose(), &certificate).map_err(|fault| {
                            let (of, key) = named;
                            vec![key.problem(&format!("{fault} in {}", of.path.display()))]
                        })?;
                        Ok(Transport::Mutual {
                            certificate,
                            key,
                            authorities,
                            server_name: server_name.clone(),
                        })
                    }
                    (certificate, key, authorities) => {
                        let problems = [certificate.err(), key.err(), authorities.err()];
                        Err(problems.into_iter().flatten().collect())
                    }
                }
            }
        }
    }
}
