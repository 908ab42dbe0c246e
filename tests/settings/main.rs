//! Settings: sources, precedence, reload, and error messages for wrong values.

#[path = "../support/mod.rs"]
mod support;

mod given;
mod peers;
mod persona;
#[cfg(unix)]
mod reload;
#[cfg(unix)]
mod trust;
mod wrong;
mod wrong_values;
