//! The root certificates that this system trusts.

/// The paths of the CA bundles of distributions.
pub const ROOT_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// Returns the authorities that the system stores outside of files: none.
pub fn certificate_store() -> Option<Vec<u8>> {
    None
}
