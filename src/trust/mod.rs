//! The auditor's memory, in plain files: trusted states, their history, open alarms, evidence.
//!
//! A kill, a crash or a full disk neither loses a trusted state nor makes one up: each write is complete or has not
//! happened. Each file except the locks and `arrivals` has a checksum, and a damaged trusted state is a [`StoreError`]
//! and never a first use. Each configured server has one directory, in which `notify` stores its files too:
//!
//! ```text
//! DIR/SERVER/auditor.lock           locked by the auditor while it runs
//!            write.lock             locked during a change
//!            DATABASE.state         the trusted state (under --roots-filepath, if that is given)
//!            DATABASE.history       every accepted state, one line each (in the directory of DATABASE.state)
//!            DATABASE.alarms        open alarms, and closed ones with user and time
//!            DATABASE.acknowledged  acknowledged facts: absent values, a lost signature, disagreements of peers
//!            DATABASE.mirror        the hash of every transaction, under --audit-keep-hashes
//!            evidence/DATABASE/ALARM.toml   the evidence, one file for each finding
//!            located/DATABASE/ALARM.toml    the place of the tampering
//!            disagreements/DATABASE/PEER.toml   the evidence of a disagreement with a peer
//!            arrivals               the databases, in the order of their first trusted states
//!            identities             the last immudb-uuids seen, at most 100
//!            outcomes               the last verdicts
//!            peers                  the comparison with the checkpoints of other auditors
//!            values                 the progress of reading values, and the due transactions
//! ```
//!
//! `SERVER` and `DATABASE` are escaped (`file_name`), times come from the caller, and no code here uses the network.

#![forbid(unsafe_code)]

mod acknowledged;
mod adopt;
mod advance;
#[cfg(test)]
mod aged;
mod alarm;
mod alarms_stamp;
mod arrivals;
mod checksummed;
mod claim;
mod compaction;
mod due;
mod evidence;
mod evidence_space;
mod export;
pub mod failpoint;
mod file_damage;
pub(crate) mod file_name;
pub(crate) mod files;
mod finding;
mod given_up;
mod history;
mod identity;
mod import;
mod last_good;
mod located;
mod location;
mod locks;
mod mark;
mod mirror;
mod mirrors;
mod outcome;
mod parsed_alarms;
mod peers_file;
mod permissions;
mod present;
mod raise_alarm;
mod record;
mod recovery;
mod reread;
mod restored;
mod space_memory;
mod state_file;
mod store;
mod store_error;
mod sweep;
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
pub use alarms_stamp::AlarmsStamp;
pub use claim::{Claim, Contradiction, Differ};
pub use due::{Due, DueRun, Retried};
pub use evidence::{Evidence, Limits};
pub use export::{Export, Exported, shown_states};
pub use file_damage::{FileDamage, Record};
pub use finding::{Answer, Finding, Shortened, Tampering, TamperingError};
pub(crate) use finding::{HIDDEN, IMPORTED, VANISHED};
pub use given_up::GivenUp;
pub use history::{Change, HistoryEntry};
pub use identity::KnownElsewhere;
pub use import::ImportBasis;
pub use located::{Extent, LocatedRecord};
pub use location::Location;
pub use mark::{Mark, mark};
pub use mirror::{Extended, Mirror};
pub use outcome::{MAX_LAST_REASON_CHARS, OutcomeRecord, Outcomes, WITHOUT_KEY, last_proven};
pub use peers_file::{Agreed, Begins, Behind, Disagreement, PeerRecord, Waiting};
pub use raise_alarm::{Raised, read_evidence};
pub use record::DatedState;
pub use store::Store;
pub use store_error::StoreError;
pub use sweep::{SweepInProgress, SweepSummary, SweepTrigger, Unavailable};
pub use trusted_state::{ObservedState, TrustOrigin, TrustedState, kept_identity};
pub use values::{Searched, ValueProgress};
pub use warning::Warning;
