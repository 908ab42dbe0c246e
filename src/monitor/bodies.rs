//! Large bodies of responses: made one at a time, shared by concurrent requests, limited in bytes.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The limit of bytes of bodies that peers have not read yet. Beyond it, a new body is made only if no body of its
/// resource is being sent, so that slow readers of the page do not prevent a scrape. One body of 1,000 databases has 2
/// MB, and the process has 64 MiB for everything.
const MAX_PENDING_BYTES: usize = 8 << 20;
/// The age up to which a body is shared between requests.
const MAX_SHARED_AGE: Duration = Duration::from_secs(1);
/// The maximum age of a body that is sent if no new one can be made: the time that a peer has to read it.
const MAX_BODY_AGE: Duration = Duration::from_secs(20);

/// The resource of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Metrics,
    Page,
    Status,
    States,
    Checkpoints,
}

/// The bodies that are being sent to peers.
#[derive(Debug, Default)]
pub(super) struct Bodies(Vec<Made>);

#[derive(Debug)]
struct Made {
    of: Resource,
    at: Instant,
    body: Weak<String>,
}

impl Bodies {
    /// Returns the body of a resource: one that is just being sent to another peer, or a new one; `None` if the limit
    /// allows no new one.
    pub fn get(
        &mut self,
        of: Resource,
        now: Instant,
        make: impl FnOnce() -> String,
    ) -> Option<Arc<String>> {
        self.0.retain(|made| made.body.strong_count() > 0);
        let is_full = self.bytes() >= MAX_PENDING_BYTES;
        let fresh = if is_full {
            MAX_BODY_AGE
        } else {
            MAX_SHARED_AGE
        };
        let any = self.0.iter().rev().find(|made| made.of == of);
        let last = any.filter(|made| now.saturating_duration_since(made.at) <= fresh);
        if let Some(body) = last.and_then(|made| made.body.upgrade()) {
            return Some(body);
        }
        if is_full && any.is_some() {
            return None;
        }
        let body = Arc::new(make());
        self.0.push(Made {
            of,
            at: now,
            body: Arc::downgrade(&body),
        });
        Some(body)
    }

    /// Returns the bytes that peers have not read yet; each body counts once.
    fn bytes(&self) -> usize {
        let bodies = self.0.iter().filter_map(|made| made.body.upgrade());
        bodies.map(|body| body.capacity()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 2 << 20;

    fn large() -> String {
        "x".repeat(LARGE)
    }

    #[test]
    fn concurrent_requests_share_one_body() {
        let (mut bodies, now) = (Bodies::default(), Instant::now());
        let one = bodies.get(Resource::Metrics, now, large).unwrap();
        let other = bodies
            .get(Resource::Metrics, now + MAX_SHARED_AGE, large)
            .unwrap();
        assert!(Arc::ptr_eq(&one, &other));
        let page = bodies.get(Resource::Page, now, large).unwrap();
        assert!(!Arc::ptr_eq(&one, &page));
        drop((one, other));
        // the body was dropped, so it is made again
        let fresh = || "fresh".to_owned();
        assert_eq!(*bodies.get(Resource::Metrics, now, fresh).unwrap(), "fresh");
    }

    #[test]
    fn slow_readers_of_one_resource_do_not_prevent_another() {
        let (mut bodies, start) = (Bodies::default(), Instant::now());
        let pages: Vec<_> = (0..4)
            .map(|second| {
                let now = start + second * 2 * MAX_SHARED_AGE;
                bodies.get(Resource::Page, now, large)
            })
            .collect();
        assert!(pages.iter().all(Option::is_some));
        let full = start + 8 * MAX_SHARED_AGE;
        assert!(bodies.bytes() >= MAX_PENDING_BYTES);
        let metrics = bodies.get(Resource::Metrics, full, large).unwrap();
        // it is the only one beyond the limit
        let later = full + 8 * MAX_SHARED_AGE;
        let again = bodies.get(Resource::Metrics, later, large).unwrap();
        assert!(Arc::ptr_eq(&metrics, &again));
        let too_late = full + MAX_BODY_AGE + MAX_SHARED_AGE;
        assert!(bodies.get(Resource::Metrics, too_late, large).is_none());
    }

    #[test]
    fn slow_peers_hold_a_bounded_number_of_bytes_and_get_the_last_body_instead() {
        let (mut bodies, start) = (Bodies::default(), Instant::now());
        let mut held: Vec<Arc<String>> = Vec::new();
        let mut refused = 0;
        for second in 0..60 {
            let now = start + second * 2 * MAX_SHARED_AGE;
            match bodies.get(Resource::Metrics, now, large) {
                Some(body) => held.push(body),
                None => refused += 1,
            }
        }
        held.dedup_by(|one, other| Arc::ptr_eq(one, other));
        assert_eq!(held.len(), MAX_PENDING_BYTES / LARGE);
        assert!(refused > 0, "a body of the last hour is given");
        held.clear();
        assert!(
            bodies
                .get(Resource::Metrics, start + 200 * MAX_SHARED_AGE, large)
                .is_some()
        );
        assert_eq!(bodies.0.len(), 1);
    }
}
