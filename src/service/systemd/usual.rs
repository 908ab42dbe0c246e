//! The creation of the service's directory of states by a command that runs before the service.

use std::os::unix::fs;
use std::path::Path;

use super::account::Account;
use super::instance::{states_of, user_of};
use super::unit::{USER, default_state};
use crate::config::Instance;
use crate::sys;

/// Creates the service's directory of states, with the same owner as systemd and the Debian package do. This happens only if
/// the process is root, the user exists, the directory is missing, and the settings name this directory. A failure is reported
/// when the store opens the directory.
pub fn make_usual_directory(directory: &Path, instance: Option<&Instance>) {
    let (usual, user) = match instance {
        Some(instance) => (states_of(instance), user_of(instance)),
        None => (default_state(), USER.to_owned()),
    };
    if !sys::is_root() || directory != usual {
        return;
    }
    let Some(account) = Account::find(&user) else {
        return;
    };
    let made = sys::create_private_directory(directory).and_then(|()| {
        // in /var/lib, where no other user can replace it
        fs::chown(directory, Some(account.user), Some(account.group))
    });
    if let Err(error) = made {
        log::debug!("{}: {error}", directory.display());
    }
}
