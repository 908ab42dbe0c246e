//! A response (RFC 9112 §4): one, complete, after which the connection is closed. tiny_http prints its head.

use std::io;
use std::sync::Arc;

use tiny_http::{HTTPVersion, Header, Response, StatusCode};

use crate::clock::Clock;

/// Kinds of bodies, as `Content-Type` names them.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
pub(super) const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
pub(super) const JSON: &str = "application/json";
pub(super) const PAGE: &str = "text/html; charset=utf-8";

pub(super) const OK: StatusCode = StatusCode(200);
pub(super) const BAD_REQUEST: StatusCode = StatusCode(400);
pub(super) const NOT_FOUND: StatusCode = StatusCode(404);
pub(super) const METHOD_NOT_ALLOWED: StatusCode = StatusCode(405);
pub(super) const REQUEST_TIMEOUT: StatusCode = StatusCode(408);
pub(super) const HEAD_TOO_LARGE: StatusCode = StatusCode(431);
pub(super) const NOT_IMPLEMENTED: StatusCode = StatusCode(501);
pub(super) const UNAVAILABLE: StatusCode = StatusCode(503);
pub(super) const VERSION_NOT_SUPPORTED: StatusCode = StatusCode(505);

/// A response: its head and its body.
pub(super) struct Answer {
    /// The response without a body, so that printing it copies none.
    response: Response<io::Empty>,
    /// The body, which other responses may share.
    body: Arc<String>,
}

impl Answer {
    pub fn new(status: StatusCode, kind: &str, body: Arc<String>) -> Answer {
        let length = Some(body.len());
        let response = Response::new(status, Vec::new(), io::empty(), length, None)
            // not chunked, because the length is known
            .with_chunked_threshold(usize::MAX);
        Answer { response, body }
            .with("Content-Type", kind)
            // otherwise tiny_http adds both: its own name, and a date that panics before 1970
            .with("Server", "immuaudit")
            .with("Date", &Clock::system().now().http_date())
            .with("Cache-Control", "no-store")
            .with("X-Content-Type-Options", "nosniff")
    }

    /// Adds a header to the response.
    pub fn with(mut self, name: &str, value: &str) -> Answer {
        if let Ok(header) = Header::from_bytes(name, value) {
            self.response.add_header(header);
        }
        self
    }

    /// Creates a response with a text for people.
    pub fn text(status: StatusCode, text: &str) -> Answer {
        Answer::new(status, PLAIN, Arc::new(text.to_owned()))
    }

    /// Creates a response with its status only.
    pub fn error(status: StatusCode) -> Answer {
        let text = format!("{} {}\n", status.0, status.default_reason_phrase());
        let answer = Answer::new(status, PLAIN, Arc::new(text));
        match status {
            METHOD_NOT_ALLOWED => answer.with("Allow", "GET, HEAD"),
            _ => answer,
        }
    }

    /// Returns the response to the same request by HEAD: the same head, which names the body's length, without the
    /// body.
    pub fn head_only(self) -> Answer {
        Answer {
            body: Arc::default(),
            ..self
        }
    }

    #[cfg(test)]
    pub fn status(&self) -> StatusCode {
        self.response.status_code()
    }

    /// Returns the bytes of the head, and the body, which is not copied.
    pub fn parts(self) -> (Vec<u8>, Arc<String>) {
        let mut head = Vec::new();
        // writing to a Vec cannot fail; an empty head would close the connection
        let printed = self
            .response
            .raw_print(&mut head, HTTPVersion(1, 1), &[], true, None);
        match printed {
            Ok(()) => (closing(head), self.body),
            Err(_) => (Vec::new(), Arc::default()),
        }
    }
}

/// Adds `Connection: close`, which tiny_http does not allow, in place of the empty line at the end.
fn closing(mut head: Vec<u8>) -> Vec<u8> {
    head.truncate(head.len().saturating_sub(b"\r\n".len()));
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(answer: Answer) -> String {
        String::from_utf8(answer.parts().0).unwrap()
    }

    #[test]
    fn a_head_names_length_date_and_that_the_connection_closes() {
        let body = Arc::new("x".repeat(1 << 20));
        let (head, sent) = Answer::new(OK, JSON, Arc::clone(&body)).parts();
        assert!(Arc::ptr_eq(&body, &sent), "the body is not copied");
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let end = head.strip_suffix("\r\n\r\n").unwrap();
        assert!(!end.contains("\r\n\r\n"), "{head}");
        for (name, value) in [
            ("Content-Length", "1048576"),
            ("Content-Type", JSON),
            ("Connection", "close"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Server", "immuaudit"),
        ] {
            let line = format!("\r\n{name}: {value}\r\n");
            assert_eq!(head.matches(&line).count(), 1, "{name}: {head}");
        }
        assert_eq!(head.matches("\r\nDate: ").count(), 1, "{head}");
        assert!(!head.contains("Transfer-Encoding"), "{head}");
    }

    #[test]
    fn an_answer_to_head_names_the_length_of_what_it_leaves_out() {
        let body = || Arc::new("12345".to_owned());
        let answer = Answer::new(OK, PLAIN, body()).head_only();
        let (head, body) = answer.parts();
        assert_eq!(body.as_str(), "");
        assert!(
            String::from_utf8(head)
                .unwrap()
                .contains("\r\nContent-Length: 5\r\n")
        );
    }

    #[test]
    fn a_wrong_method_gets_the_allowed_ones() {
        assert!(head(Answer::error(METHOD_NOT_ALLOWED)).contains("\r\nAllow: GET, HEAD\r\n"));
        assert!(!head(Answer::error(NOT_FOUND)).contains("Allow"));
    }
}
