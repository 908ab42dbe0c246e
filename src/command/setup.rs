//! Builds the server, the store and the policy from the settings.

use std::fmt;
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use log::Level;

use crate::audit::{Auditor, Policy, StateFileError};
use crate::clock::{self, Clock};
use crate::config::{Effective, PeerSettings, Roots, RunMode, Settings, SettingsError, Transport};
use crate::monitor::ListenError;
use crate::peer::{Fetcher, PeerPoller, Witness};
use crate::report::{Event, log_warning};
use crate::server::{ClientCertificate, Endpoint, Security, Server, SystemRootsError, Tls};
use crate::service::make_usual_directory;
use crate::stop::Stop;
use crate::text::Escaped;
use crate::trust::{Location, OutcomeRecord, Store, StoreError};

/// Holds the auditor of a command, with its connection, until the process ends. Closing gRPC may delay the end by a
/// second, because its threads check only once a second whether they must end.
pub fn keep_until_exit(auditor: Auditor) -> ManuallyDrop<Auditor> {
    ManuallyDrop::new(auditor)
}

/// The number of databases that a message names, so that it stays readable.
const MAX_NAMES: usize = 10;

/// An error that ends a command before it has a verdict: exit code 3.
#[derive(Debug)]
pub enum CommandError {
    /// The auditor's own files cannot be used.
    Local(StoreError),
    /// The system has no trusted CAs for TLS.
    NoSystemRoots(SystemRootsError),
    /// Another auditor's files cannot be read.
    States(StateFileError),
    /// A step with the service failed.
    Service(String),
    /// The embedded ledger cannot run.
    Drill(String),
    /// A key, or a file of checkpoints, cannot be used.
    Key(String),
    /// Checkpoints must be signed, but no key is configured.
    NoSigningKey,
    /// The HTTP thread cannot start.
    Monitoring(ListenError),
    /// The thread that asks the peers cannot start.
    NoThread(String),
    /// The auditor's own mirror is no second history.
    OwnMirror(PathBuf),
    /// The operator named an unknown database.
    NoDatabase {
        database: String,
        known: Vec<String>,
    },
    /// An alarm cannot be adopted, with the command that closes it.
    NotAdopted { failure: StoreError, close: String },
    /// The facts to acknowledge do not exist.
    NothingToAcknowledge(String),
    /// Standard input is no terminal, and `--yes` is not given.
    NoConsent,
    /// No receiver is configured.
    NoReceivers,
    /// No port is configured, or only the running auditor knows its number.
    NoProbe,
}

impl std::error::Error for CommandError {}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Local(failure) => write!(f, "{failure}"),
            CommandError::NoSystemRoots(none) => write!(f, "{none}"),
            CommandError::States(bad) => write!(f, "{bad}"),
            CommandError::Service(failure) | CommandError::Drill(failure) => f.write_str(failure),
            CommandError::NoDatabase { database, known } => {
                write!(
                    f,
                    "this auditor knows no database {}; {}",
                    Escaped::new(database),
                    known_databases(known)
                )
            }
            CommandError::NotAdopted { failure, close } => write!(
                f,
                "{failure}. To close the alarm and keep the trusted state: {close}"
            ),
            CommandError::Key(failure) | CommandError::NothingToAcknowledge(failure) => {
                f.write_str(failure)
            }
            CommandError::OwnMirror(file) => write!(
                f,
                "{} is this auditor's own mirror, which locate uses anyway: give the mirror of another auditor, or a second server",
                file.display()
            ),
            CommandError::NoSigningKey => f.write_str(
                "a key must sign the checkpoints: create one with immuaudit key new, and give it with --audit-signing-key",
            ),
            CommandError::NoConsent => f.write_str(
                "nothing was changed: standard input is not a terminal, so immuaudit cannot ask for confirmation; give --yes to adopt",
            ),
            CommandError::NoReceivers => {
                f.write_str("no receiver is configured: give --audit-notification-url, --audit-exec or --audit-heartbeat-url")
            }
            CommandError::NoProbe => f.write_str(
                "no monitoring port is configured: health needs the --audit-monitoring-port of the running auditor, not 0, and no --no-monitoring",
            ),
            CommandError::Monitoring(cannot) => write!(f, "{cannot}"),
            CommandError::NoThread(error) => write!(f, "the peers cannot be queried: {error}"),
        }
    }
}

/// Names the databases that an auditor knows, or the first of them.
pub(super) fn known_databases(known: &[String]) -> String {
    if known.is_empty() {
        return "no database has been audited yet".into();
    }
    let names: Vec<String> = known
        .iter()
        .take(MAX_NAMES)
        .map(|known| Escaped::new(known).to_string())
        .collect();
    let more = match known.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(", and {more} more: immuaudit status lists them"),
    };
    format!("known databases: {}{more}", names.join(", "))
}

impl From<StoreError> for CommandError {
    fn from(failure: StoreError) -> CommandError {
        CommandError::Local(failure)
    }
}

impl From<StateFileError> for CommandError {
    fn from(bad: StateFileError) -> CommandError {
        CommandError::States(bad)
    }
}

impl From<ListenError> for CommandError {
    fn from(cannot: ListenError) -> CommandError {
        CommandError::Monitoring(cannot)
    }
}

impl From<SystemRootsError> for CommandError {
    fn from(none: SystemRootsError) -> CommandError {
        CommandError::NoSystemRoots(none)
    }
}

/// Opens the server's files for an auditor, and logs warnings about them. A root process continues as the user that
/// owns them.
pub fn store(settings: &Settings) -> Result<Store, StoreError> {
    make_usual_directory(&settings.trust.directory, settings.instance.as_ref());
    let (location, address) = (location(settings), settings.server.authority());
    Store::act_as_owner(&location)?;
    Store::check_label(&location, &address)?;
    let mut store = Store::open(&location, clock::now())?;
    store.record_address(&address)?;
    for warning in store.warnings() {
        log_warning(&settings.server.name, warning);
    }
    Ok(store)
}

/// Returns the location of the server's files.
pub fn location(settings: &Settings) -> Location {
    Location {
        dir: settings.trust.directory.clone(),
        roots: settings.trust.roots.clone(),
        server: settings.server.name.clone(),
    }
}

/// Takes the server's label from the directory if the settings name no server and the directory has the files of
/// exactly one. If it has several, and none under the default label, the error comes when the files are opened.
pub fn take_only_server(settings: &mut Settings, effective: &Effective) {
    if effective.names_a_server() {
        return;
    }
    if let [only] = Store::known_servers(&location(settings)).as_slice() {
        settings.server.name.clone_from(only);
    }
}

/// Returns every database that has a file or was checked, sorted. Empty databases have no file.
pub fn kept_or_checked(
    store: &Store,
    outcomes: &[OutcomeRecord],
) -> Result<Vec<String>, StoreError> {
    let mut databases = store.databases()?;
    databases.extend(outcomes.iter().map(|outcome| outcome.database.clone()));
    databases.sort();
    databases.dedup();
    Ok(databases)
}

/// Returns whether the settings select a database, so that checks of it are expected.
pub fn is_audited(settings: &Settings, database: &str) -> bool {
    let audit = &settings.audit;
    let is_pinned = audit.pins.iter().any(|pin| pin.database == database);
    is_pinned || audit.databases.selects(database)
}

/// Returns an error if a database is not among the known ones.
pub fn check_known(database: &str, known: Vec<String>) -> Result<(), CommandError> {
    if known.iter().any(|known| known == database) {
        return Ok(());
    }
    Err(CommandError::NoDatabase {
        database: database.into(),
        known,
    })
}

/// Creates the server from the settings. Password and certificate files are read again for each new use. The
/// exception is files that only root may read, if the program was root until it opened the store.
pub fn server(settings: &Settings, stop: Stop) -> Result<Server, SystemRootsError> {
    let server = &settings.server;
    let endpoint = Endpoint {
        address: server.address.clone(),
        port: server.port,
        security: tls(&server.transport).map_or(Security::Plaintext, Security::Tls),
        max_answer: server.max_recv_msg_size,
    };
    let login = server.login.clone();
    let name = server.name.clone();
    let mut built = Server::new(endpoint, login, server.call_timeout, stop)?
        .on_warning(move |warning| Event::new(Level::Warn, warning).text("server", &name).log());
    let password = server.password_file.clone();
    if let Some(file) = password.filter(|file| file.read().is_ok()) {
        built =
            built.with_password_from(move || file.read().map_err(|problem| problem.to_string()));
    }
    let files = server.transport_files.clone();
    if let Some(files) = files.filter(|files| files.read().is_ok()) {
        built = built.with_tls_from(move || match files.read() {
            Ok(transport) => Ok(tls(&transport).unwrap_or_default()),
            Err(problems) => Err(joined(&problems)),
        });
    }
    Ok(built)
}

fn joined(problems: &[SettingsError]) -> String {
    let problems: Vec<String> = problems.iter().map(SettingsError::to_string).collect();
    problems.join("; ")
}

/// Returns the certificates and the key of a connection, `None` without TLS.
fn tls(transport: &Transport) -> Option<Tls> {
    match transport {
        Transport::Plain => None,
        Transport::Tls { roots, server_name } => Some(Tls {
            roots: match roots {
                Roots::System => None,
                Roots::Pem(pem) => Some(pem.clone()),
            },
            client: None,
            server_name: server_name.clone(),
        }),
        Transport::Mutual {
            certificate,
            key,
            authorities,
            server_name,
        } => Some(Tls {
            roots: Some(authorities.clone()),
            client: Some(ClientCertificate {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            server_name: Some(server_name.clone()),
        }),
    }
}

/// Returns the peers from the settings, and the thread that requests their checkpoints, which exists only if there
/// are peers.
pub fn peer_poller(settings: &Settings, clock: &Clock) -> Result<PeerPoller, CommandError> {
    let monitoring = &settings.monitoring;
    if monitoring.peers.is_empty() {
        return Ok(PeerPoller::default());
    }
    let own = monitoring.signer.as_ref().map(|signer| signer.public());
    let is_own = |peer: &&PeerSettings| own.is_some_and(|own| peer.keys.contains(own));
    if let Some(peer) = monitoring.peers.iter().find(is_own) {
        return Err(CommandError::Key(format!(
            "peer {}: its key is the key that this auditor signs with: remove the peer, because an auditor cannot be its own peer",
            Escaped::new(peer.name.as_str())
        )));
    }
    let witness = |peer: &PeerSettings| Witness {
        name: peer.name.clone(),
        keys: peer.keys.clone(),
    };
    let witnesses: Vec<Witness> = monitoring.peers.iter().map(witness).collect();
    let fetcher = Fetcher::start(&monitoring.peers, &settings.server.name, clock.clone());
    let fetcher = fetcher.map_err(|error| CommandError::NoThread(error.to_string()))?;
    let peer_poller = PeerPoller::new(&witnesses, monitoring.peers_required, Box::new(fetcher));
    Ok(match settings.audit.run_mode {
        RunMode::Once => peer_poller.waiting(),
        RunMode::UntilStopped => peer_poller,
    })
}

/// Returns the policy of the audit from the settings.
pub fn policy(settings: &Settings) -> Policy {
    let audit = &settings.audit;
    Policy {
        databases: audit.databases.clone(),
        signatures: audit.signatures.clone(),
        pins: audit.pins.clone(),
        first_use: audit.first_use,
        interval: audit.interval,
        max_idle: audit.max_idle,
        max_fetch: audit.max_fetch,
        values: audit.values,
    }
}
