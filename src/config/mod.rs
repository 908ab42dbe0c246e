//! Settings: flags over environment over files over defaults, all from one table.
//!
//! [`load()`] takes the inputs of the process and returns its task. The table is `table::TABLE`. Parsing, help, man
//! page, completions, the effective configuration and the tests read it, so a setting is named only there.
//!
//! Reading order: `setting`, `kind` and `table` (the settings), `command` (the commands), `process` (the inputs),
//! `flags`, `environment` and `file` (the layers), `gather` (all layers together), `raw_settings` and `resolve` (their
//! values, before and after the checks), `settings` and `task` (the result), `load` (from the inputs to the task).

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::panic))]

mod allowed;
mod argv;
mod command;
mod compat_mode;
mod completions;
mod der;
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
mod resolve;
mod secret;
mod service;
mod setting;
mod settings;
mod settings_error;
mod settings_warning;
mod signing;
mod source;
mod table;
mod table_keys;
mod task;
#[cfg(test)]
mod tests;
mod url;
mod value;
mod version;
mod words;

pub use compat_mode::CompatMode;
pub use effective::Effective;
pub use filter::DatabaseFilter;
pub use instance::{DIRECTORY as INSTANCES, Instance};
pub use load::{Invocation, Run, load};
pub use masked::masked_settings;
pub use memory::{memory_needed, size_to_set};
pub use nearest::nearest;
pub use parameter::Parameter;
pub use process::{Privilege, Process};
pub use proxy::{Proxies, Proxy};
pub use renewable::{PasswordFile, TransportFiles};
pub use secret::Secret;
pub use settings::{
    AuditSettings, Auth, FirstUse, Format, HeartbeatSettings, Listen, LogFormat, Login,
    MonitoringSettings, NewValues, NotifyOn, NotifySettings, PeerSettings, Pin, ReportSettings,
    Roots, RunMode, ServerSettings, Settings, Signatures, Transport, TrustSettings, Values,
    Verbosity, Webhook,
};
pub use settings_error::{EXIT_CODE, SettingsError, SettingsErrors};
pub use settings_warning::SettingsWarning;
pub use signing::SigningKey;
pub use source::Source;
pub use task::{
    AcknowledgeTask, AdoptConsent, AlarmTask, AllInstances, CheckpointTask, ClosedAlarms,
    CompareSource, CompareTarget, Control, Drill, EvidenceTask, Installation, KeyTask,
    ListedAlarms, LocateTask, ServiceTask, ShownValues, StatesTask, Task,
};
pub use url::Url;
pub use version::{REVISION, VERSION, build_time};
