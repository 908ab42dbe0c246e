//! The directory of the service's states, if a command runs before the service.

use std::os::unix::fs;
use std::path::Path;

use super::account::Account;
use super::instance::{states_of, user_of};
use super::unit::{USER, default_state};
use crate::config::Instance;
use crate::sys;

/// Creates the directory that systemd and the Debian package give to the service's user. It does so only if this
/// is root, that user exists, the directory does not exist yet, and the states belong there. If the directory
/// cannot be created, opening it reports that.
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
        // in /var/lib, where only root could replace the directory
        fs::chown(directory, Some(account.user), Some(account.group))
    });
    if let Err(error) = made {
        log::debug!("{}: {error}", directory.display());
    }
}
