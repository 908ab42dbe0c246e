//! A request's head (RFC 9112 §2, §3): complete, small, without a body, or refused. tiny_http's types read its
//! parts; controls and names that are no tokens, which these types accept, are refused here.

use std::str::FromStr;

use tiny_http::{HTTPVersion, Header, Method, StatusCode};

use super::response::{
    Answer, BAD_REQUEST, HEAD_TOO_LARGE, METHOD_NOT_ALLOWED, NOT_IMPLEMENTED, VERSION_NOT_SUPPORTED,
};

/// The length limit of a request head, in bytes.
pub(super) const MAX_HEAD_BYTES: usize = 8 << 10;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The method: GET or HEAD.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The reader of the response: a browser reads HTML.
    pub reader: Reader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Browser,
    Program,
}

/// The result of reading a head.
pub(super) enum Head {
    Complete(Request),
    Wrong(Answer),
    Unfinished,
}

/// Reads a head, if its end has been received.
pub(super) fn read(came: &[u8]) -> Head {
    let mut bytes = came;
    // empty lines before the request line are ignored (RFC 9112 §2.2)
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let request = match end {
        Some(end) if end <= MAX_HEAD_BYTES => parse(bytes.get(..end).unwrap_or_default()),
        None if came.len() <= MAX_HEAD_BYTES => return Head::Unfinished,
        _ => Err(HEAD_TOO_LARGE),
    };
    match request {
        Ok(request) => Head::Complete(request),
        Err(status) if bytes.starts_with(b"HEAD ") => {
            Head::Wrong(Answer::error(status).head_only())
        }
        Err(status) => Head::Wrong(Answer::error(status)),
    }
}

fn parse(head: &[u8]) -> Result<Request, StatusCode> {
    // one character per byte, so that every byte is checked
    let text: String = head.iter().copied().map(char::from).collect();
    let mut lines = text.split("\r\n");
    let (method, target, version) = request_line(lines.next().unwrap_or_default())?;
    let mut reader = Reader::Program;
    let mut hosts = 0;
    for line in lines {
        let header = header(line)?;
        let (is, value) = (|name| header.field.equiv(name), header.value.as_str());
        if is("Host") {
            hosts += 1;
            require(is_authority(value))?;
        } else if is("Accept") && value.contains("text/html") {
            reader = Reader::Browser;
        } else if is("Content-Length") {
            require(value == "0")?;
        } else if is("Transfer-Encoding") {
            return Err(BAD_REQUEST);
        }
    }
    // exactly one Host header, which only HTTP/1.0 may omit (RFC 9112 §3.2)
    require(hosts == 1 || hosts == 0 && version < (1, 1))?;
    match method {
        Method::Get | Method::Head => Ok(Request {
            method,
            path: path(target)?.to_owned(),
            reader,
        }),
        Method::NonStandard(_) => Err(NOT_IMPLEMENTED),
        _ => Err(METHOD_NOT_ALLOWED),
    }
}

fn require(holds: bool) -> Result<(), StatusCode> {
    if holds { Ok(()) } else { Err(BAD_REQUEST) }
}

/// Returns method, target and version.
fn request_line(line: &str) -> Result<(Method, &str, HTTPVersion), StatusCode> {
    require(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()))?;
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BAD_REQUEST);
    };
    require(is_token(method) && !target.is_empty())?;
    let method = Method::from_str(method).map_err(|()| BAD_REQUEST)?;
    let version = match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some([major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9']) => {
            HTTPVersion(major - b'0', minor - b'0')
        }
        _ => return Err(BAD_REQUEST),
    };
    match version {
        HTTPVersion(1, _) => Ok((method, target, version)),
        _ => Err(VERSION_NOT_SUPPORTED),
    }
}

fn header(line: &str) -> Result<Header, StatusCode> {
    require(!line.contains(|c: char| c.is_ascii_control() && c != '\t'))?;
    // values may have bytes beyond ASCII (RFC 9110 §5.5), which tiny_http refuses; no header that is used here has any
    let line = line.replace(|c: char| !c.is_ascii(), "?");
    let header = Header::from_str(&line).map_err(|()| BAD_REQUEST)?;
    require(is_token(header.field.as_str().as_str()))?;
    Ok(header)
}

/// Returns whether the text is a token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_of_token)
}

/// Returns whether a text has only characters of a host and a port (RFC 3986 §3.2.2); it may be empty.
fn is_authority(text: &str) -> bool {
    let is_of_authority = |c: char| c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=:[]".contains(c);
    text.chars().all(is_of_authority)
}

/// Returns the path of a target in origin form or absolute form (RFC 9112 §3.2), without the query.
fn path(target: &str) -> Result<&str, StatusCode> {
    let mut rest = target;
    if !target.starts_with('/') {
        let (scheme, after) = target.split_once("://").ok_or(BAD_REQUEST)?;
        let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
        require(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))?;
        require(!authority.is_empty() && is_authority(authority))?;
        rest = after.get(authority.len()..).unwrap_or_default();
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    Ok(if path.is_empty() { "/" } else { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> Option<u16> {
        match read(bytes) {
            Head::Wrong(answer) => Some(answer.status().0),
            _ => None,
        }
    }

    fn request(head: &str) -> Request {
        match read(head.as_bytes()) {
            Head::Complete(request) => request,
            Head::Wrong(answer) => panic!("{head:?}: {:?}", answer.status()),
            Head::Unfinished => panic!("{head:?}: unfinished"),
        }
    }

    #[test]
    fn a_complete_head_is_read() {
        let head = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: text/html,*/*\r\n\r\n";
        let wanted = Request {
            method: Method::Get,
            path: "/metrics".into(),
            reader: Reader::Browser,
        };
        assert_eq!(request(head), wanted);
        for cut in 0..head.len() {
            assert!(matches!(read(&head.as_bytes()[..cut]), Head::Unfinished));
        }
    }

    #[test]
    fn any_other_request_is_refused() {
        for (head, wanted) in [
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nTRANSFER-ENCODING: chunked\r\n\r\n", 400),
            ("GET / HTTP/2\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\n\r\n", 505),
            ("GET / HTTP/0.9\r\n\r\n", 505),
            ("GET / HTTP/1.:\r\n\r\n", 400),
            ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET  / HTTP/1.0\r\n\r\n", 400),
            ("GET / HTTP/1.0 \r\n\r\n", 400),
            (" / HTTP/1.0\r\n\r\n", 400),
            ("G(T / HTTP/1.0\r\n\r\n", 400),
            ("GET\t/ HTTP/1.0\r\n\r\n", 400),
            ("GET * HTTP/1.0\r\n\r\n", 400),
            ("GET metrics HTTP/1.0\r\n\r\n", 400),
            ("GET /\u{e9} HTTP/1.0\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nno colon\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\n: b\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na b: c\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na : c\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na: b\r\n c\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\n\u{e9}: b\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na: b\rc\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na: b\r\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na: b\nc: d\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na: b\0\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\na: b\x0b\r\n\r\n", 400),
        ] {
            assert_eq!(status(head.as_bytes()), Some(wanted), "{head:?}");
        }
        assert_eq!(status(b"\xff\r\n\r\n"), Some(400));
        assert_eq!(status(&vec![b'x'; MAX_HEAD_BYTES + 1]), Some(431));
        let long = format!(
            "GET / HTTP/1.0\r\na: {}\r\n\r\n",
            "x".repeat(MAX_HEAD_BYTES)
        );
        assert_eq!(status(long.as_bytes()), Some(431));
    }

    #[test]
    fn bytes_beyond_ascii_in_a_value_are_no_error() {
        let head = b"GET / HTTP/1.0\r\nCookie: name=caf\xc3\xa9; other=\xff\xfe\r\n\r\n";
        assert!(matches!(read(head), Head::Complete(_)));
    }

    #[test]
    fn a_later_version_of_http_1_is_taken_as_1_1() {
        let head = "HEAD / HTTP/1.9\r\nHost: a\r\n\r\n";
        assert_eq!(request(head).method, Method::Head);
        assert_eq!(status(b"HEAD / HTTP/1.9\r\n\r\n"), Some(400));
    }

    #[test]
    fn the_error_that_a_head_request_gets_has_no_body() {
        let Head::Wrong(answer) = read(b"HEAD / HTTP/1.1\r\n\r\n") else {
            panic!("no error");
        };
        assert_eq!(answer.parts().1.as_str(), "");
    }

    /// Tests RFC 9112 §3.2.2.
    #[test]
    fn a_target_in_absolute_form_is_taken_by_its_path() {
        for (target, path) in [
            ("http://x/metrics", "/metrics"),
            ("HTTP://x:9477/metrics?a=b", "/metrics"),
            ("https://[::1]:9477/livez#c", "/livez"),
            ("http://x", "/"),
            ("http://x?a=/b", "/"),
            ("/http://x/metrics", "/http://x/metrics"),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: other\r\n\r\n");
            assert_eq!(request(&head).path, path, "{target}");
        }
        for target in [
            "http:///metrics",
            "http://u@x/",
            "http://x\\y/",
            "ftp://x/",
            "http:/x/",
            "x/",
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(status(head.as_bytes()), Some(400), "{target}");
        }
    }

    /// Tests RFC 9112 §3.2.
    #[test]
    fn http_1_1_names_one_host_and_1_0_may_name_none() {
        for (version, hosts, wanted) in [
            ("1.1", "", Some(400)),
            ("1.1", "Host: a\r\n", None),
            ("1.1", "hOST:\r\n", None),
            ("1.1", "Host: [::1]:9477\r\n", None),
            ("1.1", "Host: a b\r\n", Some(400)),
            ("1.1", "Host: a/b\r\n", Some(400)),
            ("1.1", "Host: \u{e9}\r\n", Some(400)),
            ("1.1", "Host: a\r\nHost: a\r\n", Some(400)),
            ("1.0", "", None),
            ("1.0", "Host: a\r\nHost: b\r\n", Some(400)),
        ] {
            let head = format!("GET / HTTP/{version}\r\n{hosts}\r\n");
            assert_eq!(status(head.as_bytes()), wanted, "{head:?}");
        }
    }

    /// Tests RFC 9112 §2.2.
    #[test]
    fn empty_lines_before_a_head_are_ignored() {
        for lines in ["\r\n", "\r\n\r\n\r\n"] {
            assert!(matches!(read(lines.as_bytes()), Head::Unfinished));
            let head = format!("{lines}GET /livez HTTP/1.0\r\n\r\n");
            assert_eq!(request(&head).path, "/livez");
        }
        assert_eq!(status(&b"\r\n".repeat(MAX_HEAD_BYTES)), Some(431));
        assert_eq!(status(b"\n\nGET / HTTP/1.0\r\n\r\n"), Some(400));
    }

    /// Random numbers, the same ones in each run (xorshift).
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap() % end
        }

        /// Returns a random byte; bytes that heads are made of are more frequent.
        fn byte(&mut self) -> u8 {
            let often = b"\r\n \t:/.?#*GETHADP10,;@[]%\0\x7f\x80\xc3\xff";
            match self.below(3) {
                0 => u8::try_from(self.below(256)).unwrap(),
                _ => often[self.below(often.len())],
            }
        }
    }

    /// Checks that any input gets a response, and that every input that is no error is a valid request.
    fn survives(bytes: &[u8]) {
        match read(bytes) {
            Head::Complete(Request { method, path, .. }) => {
                assert!(matches!(method, Method::Get | Method::Head), "{bytes:?}");
                assert!(path.starts_with('/') && path.is_ascii(), "{bytes:?}");
                assert!(!path.contains([' ', '\r', '\n', '?']), "{bytes:?}");
            }
            Head::Wrong(answer) => {
                let (head, _) = answer.parts();
                assert!(head.starts_with(b"HTTP/1.1 "), "{bytes:?}");
                assert!(head.ends_with(b"\r\n\r\n"), "{bytes:?}");
            }
            Head::Unfinished => assert!(bytes.len() <= MAX_HEAD_BYTES),
        }
    }

    #[test]
    fn no_bytes_make_the_reading_of_a_head_panic() {
        const HEADS: [&str; 3] = [
            "GET /metrics?x=1 HTTP/1.1\r\nHost: a:9477\r\nAccept: text/html,*/*\r\nTE: chunked;q=1\r\n\r\n",
            "\r\nHEAD http://[::1]:9477/livez HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 0\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nCookie: caf\u{e9}\r\n\r\n",
        ];
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for head in HEADS.map(str::as_bytes) {
            for cut in 0..head.len() {
                survives(&head[..cut]);
                survives(&head[cut..]);
                // every byte value at every position
                for byte in 0..=u8::MAX {
                    let mut changed = head.to_vec();
                    changed[cut] = byte;
                    survives(&changed);
                }
            }
            for _ in 0..20_000 {
                let mut changed = head.to_vec();
                for _ in 0..=random.below(4) {
                    let at = random.below(changed.len());
                    match random.below(3) {
                        0 => changed[at] = random.byte(),
                        1 => changed.insert(at, random.byte()),
                        _ => drop(changed.drain(at..(at + random.below(8)).min(changed.len() - 1))),
                    }
                }
                survives(&changed);
            }
        }
        for _ in 0..20_000 {
            let length = random.below(200);
            let mut bytes: Vec<u8> = (0..length).map(|_| random.byte()).collect();
            survives(&bytes);
            bytes.extend_from_slice(b"\r\n\r\n");
            survives(&bytes);
        }
    }
}
