//! An embedded ledger with several databases.

use immuaudit::drill::{Embedded, Options};

/// Starts a ledger with the default database and these, with twenty transactions each.
pub fn ledger(databases: &[&str]) -> Embedded {
    ledger_with(Options::default(), databases, 20)
}

/// Starts a ledger with the default database and these, with `transactions` each.
pub fn ledger_with(options: Options, databases: &[&str], transactions: u64) -> Embedded {
    let embedded = Embedded::start(options.with_databases(databases)).expect("an embedded ledger");
    embedded.grow("defaultdb", transactions);
    for database in databases {
        embedded.grow(database, transactions);
    }
    embedded
}

/// Returns how often a call was made.
pub fn calls(embedded: &Embedded, name: &str) -> u64 {
    embedded.calls().get(name).copied().unwrap_or(0)
}
