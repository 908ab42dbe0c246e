//! Checking a server's state against the trusted state. Reading order: `listing` (the databases), `state` (the checks
//! without a proof), `proof` (the proof and its parts), `membership` (whether a transaction is in a history),
//! `other_state` (another auditor's state), `pin` (pinned states), `immuclient_states` and `import` (another auditor's
//! trusted states).

pub(super) mod immuclient_states;
pub(super) mod import;
pub(super) mod listing;
pub(super) mod membership;
pub(super) mod other_state;
mod pin;
pub(super) mod proof;
pub(super) mod state;
