//! SIGHUP: reads the settings again, as at a start. They are used only if all of them are valid.

use std::fmt;

use log::Level;

use super::monitoring::Monitoring;
use super::setup::{self, CommandError};
use crate::audit::Auditor;
use crate::config::{
    self, AuditSettings, Invocation, MonitoringSettings, Process, Run, ServerSettings, Settings,
    SettingsErrors, TrustSettings,
};
use crate::report::Event;
use crate::stop::Stop;

/// The reason why the earlier settings stay in use.
enum Kept {
    /// The new settings have errors.
    Wrong(SettingsErrors),
    /// The files or addresses that the settings name cannot be used.
    Failed(CommandError),
    /// These settings differ, and cannot change while the program runs.
    Fixed(Vec<&'static str>),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::Wrong(wrong) => f.write_str(&wrong.to_string().replace('\n', "; ")),
            Kept::Failed(failed) => write!(f, "{failed}"),
            Kept::Fixed(names) => write!(
                f,
                "{} cannot change while the program runs: restart it",
                names.join(", ")
            ),
        }
    }
}

/// Reads the settings again. Returns the new settings; `None` if the previous ones stay in use.
pub(super) fn reload(
    process: &Process,
    before: &Settings,
    auditor: &mut Auditor,
    monitoring: &Monitoring,
    stop: &Stop,
) -> Option<Settings> {
    let name = &before.server.name;
    match change(process, before, auditor, monitoring, stop) {
        Ok(settings) => {
            Event::new(Level::Info, "the settings were read again and are in use")
                .text("server", name)
                .log();
            Some(settings)
        }
        Err(kept) => {
            Event::new(
                Level::Error,
                "the settings were read again and are not used, because of an error: the previous settings stay in use",
            )
            .text("server", name)
            .text("reason", kept)
            .log();
            None
        }
    }
}

fn change(
    process: &Process,
    before: &Settings,
    auditor: &mut Auditor,
    monitoring: &Monitoring,
    stop: &Stop,
) -> Result<Settings, Kept> {
    let Invocation::Run(run) = config::load(process).map_err(Kept::Wrong)? else {
        return Err(Kept::Fixed(vec!["the command"])); // the same arguments select the same command
    };
    let Run {
        settings,
        warnings,
        effective,
        ..
    } = *run;
    let fixed = fixed(before, &settings);
    if !fixed.is_empty() {
        return Err(Kept::Fixed(fixed));
    }
    let failed = |failed: CommandError| Kept::Failed(failed);
    let server = setup::server(&settings, stop.clone()).map_err(|none| failed(none.into()))?;
    let is_same = |of: &Settings| {
        let (new, old) = (&settings.monitoring, &of.monitoring);
        (&new.peers, new.peers_required) == (&old.peers, old.peers_required)
    };
    let peers = match is_same(before) {
        true => None,
        false => Some(setup::peer_poller(&settings, auditor.clock()).map_err(failed)?),
    };
    monitoring
        .change_settings(before, &settings, &effective)
        .map_err(failed)?;
    auditor.change_settings(server, setup::policy(&settings), settings.audit.mirror);
    if let Some(peers) = peers {
        auditor.change_peers(peers);
    }
    for warning in warnings {
        log::log!(warning.level(), "{warning}");
    }
    Ok(settings)
}

/// Returns the settings that differ and need a restart: the process has them open, or other programs depend on them.
/// Every field is named, so that a new setting does not compile until its line says whether it needs a restart (`_`: it
/// needs none).
fn fixed(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let Settings {
        compat_mode,
        instance: _, // a flag, so it stays the same
        server,
        audit,
        trust,
        report,
        monitoring,
    } = before;
    let ServerSettings {
        name,
        address,
        port,
        transport: _,
        transport_files: _,
        login: _,
        password_file: _,
        call_timeout: _,
        max_recv_msg_size: _,
    } = server;
    let AuditSettings {
        databases: _,
        run_mode,
        interval: _,
        signatures: _,
        pins: _,
        first_use: _,
        max_idle: _,
        max_fetch: _,
        values: _,
        mirror: _,
    } = audit;
    let TrustSettings { directory, roots } = trust;
    let MonitoringSettings {
        listen,
        notify: _,
        heartbeat: _,
        proxies: _,
        peers: _,
        peers_required: _,
        signer: _,
    } = monitoring;
    let changed = [
        (*compat_mode != after.compat_mode, "--as"),
        (*address != after.server.address, "--immudb-address"),
        (*port != after.server.port, "--immudb-port"),
        (*name != after.server.name, "--server-label"),
        (*directory != after.trust.directory, "--dir"),
        (*roots != after.trust.roots, "--roots-filepath"),
        (*run_mode != after.audit.run_mode, "--once"),
        (
            *listen != after.monitoring.listen,
            "--audit-monitoring-host, --audit-monitoring-port or --no-monitoring",
        ),
        (
            *report != after.report,
            "--json, --quiet, --log-level or --log-format",
        ),
    ];
    let names = changed.into_iter().filter(|(changed, _)| *changed);
    names.map(|(_, name)| name).collect()
}
