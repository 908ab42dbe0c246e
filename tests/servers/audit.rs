//! The program against real immudb servers, end to end.

use std::fs;
use std::path::Path;

use crate::support::program::{Program, member};
use crate::support::real::{Real, copy, for_versions, program};
use crate::support::real_scene::Scene;

for_versions!(
    growth_and_a_restart_are_consistent,
    many_concurrent_writers_are_consistent,
    an_older_copy_is_rolled_back,
    a_fork_is_inconsistent_until_it_is_adopted,
    an_emptied_server_is_rolled_back,
    a_removed_database_is_rolled_back_and_others_are_checked,
    a_server_that_is_down_is_unreachable_and_then_consistent,
    a_wrong_password_is_refused,
    without_authentication_the_default_database_is_audited,
    in_maintenance_mode_all_databases_are_audited,
    a_user_audits_only_its_own_databases,
    every_kind_of_entry_is_consistent,
    the_servers_own_database_is_audited_by_its_name,
    a_filter_without_a_match_is_reported,
);

/// No list names `systemdb`; from 1.0 on the administrator may open it.
fn the_servers_own_database_is_audited_by_its_name(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 3);
    let audit = scene
        .auditor(&real)
        .with(&["--audit-databases", "systemdb,defaultdb"]);
    let run = audit.once();
    if server.to_string_lossy().contains("-0.9") {
        run.is(1, "defaultdb", "first-seen");
        let message = "\"systemdb\" selects no database";
        assert!(run.stderr.contains(message), "{run:#?}");
        return;
    }
    run.is(0, "defaultdb", "first-seen");
    run.is(0, "systemdb", "first-seen");
    let flags = [
        "create-user",
        "--name",
        "someone",
        "--password",
        "Some1!one",
    ];
    real.does(&flags); // a write to systemdb
    audit.once().is(0, "systemdb", "consistent");
    // without permission the database cannot be opened
    let other = scene.folder.join("other");
    let audit = Program::new(real.port, &other).with(&[
        "--audit-databases",
        "systemdb,defaultdb",
        "--audit-username",
        "someone",
        "--audit-password",
        "Some1!one",
    ]);
    let run = audit.once();
    run.is(1, "defaultdb", "first-seen");
    assert!(run.stderr.contains("systemdb"), "{run:#?}");
}

fn a_filter_without_a_match_is_reported(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 3);
    let audit = scene
        .auditor(&real)
        .with(&["--audit-databases", "defaultdb,paymets"]);
    let run = audit.once();
    run.is(1, "defaultdb", "first-seen");
    let message = "\"paymets\" selects no database";
    assert!(run.stderr.contains(message), "{run:#?}");
}

fn growth_and_a_restart_are_consistent(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 30);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    scene.auditor(&real).once().is(0, "defaultdb", "consistent");
    real.write("defaultdb", "b", 1);
    scene.auditor(&real).once().is(0, "defaultdb", "consistent");
    real.write("defaultdb", "c", 70);
    let run = scene.auditor(&real).once();
    let line = run.is(0, "defaultdb", "consistent").line("defaultdb");
    let shown = real.does(&["state", "--db", "defaultdb"]);
    let mut words = shown.split_whitespace();
    assert_eq!(words.next(), Some(member(line, "tx")));
    assert_eq!(words.next(), Some(member(line, "hash")));

    real.stop();
    let real = scene.start(&[]);
    scene.auditor(&real).once().is(0, "defaultdb", "consistent");
    real.write("defaultdb", "d", 3);
    scene.auditor(&real).once().is(0, "defaultdb", "consistent");
}

fn many_concurrent_writers_are_consistent(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write_concurrently("defaultdb", "a", 100);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    let audit = scene.auditor(&real);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| real.write_concurrently("defaultdb", "b", 500));
        let mut checked = 0;
        while !writing.is_finished() || checked < 3 {
            let run = audit.once();
            let verdict = run.verdict("defaultdb");
            // an old server cannot prove some steps while it is written to; they are never reported
            // as tampering
            assert!(["consistent", "unprovable"].contains(&verdict), "{run:#?}");
            checked += 1;
        }
    });
    real.write("defaultdb", "c", 5);
    audit.once().is(0, "defaultdb", "consistent");
}

fn an_older_copy_is_rolled_back(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 20);
    let data = real.stop();
    let older = scene.folder.join("older");
    copy(&data, &older);
    let real = scene.start(&[]);
    real.write("defaultdb", "b", 20);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    real.stop();

    let real = Real::start(&scene.server, &older, &[]);
    scene
        .auditor(&real)
        .once()
        .is(2, "defaultdb", "rolled-back");
    // reported again as long as it lasts
    scene
        .auditor(&real)
        .once()
        .is(2, "defaultdb", "rolled-back");
}

fn a_fork_is_inconsistent_until_it_is_adopted(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 20);
    let data = real.stop();
    let fork = scene.folder.join("fork");
    copy(&data, &fork);
    let real = scene.start(&[]);
    real.write("defaultdb", "b", 20);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    real.stop();

    let real = Real::start(&scene.server, &fork, &[]);
    real.write("defaultdb", "other", 40);
    let audit = scene.auditor(&real);
    let run = audit.once();
    run.is(2, "defaultdb", "inconsistent");
    assert_eq!(member(run.line("defaultdb"), "tampered"), "true");
    assert_eq!(member(run.line("defaultdb"), "open_alarms"), "1");

    // the fork is trusted only after the operator adopts it
    let alarm = audit.open_alarm("defaultdb");
    let evidence = audit.run(&["status"]);
    assert!(evidence.stdout.contains("evidence: "), "{evidence:#?}");
    audit.run(&["alarm", "adopt", &alarm, "--yes"]).ends_with(0);
    audit.once().is(0, "defaultdb", "consistent");
    audit.run(&["status"]).ends_with(0);
}

fn an_emptied_server_is_rolled_back(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 20);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    real.stop();
    let real = Real::start(&scene.server, &scene.folder.join("empty"), &[]);
    scene
        .auditor(&real)
        .once()
        .is(2, "defaultdb", "rolled-back");
    // a longer history of another server is still tampering
    real.write("defaultdb", "other", 50);
    scene
        .auditor(&real)
        .once()
        .is(2, "defaultdb", "inconsistent");
}

fn a_removed_database_is_rolled_back_and_others_are_checked(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.does(&["create-db", "keep", "gone"]);
    for database in ["defaultdb", "keep", "gone"] {
        real.write(database, "a", 5);
    }
    scene
        .auditor(&real)
        .once()
        .ends_with(0)
        .is(0, "gone", "first-seen");
    real.stop();
    fs::remove_dir_all(scene.data().join("gone")).expect("the database's folder");

    let real = scene.start(&[]);
    real.write("keep", "b", 5);
    let run = scene.auditor(&real).once();
    run.is(2, "gone", "rolled-back");
    assert_eq!(run.reason("gone"), "vanished");
    assert_eq!(run.verdict("keep"), "consistent", "{run:#?}");
    assert_eq!(run.verdict("defaultdb"), "consistent", "{run:#?}");
}

fn a_server_that_is_down_is_unreachable_and_then_consistent(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 5);
    let audit = scene.auditor(&real);
    audit.once().is(0, "defaultdb", "first-seen");
    let port = real.port;
    real.stop();
    audit.once().is(1, "defaultdb", "unreachable");
    let real = Real::start_at(&scene.server, &scene.data(), port, &[]);
    real.write("defaultdb", "b", 5);
    audit.once().is(0, "defaultdb", "consistent");
}

fn a_wrong_password_is_refused(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 5);
    let audit = scene.auditor(&real);
    audit.once().is(0, "defaultdb", "first-seen");
    let run = audit.with(&["--audit-password", "Wrong-pass1!"]).once();
    run.is(1, "defaultdb", "refused");
    assert!(!format!("{run:?}").contains("Wrong-pass1!"), "{run:#?}");
}

fn without_authentication_the_default_database_is_audited(server: &Path) {
    let scene = Scene::new(server);
    let mut real = scene.start(&["--auth=false"]);
    real.client = vec!["--no-auth".into()];
    real.write("defaultdb", "a", 5);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    real.write("defaultdb", "b", 5);
    scene.auditor(&real).once().is(0, "defaultdb", "consistent");
}

/// Such a server needs no login, lists no database and opens all of them.
fn in_maintenance_mode_all_databases_are_audited(server: &Path) {
    if server.to_string_lossy().contains("-0.9") {
        return; // it has no maintenance mode
    }
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.does(&["create-db", "shop"]);
    for database in ["defaultdb", "shop"] {
        real.write(database, "a", 5);
    }
    let run = scene.auditor(&real).once();
    run.is(0, "defaultdb", "first-seen")
        .is(0, "shop", "first-seen");
    real.stop();
    let real = scene.start(&["--auth=false", "--maintenance"]);
    let run = scene.auditor(&real).once();
    run.is(0, "defaultdb", "consistent")
        .is(0, "shop", "consistent");
}

fn a_user_audits_only_its_own_databases(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.does(&["create-db", "one", "two", "three"]);
    for database in ["one", "two", "three"] {
        real.write(database, "a", 5);
    }
    let user = ["--name", "reader", "--permission", "read"];
    let create = ["create-user", "--password", "Reader-pass1!", "--db", "one"];
    real.does(&[&create[..], &user].concat());
    real.does(&[&["grant", "--db", "two"], &user[..]].concat());
    let audit = scene.auditor(&real).with(&[
        "--audit-username",
        "reader",
        "--audit-password",
        "Reader-pass1!",
    ]);
    let run = audit.once();
    run.is(0, "one", "first-seen").is(0, "two", "first-seen");
    assert!(!run.stdout.contains("three"), "{run:#?}");
    real.write("two", "b", 5);
    audit.once().is(0, "two", "consistent");
}

fn every_kind_of_entry_is_consistent(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write("defaultdb", "a", 5);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    real.does(&["mixed", "--db", "defaultdb"]);
    scene.auditor(&real).once().is(0, "defaultdb", "consistent");
}

#[test]
fn a_dropped_database_has_vanished() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let scene = Scene::new(&server);
    let real = scene.start(&[]);
    real.does(&["create-db", "dropped"]);
    real.write("dropped", "a", 5);
    scene.auditor(&real).once().is(0, "dropped", "first-seen");
    real.does(&["drop-db", "dropped"]);
    let run = scene.auditor(&real).once();
    run.is(2, "dropped", "rolled-back");
    assert_eq!(run.reason("dropped"), "vanished");
}

#[test]
fn an_unloaded_database_is_refused_without_an_alarm() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let scene = Scene::new(&server);
    let real = scene.start(&[]);
    real.does(&["create-db", "resting"]);
    real.write("resting", "a", 5);
    scene.auditor(&real).once().is(0, "resting", "first-seen");
    real.does(&["unload-db", "resting"]);
    scene.auditor(&real).once().is(1, "resting", "refused");
}

#[test]
fn a_hundred_databases_are_all_checked_in_one_cycle() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let scene = Scene::new(&server);
    let real = scene.start(&[]);
    let names: Vec<String> = (0..100).map(|number| format!("db{number}")).collect();
    let create: Vec<&str> = ["create-db"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    real.does(&create);
    for name in &names[..10] {
        real.write(name, "a", 3);
    }
    // a busy machine may be slow with a hundred new databases
    let auditor = scene.auditor(&real).with(&["--call-timeout", "60s"]);
    let run = auditor.once();
    run.ends_with(0);
    for name in &names[..10] {
        run.line(name);
    }
    // ninety databases and defaultdb are empty; the first sixteen have separate lines
    assert!(
        run.stdout
            .contains("91 listed databases have no transactions yet"),
        "{}",
        run.stdout
    );
    assert_eq!(run.stdout.lines().count(), 10 + 16 + 1);
    auditor.once().is(0, "db5", "consistent");
}
