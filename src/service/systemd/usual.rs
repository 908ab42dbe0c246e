//! The directory of the service's states, where a command comes before the service.

use std::os::unix::fs;
use std::path::Path;

use super::account::Account;
use super::instance::{states_of, user_of};
use super::unit::{USER, default_state};
use crate::config::Instance;
use crate::sys;

/// Makes the directory that systemd and the Debian package give to the service's user, if this is root, there is that user
/// and not yet the directory, and the states are to be there. Where it cannot be made, whoever opens it says so.
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
        // in /var/lib, where nobody else can put another one in its place
        fs::chown(directory, Some(account.user), Some(account.group))
    });
    if let Err(error) = made {
        log::debug!("{}: {error}", directory.display());
    }
}
