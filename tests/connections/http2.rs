//! Invalid HTTP/2: headers that are too large or endless, and headers that once crashed a gRPC
//! client (CVE-2023-1428, CVE-2023-33953). The call fails, the auditor continues, and its memory
//! stays limited.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::support::program::{Program, Run};
use crate::support::temp_dir::TempDir;

/// Types of a frame (RFC 9113 §6).
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
/// Flag of a HEADERS or CONTINUATION frame: no further header follows.
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
/// Bytes of a client's preface (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// `:status: 200` in the static table (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;
/// Bytes of the largest frame that needs no setting (RFC 9113 §4.2).
const FRAME: usize = 16_384;

/// Returns the bytes of a frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Encodes a number after a prefix of seven bits (RFC 7541 §5.1).
fn number(mut left: usize) -> Vec<u8> {
    if left < 127 {
        return vec![left as u8];
    }
    let mut bytes = vec![127];
    left -= 127;
    while left >= 128 {
        bytes.push((left % 128) as u8 | 128);
        left /= 128;
    }
    bytes.push(left as u8);
    bytes
}

/// Encodes a header without the table (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.extend(number(text.len()));
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// The kinds of invalid headers.
#[derive(Clone, Copy, Debug)]
enum Head {
    /// A header that gRPC's client does not expect, followed by more than 8 KiB.
    Odd(&'static str, &'static str),
    /// A string of a gibibyte.
    HugeString,
    /// A number with zeros, without end.
    EndlessNumber,
    /// More headers than gRPC's client accepts, of any version.
    Large,
    /// Headers of 16,000 bytes, without end.
    EndlessHeaders,
}

impl Head {
    /// Writes the headers. Endless ones end when the client closes the connection.
    fn write(self, stream: u32, to: &mut TcpStream) -> io::Result<()> {
        let part = |flags, head: &[u8]| frame(HEADERS, flags, stream, head);
        let further = |head: &[u8]| frame(CONTINUATION, 0, stream, head);
        match self {
            Head::Odd(name, value) => {
                let mut head = vec![STATUS_200];
                head.extend(literal("content-type", "application/grpc"));
                head.extend(literal(name, value));
                head.extend(literal("padding", &"a".repeat(9000)));
                to.write_all(&part(END_HEADERS, &head))
            }
            Head::Large => {
                let mut head = vec![STATUS_200];
                head.extend(literal("content-type", "application/grpc"));
                head.extend(literal("padding", &"a".repeat(12_000)));
                to.write_all(&part(0, &head))?;
                let rest = literal("more-padding", &"a".repeat(12_000));
                to.write_all(&frame(CONTINUATION, END_HEADERS, stream, &rest))
            }
            Head::HugeString => {
                let mut head = vec![STATUS_200, 0];
                head.extend(number(3));
                head.extend(b"big");
                head.extend(number(1 << 30));
                to.write_all(&part(0, &head))?;
                loop {
                    to.write_all(&further(&[b'a'; FRAME]))?;
                }
            }
            Head::EndlessNumber => {
                to.write_all(&part(0, &[STATUS_200, 0, 127]))?;
                loop {
                    to.write_all(&further(&[128; FRAME]))?;
                }
            }
            Head::EndlessHeaders => {
                to.write_all(&part(0, &[STATUS_200]))?;
                for index in 0.. {
                    let name = format!("header-{index}");
                    to.write_all(&further(&literal(&name, &"a".repeat(16_000))))?;
                }
                Ok(())
            }
        }
    }
}

/// Responds to every call with the invalid headers.
fn serve(head: Head, mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    stream.read_exact(&mut [0; PREFACE])?;
    loop {
        let mut start = [0; 9];
        stream.read_exact(&mut start)?;
        let [a, b, c, kind, flags, id @ ..] = start;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload)?;
        match kind {
            SETTINGS if flags & ACK == 0 => stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?,
            PING if flags & ACK == 0 => stream.write_all(&frame(PING, ACK, 0, &payload))?,
            HEADERS => head.write(u32::from_be_bytes(id), &mut stream)?,
            _ => {}
        }
    }
}

/// Starts a server that responds with the invalid headers, and runs one audit of it. Returns the run
/// and its highest memory in KiB.
fn audited(head: Head) -> (Run, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(head, stream)); // until the client disconnects
        }
    });
    let folder = TempDir::new();
    let program = Program::new(port, folder.path()).with(&["--call-timeout=2s"]);
    program.once_measured()
}

#[test]
fn invalid_headers_fail_a_call_and_use_limited_memory() {
    for head in [
        Head::Odd("te", "x"),
        Head::Odd(":scheme", "x"),
        Head::Odd("grpclb_client_stats", "anything"),
        Head::Large,
        Head::HugeString,
        Head::EndlessNumber,
        Head::EndlessHeaders,
    ] {
        let (run, memory) = audited(head);
        run.ends_with(1);
        assert!(
            run.stderr
                .contains("the list of databases could not be read"),
            "{run:#?}"
        );
        assert!(memory < 64 << 10, "{head:?}: {memory} KiB");
    }
}

#[test]
fn too_large_headers_are_no_rate_limit() {
    let (run, _) = audited(Head::Large);
    let stderr = &run.stderr;
    assert!(stderr.contains("so large headers"), "{run:#?}");
    assert!(!stderr.contains("rate limited"), "{run:#?}");
}
