//! `accept`: the operator closes a finding.

use super::open::{self, Failed};
use crate::audit::Exit;
use crate::clock;
use crate::config::Settings;
use crate::report::print;
use crate::trust::{Acceptance, Store};

/// Closes one alarm, and adopts what its evidence names; works while the auditor runs.
pub fn run(settings: &Settings, database: &str, alarm: &str) -> Result<Exit, Failed> {
    let store = Store::open_beside(&open::location(settings))?;
    let accepted = store.accept(database, alarm, &who(), clock::now())?;
    print(&match accepted.acceptance {
        Acceptance::Adopted(trusted) => format!(
            "{database}: alarm {alarm} is closed; trusted is now transaction {}, hash {}, as its \
             evidence names it",
            trusted.state.tx, trusted.state.hash
        ),
        Acceptance::Forgotten(state) => format!(
            "{database}: alarm {alarm} is closed; transaction {} is trusted no more, and whatever \
             the database shows next is a first sight",
            state.tx
        ),
        Acceptance::Closed => {
            format!("{database}: alarm {alarm} is closed; what is trusted stays as it is")
        }
        Acceptance::Overtaken => format!(
            "{database}: alarm {alarm} is closed; what is trusted has moved on since and stays as \
             it is"
        ),
    });
    if !accepted.closed_with_it.is_empty() {
        print(&format!(
            "closed with it, being found against the same trusted state: {}",
            accepted.closed_with_it.join(" ")
        ));
    }
    Ok(Exit::Good)
}

/// Who accepts: the user behind sudo, or the user.
fn who() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| format!("uid {}", crate::sys::effective_user()))
}
