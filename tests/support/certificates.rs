//! Keys and certificates for a test, made by openssl.

use std::fs;
use std::process::Command;

use super::temp_dir::TempDir;

/// Runs openssl in a folder.
pub fn openssl(folder: &TempDir, args: &str) {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(folder.path())
        .output()
        .expect("openssl runs");
    assert!(output.status.success(), "{args}: {output:?}");
}

/// Makes a certificate authority.
pub fn authority(folder: &TempDir, name: &str) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
             -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ),
    );
}

/// Makes a certificate of an authority for localhost.
pub fn certificate(folder: &TempDir, authority: &str, name: &str) {
    certificate_for(folder, authority, name, "DNS:localhost,IP:127.0.0.1");
}

/// Makes a certificate of an authority for these names only.
pub fn certificate_for(folder: &TempDir, authority: &str, name: &str, names: &str) {
    fs::write(folder.join("names"), format!("subjectAltName={names}")).expect("a file");
    openssl(
        folder,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} \
             -keyout {name}.key -out {name}.csr"
        ),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key \
             -CAcreateserial -days 2 -extfile names -out {name}.pem"
        ),
    );
}
