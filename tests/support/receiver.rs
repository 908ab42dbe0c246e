//! A receiver of notifications: a small HTTP server that responds as the test configures it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request.
#[derive(Clone, Debug)]
pub struct Received {
    pub head: String,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| {
            let found = line.split(':').next().unwrap_or_default();
            found.eq_ignore_ascii_case(name)
        })?;
        line.split_once(": ").map(|(_, value)| value)
    }
}

pub struct Receiver {
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<String>>,
    body: Arc<Mutex<String>>,
}

impl Receiver {
    pub fn start() -> Receiver {
        Receiver::on(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// Starts a receiver on a port that was free before. Waits if the system gave it to another program meanwhile.
    pub fn on_port(port: u16) -> Receiver {
        for _ in 0..400 {
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(listener) => return Receiver::on(listener),
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
        panic!("port {port} is not free");
    }

    pub fn on(listener: TcpListener) -> Receiver {
        let port = listener.local_addr().expect("an address").port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new("204 No Content".to_owned()));
        let body = Arc::new(Mutex::new(String::new()));
        let (theirs, answers, bodies) = (received.clone(), answer.clone(), body.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (theirs, answers) = (theirs.clone(), answers.clone());
                let bodies = bodies.clone();
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.ok()?);
                    let (mut head, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        // other tests probe freed ports, so a connection may close without a request
                        if reader.read_line(&mut line).ok()? == 0 {
                            return None;
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                        let lower = line.to_ascii_lowercase();
                        if let Some(value) = lower.strip_prefix("content-length:") {
                            length = value.trim().parse().ok()?;
                        }
                        head.push_str(&line);
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).ok()?;
                    let body = String::from_utf8_lossy(&body).into_owned();
                    let answer = answers.lock().expect("an answer").clone();
                    let received = Received {
                        head: head.replace("\r\n", "\n"),
                        body,
                    };
                    theirs.lock().expect("a list").push(received);
                    if answer == "slow" {
                        thread::sleep(Duration::from_secs(3600));
                    }
                    let body = bodies.lock().expect("a body").clone();
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {answer}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                    );
                    reader.get_mut().write_all(text.as_bytes()).ok()
                });
            }
        });
        Receiver {
            port,
            received,
            answer,
            body,
        }
    }

    /// Sets the body of the responses from now on.
    pub fn body(&self, body: &str) {
        *self.body.lock().expect("a body") = body.to_owned();
    }

    /// Sets the status line and headers of the responses from now on; `slow` means no response.
    pub fn answer(&self, answer: &str) {
        *self.answer.lock().expect("an answer") = answer.to_owned();
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/token", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("a list").clone()
    }

    /// Waits for a request that fits; the deadline only ends a failed test.
    #[track_caller]
    pub fn wait_for(&self, fits: impl Fn(&Received) -> bool) -> Received {
        for _ in 0..1200 {
            if let Some(found) = self.received().into_iter().find(|received| fits(received)) {
                return found;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("no matching request: {:?}", self.received());
    }
}
