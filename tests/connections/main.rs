//! Connections and logins: broken networks, invalid HTTP/2, and tokens, sessions and certificates that expire.

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod http2;
mod idle;
mod logins;
mod logins_failed;
mod secrets;
