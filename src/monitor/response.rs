//! An answer (RFC 9112 §4): one, whole, and the connection is closed after it.

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
    pub body: String,
    /// Asked by HEAD: the same without the body.
    pub headers_only: bool,
}

impl Response {
    pub fn new(status: Status, content: Content, body: String) -> Response {
        Response {
            status,
            content,
            body,
            headers_only: false,
        }
    }

    pub fn error(status: Status) -> Response {
        Response::new(status, Content::Plain, format!("{}\n", status.line()))
    }

    /// There are too many of you.
    pub fn busy() -> Response {
        Response::error(Status::Unavailable)
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
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
        if !self.headers_only {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}
