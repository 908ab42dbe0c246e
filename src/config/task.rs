//! Tasks: the request in a command line, after it is read.

use std::path::PathBuf;
use std::time::Duration;

use super::instance::Instance;
use super::parameter::Parameter;
use super::settings::Roots;
use super::url::Url;
use crate::checkpoint::{KeyName, VerifierKey};

/// The source of another auditor's trusted states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareSource {
    /// Its `states export`.
    File(PathBuf),
    /// Its checkpoints, known by keys of one name.
    Checkpoints(PathBuf, Vec<VerifierKey>),
    /// The URL of its `/states`, and the CAs that are trusted for its server.
    Url { url: Url, roots: Roots },
}

/// The task that uses the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Report the errors in the settings, and the warnings of a start.
    Check,
    /// Audit: once or for ever, as the settings say.
    Audit,
    /// Audit once, then read everything.
    Sweep {
        /// These databases alone; none: all that are audited.
        databases: Vec<String>,
    },
    /// Report the trusted states.
    Status,
    /// Say it of every instance.
    StatusOfAll(AllInstances),
    /// Request the condition of the running auditor.
    Health,
    /// Report where a database was tampered with.
    Locate(LocateTask),
    /// List, show, close or adopt alarms.
    Alarm(AlarmTask),
    /// Acknowledge facts about a database.
    Acknowledge(AcknowledgeTask),
    /// The service.
    Service(ServiceTask),
    /// The trusted states.
    States(StatesTask),
    /// Compare another auditor's export with the trusted states.
    Compare(CompareSource),
    /// Signed states.
    Checkpoint(CheckpointTask),
    /// The key that they are signed with.
    Key(KeyTask),
    /// Stored findings.
    Evidence(EvidenceTask),
    /// The embedded ledger.
    Drill(Drill),
    /// Send a test notification.
    NotifyTest,
}

/// The auditors on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllInstances {
    /// Those that have a settings file.
    pub instances: Vec<Instance>,
    /// Settings files that are in the instances' directory and name none.
    pub nameless: Vec<PathBuf>,
    /// The common settings file, if another one is named.
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
        /// Its ID.
        alarm: String,
    },
    /// Close alarms and leave the trusted state unchanged.
    Close(ClosedAlarms),
    /// Trust the state that the evidence of one alarm names.
    Adopt {
        /// Its ID.
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
    /// Absent values of transactions up to this one.
    pub absent_to: Option<u64>,
    /// The loss of the signature, and disagreements of peers.
    pub unsigned: bool,
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
    /// A second server: a replica, a restored backup.
    Server {
        /// Host name or IP address, an IPv6 one without brackets.
        address: String,
        /// TCP port; `None`: the first server's.
        port: Option<u16>,
    },
    /// A mirror that another auditor made.
    Mirror(PathBuf),
}

/// The treatment of values that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownValues {
    /// That they differ.
    No,
    /// The values, escaped and cut.
    Yes,
}

/// The task for findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceTask {
    /// Name them all.
    List,
    /// Print one for people.
    Show(PathBuf),
    /// Check one again, offline.
    Verify(PathBuf),
}

/// The task for signed states. A file is `-` for standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointTask {
    /// Write one of each database that something is trusted of.
    Export,
    /// Print those in a file.
    Show(PathBuf),
    /// Check the signers of those in a file.
    Verify {
        /// The file.
        file: PathBuf,
        /// The keys that count; at least one.
        keys: Vec<VerifierKey>,
        /// The number of them that must have confirmed each.
        required: u64,
    },
}

/// The task for the key that signs checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTask {
    /// Make one, in a new file.
    New {
        /// Its name.
        name: KeyName,
        /// The file.
        file: PathBuf,
    },
    /// Print the public half of the one in a file.
    Show(PathBuf),
}

/// The task for the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceTask {
    /// Make and start it.
    Install(Installation),
    /// Stop it and take it away.
    Uninstall {
        /// Whether states, settings and user are also removed.
        purge: bool,
        /// The installed files.
        installation: Installation,
    },
    /// Pass this on to systemd.
    Control(Control, Option<Instance>),
}

/// The installed service and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The instance; `None`: the service without one.
    pub instance: Option<Instance>,
    /// The service's settings file.
    pub config: PathBuf,
    /// The parameters to set in it.
    pub parameters: Vec<Parameter>,
    /// The directories of states, as far as settings name them.
    pub directories: Vec<PathBuf>,
    /// Whether it is only printed.
    pub dry_run: bool,
}

/// The request to systemd.
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
    /// Write it for another auditor.
    Export,
    /// Show it.
    List,
    /// Import another auditor's trusted states.
    Import {
        /// Its file, or a folder with such files.
        path: PathBuf,
        /// Whether a state that the server contradicts becomes an alarm.
        alarm: bool,
    },
    /// Trust nothing of a database any more.
    Forget {
        /// The database.
        database: String,
    },
}

/// The task of the embedded ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drill {
    /// Name every lie.
    List,
    /// Audit it, honest and lying in turn, and print a table.
    Table {
        /// This lie alone.
        lie: Option<String>,
    },
    /// Let it run.
    Serve {
        /// 0: any free port.
        port: u16,
        /// The number of databases.
        databases: u64,
        /// The number of histories that it shows.
        views: u64,
        /// A lie to run.
        lie: Option<String>,
        /// Add a transaction each time so long has passed.
        grow: Option<Duration>,
    },
}
