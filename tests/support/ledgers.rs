//! An embedded ledger of several databases.

use immuaudit::drill::{Embedded, Options};

/// The default database and these, each of twenty transactions.
pub fn ledger(databases: &[&str]) -> Embedded {
    let embedded = Embedded::start(Options::default().with_databases(databases)).unwrap();
    embedded.grow("defaultdb", 20);
    for database in databases {
        embedded.grow(database, 20);
    }
    embedded
}
