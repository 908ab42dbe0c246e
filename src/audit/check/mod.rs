//! The state that a server shows, held against the trusted one. Reading order: `listing` (which databases), `state` (what
//! takes no proof), `proof` (the proof and its parts), `beside` (what stands in the place of another auditor's state), `pin` (pinned states), `immuclient_states` and `import` (states that
//! another auditor trusted).

pub(super) mod beside;
pub(super) mod immuclient_states;
pub(super) mod import;
pub(super) mod listing;
mod pin;
pub(super) mod proof;
pub(super) mod state;
