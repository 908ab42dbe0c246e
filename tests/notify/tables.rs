//! Receivers with their own settings: `[[receiver]]` tables, CAs and proxies.

use std::fs;
use std::path::MAIN_SEPARATOR;

use crate::support::certificates::certificate_for;
use crate::support::modes::set_mode;
use crate::support::notify_scene::{Scene, is_tampering};
use crate::support::program::Program;
use crate::support::receiver::Receiver;
use crate::support::secure::{Secure, certificates};
use crate::support::tunnel::Tunnel;
use immuaudit::ledger::encode_base64;
use ring::hmac;

const SECRET: &str = "a secret of the pager's own";

/// Writes a file that only its owner can read.
fn write(scene: &Scene, name: &str, text: &str) -> String {
    let path = scene.folder.join(name);
    fs::write(&path, text).expect("a file");
    set_mode(&path, 0o600).expect("its mode");
    path.display().to_string()
}

fn with_settings(scene: &Scene, text: &str) -> Program {
    let file = write(scene, "settings.toml", text);
    scene.program(&["--config", &file])
}

#[test]
fn a_receiver_table_sets_its_own_secret_login_and_condition() {
    let mut scene = Scene::new();
    let (pager, plain, all) = (Receiver::start(), Receiver::start(), Receiver::start());
    let url = write(
        &scene,
        "pager.url",
        &format!("# the pager\n{}\n", pager.url()),
    );
    let secret = write(&scene, "pager.secret", SECRET);
    let auth = write(&scene, "pager.auth", "Bearer abc def\n");
    let text = format!(
        "audit-notification-url = \"{}\"\naudit-notification-username = \"me\"\n\n\
         [[receiver]]\nname = \"pager\"\nurl-file = '{url}'\nsecret-file = '{secret}'\n\
         auth-file = '{auth}'\nwhen = \"tampering\"\n\n\
         [[receiver]]\nname = \"all\"\nurl = \"{}\"\nwhen = \"every-check\"\n",
        plain.url(),
        all.url()
    );
    let program = with_settings(&scene, &text);
    program.once().ends_with(0);
    program.once().ends_with(0);
    assert_eq!(all.received().len(), 2);
    assert!(pager.received().is_empty() && plain.received().is_empty());
    scene.ledger.stop();
    program.once().ends_with(1);
    plain.wait_for(|received| received.body.contains("\"verdict\":\"unreachable\""));
    assert!(pager.received().is_empty());
    scene.ledger.restart().expect("its port is free");
    scene.roll_back();
    program.once().ends_with(2);
    let paged = pager.wait_for(is_tampering);
    assert_eq!(pager.received().len(), 1);
    assert_eq!(paged.header("authorization"), Some("Bearer abc def"));
    assert!(
        paged
            .body
            .starts_with("{\"username\":\"\",\"password\":\"\","),
        "{}",
        paged.body
    );
    let header = |name| paged.header(name).expect("a header");
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    let signed = format!("{id}.{time}.{}", paged.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = encode_base64(hmac::sign(&key, signed.as_bytes()).as_ref());
    assert_eq!(header("webhook-signature"), format!("v1,{tag}"));
    let notification = plain.wait_for(is_tampering);
    assert_eq!(
        (
            notification.header("webhook-id"),
            notification.header("authorization")
        ),
        (None, None)
    );
    assert!(
        notification.body.starts_with("{\"username\":\"me\""),
        "{}",
        notification.body
    );
    let run = program.run(&["notify", "--test"]);
    let run = run.ends_with(0);
    for line in ["pager: delivered", "all: delivered", "1:http://127.0.0.1:"] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
}

#[test]
fn an_invalid_receiver_table_is_refused_with_file_line_and_key() {
    let scene = Scene::new();
    let table = "[[receiver]]\nname = \"pager\"\nurl = \"https://h/TOKEN\"\n";
    for (text, message) in [
        (
            format!("{table}secret = \"x\"\n"),
            "settings.toml:4: unknown key \"secret\"; the nearest is secret-file",
        ),
        (
            "[[receiver]]\nname = \"pager\"\n".to_owned(),
            "settings.toml:1: [[receiver]]: expected one of url and url-file",
        ),
        (
            format!("{table}url-file = \"x\"\n"),
            "settings.toml:1: [[receiver]]: expected one of url and url-file",
        ),
        (
            format!("{table}when = \"every-check\"\nWhen = \"tampering\"\n"),
            "settings.toml:5: [[receiver]]: the key when occurs twice",
        ),
        (
            "[[receiver]]\nurl = \"https://h/TOKEN\"\n".to_owned(),
            "settings.toml:1: [[receiver]]: name is missing",
        ),
        (
            format!("{table}\n{table}"),
            "settings.toml:5: [[receiver]]: an earlier receiver has the name \"pager\" too",
        ),
        (
            "[receiver]\nname = \"pager\"\n".to_owned(),
            "receiver (settings.toml:1): found a table; expected [[receiver]] with two brackets",
        ),
        (
            "[[receiver]]\nname = \"a:b\"\nurl = \"https://h/TOKEN\"\n".to_owned(),
            "receiver.name (settings.toml:2): \"a:b\" is not valid",
        ),
        (
            "[[receiver]]\nname = \"pager\"\nurl = \"htps://h/TOKEN\"\n".to_owned(),
            "receiver.url (settings.toml:3): \"htps://h/***\" is not valid",
        ),
        (
            format!("{table}when = \"never\"\n"),
            "receiver.when (settings.toml:4): \"never\" is not valid; expected one of changes, tampering, every-check",
        ),
        (
            format!("{table}ca = 1\n"),
            "receiver.ca (settings.toml:4): found a number",
        ),
        (
            format!("{table}ca = \"none\"\n"),
            "receiver.ca (settings.toml:4): \"none\": there is no such file",
        ),
        (
            format!(
                "{table}secret-file = '{}'\n",
                write(&scene, "short", "short")
            ),
            "receiver.secret-file (settings.toml:4): ",
        ),
        (
            format!("{table}auth-file = '{}'\n", write(&scene, "two", "a\nb")),
            "receiver.auth-file (settings.toml:4): ",
        ),
    ] {
        let program = with_settings(&scene, &text);
        for args in [
            &["config", "--check"][..],
            &["--once"],
            &["notify", "--test"],
        ] {
            let run = program.run(args);
            let stderr = run.ends_with(3).stderr.clone();
            let stderr = stderr.replace(
                &format!("{}{MAIN_SEPARATOR}", scene.folder.path().display()),
                "",
            );
            assert!(stderr.contains(message), "{message}: {stderr}");
            assert!(!stderr.contains("TOKEN"), "{stderr}");
        }
    }
}

#[test]
fn each_receiver_and_the_heartbeat_are_checked_by_their_own_ca() {
    let scene = Scene::new();
    certificates(&scene.folder);
    let ca = |name: &str| scene.folder.join(name).display().to_string();
    // (CA in the table, CA of --audit-notification-ca, CA of the heartbeat, whether delivery works)
    for (of_table, of_flags, of_heartbeat, is_right) in [
        ("ca.pem", "other.pem", "ca.pem", true),
        ("other.pem", "ca.pem", "other.pem", false),
    ] {
        let mut hook = Secure::start(&scene.folder, "204 No Content", "");
        let mut beat = Secure::start(&scene.folder, "204 No Content", "");
        let text = format!(
            "audit-notification-ca = '{}'\naudit-heartbeat-url = \"https://127.0.0.1:{}/beat\"\n\
             audit-heartbeat-ca = '{}'\n\
             [[receiver]]\nname = \"hook\"\nurl = \"https://127.0.0.1:{}/hook\"\nca = '{}'\n",
            ca(of_flags),
            beat.port,
            ca(of_heartbeat),
            hook.port,
            ca(of_table)
        );
        let run = with_settings(&scene, &text).run(&["notify", "--test"]);
        run.ends_with(i32::from(!is_right));
        let refused = run.stdout.matches("not delivered: TLS: ").count();
        assert_eq!(refused, if is_right { 0 } else { 2 }, "{}", run.stdout);
        assert_eq!(hook.received_text().contains("POST /hook"), is_right);
        assert_eq!(beat.received_text().contains("GET /beat"), is_right);
    }
}

#[test]
fn the_configured_proxy_is_used_and_named_except_for_loopback() {
    let scene = Scene::new();
    let (proxy, direct) = (Receiver::start(), Receiver::start());
    proxy.answer("407 Proxy Authentication Required");
    let address = format!("http://user:TOKEN@127.0.0.1:{}", proxy.port);
    let test = |url: &str, args: &[&str], variables: &[(&str, &str)]| {
        let mut program = scene.program(&["--audit-notification-url", url]).with(args);
        for (name, value) in variables {
            program.variables.push(((*name).into(), (*value).into()));
        }
        let run = program.run(&["notify", "--test"]);
        assert!(!format!("{run:?}").contains("TOKEN"), "{run:?}");
        run
    };
    let far = "http://hooks.invalid/hook";
    for (args, variables, by) in [
        (&["--proxy", &address][..], &[][..], "flag --proxy"),
        (&[], &[("http_proxy", address.as_str())], "http_proxy"),
        (&[], &[("ALL_PROXY", address.as_str())], "ALL_PROXY"),
    ] {
        let before = proxy.received().len();
        let run = test(far, args, variables);
        run.ends_with(1);
        let named = format!("through the proxy http://127.0.0.1:{} ({by})", proxy.port);
        assert!(run.stdout.contains(&named), "{named}: {}", run.stdout);
        let received = proxy.received();
        assert_eq!(received.len(), before + 1, "{by}");
        let head = &received[before].head;
        assert!(head.starts_with("CONNECT hooks.invalid:80 "), "{head}");
    }
    let before = proxy.received().len();
    // no proxy: disabled, set for another scheme, set in capitals, or excluded for this host
    for (args, variables) in [
        (
            &["--proxy", "none"][..],
            &[("http_proxy", address.as_str())][..],
        ),
        (&[], &[("https_proxy", address.as_str())]),
        (&[], &[("HTTP_PROXY", address.as_str())]),
        (
            &[],
            &[("http_proxy", address.as_str()), ("NO_PROXY", ".invalid")],
        ),
    ] {
        // the variables of Windows have no case
        if cfg!(windows) && variables[0].0 == "HTTP_PROXY" {
            continue;
        }
        let run = test(far, args, variables);
        assert!(!run.ends_with(1).stdout.contains("proxy"), "{}", run.stdout);
    }
    let all = [("http_proxy", address.as_str()), ("ALL_PROXY", &address)];
    test(&direct.url(), &[], &all).ends_with(0);
    test(&direct.url(), &["--proxy", &address], &[]).ends_with(0);
    assert_eq!(direct.received().len(), 2);
    assert_eq!(proxy.received().len(), before);
    let wrong = test(far, &[], &[("http_proxy", "socks5://u:TOKEN@h:1")]);
    let message = "proxy (http_proxy): not valid; expected none, or http://";
    assert!(
        wrong.ends_with(3).stderr.contains(message),
        "{}",
        wrong.stderr
    );
}

#[test]
fn notifications_and_heartbeats_arrive_through_a_proxy_that_asks_for_a_login() {
    let scene = Scene::new();
    let hook = Receiver::start();
    let tunnel = Tunnel::to(hook.port);
    let proxy = format!("http://user:TOKEN@127.0.0.1:{}", tunnel.port);
    let program = scene.program(&[
        "--audit-notification-url",
        "http://hooks.invalid/hook?x=1",
        "--audit-heartbeat-url",
        "http://beats.invalid:81/beat",
        "--proxy",
        &proxy,
    ]);
    program.run(&["notify", "--test"]).ends_with(0);
    scene.roll_back();
    program.once().ends_with(2);
    let received = hook.received();
    let mut lines: Vec<&str> = received
        .iter()
        .filter_map(|of| of.head.lines().next())
        .collect();
    let post = "POST /hook?x=1 HTTP/1.1";
    lines.sort_unstable();
    assert_eq!(lines, ["GET /beat HTTP/1.1", post, post]);
    assert!(is_tampering(&received[2]), "{received:?}");
    assert_eq!(received[2].header("host"), Some("hooks.invalid"));
    // only the proxy gets the login
    assert!(!format!("{received:?}").contains("authorization"));
    let login = format!("basic {}", encode_base64(b"user:TOKEN"));
    let mut heads = tunnel.heads();
    heads.sort_unstable();
    let hosts = ["beats.invalid:81", "hooks.invalid:80", "hooks.invalid:80"];
    assert_eq!(heads.len(), hosts.len());
    for (head, host) in heads.iter().zip(hosts) {
        assert!(head.starts_with(&format!("CONNECT {host} ")), "{head}");
        let mut lines = head.lines();
        let line = lines.find(|line| line.to_lowercase().starts_with("proxy-authorization: "));
        let line = line
            .and_then(|line| line.split_once(": "))
            .expect("a login");
        assert!(line.1.eq_ignore_ascii_case(&login), "{head}");
    }
}

#[test]
fn behind_a_proxy_a_receiver_is_checked_by_its_own_name_and_ca() {
    let scene = Scene::new();
    certificates(&scene.folder);
    certificate_for(&scene.folder, "ca", "leaf", "DNS:hooks.invalid");
    for (host, is_right) in [("hooks.invalid", true), ("other.invalid", false)] {
        let mut hook = Secure::start(&scene.folder, "204 No Content", "");
        let tunnel = Tunnel::to(hook.port);
        let program = scene.program(&[
            "--audit-notification-url",
            &format!("https://{host}/hook"),
            "--audit-notification-ca",
            &scene.folder.join("ca.pem").display().to_string(),
            "--proxy",
            &format!("http://127.0.0.1:{}", tunnel.port),
        ]);
        let run = program.run(&["notify", "--test"]);
        run.ends_with(i32::from(!is_right));
        assert_eq!(run.stdout.contains("not delivered: TLS: "), !is_right);
        assert_eq!(hook.received_text().contains("POST /hook"), is_right);
        assert!(tunnel.heads()[0].starts_with(&format!("CONNECT {host}:443 ")));
    }
}

#[test]
fn comparing_with_another_auditor_goes_through_the_proxy_too() {
    let scene = Scene::new();
    let proxy = Receiver::start();
    proxy.answer("502 Bad Gateway");
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let program = scene.program(&["--proxy", &address]);
    let run = program.run(&["compare", "http://auditor.invalid:9477/"]);
    let message = format!("through the proxy {address} (flag --proxy)");
    assert!(run.ends_with(1).stderr.contains(&message), "{}", run.stderr);
    assert!(
        proxy.received()[0]
            .head
            .starts_with("CONNECT auditor.invalid:9477 ")
    );
}
