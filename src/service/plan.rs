//! What installing and uninstalling amount to, step by step.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::facts::Facts;
use super::step::Step;
use super::toml_edit::set_keys;
use super::unit::{UNIT, UNIT_PATH, USER, Unit, below_states, default_state, watchdog};
use crate::config::{Parameter, Persona, Secret};

/// The service to be.
#[derive(Clone, Debug)]
pub struct Service {
    /// The program that runs as it.
    pub program: PathBuf,
    /// Whose place it takes.
    pub persona: Persona,
    /// Its settings file.
    pub config: PathBuf,
    /// What is to be written there.
    pub parameters: Vec<Parameter>,
    /// Where it keeps states, as far as settings say.
    pub directories: Vec<PathBuf>,
    /// Deadline of each call.
    pub call_timeout: Duration,
    /// What it may take, in MiB.
    pub memory: u64,
}

/// What goes with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// The unit alone.
    Nothing,
    /// States, settings and user too.
    Everything,
}

/// Steps, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan(pub Vec<Step>);

/// Where a program goes that the service could not reach where it is.
const PROGRAM: &str = "/usr/local/bin/immuaudit";
/// Folders that the unit hides from the service.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

impl Plan {
    /// The steps that make the service; none of them does again what is done.
    ///
    /// # Errors
    /// The settings file that is there is no TOML.
    pub fn install(service: &Service, facts: &Facts) -> Result<Plan, String> {
        let mut steps = Vec::new();
        for other in &facts.others {
            let name = other.file_name().unwrap_or_default().to_string_lossy();
            steps.push(Step::Note(format!(
                "{name} is there too: systemctl disable --now {name}, once this one runs"
            )));
        }
        let hidden = HIDDEN
            .iter()
            .any(|folder| service.program.starts_with(folder));
        let program = if hidden {
            let (from, to) = (service.program.clone(), PathBuf::from(PROGRAM));
            steps.push(Step::Copy { from, to });
            Path::new(PROGRAM)
        } else {
            service.program.as_path()
        };
        if !facts.user {
            steps.push(Step::run(&[
                "useradd",
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/usr/sbin/nologin",
                USER,
            ]));
        }
        let before = steps.len();
        steps.extend(settings(service, facts)?);
        for directory in &service.directories {
            if below_states(directory).is_none() {
                steps.push(Step::Directory {
                    path: directory.clone(),
                });
                let owner = format!("{USER}:{USER}");
                steps.push(Step::run(&["chown", &owner, &text(directory)]));
            }
        }
        let unit = Unit {
            program,
            persona: service.persona,
            config: &service.config,
            directories: &service.directories,
            watchdog: watchdog(service.call_timeout),
            memory: service.memory,
        };
        let unit = unit.text();
        if facts.unit.as_deref() != Some(&unit) {
            steps.push(Step::Write {
                path: UNIT_PATH.into(),
                text: Secret::new(unit),
                mode: 0o644,
            });
            steps.push(Step::run(&["systemctl", "daemon-reload"]));
        }
        let is_new = steps.len() > before || hidden;
        steps.push(Step::run(&["systemctl", "enable", UNIT]));
        // what runs already has to read what is new
        let word = if is_new { "restart" } else { "start" };
        steps.push(Step::run(&["systemctl", word, UNIT]));
        Ok(Plan(steps))
    }

    /// The steps that take the service away.
    pub fn uninstall(service: &Service, facts: &Facts, purge: Purge) -> Plan {
        let mut steps = Vec::new();
        if facts.unit.is_some() {
            steps.push(Step::run(&["systemctl", "disable", "--now", UNIT]));
            steps.push(Step::Remove(UNIT_PATH.into()));
            steps.push(Step::run(&["systemctl", "daemon-reload"]));
        } else {
            steps.push(Step::Note(format!("there is no {UNIT_PATH}")));
        }
        let mut directories = service.directories.clone();
        if directories.is_empty() {
            directories.push(default_state());
        }
        for directory in directories {
            steps.push(match (purge, below_states(&directory)) {
                (Purge::Everything, Some(_)) => Step::RemoveAll(directory),
                // what else may be in it nobody knows
                (Purge::Everything, None) => Step::Note(format!(
                    "{} is not below /var/lib and is kept: remove it yourself",
                    directory.display()
                )),
                (Purge::Nothing, _) => {
                    Step::Note(format!("the states in {} are kept", directory.display()))
                }
            });
        }
        match purge {
            Purge::Everything => {
                steps.push(Step::Remove(service.config.clone()));
                if facts.user {
                    steps.push(Step::run(&["userdel", USER]));
                }
            }
            Purge::Nothing => steps.push(Step::Note(format!(
                "the settings in {} are kept",
                service.config.display()
            ))),
        }
        Plan(steps)
    }
}

/// The settings file, with the parameters in it, for root and the service alone.
fn settings(service: &Service, facts: &Facts) -> Result<Vec<Step>, String> {
    let path = &service.config;
    let before = facts.config.as_deref();
    let keys: Vec<(&str, &str)> = service
        .parameters
        .iter()
        .map(|parameter| (parameter.key, parameter.value.expose()))
        .collect();
    let first = "# settings of immuaudit: every one is shown by immuaudit --help --all\n";
    let text_after = set_keys(before.unwrap_or(first), &keys)
        .map_err(|fault| format!("{}: {fault}", path.display()))?;
    let mut steps = Vec::new();
    if before != Some(&text_after) {
        steps.push(Step::Write {
            path: path.clone(),
            text: Secret::new(text_after),
            mode: 0o640,
        });
    }
    if !steps.is_empty() || facts.unit.is_none() {
        steps.push(Step::run(&["chgrp", USER, &text(path)]));
        steps.push(Step::run(&["chmod", "0640", &text(path)]));
    }
    Ok(steps)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service {
            program: "/usr/bin/immuaudit".into(),
            persona: Persona::Immuclient,
            config: "/etc/immudb/immuclient.toml".into(),
            parameters: vec![Parameter {
                key: "immudb-address",
                value: Secret::new("\"db\"".to_owned()),
            }],
            directories: Vec::new(),
            call_timeout: Duration::from_secs(10),
            memory: 64,
        }
    }

    fn summaries(plan: &Plan) -> Vec<String> {
        plan.0.iter().map(Step::summary).collect()
    }

    /// What is there once these steps are taken.
    fn after(plan: &Plan) -> Facts {
        let written = |path: &str| {
            plan.0.iter().find_map(|step| match step {
                Step::Write { path: at, text, .. } if at == Path::new(path) => {
                    Some(text.expose().to_owned())
                }
                _ => None,
            })
        };
        Facts {
            user: true,
            unit: written(UNIT_PATH),
            config: written("/etc/immudb/immuclient.toml"),
            others: Vec::new(),
        }
    }

    #[test]
    fn installing_makes_user_settings_and_unit_and_starts_it() {
        let plan = Plan::install(&service(), &Facts::default()).unwrap();
        assert_eq!(
            summaries(&plan),
            [
                "run: useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin immuaudit",
                "write: /etc/immudb/immuclient.toml (0640)",
                "run: chgrp immuaudit /etc/immudb/immuclient.toml",
                "run: chmod 0640 /etc/immudb/immuclient.toml",
                "write: /etc/systemd/system/immuaudit.service (0644)",
                "run: systemctl daemon-reload",
                "run: systemctl enable immuaudit.service",
                "run: systemctl restart immuaudit.service",
            ]
        );
    }

    #[test]
    fn installing_again_changes_nothing() {
        let first = Plan::install(&service(), &Facts::default()).unwrap();
        let second = Plan::install(&service(), &after(&first)).unwrap();
        assert_eq!(
            summaries(&second),
            [
                "run: systemctl enable immuaudit.service",
                "run: systemctl start immuaudit.service",
            ]
        );
    }

    #[test]
    fn the_service_may_take_the_memory_that_it_is_said_to_need() {
        let service = Service {
            memory: 288,
            ..service()
        };
        let plan = Plan::install(&service, &Facts::default()).unwrap();
        let unit = after(&plan).unit.unwrap();
        assert!(unit.contains("\nMemoryMax=288M\n"), "{unit}");
    }

    #[test]
    fn keys_and_comments_that_are_there_are_kept() {
        let facts = Facts {
            config: Some("# ours\nmtls = false # off\n".to_owned()),
            ..Facts::default()
        };
        let plan = Plan::install(&service(), &facts).unwrap();
        assert_eq!(
            after(&plan).config.as_deref(),
            Some("# ours\nmtls = false # off\nimmudb-address = \"db\"\n")
        );
    }

    #[test]
    fn a_program_is_copied_only_where_the_service_could_not_reach_it() {
        let copies = |program: &str| {
            let service = Service {
                program: program.into(),
                ..service()
            };
            let plan = Plan::install(&service, &Facts::default()).unwrap();
            plan.0.iter().any(|step| matches!(step, Step::Copy { .. }))
        };
        assert!(copies("/home/me/immuaudit") && copies("/tmp/immuaudit"));
        assert!(!copies("/opt/immuaudit/immuaudit"));
    }

    #[test]
    fn uninstalling_keeps_states_and_settings_unless_they_are_to_go() {
        let facts = after(&Plan::install(&service(), &Facts::default()).unwrap());
        let kept = Plan::uninstall(&service(), &facts, Purge::Nothing);
        assert!(!kept.0.iter().any(|step| matches!(step, Step::RemoveAll(_))));
        let removed: Vec<&Step> = kept
            .0
            .iter()
            .filter(|s| matches!(s, Step::Remove(_)))
            .collect();
        assert_eq!(removed, [&Step::Remove(UNIT_PATH.into())]);
        let purged = summaries(&Plan::uninstall(&service(), &facts, Purge::Everything));
        for step in [
            "remove with everything in it: /var/lib/immuaudit",
            "remove: /etc/immudb/immuclient.toml",
            "run: userdel immuaudit",
        ] {
            assert!(purged.iter().any(|told| told == step), "{purged:?}");
        }
    }

    #[test]
    fn a_directory_of_others_is_never_purged() {
        let service = Service {
            directories: vec!["/srv".into()],
            ..service()
        };
        let plan = Plan::uninstall(&service, &Facts::default(), Purge::Everything);
        assert!(!plan.0.iter().any(|step| matches!(step, Step::RemoveAll(_))));
    }
}
