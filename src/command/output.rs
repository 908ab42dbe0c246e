//! Data on stdout: the result of a command, which is lost if it is not written.

use std::io::ErrorKind;

use crate::audit::Exit;
use crate::report::{print_error, try_print};

/// Prints the data that a command was asked for, and returns the exit code. A pipe that the reader closed is no error,
/// because the reader has enough.
pub(super) fn print_data(text: &str, what: &str) -> Exit {
    match try_print(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            print_error(&format!(
                "immuaudit: the {what} is incomplete: stdout: {error}"
            ));
            Exit::Local
        }
        _ => Exit::Good,
    }
}
