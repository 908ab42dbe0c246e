//! A request's head (RFC 9112 §2, §3): whole, small, without a body, or refused.

use super::response::{Response, Status};

/// Largest head, in bytes.
pub(super) const MOST: usize = 8 << 10;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// Who asks reads HTML: a browser.
    pub reader: Reader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Browser,
    Program,
}

/// What came so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    Whole(Request),
    Wrong(Response),
    Unfinished,
}

/// Reads a head, if its end is there.
pub(super) fn read(bytes: &[u8]) -> Head {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    match end {
        Some(end) if end <= MOST => {
            let head = bytes.get(..end).unwrap_or_default();
            parse(head).map_or_else(Head::Wrong, Head::Whole)
        }
        None if bytes.len() <= MOST => Head::Unfinished,
        _ => Head::Wrong(Response::error(Status::HeadTooLarge)),
    }
}

fn parse(head: &[u8]) -> Result<Request, Response> {
    let bad = || Response::error(Status::BadRequest);
    let text = std::str::from_utf8(head).map_err(|_| bad())?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || !target.starts_with('/') {
        return Err(bad());
    }
    let mut reader = Reader::Program;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(bad)?;
        let value = value.trim();
        let is_token = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
        if !is_token || value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(bad());
        }
        match name.to_ascii_lowercase().as_str() {
            "accept" if value.contains("text/html") => reader = Reader::Browser,
            "content-length" if value != "0" => return Err(bad()),
            "transfer-encoding" => return Err(bad()),
            _ => {}
        }
    }
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return Err(Response::error(Status::MethodNotAllowed)),
    };
    let path = target.split(['?', '#']).next().unwrap_or_default();
    Ok(Request {
        method,
        path: path.to_owned(),
        reader,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> Option<Status> {
        match read(bytes) {
            Head::Wrong(response) => Some(response.status),
            _ => None,
        }
    }

    #[test]
    fn a_whole_head_is_read() {
        let head = b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: text/html,*/*\r\n\r\n";
        let wanted = Request {
            method: Method::Get,
            path: "/metrics".into(),
            reader: Reader::Browser,
        };
        assert_eq!(read(head), Head::Whole(wanted));
        for cut in 0..head.len() {
            assert_eq!(read(&head[..cut]), Head::Unfinished);
        }
    }

    #[test]
    fn whatever_is_no_plain_question_is_refused() {
        for (head, wanted) in [
            ("POST / HTTP/1.1\r\n\r\n", Status::MethodNotAllowed),
            (
                "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
                Status::BadRequest,
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Status::BadRequest,
            ),
            ("GET / HTTP/2\r\n\r\n", Status::BadRequest),
            ("GET http://x/ HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET  / HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\na b: c\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\na: b\rc\r\n\r\n", Status::BadRequest),
            ("\r\n\r\n", Status::BadRequest),
        ] {
            assert_eq!(status(head.as_bytes()), Some(wanted), "{head:?}");
        }
        assert_eq!(status(b"\xff\r\n\r\n"), Some(Status::BadRequest));
        assert_eq!(status(&vec![b'x'; MOST + 1]), Some(Status::HeadTooLarge));
    }
}
