//! Which path gets which answer.

use super::request::{Method, Reader, Request};
use super::response::{Content, Response, Status};
use crate::report::{
    Board, Health, Prefix, livez, metrics, page, readyz, states_json, status_json, version_json,
};

pub(super) fn answer(request: &Request, board: &Board, prefix: Prefix) -> Response {
    let snapshot = board.snapshot();
    let json = |body| Response::new(Status::Ok, Content::Json, body);
    let scrape = || Response::new(Status::Ok, Content::Metrics, metrics(&snapshot, prefix));
    let mut response = match (request.path.as_str(), request.reader) {
        ("/", Reader::Browser) => {
            let page = page(&snapshot);
            let content = Content::Page { style: page.style };
            Response::new(Status::Ok, content, page.html)
        }
        ("/" | "/metrics", _) => scrape(),
        ("/initz", _) => probe(Health::Good), // nothing is served before settings and states are loaded
        ("/livez", _) => probe(livez(&snapshot)),
        ("/readyz", _) => probe(readyz(&snapshot)),
        ("/version", _) => json(version_json()),
        ("/status.json", _) => json(status_json(&snapshot)),
        ("/states", _) => json(states_json(&snapshot)),
        _ => Response::error(Status::NotFound),
    };
    response.headers_only = request.method == Method::Head;
    response
}

fn probe(health: Health) -> Response {
    let status = match health {
        Health::Good => Status::Ok,
        Health::Bad(_) => Status::Unavailable,
    };
    Response::new(status, Content::Json, health.json())
}
