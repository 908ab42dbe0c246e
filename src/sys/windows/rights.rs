//! Whose a file is and who has power over it: owners and access control lists.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{
    CloseHandle, GENERIC_ALL, GENERIC_READ, GENERIC_WRITE, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    ConvertStringSidToSidW, GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, CheckTokenMembership, DACL_SECURITY_INFORMATION, GetAce,
    GetTokenInformation, INHERIT_ONLY_ACE, LookupAccountSidW, OWNER_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_DELETE_CHILD, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_DATA, READ_CONTROL, WRITE_DAC, WRITE_OWNER,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{done, wide};
use crate::sys::Holding;

/// `NT AUTHORITY\SYSTEM`.
const SYSTEM: &str = "S-1-5-18";
/// `BUILTIN\Administrators`.
const ADMINISTRATORS: &str = "S-1-5-32-544";
/// `NT SERVICE\TrustedInstaller`, whom the system's own directories belong to.
const INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
/// `NT AUTHORITY\SYSTEM`, `LOCAL SERVICE` and `NETWORK SERVICE`.
const MACHINE: [&str; 3] = [SYSTEM, "S-1-5-19", "S-1-5-20"];
/// What the identifiers of services begin with.
const SERVICES: &str = "S-1-5-80-";
/// `NT SERVICE\immuaudit`, which `service install` has the auditor run as: whatever the name is, its SHA-1 makes the number.
const SERVICE: &str = "S-1-5-80-1549034335-1685114323-401106399-2481810415-3734807616";
/// Whoever is the owner at the time.
const OWNER_RIGHTS: &str = "S-1-3-4";

/// A user or group, by its security identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User(String);

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&self.0).as_deref().unwrap_or(&self.0))
    }
}

impl User {
    /// Returns the user that this process runs as.
    pub fn current() -> User {
        static CURRENT: OnceLock<User> = OnceLock::new();
        // without a token nobody is this user
        CURRENT
            .get_or_init(|| User(token_user().unwrap_or_default()))
            .clone()
    }

    /// Returns whether files of this user are as good as this process's own: its own user's, the system's, those of its
    /// administrators, and those of the auditor's service, which administrators alone can make.
    pub fn is_trusted(&self) -> bool {
        [SYSTEM, ADMINISTRATORS, INSTALLER, SERVICE].contains(&self.0.as_str())
            || *self == User::current()
    }

    /// Returns whether this process runs as this user, or as one that this user's files are left to.
    pub fn is_this(&self) -> bool {
        self.is_trusted()
    }
}

/// What others than the owner, the system and its administrators may do with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    mode: u32,
    who: BTreeSet<User>,
}

/// Others may read.
const READ: u32 = 0o044;
/// Others may write a file, or take away or replace what is in a directory.
const WRITE: u32 = 0o022;
/// Others may put something new into a directory, which takes nothing of what is there away.
const ADD: u32 = 0o011;

impl Open {
    /// Returns the bits that a mode of Unix would have for others: `r` to read, `w` to write and to replace, `x` to put
    /// something new into a directory.
    pub fn mode(&self) -> u32 {
        self.mode
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, who) in self.who.iter().enumerate() {
            let before = if place == 0 { "" } else { ", " };
            write!(f, "{before}{who}")?;
        }
        f.write_str(match (self.mode & READ != 0, self.mode & !READ != 0) {
            (true, true) => " may read and write",
            (_, true) => " may write",
            (_, false) => " may read",
        })
    }
}

/// Returns whose a file is, a link's own owner if it is one.
///
/// # Errors
/// It cannot be looked at.
pub fn holding(path: &Path) -> io::Result<Holding> {
    holding_at(path, FILE_FLAG_OPEN_REPARSE_POINT)
}

fn holding_at(path: &Path, flags: u32) -> io::Result<Holding> {
    let mut options = OpenOptions::new();
    options.access_mode(READ_CONTROL);
    options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags);
    holding_of(&options.open(path)?)
}

/// Returns whose an open file is.
///
/// # Errors
/// It cannot be looked at.
pub fn holding_of(file: &File) -> io::Result<Holding> {
    let is_directory = file.metadata().is_ok_and(|found| found.is_dir());
    let (mut owner, mut list): (PSID, *mut ACL) = (ptr::null_mut(), ptr::null_mut());
    let mut descriptor = Descriptor(ptr::null_mut());
    let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    // SAFETY: the handle is open; owner and list point into the descriptor, which outlives their use below.
    unsafe {
        let failed = GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            what,
            &mut owner,
            ptr::null_mut(),
            &mut list,
            ptr::null_mut(),
            &mut descriptor.0,
        );
        if failed != 0 {
            let number = i32::try_from(failed).unwrap_or(i32::MAX);
            return Err(io::Error::from_raw_os_error(number));
        }
        let owner = User(text_of(owner)?);
        Ok(Holding {
            open: open_to(list, &owner, is_directory)?,
            owner,
            ids: None,
        })
    }
}

/// What an access control list gives to others than this owner. An entry that denies is not looked at: at worst more is said
/// to be open than is.
///
/// # Safety
/// The list must be one that the system has handed out, or null, and must outlive the call.
unsafe fn open_to(list: *const ACL, owner: &User, is_directory: bool) -> io::Result<Open> {
    let mut open = Open {
        mode: 0,
        who: BTreeSet::new(),
    };
    if list.is_null() {
        // no list: everybody may do everything
        open.mode = READ | WRITE | ADD;
        open.who.insert(User("S-1-1-0".to_owned()));
        return Ok(open);
    }
    // SAFETY: the caller's promise; each entry is of the size that its header says, and lies within the list.
    unsafe {
        for index in 0..u32::from((*list).AceCount) {
            let mut entry = ptr::null_mut();
            done(GetAce(list, index, &mut entry))?;
            let header = &*entry.cast::<ACE_HEADER>();
            if !ALLOW.contains(&header.AceType)
                || u32::from(header.AceFlags) & INHERIT_ONLY_ACE != 0
            {
                continue;
            }
            let allowed = entry.cast::<ACCESS_ALLOWED_ACE>();
            let who = User(text_of(ptr::addr_of_mut!((*allowed).SidStart).cast())?);
            let mode = rights((*allowed).Mask, is_directory);
            if who != *owner && !who.is_trusted() && who.0 != OWNER_RIGHTS && mode != 0 {
                open.mode |= mode;
                open.who.insert(who);
            }
        }
    }
    Ok(open)
}

/// Types of entries that allow, with the identifier in the same place: `ACCESS_ALLOWED_ACE_TYPE`,
/// `ACCESS_ALLOWED_CALLBACK_ACE_TYPE`.
const ALLOW: [u8; 2] = [0, 9];

fn rights(mask: u32, is_directory: bool) -> u32 {
    let gives = |rights: u32| mask & rights != 0;
    let replaces = DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_ALL;
    let adds = FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | GENERIC_WRITE; // of a file: write and append
    let mut mode = 0;
    if gives(FILE_READ_DATA | GENERIC_READ | GENERIC_ALL) {
        mode |= READ;
    }
    if gives(replaces) || is_directory && gives(FILE_DELETE_CHILD) || !is_directory && gives(adds) {
        mode |= WRITE;
    }
    if is_directory && gives(adds) {
        mode |= ADD;
    }
    mode
}

/// Returns the numbers of owner and group: there are none, and nobody goes on as another user here.
pub fn ids(_: &Metadata) -> (u32, u32) {
    (0, 0)
}

/// Returns whether others may read what a path leads to.
pub fn everybody_reads(path: &Path) -> bool {
    holding_at(path, 0).is_ok_and(|found| found.open.mode() & READ != 0)
}

/// Returns the number of a group that decides which files may be opened: there is none.
pub fn effective_group() -> u32 {
    0
}

/// Returns whether this may go on as another user: nobody may.
pub fn is_root() -> bool {
    false
}

/// Returns whether this runs for the whole machine, not for one user: with an administrator's rights, or as a service.
pub fn is_of_machine() -> bool {
    static OF_MACHINE: OnceLock<bool> = OnceLock::new();
    *OF_MACHINE.get_or_init(|| {
        let user = User::current().0;
        let is_service = MACHINE.contains(&user.as_str()) || user.starts_with(SERVICES);
        is_service || is_administrator()
    })
}

/// Returns whether this process has an administrator's rights, not merely a user who could get them.
fn is_administrator() -> bool {
    let text = wide(ADMINISTRATORS);
    let mut group = Descriptor(ptr::null_mut());
    let mut is_member = 0;
    // SAFETY: the text ends in NUL, a number is written, and the identifier is freed as a descriptor is.
    let asked = unsafe {
        ConvertStringSidToSidW(text.as_ptr(), &mut group.0) != 0
            && CheckTokenMembership(ptr::null_mut(), group.0, &mut is_member) != 0
    };
    asked && is_member != 0
}

/// Would go on with another user's rights.
///
/// # Errors
/// Always: there is no such call.
pub fn act_as(_: u32, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether what is made in a directory gets the same rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inherited {
    Not,
    ByAll,
}

/// The rights that new files and directories of ours get: their owner, the system and its administrators have every right,
/// nobody else has any, and nothing is inherited from the directory above. What is made for the whole machine belongs to the
/// administrators, and the auditor's service has every right too.
pub(super) struct Private(Descriptor);

/// A descriptor that the system allocated.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: null, or what the system told to free so, and nothing else frees it.
        unsafe { LocalFree(self.0) };
    }
}

impl Private {
    /// Returns the rights for what an administrator makes in a directory: its owner, whom the auditor runs as, has them too.
    pub(super) fn within(above: Option<&Path>, inherited: Inherited) -> io::Result<Private> {
        let above = above.map(|above| match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        });
        let owner = above.and_then(|above| holding_at(above, 0).ok());
        let owner = owner.map(|found| found.owner).filter(|owner| {
            let known = [SYSTEM, ADMINISTRATORS, INSTALLER, SERVICE];
            is_administrator() && !known.contains(&owner.0.as_str())
        });
        Private::of(inherited, owner.as_ref())
    }

    pub(super) fn new(inherited: Inherited) -> io::Result<Private> {
        Private::of(inherited, None)
    }

    fn of(inherited: Inherited, beside: Option<&User>) -> io::Result<Private> {
        let flags = match inherited {
            Inherited::Not => "",
            Inherited::ByAll => "OICI",
        };
        let user = User::current().0;
        let (owner, another) = match is_administrator() {
            true => (ADMINISTRATORS, SERVICE),
            false => (user.as_str(), user.as_str()),
        };
        let mut text =
            format!("O:{owner}D:P(A;{flags};FA;;;{another})(A;{flags};FA;;;SY)(A;{flags};FA;;;BA)");
        if let Some(User(beside)) = beside {
            text.push_str(&format!("(A;{flags};FA;;;{beside})"));
        }
        let text = wide(&text);
        let mut descriptor = Descriptor(ptr::null_mut());
        // SAFETY: the text ends in NUL; the descriptor is ours to free.
        done(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor.0,
                ptr::null_mut(),
            )
        })?;
        Ok(Private(descriptor))
    }

    /// Returns the attributes for a call, which must end before this is dropped.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.0.0,
            bInheritHandle: 0,
        }
    }
}

/// The identifier of the user that this process runs as.
fn token_user() -> io::Result<String> {
    // SAFETY: the handle is closed below; the buffer is aligned for what the system writes there, and as long as it says.
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

/// An identifier as text.
///
/// # Safety
/// It must be one that the system has handed out.
unsafe fn text_of(sid: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the caller's promise; the text ends in NUL and is freed once.
    unsafe {
        done(ConvertSidToStringSidW(sid, &mut text))?;
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let found = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(found)
    }
}

/// The name of an identifier, with its domain.
fn name_of(sid: &str) -> Option<String> {
    const LONGEST: usize = 256;
    let text = wide(sid);
    let mut found = Descriptor(ptr::null_mut());
    let (mut name, mut domain) = ([0; LONGEST], [0; LONGEST]);
    let longest = u32::try_from(LONGEST).unwrap_or_default();
    let (mut name_length, mut domain_length, mut kind) = (longest, longest, 0);
    // SAFETY: the text ends in NUL, and the buffers are as long as is said; the identifier is freed as a descriptor is.
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
