//! Settings: sources, precedence, reload, and error messages for wrong values.

#[path = "../support/mod.rs"]
mod support;

mod compat_mode;
mod given;
mod peers;
#[cfg(unix)] // modes and signals
mod reload;
#[cfg(unix)] // modes, owners and links
mod trust;
mod wrong;
mod wrong_values;
