//! Several hosts for a test: network namespaces with one bridge. They belong to a process with its
//! own network and mounts, so that nothing of them remains on the machine.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use super::loud::not_shown;

/// The address of the test's own host, which also has the servers.
pub const SERVER: &str = "10.77.0.1";
/// The variable that marks the inner process.
const WITHIN: &str = "IMMUAUDIT_TEST_ZONES";

/// Runs the test with this name in a process with its own network and mounts, where `body` is run.
/// If that is impossible, a message says so.
pub fn within(test: &str, body: impl FnOnce()) {
    if env::var_os(WITHIN).is_some() {
        set_up();
        return body();
    }
    let program = env::current_exe().expect("this program");
    let unshared = ["--net", "--mount", "--fork", "--kill-child"];
    let command = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(unshared).args(["--propagation", "private"]);
        command.args(args);
        command
    };
    let able = command(&["ip", "link", "set", "lo", "up"]).output();
    if !able.is_ok_and(|output| output.status.success()) {
        return not_shown("several hosts need root, network namespaces and iproute2");
    }
    let status = command(&[])
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(WITHIN, "1")
        .status();
    assert!(status.expect("it runs").success(), "{test}");
}

fn ip(args: &str) {
    run(&format!("ip {args}"));
}

/// Runs a command that must succeed.
pub fn run(line: &str) {
    let mut split = line.split(' ');
    let output = Command::new(split.next().expect("a program"))
        .args(split)
        .output();
    let output = output.expect(line);
    assert!(output.status.success(), "{line}: {output:?}");
}

fn set_up() {
    run("mkdir -p /run/netns");
    run("mount -t tmpfs tmpfs /run/netns");
    ip("link set lo up");
    ip("link add zones type bridge");
    ip(&format!("address add {SERVER}/24 dev zones"));
    ip("link set zones up");
}

/// A host, which ends with the test.
pub struct Zone {
    name: &'static str,
    pub address: String,
}

impl Zone {
    /// Makes a host with the address 10.77.0.`number`.
    pub fn new(name: &'static str, number: u8) -> Zone {
        let address = format!("10.77.0.{number}");
        ip(&format!("netns add {name}"));
        ip(&format!(
            "link add name {name} type veth peer name eth0 netns {name}"
        ));
        ip(&format!("link set dev {name} master zones up"));
        ip(&format!("-n {name} link set lo up"));
        ip(&format!("-n {name} link set eth0 up"));
        ip(&format!("-n {name} address add {address}/24 dev eth0"));
        Zone { name, address }
    }

    /// Returns the arguments before a command that is to run on this host.
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", self.name]
            .map(str::to_owned)
            .to_vec()
    }

    /// Cuts this host off from the other cut hosts, or connects it again; the server stays
    /// reachable.
    pub fn cut(&self, cut: bool) {
        let word = if cut { "on" } else { "off" };
        run(&format!(
            "bridge link set dev {} isolated {word}",
            self.name
        ));
    }
}

/// Makes a local server reachable for the hosts, and returns its port there.
pub fn expose(port: u16) -> u16 {
    let listener = TcpListener::bind((SERVER, 0)).expect("a port");
    let exposed = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                continue;
            };
            let (Ok(to_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else {
                continue;
            };
            thread::spawn(move || pass(client, to_server));
            thread::spawn(move || pass(server, to_client));
        }
    });
    exposed
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _: io::Result<()> = to.shutdown(Shutdown::Both);
}
