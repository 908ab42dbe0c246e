//! A peer of an auditor: it serves checkpoints on loopback, or other content in their place.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tiny_http::{Response, Server, StatusCode};

use super::transport::lock;

/// A peer's response.
#[derive(Clone, Debug)]
pub enum Serving {
    /// This text.
    Text(String),
    /// A response without an end.
    Endless,
    /// Nothing: the connection stays open.
    Silence,
}

/// A running peer; it stops when it is dropped.
pub struct Peer {
    port: u16,
    serving: Arc<Mutex<Serving>>,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Starts a peer that serves no checkpoint yet.
    ///
    /// # Errors
    /// There is no port, or no thread.
    pub fn start() -> io::Result<Peer> {
        let server = Server::http("127.0.0.1:0").map_err(io::Error::other)?;
        let server = Arc::new(server);
        let address = server.server_addr().to_ip();
        let port = address.ok_or_else(|| io::Error::other("no port"))?.port();
        let serving = Arc::new(Mutex::new(Serving::Text(String::new())));
        let (theirs, shared) = (server.clone(), serving.clone());
        let thread = thread::Builder::new()
            .name("peer".into())
            .spawn(move || serve(&theirs, &shared))?;
        Ok(Peer {
            port,
            serving,
            server,
            thread: Some(thread),
        })
    }

    /// Returns the peer's URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Responds with this from now on.
    pub fn serve(&self, serving: Serving) {
        *lock(&self.serving) = serving;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // a panic of the thread is printed already
            let _ = thread.join();
        }
    }
}

fn serve(server: &Server, serving: &Mutex<Serving>) {
    let mut unanswered = Vec::new();
    while let Ok(request) = server.recv() {
        let serving = lock(serving).clone();
        // it is no error if the client closes the connection
        let _ = match serving {
            Serving::Text(text) => request.respond(Response::from_string(text)),
            Serving::Endless => {
                let body = io::repeat(b'x').take(1 << 30);
                request.respond(Response::new(StatusCode(200), vec![], body, None, None))
            }
            Serving::Silence => {
                unanswered.push(request);
                Ok(())
            }
        };
    }
}
