//! Tests of the steps of a plan, and of the files that no step changes.

use super::super::account::Account;
use super::*;

fn service() -> Service {
    Service {
        program: "/usr/bin/immuaudit".into(),
        compat_mode: CompatMode::Immuclient,
        config: "/etc/immudb/immuclient.toml".into(),
        parameters: vec![Parameter {
            key: "immudb-address",
            value: Secret::new("\"db\"".to_owned()),
        }],
        directory: None,
        roots: None,
        call_timeout: Duration::from_secs(10),
        memory: 64,
    }
}

fn user(comment: &str) -> Account {
    Account {
        user: 900,
        group: 900,
        comment: comment.to_owned(),
    }
}

fn summaries(plan: &Plan) -> Vec<String> {
    plan.0.iter().map(Step::summary).collect()
}

/// Returns the facts after these steps.
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
        user: Some(user(mark::COMMENT)),
        group: true,
        unit: written(UNIT_PATH),
        config: written("/etc/immudb/immuclient.toml"),
        ..Facts::default()
    }
}

#[test]
fn installing_makes_user_settings_and_unit_and_starts_it() {
    let plan = Plan::install(&service(), &Facts::default()).unwrap();
    assert_eq!(
        summaries(&plan),
        [
            "run: useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment audits immudb, made by immuaudit audit-mode install immuaudit",
            "write: /etc/immudb/immuclient.toml (0640, group immuaudit)",
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
fn the_service_may_use_the_memory_that_the_settings_need() {
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
fn a_program_is_copied_only_if_the_service_could_not_reach_it() {
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
    // systemd refuses to run it
    assert!(copies("/opt/'immuaudit'/immuaudit") && copies("/opt/\u{7f}/immuaudit"));
    assert!(!copies("/opt/$immuaudit %d/immuaudit"));
}

#[test]
fn a_program_that_others_can_replace_is_copied_to_where_only_root_can() {
    let installed = |program: Option<&str>, copy: Option<&str>| {
        let service = Service {
            program: "/opt/x/immuaudit".into(),
            ..service()
        };
        let facts = Facts {
            program: program.map(str::to_owned),
            copy: copy.map(str::to_owned),
            ..Facts::default()
        };
        let plan = Plan::install(&service, &facts).unwrap();
        let unit = after(&plan).unit.unwrap();
        let exec = unit.lines().find(|line| line.starts_with("ExecStart="));
        let program = exec.and_then(|line| line.split('"').nth(1)).unwrap();
        let steps = summaries(&plan);
        let first = steps.iter().take_while(|step| !step.contains("useradd"));
        (program.to_owned(), first.cloned().collect::<Vec<_>>())
    };
    let in_place = "/opt/x/immuaudit".to_owned();
    assert_eq!(installed(None, None), (in_place.clone(), Vec::new()));
    // as where the group staff may write /usr/local
    assert_eq!(installed(None, Some("x")), (in_place.clone(), Vec::new()));
    let (program, steps) = installed(Some("/opt/x belongs to user 1000"), None);
    assert_eq!(program, "/usr/local/bin/immuaudit");
    assert!(
        steps[0].ends_with("/opt/x belongs to user 1000"),
        "{steps:?}"
    );
    let copy = "copy: /opt/x/immuaudit to /usr/local/bin/immuaudit (0755)";
    assert_eq!(steps[1..], [copy]);
    // nowhere better to go
    let (program, steps) = installed(Some("/opt/x belongs to user 1000"), Some("x"));
    assert_eq!((program, steps.len()), (in_place, 1));
    assert!(steps[0].starts_with("note: users other than root can replace /opt/x/immuaudit"));
}

#[test]
fn a_path_that_no_unit_can_name_is_refused() {
    let service = Service {
        directory: Some("/srv/a\nExecStartPre=b".into()),
        ..service()
    };
    let message = Plan::install(&service, &Facts::default()).unwrap_err();
    assert!(
        message.starts_with("\"/srv/a\\nExecStartPre=b\": a unit"),
        "{message}"
    );
}

fn uninstalled(service: &Service, facts: &Facts, purge: Purge) -> Vec<String> {
    summaries(&Plan::uninstall(service, facts, purge).unwrap())
}

#[test]
fn uninstalling_keeps_states_and_settings_unless_purged() {
    let facts = after(&Plan::install(&service(), &Facts::default()).unwrap());
    let kept = uninstalled(&service(), &facts, Purge::Nothing);
    let removed: Vec<&String> = kept.iter().filter(|s| s.starts_with("remove")).collect();
    assert_eq!(removed, [&format!("remove: {UNIT_PATH}")]);
    let purged = uninstalled(&service(), &facts, Purge::Everything);
    for step in [
        "remove all states and evidence: /var/lib/immuaudit",
        "remove: /etc/immudb/immuclient.toml",
        "run: userdel immuaudit",
    ] {
        assert!(purged.iter().any(|summary| summary == step), "{purged:?}");
    }
}

#[test]
fn the_directory_of_the_files_is_purged_too_if_only_the_trusted_states_are_elsewhere() {
    let service = Service {
        roots: Some("/srv/roots".into()),
        ..service()
    };
    let facts = after(&Plan::install(&service, &Facts::default()).unwrap());
    let purged = uninstalled(&service, &facts, Purge::Everything);
    for path in ["/var/lib/immuaudit", "/srv/roots"] {
        let step = format!("remove all states and evidence: {path}");
        assert!(purged.contains(&step), "{purged:?}");
    }
}

#[test]
fn only_installed_parts_are_purged() {
    let facts = Facts {
        user: Some(user("somebody")),
        unit: Some("[Unit]\n".to_owned()),
        config: Some("immudb-address = \"db\"\n".to_owned()),
        ..Facts::default()
    };
    let purged = uninstalled(&service(), &facts, Purge::Everything);
    let kept = |summary: &&String| summary.starts_with("note: ") && summary.ends_with(" is kept");
    assert_eq!(purged.iter().filter(kept).count(), 3, "{purged:?}");
    assert_eq!(purged.len(), 4, "{purged:?}");
    // a file that existed before, with keys of the auditor in it
    let before = Facts {
        config: Some("# theirs\n".to_owned()),
        ..Facts::default()
    };
    let facts = after(&Plan::install(&service(), &before).unwrap());
    let purged = uninstalled(&service(), &facts, Purge::Everything);
    let settings = "remove: /etc/immudb/immuclient.toml";
    assert!(
        !purged.iter().any(|summary| summary == settings),
        "{purged:?}"
    );
}

#[test]
fn no_states_are_purged_while_a_foreign_service_exists() {
    let packaged = Facts {
        packaged: Some("/lib/systemd/system/immuaudit.service".into()),
        ..Facts::default()
    };
    let running = Facts {
        active: true,
        ..Facts::default()
    };
    for (facts, remedy) in [(packaged, "apt purge"), (running, "systemctl stop")] {
        let message = Plan::uninstall(&service(), &facts, Purge::Everything).unwrap_err();
        assert!(message.contains(remedy), "{message}");
        Plan::uninstall(&service(), &facts, Purge::Nothing).unwrap();
    }
}

#[test]
fn a_foreign_unit_is_not_replaced() {
    let facts = Facts {
        unit: Some("[Unit]\n".to_owned()),
        ..Facts::default()
    };
    let message = Plan::install(&service(), &facts).unwrap_err();
    assert!(message.contains("move it away first"), "{message}");
}

#[test]
fn only_a_directory_of_the_auditor_is_taken_over() {
    let install = |path: &str, place: Place| {
        let service = Service {
            directory: Some(path.into()),
            ..service()
        };
        let facts = Facts {
            user: Some(user("")),
            group: true,
            places: vec![(path.into(), place)],
            ..Facts::default()
        };
        Plan::install(&service, &facts).map(|plan| {
            let steps = summaries(&plan).into_iter();
            steps
                .filter(|summary| summary.starts_with("make"))
                .collect()
        })
    };
    let made = Ok(vec!["make: /srv/a (0700, user immuaudit)".to_owned()]);
    assert_eq!(install("/srv/a", Place::Absent), made);
    assert_eq!(install("/srv/a", Place::Ours), made);
    assert_eq!(install("/srv/a", Place::OfUser(900)), Ok(Vec::new()));
    assert_eq!(
        install("/var/lib/immuaudit", Place::Foreign),
        Ok(Vec::new())
    );
    for place in [
        Place::Foreign,
        Place::OfUser(901),
        Place::Unknown("a link".into()),
    ] {
        let message = install("/srv", place.clone()).unwrap_err();
        assert!(message.ends_with("such as /srv/immuaudit"), "{message}");
        // systemd would give the whole directory to the service
        install("/var/lib/other", place).unwrap_err();
    }
}

#[test]
fn a_user_or_a_group_that_is_there_is_taken() {
    let first = |user: Option<Account>, group: bool| {
        let facts = Facts {
            user,
            group,
            ..Facts::default()
        };
        let steps = summaries(&Plan::install(&service(), &facts).unwrap());
        steps.into_iter().next().unwrap_or_default()
    };
    assert!(first(None, false).contains(" --user-group "));
    assert!(first(None, true).contains(" --gid immuaudit "));
    assert_eq!(
        first(Some(user("")), false),
        "run: groupadd --system immuaudit"
    );
    assert!(first(Some(user("")), true).starts_with("write: "));
}

#[test]
fn files_that_the_unit_hides_are_named() {
    let service = Service {
        config: "/tmp/immuclient.toml".into(),
        parameters: vec![Parameter {
            key: "audit-password-file",
            value: Secret::new("\"/root/pass\"".to_owned()),
        }],
        ..service()
    };
    let plan = Plan::install(&service, &Facts::default()).unwrap();
    let notes: Vec<String> = summaries(&plan).into_iter().take(3).collect();
    for (note, path) in notes.iter().zip(["/tmp/immuclient.toml", "/root/pass"]) {
        let due = format!("note: the service does not see {path} ");
        assert!(note.starts_with(&due), "{notes:?}");
    }
    assert!(!notes[2].starts_with("note"), "{notes:?}");
}
