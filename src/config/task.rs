//! Tasks: what a command line asks for, once it is read.

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
    /// Its `/states`, and who vouches for its server.
    Url { url: Url, roots: Roots },
}

/// What is to be done with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Says what is wrong with the settings, and what a start would warn of.
    Check,
    /// Audit: once or for ever, as the settings say.
    Audit,
    /// Audit once, then read everything.
    Sweep {
        /// These databases alone; none: all that are audited.
        databases: Vec<String>,
    },
    /// Say what is trusted.
    Status,
    /// Say it of every instance.
    StatusOfAll(AllInstances),
    /// Ask the running auditor how it is.
    Health,
    /// Say where a database was tampered with.
    Locate(LocateTask),
    /// List, show, close or adopt alarms.
    Alarm(AlarmTask),
    /// Acknowledge facts about a database.
    Acknowledge(AcknowledgeTask),
    /// The service.
    Service(ServiceTask),
    /// What is trusted.
    States(StatesTask),
    /// Hold another auditor's export against what is trusted.
    Compare(CompareSource),
    /// Signed states.
    Checkpoint(CheckpointTask),
    /// The key that they are signed with.
    Key(KeyTask),
    /// Findings, as they are kept.
    Evidence(EvidenceTask),
    /// The embedded ledger.
    Drill(Drill),
    /// Send a notification that says it is a test.
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
        /// Of this database; `None`: of all.
        database: Option<String>,
        /// Open ones, or all.
        which: ListedAlarms,
    },
    /// Show one alarm.
    Show {
        /// Its ID.
        alarm: String,
    },
    /// Close alarms and keep the trusted state.
    Close(ClosedAlarms),
    /// Trust the state that the evidence of one alarm names.
    Adopt {
        /// Its ID.
        alarm: String,
        /// Whether the operator is still to be asked.
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

/// What is to be located.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocateTask {
    /// In this database.
    pub database: String,
    /// Held against this, too.
    pub against: Option<CompareTarget>,
    /// What is told of values that differ.
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

/// What is told of values that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownValues {
    /// That they differ.
    No,
    /// The values, escaped and cut.
    Yes,
}

/// What is to be done with findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceTask {
    /// Name them all.
    List,
    /// Tell one for people.
    Show(PathBuf),
    /// Check one again, offline.
    Verify(PathBuf),
}

/// What is to be done with signed states. A file is `-` for standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointTask {
    /// Write one of each database that something is trusted of.
    Export,
    /// Tell those in a file.
    Show(PathBuf),
    /// Check who confirmed those in a file.
    Verify {
        /// Where they are.
        file: PathBuf,
        /// Whose word counts; at least one.
        keys: Vec<VerifierKey>,
        /// How many of them must have confirmed each.
        required: u64,
    },
}

/// What is to be done with the key that signs checkpoints.
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

/// What is to be done about the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceTask {
    /// Make and start it.
    Install(Installation),
    /// Stop it and take it away.
    Uninstall {
        /// States, settings and user too?
        purge: bool,
        /// What was installed.
        installation: Installation,
    },
    /// Hand this on to systemd.
    Control(Control, Option<Instance>),
}

/// What is installed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The instance; `None`: the service without one.
    pub instance: Option<Instance>,
    /// The service's settings file.
    pub config: PathBuf,
    /// What is to be set there.
    pub parameters: Vec<Parameter>,
    /// Where states are kept, as far as settings say.
    pub directories: Vec<PathBuf>,
    /// Is it only to be shown?
    pub dry_run: bool,
}

/// What systemd is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
    /// Say how it is doing.
    Status,
}

/// What is to be done with what is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatesTask {
    /// Write it for another auditor.
    Export,
    /// Show it.
    List,
    /// Take over what another auditor trusted.
    Import {
        /// Its file, or a folder that holds such files.
        path: PathBuf,
        /// Does what the server contradicts become an alarm?
        alarm: bool,
    },
    /// Trust nothing of a database any more.
    Forget {
        /// The database.
        database: String,
    },
}

/// What the embedded ledger is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drill {
    /// Name every lie.
    List,
    /// Audit it, honest and lying in turn, and print a table.
    Table {
        /// This lie alone.
        lie: Option<String>,
    },
    /// Keep it running.
    Serve {
        /// 0: any free port.
        port: u16,
        /// How many databases.
        databases: u64,
        /// How many histories it shows.
        views: u64,
        /// A lie to tell.
        lie: Option<String>,
        /// Add a transaction each time so long has passed.
        grow: Option<Duration>,
    },
}
