//! What several tests need.
#![allow(dead_code)] // each test file uses a part of it

pub mod browser;
pub mod caller;
pub mod certificates;
pub mod chain;
pub mod distorted;
pub mod http;
pub mod immuclient;
pub mod in_process;
pub mod json;
pub mod ledgers;
pub mod locating;
pub mod loud;
pub mod meter;
pub mod mutate;
pub mod notify_scene;
pub mod place;
pub mod process;
pub mod program;
pub mod prover;
pub mod proxy;
pub mod question;
pub mod random;
pub mod real;
pub mod real_disk;
pub mod real_scene;
pub mod receiver;
pub mod relay;
pub mod secure;
pub mod seeds;
pub mod tool;
pub mod trust_files;
pub mod trusting;
pub mod value_scene;
pub mod vectors;
pub mod watched;
