//! HTTP requests of the tests over plain sockets, without a library that could hide the program's
//! behaviour.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Requests a path with this `Accept` header.
pub fn get(port: u16, path: &str, accept: &str) -> Answer {
    ask(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n"),
    )
    .unwrap_or_else(|| panic!("no answer to {path}"))
}

/// Requests the metrics of another host.
pub fn metrics_of(host: &str, port: u16) -> Answer {
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n";
    let answer = TcpStream::connect((host, port)).ok();
    let answer = answer.and_then(|stream| ask_over(stream, request));
    answer.unwrap_or_else(|| panic!("no metrics of {host}"))
}

/// Sends a request and reads until the server closes the connection. Returns `None` if there is no
/// valid response.
pub fn ask(port: u16, request: &str) -> Option<Answer> {
    ask_over(TcpStream::connect(("127.0.0.1", port)).ok()?, request)
}

fn ask_over(mut stream: TcpStream, request: &str) -> Option<Answer> {
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes); // a reset after the response is no error
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

impl Answer {
    /// Returns the value of a sample, by its name and labels as they are written.
    #[track_caller]
    pub fn sample(&self, name: &str) -> f64 {
        let line = self
            .body
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.unwrap_or_else(|| panic!("no {name} in {}", self.body));
        value.parse().expect("a number")
    }
}
