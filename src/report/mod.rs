//! Reports: log lines, a JSON object for each database, plain lines, metrics and a status page. Nothing
//! here decides a verdict. The state behind metrics and page is in `status_registry`.

#![forbid(unsafe_code)]

mod ago;
mod alarm;
mod alarm_summary;
mod checkpoint;
mod checkpoints;
mod condition;
mod database_status;
mod event;
mod exposition;
mod finding;
mod json;
mod json_object;
mod legacy;
mod log_line;
mod logger;
mod metrics;
mod overall;
mod page;
mod peer_metrics;
mod peers;
mod plain;
mod probes;
mod process;
mod progress;
mod receiver_stats;
mod status_registry;
mod tamper_report;
mod timeline;
mod untrusted;
mod values;

pub use ago::ago;
pub use alarm::{
    AlarmReport, adopt_command, alarm_line, alarm_lines, close_command, decision, evidence_line,
    evidence_of, opened_again_by, seen,
};
pub use alarm_summary::alarm_summary;
pub use checkpoint::checkpoint;
pub use checkpoints::{checkpoint_text, checkpoints_text};
pub use condition::{Condition, Facts};
pub use database_status::DatabaseStatus;
pub use event::Event;
pub use finding::finding_lines;
pub use json::{cycle_error_json, outcome_json, untrusted_json};
pub use json_object::JsonObject;
pub use legacy::Prefix;
pub use log_line::{
    log_cycle, log_decision, log_outcome, log_slow_cycle, log_swept, log_untrusted, log_values,
    log_warning, log_warnings,
};
pub use logger::start_logging;
pub use metrics::metrics;
pub use overall::{MAX_DELIVERY_DELAY, Overall, status_line};
pub use page::{page, page_style};
pub use peers::{PeerFetched, log_peer, peer_line, peer_record_json, peer_record_line};
pub use plain::{outcome_line, print, print_error, try_print};
pub use probes::{Health, livez, readyz, states_json, status_json, version_json};
pub use progress::Bar;
pub use receiver_stats::{ReceiverStats, ReceiverStatsSnapshot};
pub use status_registry::{InstanceInfo, Snapshot, StatusRegistry};
pub use tamper_report::{Compared, TamperReport, tamper_report_json, tamper_report_text};
pub use untrusted::{Untrusted, UntrustedReport};
pub use values::few_ranges;
