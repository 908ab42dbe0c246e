//! Checks that documentation, pictures and lock files agree with the code.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod console;
mod documented;
mod lock_files;
mod references;
mod windows;
