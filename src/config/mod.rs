//! Settings: flags over environment over files over defaults, all from one table.
//!
//! [`load()`] takes the inputs of the process and returns its task. The table is `table::TABLE`. Parsing, help, man
//! page, completions, the effective configuration and the tests read it, so a setting is named only there.
//!
//! Reading order: `setting`, `kind` and `table` (the settings), `command` (the commands), `process` (the inputs),
//! `early_settings`, `flags`, `environment` and `file` (the layers), `gather` (all layers together), `raw_settings` and
//! `resolve` (their values, before and after the checks), `settings` and `task` (the result), `load` (from the inputs to the
//! task).

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::panic))]

mod allowed;
mod argv;
mod audit_settings;
mod command;
mod compat_mode;
mod completions;
mod content;
mod current_process;
mod defaults;
mod der;
mod early_settings;
mod effective;
mod environment;
mod file;
mod filter;
mod flags;
mod gather;
mod help;
mod instance;
mod instances;
mod kind;
mod load;
mod man;
mod masked;
mod memory;
mod monitoring;
mod monitoring_settings;
mod nearest;
mod parameter;
mod peer_table;
mod peers;
mod pem;
mod process;
mod proxy;
mod raw_settings;
mod receiver_table;
mod receivers;
mod renewable;
mod report_settings;
mod resolve;
mod run;
mod secret;
mod service;
mod setting;
mod settings;
mod settings_error;
mod settings_warning;
mod signing;
mod source;
mod sourced;
mod table;
mod table_keys;
mod task;
#[cfg(test)]
mod tests;
mod toml_text;
mod transport;
mod url;
mod value;
mod version;
mod words;

pub use audit_settings::{AuditSettings, FirstUse, NewValues, Pin, RunMode, Signatures, Values};
pub use compat_mode::CompatMode;
pub use effective::Effective;
pub use filter::DatabaseFilter;
pub use instance::{DIRECTORY as INSTANCES, Instance};
pub use load::{Invocation, load};
pub use masked::masked_settings;
pub use memory::{memory_needed, size_to_set};
pub use monitoring_settings::{
    Auth, HeartbeatSettings, Listen, MonitoringSettings, NotifyOn, NotifySettings, PeerSettings,
    Webhook,
};
pub use nearest::nearest;
pub use parameter::Parameter;
pub use process::{Privilege, Process};
pub use proxy::{Proxies, Proxy};
pub use renewable::{PasswordFile, TransportFiles};
pub use report_settings::{Format, LogFormat, ReportSettings, Verbosity};
pub use run::Run;
pub use secret::Secret;
pub use settings::{ServerSettings, Settings, TrustSettings};
pub use settings_error::{EXIT_CODE, SettingsError, SettingsErrors};
pub use settings_warning::SettingsWarning;
pub use signing::SigningKey;
pub use source::Source;
pub use task::{
    AcknowledgeTask, AdoptConsent, AlarmTask, AllInstances, CheckpointTask, ClosedAlarms,
    CompareSource, CompareTarget, Control, Drill, EvidenceTask, Installation, KeyTask,
    ListedAlarms, LocateTask, ServiceTask, ShownValues, StatesTask, Task,
};
pub use transport::{Login, Roots, Transport};
pub use url::Url;
pub use version::{REVISION, VERSION, build_time};
