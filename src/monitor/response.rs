//! An answer (RFC 9112 §4): one, whole, and the connection is closed after it.

use std::sync::Arc;

/// The answers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    HeadTooLarge,
    Unavailable,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::Unavailable => "503 Service Unavailable",
        }
    }
}

/// What a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Plain,
    Metrics,
    Json,
    /// With the only styles that may apply to it, as a CSP source.
    Page {
        style: String,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub status: Status,
    pub content: Content,
    /// Others may be sent the same.
    pub body: Arc<String>,
    /// Asked by HEAD: the same without the body.
    pub headers_only: bool,
}

impl Response {
    pub fn new(status: Status, content: Content, body: Arc<String>) -> Response {
        Response {
            status,
            content,
            body,
            headers_only: false,
        }
    }

    pub fn error(status: Status) -> Response {
        let body = Arc::new(format!("{}\n", status.line()));
        Response::new(status, Content::Plain, body)
    }

    /// There are too many of you.
    pub fn busy() -> Response {
        Response::error(Status::Unavailable)
    }

    /// Returns what goes over the wire: the head, and the body, which is not copied.
    pub fn parts(self) -> (Vec<u8>, Arc<String>) {
        let kind = match self.content {
            Content::Plain => "text/plain; charset=utf-8",
            Content::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            Content::Json => "application/json",
            Content::Page { .. } => "text/html; charset=utf-8",
        };
        let mut text = format!(
            "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
            self.status.line(),
            self.body.len()
        );
        if self.status == Status::MethodNotAllowed {
            text.push_str("Allow: GET, HEAD\r\n");
        }
        if let Content::Page { style } = &self.content {
            text.push_str(&format!(
                "Content-Security-Policy: default-src 'none'; style-src '{style}'; img-src data:; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
                 Referrer-Policy: no-referrer\r\nVary: Accept\r\n"
            ));
        }
        text.push_str("\r\n");
        let body = match self.headers_only {
            true => Arc::default(),
            false => self.body,
        };
        (text.into_bytes(), body)
    }
}
