//! Checking a server's state against the trusted state. Reading order: `listing` (the databases), `state` (the checks
//! without a proof), `proof` (the proof and its parts), `beside` (another auditor's state), `pin` (pinned states),
//! `immuclient_states` and `import` (another auditor's trusted states).

pub(super) mod beside;
pub(super) mod immuclient_states;
pub(super) mod import;
pub(super) mod listing;
mod pin;
pub(super) mod proof;
pub(super) mod state;
