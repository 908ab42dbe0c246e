//! Embedded ledgers with several databases, and rewritten histories.

use immuaudit::drill::{Embedded, Ledger, NewEntry, Options};

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

/// Returns a history that is the same up to a transaction, and differs from there on, up to `last`.
pub fn rewritten(from: &Ledger, common: u64, last: u64) -> Ledger {
    let mut another = from.clone();
    another.truncate(common);
    for number in common..last {
        another.commit(vec![NewEntry::set("another", number.to_string())]);
    }
    another
}
