//! Settings: sources, precedence, reload, and error messages for wrong values.

#[path = "../support/mod.rs"]
mod support;

mod given;
mod peers;
mod persona;
#[cfg(unix)] // modes and signals
mod reload;
#[cfg(unix)] // modes, owners and links
mod trust;
mod wrong;
mod wrong_values;
