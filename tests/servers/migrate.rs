//! Migration from immuclient with a real server: its trusted states are imported and extended, and
//! an import replaces no trusted state.

use std::fs;
use std::path::Path;

use crate::support::immuclient::{Immuclient, Scene, write};
use crate::support::program::{Program, member};
use crate::support::real::{Real, built, copy, program};
use crate::support::temp_dir::TempDir;
use immuaudit::wire::proto::ImmutableState090;
use protobuf::Message;

#[test]
fn the_states_of_a_real_immuclient_are_imported_and_extended() {
    let (Some(immuclient), Some(scene)) = (built("immuclient-1.11.1"), Scene::new("1.11.1")) else {
        return;
    };
    scene.real.write("defaultdb", "a", 20);
    let temporary = scene.folder.join("tmp");
    Immuclient::audit(&immuclient, &scene.real, &temporary);
    scene.real.write("defaultdb", "b", 7);

    let run = scene.import(&temporary);
    run.ends_with(0);
    let line = run.line("defaultdb");
    assert_eq!(
        (member(line, "result"), member(line, "tx")),
        ("imported", "20")
    );
    let run = scene.auditor().run(&["states", "list", "--json"]);
    let line = run.ends_with(0).line("defaultdb");
    assert_eq!(
        (member(line, "tx"), member(line, "trust_origin")),
        ("20", "imported")
    );

    let run = scene.auditor().with(&["--no-first-use"]).once();
    assert_eq!(
        member(run.is(0, "defaultdb", "consistent").line("defaultdb"), "tx"),
        "27"
    );
    // a second import is harmless: the state is an ancestor of the trusted one
    let run = scene.import(&temporary);
    let line = run.ends_with(0).line("defaultdb");
    assert_eq!(member(line, "result"), "ancestor");
    let run = scene.auditor().run(&["states", "list", "--json"]);
    assert_eq!(member(run.line("defaultdb"), "tx"), "27");
}

#[test]
fn a_state_that_is_not_extended_raises_an_alarm_only_on_request() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let file = scene.folder.join("other/uuid/.state");
    scene.write_state(&file, "defaultdb", |state| state.tx_hash[0] ^= 1);

    let run = scene.import(&scene.folder.join("other"));
    let line = run.ends_with(2).line("defaultdb");
    assert_eq!(member(line, "result"), "inconsistent");
    let run = scene.auditor().run(&["states", "list", "--json"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    scene.auditor().run(&["status"]).ends_with(0);

    let path = file.display().to_string();
    let run = scene.auditor().run(&["states", "import", &path, "--alarm"]);
    run.ends_with(2);
    assert!(run.stdout.contains("evidence: "), "{run:#?}");
    scene.auditor().run(&["status"]).ends_with(2);
    let list = scene.auditor().run(&["alarm", "list", "--json"]);
    let evidence = member(list.ends_with(2).line("defaultdb"), "evidence").to_owned();
    let verified = scene.auditor().run(&["evidence", "verify", &evidence]);
    verified.ends_with(2);
    // the import trusted nothing: the next audit is a first use, with the alarm open
    scene.auditor().once().is(2, "defaultdb", "first-seen");
}

#[test]
fn an_import_never_replaces_a_trusted_state() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let (old, fork) = (
        scene.folder.join("old/.state"),
        scene.folder.join("fork/.state"),
    );
    scene.write_state(&old, "defaultdb", |_| {});
    scene.write_state(&fork, "defaultdb", |state| state.tx_hash[0] ^= 1);
    scene.real.write("defaultdb", "b", 5);
    let newer = scene.folder.join("newer/.state");
    scene.auditor().once().is(0, "defaultdb", "first-seen");
    let trusted = scene.auditor().run(&["states", "list"]).stdout;
    scene.real.write("defaultdb", "c", 5);
    scene.write_state(&newer, "defaultdb", |_| {});
    for (path, code, result) in [
        (&old, 0, "ancestor"),
        (&newer, 0, "descendant"),
        (&fork, 2, "inconsistent"),
    ] {
        let run = scene.import(path);
        let line = run.ends_with(code).line("defaultdb");
        assert_eq!(member(line, "result"), result, "{run:#?}");
        assert_eq!(scene.auditor().run(&["states", "list"]).stdout, trusted);
    }
}

#[test]
fn an_older_copy_of_the_server_does_not_extend_a_newer_state() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let Scene { folder, real } = scene;
    let data = real.stop();
    copy(&data, &folder.join("older"));
    let server = program("1.11.1").expect("the server program");
    let scene = Scene {
        real: Real::start(&server, &data, &[]),
        folder,
    };
    scene.real.write("defaultdb", "b", 5);
    let file = scene.folder.join("states/.state");
    scene.write_state(&file, "defaultdb", |_| {});
    let Scene { folder, real } = scene;
    real.stop();
    let scene = Scene {
        real: Real::start(&server, &folder.join("older"), &[]),
        folder,
    };
    let run = scene.import(&file);
    let line = run.ends_with(2).line("defaultdb");
    assert_eq!(member(line, "result"), "rolled-back");
}

#[test]
fn an_unreachable_server_imports_nothing() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let file = scene.folder.join("states/.state");
    scene.write_state(&file, "defaultdb", |_| {});
    let Scene { folder, real } = scene;
    let port = real.port;
    real.stop();
    let auditor = Program::new(port, &folder.join("trust"));
    let path = file.display().to_string();
    let run = auditor.run(&["states", "import", &path, "--json"]);
    assert_eq!(
        member(run.ends_with(1).line("defaultdb"), "result"),
        "unreachable"
    );
}

#[test]
fn states_of_every_version_are_imported() {
    for version in ["0.9.0", "0.9.2", "1.2.4", "1.11.1"] {
        let Some(scene) = Scene::new(version) else {
            continue;
        };
        scene.real.write("defaultdb", "a", 9);
        let file = scene.folder.join("states/.state");
        if version == "0.9.0" {
            let (tx_id, tx_hash) = scene.state("defaultdb");
            let state = ImmutableState090 {
                tx_id,
                tx_hash,
                ..ImmutableState090::default()
            };
            write(&file, "defaultdb", &state.write_to_bytes().unwrap());
        } else {
            scene.write_state(&file, "defaultdb", |_| {});
        }
        scene.real.write("defaultdb", "b", 3);
        let run = scene.import(&file);
        let line = run.ends_with(0).line("defaultdb");
        assert_eq!(member(line, "result"), "imported", "{version}");
        let audit = scene.auditor().with(&["--no-first-use"]);
        audit.once().is(0, "defaultdb", "consistent");
    }
}

#[test]
fn files_without_states_import_nothing_and_name_the_remedy() {
    let folder = TempDir::new();
    let auditor = Program::new(1, &folder.join("trust"));
    let import = |path: &Path| auditor.run(&["states", "import", &path.display().to_string()]);
    fs::create_dir_all(folder.join("empty")).unwrap();
    fs::create_dir_all(folder.join("bad")).unwrap();
    fs::write(folder.join("bad/.state"), "\nshop:no state\n").unwrap();
    for (name, message) in [
        ("none", "none: No such file"),
        (
            "empty",
            "the folder has no file with the name .state: name the folder",
        ),
        (
            "bad",
            ".state:2: the line is not NAME:BASE64 of a state; nothing was imported",
        ),
    ] {
        let run = import(&folder.join(name));
        run.ends_with(3);
        assert!(run.stderr.contains(message), "{run:#?}");
    }
    assert!(!folder.join("trust").exists());
}

#[test]
fn a_forgotten_state_is_no_longer_trusted() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    scene.auditor().once().is(0, "defaultdb", "first-seen");
    let run = scene.auditor().run(&["states", "forget", "defaultdb"]);
    run.ends_with(0);
    let (before, after) = run
        .stdout
        .split_once("will not be trusted any more")
        .unwrap();
    assert!(
        before.contains("transaction 5") && after.contains("forgotten"),
        "{run:#?}"
    );
    scene
        .auditor()
        .run(&["states", "forget", "defaultdb"])
        .ends_with(3);
    scene.auditor().once().is(0, "defaultdb", "first-seen");
}
