//! Signatures, TLS and mutual TLS between the program and real immudb servers.

use std::fs;
use std::path::Path;

use crate::support::certificates::{authority, certificate, openssl};
use crate::support::real::program;
use crate::support::real_scene::Scene;

fn for_each_version(test: fn(&Path)) {
    for version in ["1.11.1", "1.2.4", "0.9.2", "0.9.0"] {
        if let Some(server) = program(version) {
            test(&server);
        }
    }
}

#[test]
fn a_signature_by_the_configured_key_is_required() {
    for_each_version(|server| {
        let scene = Scene::new(server);
        let folder = &scene.folder;
        for name in ["right", "wrong"] {
            openssl(
                folder,
                &format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"),
            );
            openssl(
                folder,
                &format!("ec -in {name}.key -pubout -out {name}.pub"),
            );
        }
        let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
        let real = scene.start(&["--signing-key", &path("right.key")]);
        real.write("defaultdb", "a", 5);
        let signed = scene
            .auditor(&real)
            .with(&["--server-signing-pub-key", &path("right.pub")]);
        signed.once().is(0, "defaultdb", "first-seen");
        real.write("defaultdb", "b", 5);
        signed.once().is(0, "defaultdb", "consistent");
        let other = scene
            .auditor(&real)
            .with(&["--server-signing-pub-key", &path("wrong.pub")]);
        let run = other.once();
        run.is(2, "defaultdb", "bad-signature");

        // two keys in one file, as during a rotation: a signature by either key is accepted
        let both =
            [path("wrong.pub"), path("right.pub")].map(|name| fs::read_to_string(name).unwrap());
        fs::write(folder.join("both.pub"), both.concat()).expect("a file of two keys");
        let rotating = scene
            .auditor(&real)
            .with(&["--server-signing-pub-key", &path("both.pub")]);
        assert_eq!(rotating.once().verdict("defaultdb"), "consistent");
        real.stop();

        let real = scene.start(&[]);
        let unsigned = scene
            .auditor(&real)
            .with(&["--server-signing-pub-key", &path("right.pub")]);
        let run = unsigned.once();
        run.is(2, "defaultdb", "bad-signature");
        assert!(run.reason("defaultdb").contains("not signed"), "{run:#?}");
    });
}

#[test]
fn tls_and_mutual_tls_are_checked_on_both_sides() {
    for_each_version(|server| {
        let scene = Scene::new(server);
        let folder = &scene.folder;
        authority(folder, "ca");
        authority(folder, "otherca");
        certificate(folder, "ca", "server");
        certificate(folder, "ca", "client");
        let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
        let (ca, certificate, key) = (path("ca.pem"), path("server.pem"), path("server.key"));
        let (client, client_key) = (path("client.pem"), path("client.key"));
        let tls = ["--tls-cert", &certificate, "--tls-key", &key];
        let name = ["--servername", "localhost"];

        let before_1 = server.to_string_lossy().contains("immudb-0.9"); // only mutual TLS or no TLS
        if !before_1 {
            let mut real = scene.start(&tls);
            real.client = ["--ca", &ca]
                .iter()
                .chain(&name)
                .map(|word| (*word).to_owned())
                .collect();
            real.write("defaultdb", "a", 5);
            let audit = scene.auditor(&real).with(&name);
            audit
                .with(&["--tls-ca", &ca])
                .once()
                .is(0, "defaultdb", "first-seen");
            audit.with(&["--tls-ca", &path("otherca.pem")]).once().is(
                1,
                "defaultdb",
                "unreachable",
            );
            audit.once().is(1, "defaultdb", "unreachable");
            real.stop();
        }

        let mut real = scene.start(&[&tls[..], &["--client-ca", &ca]].concat());
        real.client = ["--ca", &ca, "--cert", &client, "--key", &client_key]
            .iter()
            .chain(&name)
            .map(|word| (*word).to_owned())
            .collect();
        real.write("defaultdb", "b", 5);
        let audit = scene.auditor(&real).with(&name);
        let ours = ["--mtls", "--certificate", &client, "--pkey", &client_key];
        let mutual = audit.with(&ours);
        let run = mutual.with(&["--clientcas", &ca]).once();
        let first = if before_1 { "first-seen" } else { "consistent" };
        run.is(0, "defaultdb", first);
        // the client's private key does not appear in the output
        let secret = fs::read_to_string(&client_key).expect("a key");
        let secret = secret.lines().nth(1).expect("its first line");
        for (name, value) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            assert!(!value.contains(secret), "the key in {name}");
        }
        let stranger = path("otherca.pem");
        mutual
            .with(&["--clientcas", &stranger])
            .once()
            .is(1, "defaultdb", "unreachable");
        audit
            .with(&["--tls-ca", &ca])
            .once()
            .is(1, "defaultdb", "unreachable");
    });
}
