//! Which path gets which answer.

use std::sync::Arc;

use super::bodies::{Bodies, Resource};
use super::request::{Method, Reader, Request};
use super::response::{Content, Response, Status};
use crate::clock::Clock;
use crate::report::{
    Board, Health, Prefix, livez, metrics, page, page_style, readyz, states_json, status_json,
    version_json,
};

/// The answers to all paths, from the board.
pub(super) struct Routes {
    board: Board,
    prefix: Prefix,
    bodies: Bodies,
}

impl Routes {
    pub fn new(board: Board, prefix: Prefix) -> Routes {
        Routes {
            board,
            prefix,
            bodies: Bodies::default(),
        }
    }

    pub fn answer(&mut self, request: &Request) -> Response {
        let mut response = match (request.path.as_str(), request.reader) {
            ("/", Reader::Browser) => self.large(Resource::Page),
            ("/" | "/metrics", _) => self.large(Resource::Metrics),
            ("/initz", _) => probe(Health::Good), // nothing is served before settings and states are loaded
            ("/livez", _) => probe(livez(&self.board.snapshot())),
            ("/readyz", _) => probe(readyz(&self.board.snapshot())),
            ("/version", _) => Response::new(Status::Ok, Content::Json, Arc::new(version_json())),
            ("/status.json", _) => self.large(Resource::Status),
            ("/states", _) => self.large(Resource::States),
            _ => Response::error(Status::NotFound),
        };
        response.headers_only = request.method == Method::Head;
        response
    }

    fn large(&mut self, resource: Resource) -> Response {
        let (board, prefix) = (&self.board, self.prefix);
        let body = self.bodies.get(resource, Clock::system().instant(), || {
            let snapshot = board.snapshot();
            match resource {
                Resource::Metrics => metrics(&snapshot, prefix),
                Resource::Page => page(&snapshot),
                Resource::Status => status_json(&snapshot),
                Resource::States => states_json(&snapshot),
            }
        });
        let Some(body) = body else {
            return Response::busy();
        };
        let content = match resource {
            Resource::Metrics => Content::Metrics,
            Resource::Page => Content::Page {
                style: page_style(),
            },
            Resource::Status | Resource::States => Content::Json,
        };
        Response::new(Status::Ok, content, body)
    }
}

fn probe(health: Health) -> Response {
    let status = match health {
        Health::Good => Status::Ok,
        Health::Bad(_) => Status::Unavailable,
    };
    Response::new(status, Content::Json, Arc::new(health.json()))
}
