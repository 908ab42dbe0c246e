//! The response for each path.

use std::sync::Arc;

use tiny_http::Method;

use super::bodies::{Bodies, Resource};
use super::request::{Reader, Request};
use super::response::{Answer, JSON, METRICS, NOT_FOUND, OK, PAGE, PLAIN, UNAVAILABLE};
use crate::clock::Clock;
use crate::report::{
    Health, Prefix, StatusRegistry, checkpoint_text, checkpoints_text, livez, metrics, page,
    page_style, readyz, states_json, status_json, version_json,
};

/// The beginning of the path of one database's checkpoint; the name follows, percent-encoded.
const CHECKPOINT: &str = "/checkpoints/";
/// The text of the response if there are no checkpoints.
const NO_KEY: &str = "a key must sign the checkpoints: create one with immuaudit key new, and give it with --audit-signing-key\n";

/// The responses to all paths, from the status registry.
pub(super) struct Routes {
    registry: StatusRegistry,
    prefix: Prefix,
    bodies: Bodies,
}

impl Routes {
    pub fn new(registry: StatusRegistry, prefix: Prefix) -> Routes {
        Routes {
            registry,
            prefix,
            bodies: Bodies::default(),
        }
    }

    pub fn answer(&mut self, request: &Request) -> Answer {
        let answer = match (request.path.as_str(), request.reader) {
            ("/", Reader::Browser) => self.large(Resource::Page),
            ("/" | "/metrics", _) => self.large(Resource::Metrics),
            ("/initz", _) => probe(Health::Good), // the server starts after settings and states are loaded
            ("/livez", _) => probe(livez(&self.registry.snapshot())),
            ("/readyz", _) => probe(readyz(&self.registry.snapshot())),
            ("/version", _) => Answer::new(OK, JSON, Arc::new(version_json())),
            ("/status.json", _) => self.large(Resource::Status),
            ("/states", _) => self.large(Resource::States),
            ("/checkpoints", _) if self.registry.signs() => self.large(Resource::Checkpoints),
            ("/checkpoints", _) => Answer::text(NOT_FOUND, NO_KEY),
            (path, _) if path.starts_with(CHECKPOINT) => self.checkpoint(path),
            _ => Answer::error(NOT_FOUND),
        };
        match request.method {
            Method::Head => answer.head_only(),
            _ => answer,
        }
    }

    /// Returns the checkpoint of one database.
    fn checkpoint(&self, path: &str) -> Answer {
        let name = path.strip_prefix(CHECKPOINT).unwrap_or_default();
        match checkpoint_text(&self.registry.snapshot(), name) {
            Some(text) => Answer::new(OK, PLAIN, Arc::new(text)),
            None if self.registry.signs() => Answer::error(NOT_FOUND),
            None => Answer::text(NOT_FOUND, NO_KEY),
        }
    }

    fn large(&mut self, resource: Resource) -> Answer {
        let (registry, prefix) = (&self.registry, self.prefix);
        let body = self.bodies.get(resource, Clock::system().instant(), || {
            let snapshot = registry.snapshot();
            match resource {
                Resource::Metrics => metrics(&snapshot, prefix),
                Resource::Page => page(&snapshot),
                Resource::Status => status_json(&snapshot),
                Resource::States => states_json(&snapshot),
                Resource::Checkpoints => checkpoints_text(&snapshot),
            }
        });
        let Some(body) = body else {
            return Answer::error(UNAVAILABLE);
        };
        match resource {
            Resource::Metrics => Answer::new(OK, METRICS, body),
            Resource::Checkpoints => Answer::new(OK, PLAIN, body),
            Resource::Status | Resource::States => Answer::new(OK, JSON, body),
            Resource::Page => {
                // only the page's own style sheet is allowed
                let policy = format!(
                    "default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; \
                     form-action 'none'; frame-ancestors 'none'",
                    page_style()
                );
                Answer::new(OK, PAGE, body)
                    .with("Content-Security-Policy", &policy)
                    .with("Referrer-Policy", "no-referrer")
                    .with("Vary", "Accept")
            }
        }
    }
}

fn probe(health: Health) -> Answer {
    let status = match health {
        Health::Good => OK,
        Health::Bad(_) => UNAVAILABLE,
    };
    Answer::new(status, JSON, Arc::new(health.json()))
}
