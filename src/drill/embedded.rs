//! The embedded server for tests and the drill, which start, fill and stop it and run its lies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::ledger::{Ledger, NewEntry, NewTransaction};
use super::lie::{Lie, LieSchedule};
use super::options::Options;
use super::sign::SigningKey;
use super::split::Split;
use super::store::{Access, Store};
use super::transport::{self, Listening, lock};
use crate::ledger::State;

/// The wait before another attempt to listen on a port that is taken.
const BIND_RETRY_WAIT: Duration = Duration::from_millis(50);
/// The maximum number of attempts: 20 seconds.
const MAX_BIND_TRIES: u32 = 400;

/// A running server; it stops when it is dropped.
pub struct Embedded {
    pub(super) store: Arc<Mutex<Store>>,
    listening: Option<Listening>,
    /// The port; `None` if it has no socket.
    port: Option<u16>,
}

impl Embedded {
    /// Starts a server.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start(options: Options) -> grpcio::Result<Embedded> {
        let port = options.port;
        let store = Arc::new(Mutex::new(Store::new(options)));
        let listening = transport::listen(store.clone(), port)?;
        Ok(Embedded {
            port: Some(listening.port),
            listening: Some(listening),
            store,
        })
    }

    /// Creates a server without a socket, which is only reached by `Embedded::in_process`.
    pub fn without_socket(options: Options) -> Embedded {
        Embedded {
            store: Arc::new(Mutex::new(Store::new(options))),
            listening: None,
            port: None,
        }
    }

    /// Returns the port that the server listens on; 0 if it has no socket.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(0)
    }

    /// Returns the public key's PEM if states are signed.
    pub fn public_pem(&self) -> Option<String> {
        self.store()
            .options
            .key
            .as_ref()
            .map(SigningKey::public_pem)
    }

    /// Writes a transaction of one plain entry, and returns its id; `None` if there is no such database.
    pub fn set(&self, database: &str, key: &str, value: &str) -> Option<u64> {
        self.commit(database, vec![NewEntry::set(key, value)])
    }

    /// Writes a transaction of these entries.
    pub fn commit(&self, database: &str, entries: Vec<NewEntry>) -> Option<u64> {
        self.write(
            database,
            NewTransaction {
                entries,
                ..NewTransaction::default()
            },
        )
    }

    /// Writes a transaction.
    pub fn write(&self, database: &str, draft: NewTransaction) -> Option<u64> {
        self.store().write(database, draft)
    }

    /// Writes this many transactions of one entry each.
    pub fn grow(&self, database: &str, by: u64) {
        for _ in 0..by {
            let number = self.state(database).map_or(0, |state| state.tx);
            self.set(
                database,
                &format!("key/{number}"),
                &format!("value {number}"),
            );
        }
    }

    /// Returns the honest state of a database.
    pub fn state(&self, database: &str) -> Option<State> {
        let store = self.store();
        Some(store.databases.get(database)?.honest.state())
    }

    /// Returns the honest state of a database as it was after transaction `tx`.
    pub fn state_at(&self, database: &str, tx: u64) -> Option<State> {
        let store = self.store();
        store.databases.get(database)?.honest.state_at(tx)
    }

    /// Returns the honest ledger of a database, as it is now.
    pub fn ledger(&self, database: &str) -> Option<Ledger> {
        let store = self.store();
        let database = store.databases.get(database)?;
        Some(database.honest.clone())
    }

    /// Replaces a database's ledger by another one, as anyone with access to the server's disk can.
    pub fn put_ledger(&self, database: &str, ledger: Ledger) {
        if let Some(database) = self.store().databases.get_mut(database) {
            database.honest = ledger;
        }
    }

    /// Changes a database's ledger in place, without a copy of it. No call is answered meanwhile.
    pub fn change_ledger(&self, database: &str, change: impl FnOnce(&mut Ledger)) {
        if let Some(database) = self.store().databases.get_mut(database) {
            change(&mut database.honest);
        }
    }

    /// Creates a database without transactions; an existing database of this name is emptied.
    pub fn create_database(&self, name: &str) {
        self.store().create(name);
    }

    /// Deletes a database, as an administrator does.
    pub fn drop_database(&self, name: &str) {
        self.store().databases.remove(name);
    }

    /// Sets what the user may do with a database from now on.
    pub fn set_access(&self, name: &str, access: Access) {
        if let Some(database) = self.store().databases.get_mut(name) {
            database.access = access;
        }
    }

    /// Drops the values of all transactions before this one, as retention does.
    pub fn drop_values_before(&self, name: &str, tx: u64) {
        if let Some(database) = self.store().databases.get_mut(name) {
            database.dropped_before = tx;
        }
    }

    /// Runs a lie from now on, instead of any other.
    pub fn lie(&self, schedule: impl Into<LieSchedule>) {
        self.store().tell(schedule.into());
    }

    /// Returns the lie that is running.
    pub fn lying(&self) -> Option<Lie> {
        self.store().lying()
    }

    /// Ends every lie.
    pub fn be_honest(&self) {
        self.store().be_honest();
    }

    /// Shows the second user another history of a database from now on. This adds one transaction to the first
    /// user's history.
    pub fn split(&self, database: &str, split: Split) {
        if let Some(database) = self.store().databases.get_mut(database) {
            database.second = Some(split.of(&mut database.honest));
        }
    }

    /// Shows the second user the ledger of a database as it is now, while the ledger continues to grow: a replica
    /// that lags.
    pub fn lag_behind(&self, database: &str) {
        if let Some(database) = self.store().databases.get_mut(database) {
            database.second = Some(database.honest.clone());
        }
    }

    /// Shows the first history of a database to every user again.
    pub fn heal(&self, database: &str) {
        if let Some(database) = self.store().databases.get_mut(database) {
            database.second = None;
        }
    }

    /// Returns how often each call was made, by `wire::method` name.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.store().calls.clone()
    }

    /// Sets all counts of calls to zero.
    pub fn reset_calls(&self) {
        self.store().calls.clear();
    }

    /// Returns the `immudb-uuid` that the server sends.
    pub fn uuid(&self) -> String {
        self.store().uuid.clone()
    }

    /// Sends a new `immudb-uuid` from now on, as a moved data directory does.
    pub fn change_uuid(&self) {
        let mut store = self.store();
        store.uuid = store.options.random.word(20);
    }

    /// Returns every token and session that is valid at the moment.
    pub fn tokens(&self) -> Vec<String> {
        self.store().tokens.words()
    }

    /// Forgets every token and session, as a restart does.
    pub fn forget_tokens(&self) {
        self.store().tokens.forget_all();
    }

    /// Ends the lifetime of every token and session.
    pub fn expire_tokens(&self) {
        self.store().tokens.expire_all();
    }

    /// Switches authentication on or off, as a restart with another `--auth` does.
    pub fn set_auth(&self, auth: bool) {
        self.store().options.auth = auth;
    }

    /// Accepts only this password at logins from now on.
    pub fn set_password(&self, password: &str) {
        self.store().options.password = password.into();
    }

    /// Ends every connection and stops listening; the databases stay.
    pub fn stop(&mut self) {
        self.listening = None;
        self.store().away = true;
    }

    /// Listens again on the same port, without any token from before. Waits if another program uses the port, as its own
    /// end of a connection or as a free port that the system gave it.
    ///
    /// # Errors
    /// The port was taken meanwhile, and is not free for too long.
    pub fn restart(&mut self) -> grpcio::Result<()> {
        self.stop();
        self.forget_tokens();
        self.store().away = false;
        let Some(port) = self.port else {
            return Ok(());
        };
        let mut tries = 1;
        self.listening = loop {
            match transport::listen(self.store.clone(), port) {
                Ok(listening) => break Some(listening),
                Err(taken) if tries >= MAX_BIND_TRIES => return Err(taken),
                Err(_) => {
                    tries += 1;
                    thread::sleep(BIND_RETRY_WAIT);
                }
            }
        };
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
}
