//! HTTP of the status page's port (RFC 9110, RFC 9112): accepted and refused requests, and the
//! headers of responses.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use crate::support::http::{Answer, ask};
use crate::support::notify_scene::wait_until;
use crate::support::watched::watched;

fn status(port: u16, request: &str) -> Option<u16> {
    ask(port, request).map(|answer| answer.status)
}

/// Returns the values of a header, one for each line that has it.
fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let of = |line: &'a str| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    };
    answer.head.lines().filter_map(of).collect()
}

#[test]
fn every_valid_form_of_a_request_is_accepted() {
    let watched = watched(&["shop"], &[]);
    for request in [
        "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /livez HTTP/1.0\r\n\r\n",
        // absolute form (RFC 9112 §3.2.2), whose host replaces the header
        "GET http://x:9477/livez HTTP/1.1\r\nHost: y\r\n\r\n",
        // empty lines before the request (RFC 9112 §2.2)
        "\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        // bytes beyond ASCII, for instance in the cookie of another service on the same host
        "GET /livez HTTP/1.1\r\nHost: x\r\nCookie: name=caf\u{e9}\r\n\r\n",
        // transfer codings that the client would accept
        "GET /livez HTTP/1.1\r\nHost: x\r\nTE: chunked\r\n\r\n",
    ] {
        let answer = ask(watched.port, request).expect("an answer");
        assert_eq!(answer.status, 200, "{request:?}: {answer:?}");
        assert_eq!(answer.body, "{\"immudb\":\"OK\"}", "{request:?}");
    }
}

#[test]
fn requests_without_exactly_one_host_are_refused() {
    let port = watched(&[], &[]);
    let port = port.port;
    for request in [
        "GET /livez HTTP/1.1\r\n\r\n",
        "GET http://x/livez HTTP/1.1\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x/y\r\n\r\n",
    ] {
        assert_eq!(status(port, request), Some(400), "{request:?}");
    }
    assert_eq!(
        status(port, "GET /livez HTTP/3.0\r\nHost: x\r\n\r\n"),
        Some(505)
    );
    assert_eq!(
        status(port, "BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n"),
        Some(501)
    );
}

#[test]
fn every_response_has_one_date_one_length_and_no_chunks() {
    let names: Vec<String> = (0..40).map(|n| format!("db{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let watched = watched(&names, &[]);
    wait_until("metrics of all databases", || {
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        ask(watched.port, request).expect("an answer").body.len() > 1 << 16
    });
    for (path, version) in [
        ("/metrics", "1.1"),
        ("/metrics", "1.0"),
        ("/livez", "1.1"),
        ("/nothing", "1.1"),
    ] {
        let request = format!("GET {path} HTTP/{version}\r\nHost: x\r\nTE: chunked\r\n\r\n");
        let answer = ask(watched.port, &request).expect("an answer");
        // /metrics is large enough for a server to send it in chunks
        assert!(
            path != "/metrics" || answer.body.len() > 1 << 16,
            "{} bytes",
            answer.body.len()
        );
        let length = answer.body.len().to_string();
        assert_eq!(
            values(&answer, "Content-Length"),
            [length],
            "{}",
            answer.head
        );
        assert_eq!(
            values(&answer, "Transfer-Encoding"),
            [""; 0],
            "{}",
            answer.head
        );
        assert_eq!(values(&answer, "Connection"), ["close"], "{}", answer.head);
        let date = values(&answer, "Date");
        assert_eq!(date.len(), 1, "{}", answer.head);
        // for instance: Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(date[0].len(), 29, "{date:?}");
        assert!(date[0].ends_with(" GMT"), "{date:?}");
    }
}

#[test]
fn an_incomplete_head_gets_status_408() {
    let watched = watched(&[], &[]);
    for begun in ["", "GET /livez HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", watched.port)).expect("a connection");
        std::io::Write::write_all(&mut stream, begun.as_bytes()).expect("sent");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a time-out");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{begun:?}: {answer}");
    }
}
