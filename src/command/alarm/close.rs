//! `alarm close`: closes an alarm and keeps the trusted state.

use super::report;
use crate::audit::Exit;
use crate::clock;
use crate::command::open::Failed;
use crate::command::operator;
use crate::config::{Format, Settings};
use crate::report::print;
use crate::text::Shown;
use crate::trust::Store;

/// Closes one alarm.
pub fn run(settings: &Settings, store: &Store, alarm: &str) -> Result<Exit, Failed> {
    let closed = store.close_alarm(alarm, &operator::name(), clock::now())?;
    let database = Shown::new(&closed.database);
    let kept = match store.load(&closed.database) {
        Ok(Some(trusted)) => format!(
            "the trusted state stays transaction {}, hash {}",
            trusted.state.tx, trusted.state.hash
        ),
        Ok(None) => "no state of the database is trusted, as before".into(),
        Err(failure) => format!("the trusted state is as before: {failure}"),
    };
    print(&match settings.report.format {
        Format::Json => report(store, closed).json().end(),
        Format::Text => format!(
            "{database}: alarm {} is closed; {kept}. If the finding is still there, the next check opens the \
             alarm again",
            Shown::new(&closed.id)
        ),
    });
    Ok(Exit::Good)
}
