//! The few calls of the operating system that Rust's library does not offer.

/// Is the effective user root?
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail
    unsafe { libc::geteuid() == 0 }
}
