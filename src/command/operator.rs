//! The person who runs a command: the name and the consent.

use std::io::{self, IsTerminal, Write};

use crate::sys::{self, User, words};

/// The word that consents.
const YES: &str = "yes";

/// The operator's consent to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// The operator typed `yes`.
    Given,
    /// The operator typed anything else.
    Refused,
    /// Standard input is no terminal.
    CannotAsk,
}

/// Returns the name of the user behind sudo, else of the user. A user without a name has a number.
pub(super) fn name() -> String {
    words::USER_VARIABLES
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .or_else(sys::user_name)
        .unwrap_or_else(|| format!("user {}", User::current()))
}

/// Asks the operator on the terminal to type `yes`.
pub(super) fn ask(change: &str) -> Consent {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Consent::CannotAsk;
    }
    let mut stderr = io::stderr();
    let _ = write!(stderr, "Type {YES} to {change}: ").and_then(|()| stderr.flush());
    let mut line = String::new();
    match stdin.read_line(&mut line) {
        Ok(_) if line.trim() == YES => Consent::Given,
        _ => Consent::Refused,
    }
}
