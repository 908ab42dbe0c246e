//! The marks by which `install` recognises its own files: files without a mark stay unchanged.

use super::account::Account;

/// The first words of every unit that `install` writes.
pub(super) const UNIT: &str = "# written by: immuaudit audit-mode install";
/// The first line of every settings file that `install` creates.
pub(super) const SETTINGS: &str =
    "# settings of immuaudit: every one is shown by immuaudit --help --all\n";
/// The description of the user that `install` creates.
pub(super) const COMMENT: &str = "audits immudb, made by immuaudit audit-mode install";

/// Returns whether `install` wrote a unit.
pub(super) fn is_our_unit(text: &str) -> bool {
    text.starts_with(UNIT)
}

/// Returns whether `install` created a settings file, whatever was added to it.
pub(super) fn are_our_settings(text: &str) -> bool {
    text.starts_with(SETTINGS)
}

/// Returns whether `install` created a user.
pub(super) fn is_our_user(account: &Account) -> bool {
    account.comment == COMMENT
}
