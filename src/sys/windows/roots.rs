//! The root certificates that Windows trusts.

use std::io;
use std::ptr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use windows_sys::Win32::Foundation::CRYPT_E_NOT_FOUND;
use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CTL_USAGE, CertCloseStore, CertEnumCertificatesInStore, CertGetEnhancedKeyUsage,
    CertOpenSystemStoreW, szOID_PKIX_KP_SERVER_AUTH,
};

use super::wide;

/// Files with root certificates: none. Any user who may create a directory on the disk could create such a file.
pub const ROOT_FILES: [&str; 0] = [];

/// The certificate store with the trusted authorities of the computer and of the user.
const STORE: &str = "ROOT";

/// Returns the authorities in the store that may certify servers, as PEM; `None` if there are none.
pub fn certificate_store() -> Option<Vec<u8>> {
    let mut pem = String::new();
    let store = wide(STORE);
    // SAFETY: the name ends in NUL. A certificate is valid until the next call of the enumeration, which frees it. The
    // certificate contains the length of its bytes.
    unsafe {
        let store = CertOpenSystemStoreW(0, store.as_ptr());
        if store.is_null() {
            return None;
        }
        let mut certificate: *mut CERT_CONTEXT = ptr::null_mut();
        loop {
            certificate = CertEnumCertificatesInStore(store, certificate);
            if certificate.is_null() {
                break;
            }
            let found = &*certificate;
            if !found.pbCertEncoded.is_null() && is_for_servers(certificate) {
                let length = usize::try_from(found.cbCertEncoded).unwrap_or_default();
                add(
                    &mut pem,
                    std::slice::from_raw_parts(found.pbCertEncoded, length),
                );
            }
        }
        CertCloseStore(store, 0);
    }
    (!pem.is_empty()).then(|| pem.into_bytes())
}

fn add(pem: &mut String, certificate: &[u8]) {
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    for line in STANDARD.encode(certificate).as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
}

/// Returns whether an authority may certify servers. The store can restrict an authority to other uses.
///
/// # Safety
/// The certificate must be one of an open store.
unsafe fn is_for_servers(certificate: *const CERT_CONTEXT) -> bool {
    // SAFETY: the certificate is valid. The system returns the length of the list. The list begins with a CTL_USAGE,
    // the buffer is aligned for it, and the texts end in NUL.
    unsafe {
        let mut length = 0;
        if CertGetEnhancedKeyUsage(certificate, 0, ptr::null_mut(), &mut length) == 0 {
            return is_unconfined();
        }
        let words = usize::try_from(length).unwrap_or_default().div_ceil(8);
        let mut buffer = vec![0_u64; words.max(2)];
        let usage: *mut CTL_USAGE = buffer.as_mut_ptr().cast();
        if CertGetEnhancedKeyUsage(certificate, 0, usage, &mut length) == 0 {
            return is_unconfined();
        }
        let count = usize::try_from((*usage).cUsageIdentifier).unwrap_or_default();
        if count == 0 {
            return is_unconfined();
        }
        let server = std::ffi::CStr::from_ptr(szOID_PKIX_KP_SERVER_AUTH.cast());
        let names = std::slice::from_raw_parts((*usage).rgpszUsageIdentifier, count);
        names
            .iter()
            .any(|name| std::ffi::CStr::from_ptr(name.cast()) == server)
    }
}

/// Returns whether the last call failed because the certificate has no list of uses, so that every use is allowed.
fn is_unconfined() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(CRYPT_E_NOT_FOUND)
}
