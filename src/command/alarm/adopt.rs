//! `alarm adopt`: trusts the state in an alarm's evidence, after the operator has read which states are given up.

use super::report;
use crate::audit::Exit;
use crate::clock;
use crate::command::operator::{self, Consent};
use crate::command::setup::CommandError;
use crate::config::{AdoptConsent, Format, Settings};
use crate::report::{close_command, print, print_error};
use crate::text::Escaped;
use crate::trust::{Adopted, Adoption, Store, StoreError};

/// Prints the consequences, asks for consent, and adopts.
pub fn run(
    settings: &Settings,
    store: &Store,
    id: &str,
    consent: AdoptConsent,
) -> Result<Exit, CommandError> {
    let json = settings.report.format == Format::Json;
    let report = report(store, store.alarm(id)?);
    let changes = matches!(
        report.adoption,
        Ok(Adoption::Replace { .. } | Adoption::Forget { .. })
    );
    if changes && report.alarm.is_open() {
        match json {
            true => print_error(&report.preview()), // stdout has the result only
            false => print(&report.preview()),
        }
        if consent == AdoptConsent::Ask {
            match operator::ask("adopt it") {
                Consent::Given => {}
                Consent::CannotAsk => return Err(CommandError::NoConsent),
                Consent::Refused => {
                    print_error(
                        "immuaudit: nothing was changed: the alarm is still open, and the trusted state is as before",
                    );
                    return Ok(Exit::Incomplete);
                }
            }
        }
    }
    let adopted = store.adopt(id, &operator::name(), clock::now());
    let adopted = adopted.map_err(|failure| match failure {
        failure @ (StoreError::Overtaken { .. } | StoreError::NothingToAdopt { .. }) => {
            let close = close_command(&report.alarm);
            CommandError::NotAdopted { failure, close }
        }
        failure => failure.into(),
    })?;
    if json {
        print(&super::report(store, store.alarm(id)?).json().end());
    } else {
        print(&text(id, &report.alarm.database, &adopted));
    }
    Ok(Exit::Good)
}

fn text(id: &str, database: &str, adopted: &Adopted) -> String {
    let (id, database) = (Escaped::new(id), Escaped::new(database));
    let mut text = match &adopted.trusted {
        Some(trusted) => format!(
            "{database}: alarm {id} is closed; the trusted state is now transaction {}, hash {}",
            trusted.state.tx, trusted.state.hash
        ),
        None => format!(
            "{database}: alarm {id} is closed; no state is trusted any more, and the next one is trusted on first \
             use"
        ),
    };
    if !adopted.also_closed.is_empty() {
        text.push_str(&format!(
            "\nalso closed, because these alarms are about the same given-up state: {}",
            adopted.also_closed.join(" ")
        ));
    }
    text
}
