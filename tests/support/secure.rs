//! A TLS server, run by openssl, and certificates for it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::certificates::{authority, certificate_for};
use super::notify_scene::wait_until;
use super::temp_dir::TempDir;

/// A TLS server with a certificate of the test's CA; it accepts one connection.
pub struct Secure {
    pub port: u16,
    child: Child,
    reader: Option<JoinHandle<Vec<u8>>>,
}

impl Secure {
    pub fn start(folder: &TempDir, answer: &str, body: &str) -> Secure {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port").port();
        let mut child = Command::new("openssl")
            .args(["s_server", "-quiet", "-naccept", "1"])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .args(["-cert", "leaf.pem", "-key", "leaf.key"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let length = body.len();
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: {length}\r\n\r\n{body}");
        let stdin = child.stdin.take().expect("its stdin");
        let stdout = child.stdout.take().expect("its stdout");
        let reader = thread::spawn(move || answered(stdout, stdin, &answer));
        let listening = || fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let line = format!(":{port:04X} 00000000:0000 0A ");
        wait_until("it listens", || listening().contains(&line));
        Secure {
            port,
            child,
            reader: Some(reader),
        }
    }

    /// Returns all received bytes, after the server has ended.
    pub fn received_text(&mut self) -> String {
        let reader = self.reader.take().expect("called once");
        let bytes = reader.join().expect("a reader without panic");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Responds after the request is complete: a client closes the connection after the response, and
/// later bytes to the server would be lost. Returns all received bytes.
fn answered(mut requests: ChildStdout, mut answers: ChildStdin, answer: &str) -> Vec<u8> {
    let (mut bytes, mut part, mut waiting) = (Vec::new(), [0; 4096], true);
    while let Ok(count @ 1..) = requests.read(&mut part) {
        bytes.extend_from_slice(&part[..count]);
        if waiting && is_complete(&String::from_utf8_lossy(&bytes)) {
            answers.write_all(answer.as_bytes()).expect("a pipe");
            waiting = false;
        }
    }
    bytes
}

/// Returns whether a request has its head and as many bytes after it as the head announces.
fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let mut lengths = head
        .lines()
        .filter_map(|line| line.strip_prefix("content-length: "));
    let length = lengths
        .next()
        .map_or(0, |length| length.parse().expect("a number"));
    body.len() >= length
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes two CAs, and a certificate of the first one for 127.0.0.1.
pub fn certificates(folder: &TempDir) {
    authority(folder, "ca");
    authority(folder, "other");
    certificate_for(folder, "ca", "leaf", "IP:127.0.0.1");
}
