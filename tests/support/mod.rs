//! What several tests need.
#![allow(dead_code)] // each test file uses a part of it

pub mod caller;
pub mod vectors;
