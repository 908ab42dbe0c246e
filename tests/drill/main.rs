//! The drill and its embedded ledger: correct responses, lies, and clients in other languages.

#[path = "../support/mod.rs"]
mod support;

mod as_real;
mod calls;
mod clients;
mod embedded;
mod embedded_lies;
#[cfg(unix)] // inodes
mod immuclient;
mod lies;
mod program;
mod python;
