//! `immuaudit drill --serve`: a filled server on which people can try the auditor and other clients.

use std::io::Write;
use std::time::Duration;

use super::embedded::Embedded;
use super::ledger::NewEntry;
use super::lie::Lie;
use super::options::Options;
use super::split::Split;
use super::token::Lifetime;
use crate::ledger::KvMetadata;
use crate::server::DEFAULT_DATABASE;

/// The growth of the server's database while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Only by the clients' writes.
    ByClients,
    /// By one transaction in each interval of this length.
    Every(Duration),
}

/// The number of transactions that [`fill`] writes.
const FILLED_TXS: u64 = 100;
/// The user who gets the second view.
const SECOND_USER: &str = "immudb2";

/// The lifetime of a token, and of a session that is not used: the defaults of immudb 1.11.1.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const SESSION_LIFETIME: Duration = Duration::from_secs(3 * 60);

/// The server's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The port on 127.0.0.1; 0: any free port.
    pub port: u16,
    /// The number of databases: `defaultdb`, `db2` and so on.
    pub databases: u64,
    /// The difference of the history that the user `immudb2` gets, if there is one.
    pub split: Option<Split>,
    /// The growth of the databases.
    pub growth: Growth,
    /// The lie, if any.
    pub lie: Option<Lie>,
}

/// Starts a server with user and password `immudb` and filled databases, writes its port into the first line of
/// `out`, and serves until `stopped` returns true. `stopped` is called again and again, and may sleep for the time
/// that it gets.
///
/// # Errors
/// The port is taken, or `out` cannot be written.
pub fn serve(
    served: &Served,
    out: &mut impl Write,
    mut stopped: impl FnMut(Duration) -> bool,
) -> Result<(), ServeError> {
    let further = (2..=served.databases).map(|number| format!("db{number}"));
    let databases: Vec<String> = std::iter::once(DEFAULT_DATABASE.to_owned())
        .chain(further)
        .collect();
    let server = Embedded::start(Options {
        port: served.port,
        databases: databases.clone(),
        second_user: served.split.map(|_| SECOND_USER.to_owned()),
        token_lifetime: Lifetime::Time(TOKEN_LIFETIME),
        session_lifetime: Lifetime::Time(SESSION_LIFETIME),
        ..Options::default()
    })
    .map_err(|_| ServeError::Port(served.port))?;
    for database in &databases {
        fill(&server, database);
        if let Some(split) = served.split {
            server.split(database, split);
        }
    }
    if let Some(lie) = served.lie {
        server.lie(lie);
    }
    writeln!(
        out,
        "listening on 127.0.0.1:{} (user immudb, password immudb, {}, {FILLED_TXS} transactions each, in memory{})",
        server.port(),
        match databases.len() {
            1 => "database defaultdb".to_owned(),
            count => format!("{count} databases"),
        },
        match served.split {
            None => "",
            Some(_) => "; user immudb2, with the same password, sees other transactions",
        }
    )
    .and_then(|()| out.flush())
    .map_err(ServeError::Output)?;
    let pause = match served.growth {
        Growth::ByClients => Duration::from_secs(1),
        Growth::Every(pause) => pause,
    };
    while !stopped(pause) {
        if let Growth::Every(_) = served.growth {
            for database in &databases {
                server.grow(database, 1);
            }
        }
    }
    Ok(())
}

/// The reason why the server did not start.
#[derive(Debug)]
pub enum ServeError {
    /// The server cannot listen on the port.
    Port(u16),
    /// The port cannot be printed.
    Output(std::io::Error),
}

impl std::error::Error for ServeError {}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ServeError::Port(port) => write!(
                f,
                "cannot listen on 127.0.0.1:{port}: another process may use the port; --port 0 selects any free port"
            ),
            ServeError::Output(error) => write!(f, "cannot write to standard output: {error}"),
        }
    }
}

/// Writes a hundred varied transactions: one entry and many, empty values, deletions, references,
/// expiry, and the other kinds of entries.
pub fn fill(server: &Embedded, database: &str) {
    for number in 1..=FILLED_TXS {
        let key = |part: &str| format!("{part}/{number}");
        let value = format!("value of transaction {number}");
        let entries = match number % 10 {
            1 => (0..number)
                .map(|entry| NewEntry::set(format!("many/{number}/{entry}"), &value))
                .collect(),
            2 => vec![NewEntry::set(key("empty"), "")],
            3 => vec![NewEntry::set(key("large"), value.repeat(100))],
            4 => vec![NewEntry::deletion(format!("empty/{}", number - 2))],
            5 => vec![NewEntry::reference(
                key("reference"),
                format!("large/{}", number - 2),
                number - 2,
            )],
            6 => vec![NewEntry::set(key("expiring"), &value).with(KvMetadata {
                expires_at: Some(4_102_444_800), // the year 2100
                ..KvMetadata::default()
            })],
            7 => vec![NewEntry::of_kind(1, key("set"), "")],
            8 => vec![
                NewEntry::of_kind(2, key("row"), &value),
                NewEntry::set(key("key"), &value),
            ],
            9 => vec![NewEntry::set(key("hidden"), &value).with(KvMetadata {
                non_indexable: true,
                ..KvMetadata::default()
            })],
            _ => vec![NewEntry::set(key("key"), &value)],
        };
        server.commit(database, entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(port: u16, growth: Growth) -> Served {
        Served {
            port,
            databases: 1,
            split: None,
            growth,
            lie: None,
        }
    }

    #[test]
    fn the_first_line_has_the_port_and_the_server_runs_until_stopped() {
        let mut out = Vec::new();
        let mut asked = 0;
        let growth = Growth::Every(Duration::ZERO);
        let stopped = |_| {
            asked += 1;
            asked > 3
        };
        serve(&served(0, growth), &mut out, stopped).unwrap();
        let line = String::from_utf8(out).unwrap();
        let port = line.strip_prefix("listening on 127.0.0.1:").unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        assert!(port.parse::<u16>().unwrap() > 0, "{line}");
        assert_eq!((line.lines().count(), asked), (1, 4));
    }

    #[test]
    fn a_taken_port_is_named() {
        let server = Embedded::start(Options::default()).unwrap();
        let taken = served(server.port(), Growth::ByClients);
        let error = serve(&taken, &mut Vec::new(), |_| true);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&server.port().to_string()), "{error}");
    }
}
