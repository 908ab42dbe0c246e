//! What the auditor believes, in plain files: trusted states, their history, open alarms, evidence.
//!
//! Whatever happens to the machine, a trusted state is neither lost nor made up: each write is
//! complete or has not happened, each file carries a checksum, and what is damaged is a
//! [`StoreError`] and never a first use. One directory a configured server:
//!
//! ```text
//! DIR/SERVER/auditor.lock           held by the auditor as long as it runs
//!            write.lock             held for the moment of a change
//!            DATABASE.state         what is trusted (under --roots-filepath, where that is given)
//!            DATABASE.history       every state accepted, a line each (beside it)
//!            DATABASE.alarms        open alarms, and who closed the others when
//!            DATABASE.acknowledged  what an operator acknowledged: absent values, a lost signature
//!            DATABASE.mirror        the hash of every transaction, under --audit-keep-hashes
//!            evidence/DATABASE/ALARM.toml   what shows it, a file each finding
//!            located/DATABASE/ALARM.toml    where it was tampered
//!            disagreements/DATABASE/PEER.toml   what a peer's word alone contradicts
//!            arrivals               the databases, in the order of their first trusted states
//!            identities             every immudb-uuid seen
//!            outcomes               the last verdicts
//!            peers                  how the words of other auditors compared
//!            values                 how far the values were read, and what of them stays due
//! ```
//!
//! `SERVER` and `DATABASE` are escaped (`name`), times come from the caller, and nothing here knows the network.

#![forbid(unsafe_code)]

mod acknowledged;
mod adopt;
mod advance;
mod alarm;
mod arrivals;
mod checksummed;
mod claim;
mod compaction;
mod due;
mod evidence;
mod export;
pub mod failpoint;
mod file_damage;
pub(crate) mod file_name;
pub(crate) mod files;
mod finding;
mod history;
mod identity;
mod import;
mod last_good;
mod located;
mod location;
mod mark;
mod mirror;
mod mirrors;
mod outcome;
mod peers_file;
mod permissions;
mod present;
mod raise_alarm;
mod record;
mod recovery;
mod reread;
mod room;
mod room_memory;
mod state_file;
mod store;
mod store_error;
mod tail;
mod text;
mod trusted_state;
mod values;
mod values_file;
mod volume;
mod warning;

pub use acknowledged::{Acknowledged, Acknowledgement};
pub use adopt::{Adopted, Adoption};
pub use alarm::{Alarm, Closed, PastClosing};
pub use claim::{Claim, Contradiction, Differ};
pub use due::{Due, DueRun, Retried};
pub use evidence::{Evidence, Limits};
pub use export::{Export, Exported, shown_states};
pub use file_damage::{FileDamage, Record};
pub(crate) use finding::HIDDEN;
pub use finding::{Answer, Finding, Shortened, Tampering, TamperingError};
pub use history::{Change, HistoryEntry};
pub use identity::KnownElsewhere;
pub use import::ImportBasis;
pub use located::LocatedRecord;
pub use location::Location;
pub use mark::{Mark, mark};
pub use mirror::{Extended, Mirror};
pub use outcome::{OutcomeRecord, Outcomes, last_proven};
pub use peers_file::{Agreed, Begins, Behind, Disagreement, PeerRecord, Waiting};
pub use raise_alarm::{Raised, read_evidence};
pub use store::Store;
pub use store_error::StoreError;
pub use trusted_state::{ObservedState, TrustOrigin, TrustedState, kept_identity};
pub use values::{
    Searched, SweepInProgress, SweepSummary, SweepTrigger, Unavailable, ValueProgress,
};
pub use warning::Warning;
