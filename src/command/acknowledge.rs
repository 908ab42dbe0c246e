//! `acknowledge`: marks facts about a database as explained, so that they raise no further warning. Works while the
//! auditor runs.

use super::operator;
use super::setup::{self, CommandError};
use crate::audit::Exit;
use crate::clock;
use crate::config::{AcknowledgeTask, Format, Settings};
use crate::report::{JsonObject, print};
use crate::text::Escaped;
use crate::trust::{Acknowledged, Acknowledgement, Store};

/// Acknowledges absent values, a lost signature, or disagreements of peers.
pub fn run(settings: &Settings, task: &AcknowledgeTask) -> Result<Exit, CommandError> {
    let store = Store::open_shared(&setup::location(settings))?;
    setup::check_known(&task.database, store.databases()?)?;
    let change = Acknowledgement {
        absent_to: task.absent_to,
        unsigned: task.unsigned,
        disagreement: task.disagreement,
    };
    let acknowledged =
        store.acknowledge(&task.database, change, &operator::name(), clock::now())?;
    print(&match settings.report.format {
        Format::Json => JsonObject::new()
            .text("server", Some(&settings.server.name))
            .text("database", Some(&task.database))
            .number(
                "absent_to",
                Some(acknowledged.absent_to).filter(|tx| *tx > 0),
            )
            .number("unsigned_after", acknowledged.unsigned_after)
            .shown("disagreements_to", acknowledged.disagreements_to)
            .end(),
        Format::Text => lines(&acknowledged)
            .map(|line| format!("{}: {line}", Escaped::new(&task.database)))
            .collect::<Vec<_>>()
            .join("\n"),
    });
    Ok(Exit::Good)
}

/// Returns a line about each acknowledged fact.
pub(super) fn lines(acknowledged: &Acknowledged) -> impl Iterator<Item = String> {
    let absent = Some(acknowledged.absent_to).filter(|tx| *tx > 0);
    let absent = absent.map(|tx| format!("acknowledged: absent values up to transaction {tx}"));
    let unsigned = acknowledged
        .unsigned_after
        .map(|tx| format!("acknowledged: no signature after transaction {tx}"));
    let disagreements = acknowledged
        .disagreements_to
        .map(|to| format!("acknowledged: disagreements of peers found until {to}"));
    [absent, unsigned, disagreements].into_iter().flatten()
}
