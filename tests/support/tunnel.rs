//! An HTTP proxy for tunnels (RFC 9110 §9.3.6). It connects requests for any host to one local
//! port.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub struct Tunnel {
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    /// Starts a proxy that connects to the server on this port.
    pub fn to(server: u16) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let theirs = heads.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let heads = theirs.clone();
                thread::spawn(move || carry(client, server, &heads));
            }
        });
        Tunnel { port, heads }
    }

    /// Returns the heads of the CONNECT requests.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("a list").clone()
    }
}

fn carry(client: TcpStream, server: u16, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    heads.lock().expect("a list").push(head);
    let mut to_client = client.try_clone()?;
    to_client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let server = TcpStream::connect(("127.0.0.1", server))?;
    let (mut from, mut to) = (server.try_clone()?, server);
    let back = thread::spawn(move || {
        io::copy(&mut from, &mut to_client).ok();
        to_client.shutdown(Shutdown::Both).ok();
    });
    io::copy(&mut reader, &mut to)?;
    to.shutdown(Shutdown::Write)?;
    back.join().expect("a thread");
    Ok(())
}
