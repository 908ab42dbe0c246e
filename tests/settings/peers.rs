//! The settings of peers: `--audit-peer`, tables `[[peer]]`, `--audit-peers-required`.

use std::fs;
use std::path::MAIN_SEPARATOR;

use crate::support::modes::set_mode;
use crate::support::notify_scene::Scene;
use crate::support::program::Run;
use immuaudit::checkpoint::{KeyName, SignerKey};

/// Returns the public key with this name and seed.
fn key(name: &str, seed: u8) -> String {
    let name = KeyName::new(name).expect("a name");
    let key = SignerKey::of_seed(name, &[seed; 32]).expect("a key");
    key.public().to_string()
}

/// Runs `config` with this settings file and these flags.
fn check(scene: &Scene, file: &str, flags: &[&str]) -> Run {
    let path = scene.folder.join("settings.toml");
    fs::write(&path, file).expect("a file");
    set_mode(&path, 0o600).expect("its mode");
    let program = scene.program(&["--config", &path.display().to_string()]);
    program.run(&[&["config"], flags].concat())
}

#[test]
fn configured_peers_are_shown_with_their_keys_and_without_tokens() {
    let scene = Scene::new();
    let (old, new, other) = (key("zone-a", 1), key("zone-a", 2), key("zone-b", 3));
    let password = scene.folder.join("password");
    fs::write(&password, "hush").expect("a file");
    let table = format!(
        "[[peer]]\nurl = \"https://b.example.com/TOKEN/checkpoints\"\nkeys = [\"{other}\"]\nusername = \"me\"\n\
         password-file = '{}'\n",
        password.display()
    );
    let flags = [
        format!("--audit-peer=http://127.0.0.1:9477={old}"),
        format!("--audit-peer=http://127.0.0.1:9477={new}"),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = check(
        &scene,
        &table,
        &[&flags[..], &["--audit-peers-required=2"]].concat(),
    );
    let shown = &run.ends_with(0).stdout;
    let both =
        format!("audit-peer = [\"http://127.0.0.1:9477={old}\", \"http://127.0.0.1:9477={new}\"]");
    for expected in [
        both.as_str(),
        "audit-peers-required = 2",
        "[[peer]] # ",
        "url = \"https://b.example.com/***\"",
        &format!("keys = [\"{other}\"]"),
        "username = \"me\"",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert!(!format!("{run:?}").contains("TOKEN"), "{run:?}");
    assert!(!format!("{run:?}").contains("hush"), "{run:?}");
}

#[test]
fn an_invalid_peer_is_refused_with_its_flag_or_file_and_line() {
    let scene = Scene::new();
    let (one, other) = (key("zone-a", 1), key("zone-b", 2));
    let table = format!("[[peer]]\nurl = \"https://h/TOKEN\"\nkeys = [\"{one}\"]\n");
    let none: &[&str] = &[];
    let of_flag = format!("--audit-peer=http://a:1={one}");
    let elsewhere = format!("--audit-peer=http://b:1={one}");
    for (file, flags, message) in [
        (
            format!("{table}key = \"x\"\n"),
            none,
            "settings.toml:4: unknown key \"key\"; the nearest is keys",
        ),
        (
            format!("[[peer]]\nkeys = [\"{one}\"]\n"),
            none,
            "settings.toml:1: [[peer]]: expected one of url and url-file",
        ),
        (
            "[[peer]]\nurl = \"https://h/TOKEN\"\n".to_owned(),
            none,
            "settings.toml:1: [[peer]]: keys is missing",
        ),
        (
            format!("{table}username = \"me\"\n"),
            none,
            "settings.toml:1: [[peer]]: expected both username and password-file",
        ),
        (
            format!("{table}ca = \"none\"\n"),
            none,
            "peer.ca (settings.toml:4): \"none\": there is no such file",
        ),
        (
            format!("{table}Keys = [\"{one}\"]\n"),
            none,
            "settings.toml:4: [[peer]]: the key keys occurs twice",
        ),
        (
            format!("[[peer]]\nurl = \"https://h\"\nkeys = [\"{one}\", \"{other}\"]\n"),
            none,
            "expected one or more keys with the same name",
        ),
        (
            format!("[[peer]]\nurl = \"https://h\"\nkeys = [\"{one}x\"]\n"),
            none,
            "peer.keys (settings.toml:3): ",
        ),
        (
            "[[peer]]\nurl = \"https://h\"\nkeys = [1]\n".to_owned(),
            none,
            "peer.keys (settings.toml:3): found an array; expected an array of strings in quotes",
        ),
        (
            "[peer]\nurl = \"https://h\"\n".to_owned(),
            none,
            "peer (settings.toml:1): found a table; expected [[peer]] with two brackets",
        ),
        (
            format!("{table}{table}"),
            none,
            "settings.toml:4: [[peer]]: another peer has a key with the name \"zone-a\" too",
        ),
        (
            table.clone(),
            &[of_flag.as_str()],
            "settings.toml:1: [[peer]]: another peer has a key with the name \"zone-a\" too",
        ),
        (
            String::new(),
            &[of_flag.as_str(), elsewhere.as_str()],
            "--audit-peer: \"http://a:1",
        ),
        (
            table.clone(),
            &["--audit-peers-required=2"],
            "--audit-peers-required: \"2\" is not valid; expected at most 1, the number of configured peers",
        ),
    ] {
        let run = check(&scene, &file, flags);
        let stderr = &run.ends_with(3).stderr;
        // the path of the file is not part of the expected message
        let short = stderr.replace(
            &format!("{}{MAIN_SEPARATOR}", scene.folder.path().display()),
            "",
        );
        assert!(
            short.contains(message) || message.starts_with("--audit-peer: "),
            "{message}: {short}"
        );
        assert!(!stderr.contains("TOKEN"), "{stderr}");
        if message.starts_with("--audit-peer: ") {
            assert!(short.contains("one URL for each key name"), "{short}");
        }
    }
}

#[test]
fn a_private_key_given_as_a_public_key_is_not_printed() {
    let scene = Scene::new();
    let name = KeyName::new("zone-a").expect("a name");
    let private = SignerKey::of_seed(name, &[7; 32])
        .expect("a key")
        .expose(&[7; 32]);
    let file = format!("[[peer]]\nurl = \"https://h\"\nkeys = [\"{private}\"]\n");
    let flag = format!("--audit-peer=http://h:1={private}");
    let cut = check(&scene, "", &["--audit-peer=http://a:1=zone-a+2b1d6763+BKn"]);
    let message = "it is not of the form NAME+HASH+KEY";
    assert!(cut.ends_with(3).stderr.contains(message), "{cut:?}");
    for run in [check(&scene, &file, &[]), check(&scene, "", &[&flag])] {
        let run = run.ends_with(3);
        assert!(run.stderr.contains("it is a private key"), "{run:?}");
        let seed = private.rsplit('+').next().expect("a seed");
        assert!(!format!("{run:?}").contains(seed), "{run:?}");
    }
}
