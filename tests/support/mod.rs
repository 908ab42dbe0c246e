//! What several tests need.
#![allow(dead_code)] // each test file uses a part of it

pub mod place;
pub mod vectors;
