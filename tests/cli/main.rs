//! The command line: commands, completions, `immuaudit status`, and secrets that no output may
//! contain.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod completions;
mod messages;
mod only_server;
mod scene;
mod secrets;
mod status;
mod tokens;
