//! The plans that install and uninstall one of several auditors on this host.

use std::path::Path;

use super::facts::Facts;
use super::instance::{InstanceFacts, Paths, TEMPLATE, target};
use super::mark;
use super::plan::{
    Plan, Purge, Service, check_unit, hidden_files, remove_settings, settings, user,
};
use super::program::program_to_run;
use super::step::{Reader, Step};
use super::unit::{USER, drop_in, template};
use crate::config::{Instance, Listen, Parameter, Secret};
use crate::service::sd_notify::watchdog;

impl Plan {
    /// Returns the steps that create an instance, without the steps that are already done.
    ///
    /// # Errors
    /// The existing settings file is no TOML.
    pub fn install_instance(
        service: &Service,
        listen: Option<&Listen>,
        facts: &Facts,
        (instance, own): (&Instance, &InstanceFacts),
    ) -> Result<Plan, String> {
        check_unit(TEMPLATE, own.template.as_deref())?;
        let paths = Paths::of(instance, &service.config);
        let mut steps = hidden_files(service);
        let (program, copying) = program_to_run(&service.program, facts);
        let mut is_new = program != service.program;
        steps.extend(copying);
        // the common settings file belongs to its group
        steps.extend(user(USER, facts.user.as_ref(), facts.group));
        steps.extend(user(&paths.user, own.user.as_ref(), own.group));
        // each instance needs access, independent of the umask and of the directories' earlier rights
        let states = paths.states.parent().unwrap_or(Path::new("/var/lib"));
        let folder = service.config.parent().unwrap_or(Path::new("/etc"));
        let words = ["install", "-d", "-m", "0755", &text(folder), &text(states)];
        steps.push(Step::run(&words));
        if own.password {
            let path = text(&paths.password);
            steps.push(Step::run(&["chgrp", &paths.user, &path]));
            steps.push(Step::run(&["chmod", "0640", &path]));
        }
        let before = steps.len();
        let mut service = service.clone();
        let host_and_port = listen.map(|listen| {
            let port = match listen.port {
                0 => own.free_port(),
                port => port,
            };
            (listen.host.as_str(), port)
        });
        if let Some((_, port)) = host_and_port {
            service.parameters.retain(|of| of.key != PORT);
            service.parameters.push(Parameter {
                key: PORT,
                value: Secret::new(port.to_string()),
            });
        }
        let written = settings(&service, facts, Reader::Unchanged)?;
        if !written.is_empty() || own.user.is_none() {
            let path = text(&service.config);
            steps.extend(written);
            steps.push(Step::run(&["chgrp", &paths.user, &path]));
            steps.push(Step::run(&["chmod", "0640", &path]));
        }
        let target = host_and_port.and_then(|(host, port)| target(instance, host, port));
        replace(&mut steps, &paths.target, own.target.as_deref(), target);
        let units = steps.len();
        let template = template(program);
        // an identical template from the package is enough
        let is_packaged = |text: &String| without_first_line(&template) == text;
        if own.template.is_some() || !own.packaged.as_ref().is_some_and(is_packaged) {
            let wanted = Some(template);
            replace(
                &mut steps,
                Path::new(TEMPLATE),
                own.template.as_deref(),
                wanted,
            );
        }
        let wanted = drop_in(watchdog(service.call_timeout), service.memory);
        replace(&mut steps, &paths.drop_in, own.drop_in.as_deref(), wanted);
        if steps.len() > units {
            steps.push(Step::run(&["systemctl", "daemon-reload"]));
        }
        is_new |= steps.len() > before;
        steps.push(Step::run(&["systemctl", "enable", &paths.unit]));
        let word = if is_new { "restart" } else { "start" };
        steps.push(Step::run(&["systemctl", word, &paths.unit]));
        Ok(Plan(steps))
    }

    /// Returns the steps that remove an instance. The last instance also removes the template.
    pub fn uninstall_instance(
        service: &Service,
        settings: Option<&str>,
        purge: Purge,
        (instance, own): (&Instance, &InstanceFacts),
    ) -> Plan {
        let paths = Paths::of(instance, &service.config);
        let mut steps = Vec::new();
        if own.template.is_some() || own.packaged.is_some() {
            steps.push(Step::run(&["systemctl", "disable", "--now", &paths.unit]));
        } else {
            steps.push(Step::Note(format!("there is no {TEMPLATE}")));
        }
        let units = steps.len();
        replace(&mut steps, &paths.drop_in, own.drop_in.as_deref(), None);
        let template = own.template.as_deref();
        if own.others == 0 && template.is_some_and(mark::is_our_unit) {
            replace(&mut steps, Path::new(TEMPLATE), template, None);
        }
        if steps.len() > units {
            steps.push(Step::run(&["systemctl", "daemon-reload"]));
        }
        replace(&mut steps, &paths.target, own.target.as_deref(), None);
        match purge {
            Purge::Everything => {
                steps.push(Step::RemoveStates(paths.states));
                steps.push(remove_settings(service, settings));
                if own.user.as_ref().is_some_and(mark::is_our_user) {
                    steps.push(Step::run(&["userdel", &paths.user]));
                }
            }
            Purge::Nothing => {
                for (what, path) in [("states", &paths.states), ("settings", &service.config)] {
                    steps.push(Step::Note(format!(
                        "the {what} in {} are kept",
                        path.display()
                    )));
                }
            }
        }
        Plan(steps)
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

const PORT: &str = "audit-monitoring-port";

fn without_first_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

/// Writes or removes a file, if it differs from the wanted content.
fn replace(steps: &mut Vec<Step>, path: &Path, there: Option<&str>, wanted: Option<String>) {
    match wanted {
        Some(wanted) if there != Some(&wanted) => steps.push(Step::Write {
            path: path.into(),
            text: Secret::new(wanted),
            mode: 0o644,
            reader: Reader::Unchanged,
        }),
        None if there.is_some() => steps.push(Step::Remove(path.into())),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::systemd::account::Account;

    fn shop() -> Instance {
        Instance::read("shop").unwrap()
    }

    fn made() -> Account {
        Account {
            user: 990,
            group: 990,
            comment: mark::COMMENT.to_owned(),
        }
    }

    fn service() -> Service {
        Service {
            program: "/usr/bin/immuaudit".into(),
            compat_mode: crate::config::CompatMode::Immuclient,
            config: "/etc/immudb/immuaudit.d/shop.toml".into(),
            parameters: vec![Parameter {
                key: "immudb-address",
                value: Secret::new("\"db\"".to_owned()),
            }],
            directory: None,
            roots: None,
            call_timeout: std::time::Duration::from_secs(10),
            memory: 64,
        }
    }

    fn listen() -> Option<Listen> {
        Some(Listen {
            host: "::".into(),
            port: 0,
        })
    }

    fn installed(service: &Service, facts: &Facts, own: &InstanceFacts) -> Plan {
        Plan::install_instance(service, listen().as_ref(), facts, (&shop(), own)).unwrap()
    }

    fn summaries(plan: &Plan) -> Vec<String> {
        plan.0.iter().map(Step::summary).collect()
    }

    fn written(plan: &Plan, path: &str) -> Option<String> {
        plan.0.iter().find_map(|step| match step {
            Step::Write { path: at, text, .. } if at == Path::new(path) => {
                Some(text.expose().to_owned())
            }
            _ => None,
        })
    }

    #[test]
    fn an_instance_gets_a_user_settings_a_port_and_a_unit_of_its_own() {
        let own = InstanceFacts {
            password: true,
            ..InstanceFacts::default()
        };
        let plan = installed(&service(), &Facts::default(), &own);
        let useradd = "run: useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment audits immudb, made by immuaudit audit-mode install";
        assert_eq!(
            summaries(&plan),
            [
                &format!("{useradd} immuaudit"),
                &format!("{useradd} immuaudit-shop"),
                "run: install -d -m 0755 /etc/immudb/immuaudit.d /var/lib/immuaudit.d",
                "run: chgrp immuaudit-shop /etc/immudb/immuaudit.d/shop.pass",
                "run: chmod 0640 /etc/immudb/immuaudit.d/shop.pass",
                "write: /etc/immudb/immuaudit.d/shop.toml (0640)",
                "run: chgrp immuaudit-shop /etc/immudb/immuaudit.d/shop.toml",
                "run: chmod 0640 /etc/immudb/immuaudit.d/shop.toml",
                "write: /etc/immudb/immuaudit.d/shop.json (0644)",
                "write: /etc/systemd/system/immuaudit@.service (0644)",
                "run: systemctl daemon-reload",
                "run: systemctl enable immuaudit@shop.service",
                "run: systemctl restart immuaudit@shop.service",
            ]
        );
        let settings = written(&plan, "/etc/immudb/immuaudit.d/shop.toml").unwrap();
        assert!(
            settings.ends_with("immudb-address = \"db\"\naudit-monitoring-port = 10477\n"),
            "{settings}"
        );
    }

    #[test]
    fn installing_an_instance_again_changes_nothing() {
        let none = InstanceFacts {
            password: true,
            ..InstanceFacts::default()
        };
        let first = installed(&service(), &Facts::default(), &none);
        let own = InstanceFacts {
            user: Some(made()),
            group: true,
            template: written(&first, TEMPLATE),
            target: written(&first, "/etc/immudb/immuaudit.d/shop.json"),
            ..none
        };
        let facts = Facts {
            user: Some(made()),
            group: true,
            config: written(&first, "/etc/immudb/immuaudit.d/shop.toml"),
            ..Facts::default()
        };
        let second = installed(&service(), &facts, &own);
        assert_eq!(
            summaries(&second),
            [
                "run: install -d -m 0755 /etc/immudb/immuaudit.d /var/lib/immuaudit.d",
                "run: chgrp immuaudit-shop /etc/immudb/immuaudit.d/shop.pass",
                "run: chmod 0640 /etc/immudb/immuaudit.d/shop.pass",
                "run: systemctl enable immuaudit@shop.service",
                "run: systemctl start immuaudit@shop.service",
            ]
        );
    }

    #[test]
    fn a_template_that_a_package_brought_is_not_written_again() {
        let packaged = include_str!("../../../deploy/debian/immuaudit@.service").to_owned();
        let own = InstanceFacts {
            packaged: Some(packaged),
            ..InstanceFacts::default()
        };
        let plan = installed(&service(), &Facts::default(), &own);
        assert_eq!(written(&plan, TEMPLATE), None);
        // another program needs a template of its own
        let elsewhere = Service {
            program: "/opt/immuaudit".into(),
            ..service()
        };
        let plan = installed(&elsewhere, &Facts::default(), &own);
        assert!(written(&plan, TEMPLATE).is_some());
    }

    #[test]
    fn uninstalling_an_instance_keeps_the_others_and_its_states() {
        let own = InstanceFacts {
            user: Some(made()),
            group: true,
            template: Some(mark::UNIT.to_owned()),
            target: Some("x".to_owned()),
            drop_in: Some("x".to_owned()),
            others: 1,
            ..InstanceFacts::default()
        };
        let of = |purge, own: &InstanceFacts| {
            summaries(&Plan::uninstall_instance(
                &service(),
                Some(mark::SETTINGS),
                purge,
                (&shop(), own),
            ))
        };
        assert_eq!(
            of(Purge::Nothing, &own),
            [
                "run: systemctl disable --now immuaudit@shop.service",
                "remove: /etc/systemd/system/immuaudit@shop.service.d/install.conf",
                "run: systemctl daemon-reload",
                "remove: /etc/immudb/immuaudit.d/shop.json",
                "note: the states in /var/lib/immuaudit.d/shop are kept",
                "note: the settings in /etc/immudb/immuaudit.d/shop.toml are kept",
            ]
        );
        let last = InstanceFacts { others: 0, ..own };
        let purged = of(Purge::Everything, &last);
        for step in [
            "remove: /etc/systemd/system/immuaudit@.service",
            "remove all states and evidence: /var/lib/immuaudit.d/shop",
            "remove: /etc/immudb/immuaudit.d/shop.toml",
            "run: userdel immuaudit-shop",
        ] {
            assert!(purged.iter().any(|summary| summary == step), "{purged:?}");
        }
    }

    #[test]
    fn purging_an_instance_removes_only_installed_parts() {
        let own = InstanceFacts {
            user: Some(Account {
                comment: "somebody".to_owned(),
                ..made()
            }),
            template: Some("[Unit]\n".to_owned()),
            ..InstanceFacts::default()
        };
        let settings = Some("# mine\n");
        let plan =
            Plan::uninstall_instance(&service(), settings, Purge::Everything, (&shop(), &own));
        let printed = summaries(&plan).join("\n");
        for kept in ["userdel", "remove: /etc"] {
            assert!(!printed.contains(kept), "{printed}");
        }
        let refused = Plan::install_instance(&service(), None, &Facts::default(), (&shop(), &own));
        assert!(refused.unwrap_err().contains("was not written by"));
    }
}
