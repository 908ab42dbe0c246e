//! Owners and access control lists of files.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{GENERIC_ALL, GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1,
    SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce, INHERIT_ONLY_ACE,
    OWNER_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_DELETE_CHILD, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_DATA, READ_CONTROL, WRITE_DAC, WRITE_OWNER,
};

use super::users::{
    ADMINISTRATORS, Descriptor, INSTALLER, SERVICE, SYSTEM, User, is_administrator, text_of,
};
use super::{done, wide};
use crate::sys::Holding;

/// `OWNER RIGHTS`: the current owner of a file.
const OWNER_RIGHTS: &str = "S-1-3-4";

/// The rights on a file of users other than the owner, SYSTEM and Administrators.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    mode: u32,
    who: BTreeSet<User>,
}

/// The bits of a mode for others to read.
const READ: u32 = 0o044;
/// The bits of a mode for others to write a file, or to remove or replace entries of a directory.
const WRITE: u32 = 0o022;
/// The bits of a mode for others to create entries in a directory.
const ADD: u32 = 0o011;

impl Open {
    /// Returns the rights of others as the bits of a mode of Unix: `r` to read, `w` to write and to replace, `x` to
    /// create entries in a directory.
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

/// Returns the owner of a file and the rights of others. For a link these are those of the link.
///
/// # Errors
/// The security descriptor cannot be read.
pub fn holding(path: &Path) -> io::Result<Holding> {
    holding_at(path, FILE_FLAG_OPEN_REPARSE_POINT)
}

fn holding_at(path: &Path, flags: u32) -> io::Result<Holding> {
    let mut options = OpenOptions::new();
    options.access_mode(READ_CONTROL);
    options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags);
    holding_of(&options.open(path)?)
}

/// Returns the owner of an open file and the rights of others.
///
/// # Errors
/// The security descriptor cannot be read.
pub fn holding_of(file: &File) -> io::Result<Holding> {
    let is_directory = file.metadata().is_ok_and(|found| found.is_dir());
    let (mut owner, mut list): (PSID, *mut ACL) = (ptr::null_mut(), ptr::null_mut());
    let mut descriptor = Descriptor(ptr::null_mut());
    let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    // SAFETY: the handle is open. owner and list point into the descriptor, which outlives their use below.
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

/// Returns the rights that an access control list gives to users other than this owner. Entries that deny rights are
/// ignored, so the result can contain rights that a user does not have.
///
/// # Safety
/// The list must be null or come from the system, and must outlive the call.
unsafe fn open_to(list: *const ACL, owner: &User, is_directory: bool) -> io::Result<Open> {
    let mut open = Open {
        mode: 0,
        who: BTreeSet::new(),
    };
    if list.is_null() {
        // without a list all users have all rights
        open.mode = READ | WRITE | ADD;
        open.who.insert(User("S-1-1-0".to_owned()));
        return Ok(open);
    }
    // SAFETY: the list comes from the system. Each entry has the size in its header, and is within the list.
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

/// Types of entries that allow rights, with the identifier at the same offset: `ACCESS_ALLOWED_ACE_TYPE`,
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

/// Returns zeros: Windows has no numbers of owner and group, and the auditor does not change its user on Windows.
pub fn ids(_: &Metadata) -> (u32, u32) {
    (0, 0)
}

/// Returns whether other users may read the file at a path. Links are followed.
pub fn everybody_reads(path: &Path) -> bool {
    holding_at(path, 0).is_ok_and(|found| found.open.mode() & READ != 0)
}

/// Whether the entries of a new directory inherit its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inherited {
    Not,
    ByAll,
}

/// The rights of new files and directories: the owner, SYSTEM and Administrators have all rights, other users have
/// none, and nothing is inherited from the directory above. If an administrator creates a file, it belongs to
/// Administrators, and the auditor's service has all rights, too.
pub(super) struct Private(Descriptor);

impl Private {
    /// Returns the rights of a new entry of a directory. If an administrator creates it, the owner of the directory has
    /// all rights, too: the auditor may run as that user.
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
        // SAFETY: the text ends in NUL. This process frees the descriptor.
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

    /// Returns the attributes for a call. The call must end before this value is dropped.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.0.0,
            bInheritHandle: 0,
        }
    }
}
