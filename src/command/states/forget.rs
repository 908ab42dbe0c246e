//! `states forget`: removes the trusted state of a database. The next state is trusted on first use.

use crate::audit::Exit;
use crate::clock;
use crate::command::setup::{self, CommandError};
use crate::config::{Format, Settings};
use crate::report::{JsonObject, print, print_error};
use crate::text::shell_value;
use crate::trust::Store;

/// Forgets the trusted state of a database; works while the auditor runs.
pub fn run(settings: &Settings, database: &str) -> Result<Exit, CommandError> {
    let store = Store::open_shared(&setup::location(settings))?;
    let json = settings.report.format == Format::Json;
    let Some(trusted) = store.load(database)? else {
        print_error(&format!(
            "immuaudit: {database}: it has no trusted state; immuaudit states list prints the databases that have one"
        ));
        return Ok(Exit::Local);
    };
    if !json {
        print(&format!(
            "{database}: transaction {}, hash {} will not be trusted any more; the next audit trusts the first state that the server shows. History, alarms and evidence stay.",
            trusted.state.tx, trusted.state.hash
        ));
    }
    let forgotten = store.distrust(database, clock::now())?.unwrap_or(trusted);
    print(&if json {
        JsonObject::new()
            .text("server", Some(&settings.server.name))
            .text("database", Some(database))
            .text("result", Some("forgotten"))
            .number("tx", Some(forgotten.state.tx))
            .text("hash", Some(&forgotten.state.hash.to_string()))
            .end()
    } else {
        format!(
            "{database}: forgotten. To trust this state again: --pin {}",
            shell_value(&format!("{database}:{}", forgotten.state))
        )
    });
    Ok(Exit::Good)
}
