//! The URLs of receivers contain tokens, so only the scheme, host and port of a URL are printed.

use std::fs;

use crate::support::http::get;
use crate::support::modes::set_mode;
use crate::support::notify_scene::{Scene, wait_until};
use crate::support::program::{Program, Run};
use crate::support::receiver::Receiver;

const TOKEN: &str = "xoxb-12345";

/// Returns the URL of a receiver with a token in its path and in its query.
fn secret_url(receiver: &Receiver) -> String {
    format!("http://127.0.0.1:{}/{TOKEN}/a?key={TOKEN}", receiver.port)
}

#[track_caller]
fn assert_no_token(what: &str, text: &str) {
    assert!(!text.contains(TOKEN), "{what}: {text}");
}

#[track_caller]
fn printed(run: &Run, code: i32) -> String {
    run.ends_with(code);
    let text = format!("{}{}", run.stdout, run.stderr);
    assert_no_token("the output", &text);
    text
}

/// Prints the planned installation. Its directory does not exist yet, because an existing one is
/// not taken over.
fn dry_run(program: &Program, scene: &Scene) -> Run {
    let dir = scene.folder.join("fresh");
    let fresh = Program {
        dir,
        ..program.with(&[])
    };
    fresh.run(&["audit-mode", "install", "--dry-run"])
}

/// Returns the ways to give a URL: flags, a settings file, a file of URLs and a table. Each has a
/// token.
fn ways(scene: &Scene, receiver: &Receiver) -> Vec<Vec<String>> {
    let url = secret_url(receiver);
    let write = |name: &str, text: &str| {
        let path = scene.folder.join(name);
        fs::write(&path, text).expect("a file");
        set_mode(&path, 0o600).expect("its mode");
        path.display().to_string()
    };
    let file = write("urls", &format!("{url}\n"));
    let settings = write(
        "settings.toml",
        &format!("audit-notification-url = [\n  \"{url}\"\n]\naudit-heartbeat-url = \"{url}\"\n"),
    );
    let table = write(
        "table.toml",
        &format!("[[receiver]]\nname = \"pager\"\nurl = \"{url}\"\n"),
    );
    let args = |args: &[&str]| args.iter().map(|word| (*word).to_owned()).collect();
    vec![
        args(&[
            "--audit-notification-url",
            &url,
            "--audit-heartbeat-url",
            &url,
        ]),
        args(&[&format!("--audit-notification-url={url}")]),
        args(&[
            "--audit-notification-url-file",
            &file,
            "--audit-heartbeat-url-file",
            &file,
        ]),
        args(&["--config", &settings]),
        args(&["--config", &table]),
    ]
}

#[test]
fn the_token_of_a_receiver_url_is_never_shown() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    for way in ways(&scene, &receiver) {
        let way: Vec<&str> = way.iter().map(String::as_str).collect();
        let program = scene.program(&["--log-level", "trace"]).with(&way);
        let config = printed(&program.run(&["config"]), 0);
        let origin = format!("http://127.0.0.1:{}", receiver.port);
        let by_file = way.iter().any(|word| word.ends_with("urls"));
        assert!(
            by_file || config.contains(&format!("{origin}/***")),
            "{config}"
        );
        printed(&program.run(&["config", "--check"]), 0);
        receiver.answer("500 No");
        printed(&program.run(&["notify", "--test"]), 1);
        receiver.answer("307 Elsewhere\r\nLocation: /elsewhere");
        printed(&program.run(&["notify", "--test"]), 1);
        receiver.answer("204 No Content");
        let message = printed(&program.run(&["notify", "--test"]), 0);
        assert!(message.contains(": delivered"), "{message}");
        printed(&dry_run(&program, &scene), 0);
        let before = receiver.received().len();
        assert!(before > 0, "the receiver got requests");
        let heads = receiver.received();
        assert!(heads.iter().all(|received| received.head.contains(TOKEN)));
        let mut running = program.start(&["--audit-interval", "50ms"]);
        running.wait_for("status page on");
        let log = running.log();
        let address = log.split("status page on http://").nth(1);
        let address = address.and_then(|rest| rest.split('/').next());
        let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
        for path in ["/metrics", "/status.json", "/states"] {
            assert_no_token(path, &get(port.expect("a port"), path, "*/*").body);
        }
        assert_no_token("/", &get(port.expect("a port"), "/", "text/html").body);
        let line = format!("/proc/{}/cmdline", running.id());
        // on Windows the command line of another user's process is not shown
        if cfg!(target_os = "linux") {
            wait_until("ps shows no token", || {
                !String::from_utf8_lossy(&fs::read(&line).expect("its arguments")).contains(TOKEN)
            });
        }
        running.signal("TERM");
        running.end();
        assert_no_token("the log", &running.log());
    }
}

#[test]
fn an_invalid_url_is_not_shown() {
    let scene = Scene::new();
    let file = scene.folder.join("wrong");
    for wrong in [
        format!("htp://hooks.example/{TOKEN}"),
        format!("https:/hooks.example/{TOKEN}"),
        format!("https://user:{TOKEN}@hooks.example/"),
        format!("https://hooks.example:port/{TOKEN}"),
        format!("https://hooks.example/{TOKEN} x"),
        TOKEN.to_owned(),
    ] {
        fs::write(&file, &wrong).expect("a file");
        let path = file.display().to_string();
        for args in [
            ["--audit-notification-url", &wrong],
            ["--audit-heartbeat-url", &wrong],
            ["--proxy", &wrong],
            ["--audit-notification-url-file", &path],
            ["--audit-heartbeat-url-file", &path],
        ] {
            // for a proxy, a plain name is a host, and a user name is allowed
            if args[0] == "--proxy" && (wrong == TOKEN || wrong.contains('@')) {
                continue;
            }
            let message = printed(&scene.program(&args).run(&["config", "--check"]), 3);
            assert!(message.contains(args[0]), "{message}");
        }
        let mut program = scene.program(&[]);
        let name = "IMMUAUDIT_AUDIT_NOTIFICATION_URL";
        program.variables.push((name.into(), wrong.clone()));
        printed(&program.run(&["config", "--check"]), 3);
    }
    let masked = scene.program(&["--audit-notification-url", "https://h/***"]);
    let message = printed(&masked.run(&["config", "--check"]), 3);
    assert!(
        message.contains("*** replaces the hidden part"),
        "{message}"
    );
}

#[test]
fn an_installed_service_keeps_the_receiver_tables() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let url = secret_url(&receiver);
    let config = scene.folder.join("immuclient.toml");
    let before = format!("mtls = false\n\n[[receiver]]\nname = \"pager\"\nurl = \"{url}\"\n");
    fs::write(&config, before).expect("a file");
    set_mode(&config, 0o600).expect("its mode");
    let path = config.display().to_string();
    let program = scene.program(&["--config", &path, "--audit-heartbeat-url", &url]);
    let message = printed(&dry_run(&program, &scene), 0);
    let origin = format!("http://127.0.0.1:{}", receiver.port);
    let heartbeat = format!("  | audit-heartbeat-url = \"{origin}/***\"\n");
    let table = format!("  | [[receiver]]\n  | name = \"pager\"\n  | url = \"{origin}/***\"\n");
    let (heartbeat, table) = (message.find(&heartbeat), message.find(&table));
    assert!(heartbeat.is_some() && heartbeat < table, "{message}");
}
