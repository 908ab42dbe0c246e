//! immuaudit: see `immuaudit --help`, and README.md.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    immuaudit::command::main()
}
