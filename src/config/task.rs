//! Tasks: the commands with their arguments, after the command line is read.

use std::path::PathBuf;
use std::time::Duration;

use super::instance::Instance;
use super::parameter::Parameter;
use super::transport::Roots;
use super::url::Url;
use crate::checkpoint::{KeyName, VerifierKey};

/// The source of another auditor's trusted states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareSource {
    /// The output of the other auditor's `states export`.
    File(PathBuf),
    /// The other auditor's checkpoints, with its keys, which have the same name.
    Checkpoints(PathBuf, Vec<VerifierKey>),
    /// The URL of the other auditor's `/states`, and the CAs that are trusted for its server.
    Url { url: Url, roots: Roots },
}

/// The task that uses the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Report errors and warnings about the settings.
    Check,
    /// Audit, once or until stopped.
    Audit,
    /// Audit once, then read everything.
    Sweep {
        /// The databases to read; if empty, all that are audited.
        databases: Vec<String>,
    },
    /// Report the trusted states.
    Status,
    /// Report the trusted states of every instance.
    StatusOfAll(AllInstances),
    /// Ask the running auditor whether it makes progress.
    Health,
    /// Find where the history of a database was rewritten.
    Locate(LocateTask),
    /// List, show, close or adopt alarms.
    Alarm(AlarmTask),
    /// Acknowledge facts about a database.
    Acknowledge(AcknowledgeTask),
    /// Install, remove or control the service.
    Service(ServiceTask),
    /// List, export, import or remove trusted states.
    States(StatesTask),
    /// Compare another auditor's trusted states with the local ones.
    Compare(CompareSource),
    /// Export, show or verify signed states.
    Checkpoint(CheckpointTask),
    /// Create or show the key that signs states.
    Key(KeyTask),
    /// List, show or verify stored findings.
    Evidence(EvidenceTask),
    /// Run the drill or the embedded ledger.
    Drill(Drill),
    /// Send a test notification.
    NotifyTest,
}

/// The auditors on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllInstances {
    /// The instances that have a settings file.
    pub instances: Vec<Instance>,
    /// The settings files in the instances' directory whose name is not that of an instance.
    pub nameless: Vec<PathBuf>,
    /// The common settings file that `--config` names, if it does.
    pub config: Option<PathBuf>,
}

/// Subcommands of `alarm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmTask {
    /// List alarms.
    List {
        /// The database; `None` for all.
        database: Option<String>,
        /// Open ones, or all.
        which: ListedAlarms,
    },
    /// Show one alarm.
    Show {
        /// The ID.
        alarm: String,
    },
    /// Close alarms and leave the trusted state unchanged.
    Close(ClosedAlarms),
    /// Trust the state that the evidence of one alarm names.
    Adopt {
        /// The ID.
        alarm: String,
        /// Whether the operator must still be asked.
        consent: AdoptConsent,
    },
}

/// Alarms to close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClosedAlarms {
    /// The alarms with these IDs; at least one.
    Ids(Vec<String>),
    /// Every open alarm of this database.
    OfDatabase(String),
}

/// Alarms to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedAlarms {
    /// Open alarms.
    Open,
    /// Open and closed alarms.
    All,
}

/// The operator's consent to adopting an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptConsent {
    /// Ask on the terminal.
    Ask,
    /// Given by `--yes`.
    Given,
}

/// Facts to acknowledge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcknowledgeTask {
    /// The database.
    pub database: String,
    /// The last transaction whose absent values are acknowledged.
    pub absent_to: Option<u64>,
    /// Whether the loss of the signature is acknowledged.
    pub unsigned: bool,
    /// Whether disagreements of peers are acknowledged.
    pub disagreement: bool,
}

/// The target of `locate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocateTask {
    /// The database.
    pub database: String,
    /// Another history to compare with.
    pub against: Option<CompareTarget>,
    /// The treatment of values that differ.
    pub values: ShownValues,
}

/// The mirror or server that a database is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareTarget {
    /// A second server, such as a replica or a restored backup.
    Server {
        /// Host name or IP address, an IPv6 one without brackets.
        address: String,
        /// The TCP port; `None` for that of the first server.
        port: Option<u16>,
    },
    /// A mirror that another auditor made.
    Mirror(PathBuf),
}

/// The treatment of values that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownValues {
    /// Report only that the values differ.
    No,
    /// Print the values, escaped and cut.
    Yes,
}

/// The task for findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceTask {
    /// List all findings.
    List,
    /// Print one finding for people.
    Show(PathBuf),
    /// Verify one finding offline.
    Verify(PathBuf),
}

/// The task for signed states. A file is `-` for standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointTask {
    /// Write a signed state of each database with a trusted state.
    Export,
    /// Print the signed states in a file.
    Show(PathBuf),
    /// Verify the signatures in a file.
    Verify {
        /// The file.
        file: PathBuf,
        /// The keys that count; at least one.
        keys: Vec<VerifierKey>,
        /// The number of keys that must have signed each state.
        required: u64,
    },
}

/// The task for the key that signs checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTask {
    /// Create a key in a new file.
    New {
        /// The name.
        name: KeyName,
        /// The file.
        file: PathBuf,
    },
    /// Print the public half of the key in a file.
    Show(PathBuf),
}

/// The task for the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceTask {
    /// Install and start the service.
    Install(Installation),
    /// Stop and remove the service.
    Uninstall {
        /// Whether states, settings and user are also removed.
        purge: bool,
        /// The installed files.
        installation: Installation,
    },
    /// Pass this request to the system's service manager.
    Control(Control, Option<Instance>),
}

/// The service to install or remove, with its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The instance; `None`: the service without one.
    pub instance: Option<Instance>,
    /// The service's settings file.
    pub config: PathBuf,
    /// The parameters to set in it.
    pub parameters: Vec<Parameter>,
    /// The directory of all files, if the settings name one.
    pub directory: Option<PathBuf>,
    /// The directory of the trusted states, if the settings name one.
    pub roots: Option<PathBuf>,
    /// Whether the steps are only printed.
    pub dry_run: bool,
}

/// A request to the system's service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
    /// Report its condition.
    Status,
}

/// The task for the trusted states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatesTask {
    /// Write the trusted states for another auditor.
    Export,
    /// Print the trusted states.
    List,
    /// Import another auditor's trusted states.
    Import {
        /// A file of states, or a folder with such files.
        path: PathBuf,
        /// Whether a state that the server contradicts becomes an alarm.
        alarm: bool,
    },
    /// Remove the trusted state of a database.
    Forget {
        /// The database.
        database: String,
    },
}

/// The task of the embedded ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drill {
    /// List every lie.
    List,
    /// Audit an honest ledger and every lie, and print a table.
    Table {
        /// Only this lie; `None` for all.
        lie: Option<String>,
    },
    /// Serve the embedded ledger.
    Serve {
        /// The port; 0 for any free one.
        port: u16,
        /// The number of databases.
        databases: u64,
        /// The number of histories that it shows.
        views: u64,
        /// A lie to run.
        lie: Option<String>,
        /// The time between two new transactions; `None` for none.
        grow: Option<Duration>,
    },
}
