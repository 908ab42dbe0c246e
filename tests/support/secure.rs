//! A server behind TLS that openssl runs, and certificates for it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::certificates::{authority, certificate_for};
use super::notify_scene::wait_until;
use super::place::Place;

/// A server behind TLS, with a certificate of a CA of its own; it takes one connection.
pub struct Secure {
    pub port: u16,
    child: Child,
}

impl Secure {
    pub fn start(place: &Place, answer: &str, body: &str) -> Secure {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port").port();
        let mut child = Command::new("openssl")
            .args(["s_server", "-quiet", "-naccept", "1"])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .args(["-cert", "leaf.pem", "-key", "leaf.key"])
            .current_dir(place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        // it is sent as soon as somebody is there
        let length = body.len();
        let text = format!("HTTP/1.1 {answer}\r\nContent-Length: {length}\r\n\r\n{body}");
        let stdin = child.stdin.as_mut().expect("its stdin");
        stdin.write_all(text.as_bytes()).expect("a pipe");
        let listening = || fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let line = format!(":{port:04X} 00000000:0000 0A ");
        wait_until("it listens", || listening().contains(&line));
        Secure { port, child }
    }

    /// What came, once it has ended.
    pub fn came(&mut self) -> String {
        drop(self.child.stdin.take());
        let mut bytes = Vec::new();
        let stdout = self.child.stdout.as_mut().expect("its stdout");
        stdout.read_to_end(&mut bytes).expect("a pipe");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes two CAs, and a certificate of the first for 127.0.0.1.
pub fn certificates(place: &Place) {
    authority(place, "ca");
    authority(place, "other");
    certificate_for(place, "ca", "leaf", "IP:127.0.0.1");
}
