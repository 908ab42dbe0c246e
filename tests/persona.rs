//! In the place of immugw: its variables, its file, its settings.

mod support;

use immuaudit::config::{Persona, Signatures};
use immuaudit::drill::{Embedded, Lie, Options, Telling, fill};
use support::place::Place as Folder;
use support::process::{Place, given};
use support::program::Program;

#[test]
fn immuclients_place_is_the_default() {
    let run = given(&[]).variable("IMMUGW_IMMUDB_PORT", "1").run();
    assert_eq!(run.settings.persona, Persona::Immuclient);
    assert_eq!(run.settings.server.port, 3322);
}

#[test]
fn immugws_place_is_taken_by_flag_variable_or_name() {
    let by_flag = given(&["--as", "immugw"]);
    let by_variable = given(&[]).variable("IMMUAUDIT_AS", "immugw");
    let mut by_name = given(&[]);
    by_name.process.name = "immugw".to_owned();
    for place in [by_flag, by_variable, by_name] {
        let place = place.variable("IMMUGW_AUDIT", "true");
        assert_eq!(place.run().settings.persona, Persona::Immugw);
    }
    // the flag wins over the name
    let mut place = given(&["--as=immuclient"]);
    place.process.name = "immugw".to_owned();
    assert_eq!(place.run().settings.persona, Persona::Immuclient);
}

#[test]
fn in_immugws_place_its_variables_and_its_file_count() {
    let place = given(&["--as=immugw"])
        .file("etc/immugw.toml", "audit = true\nport = 3323\naddress = \"0.0.0.0\"\nimmudb-address = \"file\"\naudit-interval = \"5m\"\n")
        .file("etc/immuclient.toml", "immudb-port = 9\n")
        .variable("IMMUCLIENT_IMMUDB_PORT", "8")
        .variable("IMMUGW_AUDIT_USERNAME", "auditor")
        .variable("IMMUGW_IMMUDB_PORT", "7")
        .variable("IMMUGW_ADDRESS", "0.0.0.0")
        .variable("IMMUGW_PORT", "3323");
    let server = place.run().settings.server;
    assert_eq!((server.address.as_str(), server.port), ("file", 7));
    assert_eq!(server.login.username, "auditor");
    let place = place.variable("IMMUAUDIT_IMMUDB_PORT", "6");
    assert_eq!(place.run().settings.server.port, 6);
}

#[test]
fn immugw_audits_only_where_it_is_told_to() {
    let told = "immugw audits only where it is told to, and it is not: give --audit (IMMUGW_AUDIT=true, or audit = true in immugw.toml)";
    assert_eq!(given(&["--as=immugw"]).wrong(), told);
    assert_eq!(given(&["--as=immugw", "--audit=false"]).wrong(), told);
    given(&["--as=immugw", "--audit"]).run();
    // what is no audit needs no leave
    given(&["--as=immugw", "status"]).run();
}

#[test]
fn settings_of_immugws_are_refused_elsewhere() {
    assert_eq!(
        given(&["--audit"]).wrong(),
        "--audit: a setting of immugw's: give --as immugw too, or leave it out"
    );
    let place = Place::new().variable("IMMUAUDIT_AUDIT_SIGNATURE", "validate");
    assert_eq!(
        place.wrong(),
        "audit-signature (IMMUAUDIT_AUDIT_SIGNATURE): a setting of immugw's: give --as immugw too, or leave it out"
    );
    assert_eq!(
        given(&["--as=immudb"]).wrong(),
        "--as: \"immudb\" is none; wanted is one of immuclient, immugw"
    );
}

#[test]
fn a_key_is_never_ignored_silently() {
    let signatures = |arguments: &[&str]| given(arguments).run().settings.audit.signatures;
    let immugw = ["--as=immugw", "--audit"];
    assert_eq!(signatures(&immugw), Signatures::NotRequired);
    let validate = [immugw[0], immugw[1], "--audit-signature=validate"];
    assert_eq!(signatures(&validate), Signatures::ByTheAnswersOwnKey);
    let ignore = [
        immugw[0],
        immugw[1],
        "--audit-signature=ignore",
        "--server-signing-pub-key=x",
    ];
    assert_eq!(
        given(&ignore).wrong(),
        "--audit-signature=ignore and --server-signing-pub-key exclude each other: leave one of them out"
    );
}

#[test]
fn validate_without_a_key_checks_by_the_key_that_comes_along_and_warns() {
    let folder = Folder::new();
    let embedded = Embedded::start(Options::default().signed()).unwrap();
    fill(&embedded, "defaultdb");
    let immugw = Program::new(embedded.port(), &folder.join("trust")).with(&[
        "--as=immugw",
        "--audit",
        "--audit-signature=validate",
    ]);
    let run = immugw.once();
    run.is(0, "defaultdb", "first-seen");
    assert!(run.stderr.contains("proves no identity"), "{run:#?}");
    embedded.lie(Telling::from(Lie::Unsigned));
    immugw.once().is(2, "defaultdb", "signature");
}

#[test]
fn without_audit_nothing_is_started() {
    let folder = Folder::new();
    let run = Program::new(1, &folder.join("trust")).run(&["--as", "immugw", "--once"]);
    run.ends_with(3);
    assert!(run.stderr.contains("give --audit"), "{run:#?}");
    assert!(!folder.join("trust").exists());
}
