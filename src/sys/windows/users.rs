//! Users and groups, and the user that this process runs as.

use std::fmt;
use std::io;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{CloseHandle, LocalFree};
use windows_sys::Win32::Security::Authorization::{ConvertSidToStringSidW, ConvertStringSidToSidW};
use windows_sys::Win32::Security::{
    CheckTokenMembership, GetTokenInformation, LookupAccountSidW, PSECURITY_DESCRIPTOR, PSID,
    TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{done, wide};

/// `NT AUTHORITY\SYSTEM`.
pub(super) const SYSTEM: &str = "S-1-5-18";
/// `BUILTIN\Administrators`.
pub(super) const ADMINISTRATORS: &str = "S-1-5-32-544";
/// `NT SERVICE\TrustedInstaller`, the owner of the directories of Windows.
pub(super) const INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
/// `NT AUTHORITY\SYSTEM`, `LOCAL SERVICE` and `NETWORK SERVICE`.
const MACHINE: [&str; 3] = [SYSTEM, "S-1-5-19", "S-1-5-20"];
/// The prefix of the identifiers of services.
const SERVICES: &str = "S-1-5-80-";
/// `NT SERVICE\immuaudit`, the account of the service. The numbers are the SHA-1 of the name.
pub(super) const SERVICE: &str = "S-1-5-80-1549034335-1685114323-401106399-2481810415-3734807616";

/// A user or group, by its security identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User(pub(super) String);

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&self.0).as_deref().unwrap_or(&self.0))
    }
}

impl User {
    /// Returns the user that this process runs as.
    pub fn current() -> User {
        static CURRENT: OnceLock<User> = OnceLock::new();
        // without a token no user is the current one
        CURRENT
            .get_or_init(|| User(token_user().unwrap_or_default()))
            .clone()
    }

    /// Returns whether the auditor trusts files of this user: its own user, SYSTEM, Administrators, TrustedInstaller,
    /// and the auditor's service, which only administrators can create.
    pub fn is_trusted(&self) -> bool {
        [SYSTEM, ADMINISTRATORS, INSTALLER, SERVICE].contains(&self.0.as_str())
            || *self == User::current()
    }

    /// Returns whether this process runs as this user, or trusts the files of this user.
    pub fn is_this(&self) -> bool {
        self.is_trusted()
    }
}

/// Returns 0: Windows has no effective group.
pub fn effective_group() -> u32 {
    0
}

/// Returns whether this process can change its user: never on Windows.
pub fn is_root() -> bool {
    false
}

/// Returns whether this process runs for the whole computer: with the rights of an administrator, or as a service.
pub fn is_of_machine() -> bool {
    static OF_MACHINE: OnceLock<bool> = OnceLock::new();
    *OF_MACHINE.get_or_init(|| {
        let user = User::current().0;
        let is_service = MACHINE.contains(&user.as_str()) || user.starts_with(SERVICES);
        is_service || is_administrator()
    })
}

/// Returns whether this process has the rights of an administrator. An unelevated process of an administrator has not.
pub(super) fn is_administrator() -> bool {
    let text = wide(ADMINISTRATORS);
    let mut group = Descriptor(ptr::null_mut());
    let mut is_member = 0;
    // SAFETY: the text ends in NUL. The call writes a number. The identifier is freed in the same way as a descriptor.
    let asked = unsafe {
        ConvertStringSidToSidW(text.as_ptr(), &mut group.0) != 0
            && CheckTokenMembership(ptr::null_mut(), group.0, &mut is_member) != 0
    };
    asked && is_member != 0
}

/// Fails: the auditor cannot change its user on Windows.
///
/// # Errors
/// Always.
pub fn act_as(_: u32, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A descriptor that the system allocated.
pub(super) struct Descriptor(pub(super) PSECURITY_DESCRIPTOR);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: null, or memory of the system that is freed with this call, and only here.
        unsafe { LocalFree(self.0) };
    }
}

/// Returns the identifier of the user that this process runs as.
fn token_user() -> io::Result<String> {
    // SAFETY: the handle is closed below. The buffer is aligned for the structure and has the given length.
    unsafe {
        let mut token = ptr::null_mut();
        done(OpenProcessToken(
            GetCurrentProcess(),
            TOKEN_QUERY,
            &mut token,
        ))?;
        let mut buffer = [0_u64; 32];
        let size = u32::try_from(size_of_val(&buffer)).unwrap_or_default();
        let mut length = 0;
        let read = GetTokenInformation(
            token,
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size,
            &mut length,
        );
        let read = done(read);
        CloseHandle(token);
        read?;
        text_of((*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid)
    }
}

/// Returns an identifier as text.
///
/// # Safety
/// The identifier must come from the system.
pub(super) unsafe fn text_of(sid: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the identifier comes from the system. The text ends in NUL and is freed once.
    unsafe {
        done(ConvertSidToStringSidW(sid, &mut text))?;
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let found = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(found)
    }
}

/// Returns the name of an identifier, with its domain.
fn name_of(sid: &str) -> Option<String> {
    const LONGEST: usize = 256;
    let text = wide(sid);
    let mut found = Descriptor(ptr::null_mut());
    let (mut name, mut domain) = ([0; LONGEST], [0; LONGEST]);
    let longest = u32::try_from(LONGEST).unwrap_or_default();
    let (mut name_length, mut domain_length, mut kind) = (longest, longest, 0);
    // SAFETY: the text ends in NUL. The buffers have the given lengths. The identifier is freed in the same way as a
    // descriptor.
    let is_known = unsafe {
        ConvertStringSidToSidW(text.as_ptr(), &mut found.0) != 0
            && LookupAccountSidW(
                ptr::null(),
                found.0,
                name.as_mut_ptr(),
                &mut name_length,
                domain.as_mut_ptr(),
                &mut domain_length,
                &mut kind,
            ) != 0
    };
    let text = |of: &[u16], length: u32| {
        let length = usize::try_from(length).unwrap_or_default();
        String::from_utf16_lossy(of.get(..length).unwrap_or_default())
    };
    let name = text(&name, name_length);
    let domain = text(&domain, domain_length);
    match (is_known, domain.is_empty()) {
        (false, _) => None,
        (true, true) => Some(name),
        (true, false) => Some(format!(r"{domain}\{name}")),
    }
}
