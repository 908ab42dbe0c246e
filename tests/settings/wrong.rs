//! Messages about wrong settings: each names the setting, its source and the remedy.

use crate::support::process::{Setup, given};
use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::config::load;

#[test]
fn a_wrong_command_line_is_reported_with_its_remedy() {
    for (arguments, expected) in [
        (
            &["--audit-intervall", "5m"][..],
            "unknown option \"--audit-intervall\"; the nearest is --audit-interval; --help --all lists every option",
        ),
        (
            &["--addres=x"],
            "unknown option \"--addres\"; the nearest is --immudb-address; --help --all lists every option",
        ),
        (
            &["statsu"],
            "unknown command \"statsu\"; the nearest is status; --help lists the commands",
        ),
        // the command line that evidence of version 0.1.0 names
        (
            &[
                "accept",
                "--server-name=db:3322",
                "--alarm",
                "dce7b1646b95",
                "defaultdb",
            ],
            "the command accept no longer exists: use immuaudit alarm close ID, which keeps the trusted state, or immuaudit alarm adopt ID, which trusts the state in the evidence",
        ),
        (
            &["--audit-mirror", "--audit-max-range=5"],
            "--audit-mirror is called --audit-keep-hashes now: use that name\n--audit-max-range is called --audit-max-fetch now: use that name",
        ),
        (
            &["roots", "forget", "defaultdb"],
            "the command roots no longer exists: use immuaudit states",
        ),
        (
            &["--immudb-port"],
            "--immudb-port has no value: write --immudb-port PORT",
        ),
        (
            &["status", "now"],
            "\"status\" does not take \"now\": remove it",
        ),
        (
            &["status", "--alarm=1"],
            "--alarm is an option of \"immuaudit states\": remove it",
        ),
        (
            &["sweep", "--all"],
            "--all is an option of \"immuaudit help\", \"immuaudit status\" and \"immuaudit alarm\": remove it",
        ),
        (
            &["--all", "alarm", "list"],
            "--all stands before the command: write it after \"alarm\"",
        ),
        (
            &["alarm"],
            "incomplete command: \"alarm\" needs list, show, close or adopt; immuaudit help alarm explains them",
        ),
        (
            &["alarm", "clos", "7"],
            "\"alarm\" does not take \"clos\"; the nearest is close; expected list, show, close or adopt",
        ),
        (
            &["alarm", "close"],
            "incomplete command: \"alarm close\" needs the ID of an alarm, or --database DATABASE; expected immuaudit alarm close ID... or immuaudit alarm close --database DATABASE",
        ),
        (
            &["alarm", "close", "7", "--database=shop"],
            "alarm close: expected the IDs of alarms or --database DATABASE, but not both",
        ),
        (
            &["alarm", "show"],
            "incomplete command: \"alarm show\" needs the ID of an alarm; expected immuaudit alarm show ID",
        ),
        (
            &["alarm", "list", "shop", "bank"],
            "\"alarm list\" does not take \"bank\": remove it",
        ),
        (
            &["alarm", "list", "--al"],
            "unknown option \"--al\"; the nearest is --all; --help --all lists every option",
        ),
        (
            &["--al"],
            "unknown option \"--al\"; the nearest is --all; --help --all lists every option",
        ),
        (
            &["verdict"],
            "unknown command \"verdict\"; --help lists the commands",
        ),
        (
            &["locate"],
            "incomplete command: \"locate\" needs the name of a database; expected immuaudit locate DATABASE or immuaudit locate DATABASE --against HOST[:PORT] [--show-values] or immuaudit locate DATABASE --against FILE",
        ),
        (
            &["locate", "shop", "--against=host:99999"],
            "--against: \"host:99999\" is not valid; expected HOST[:PORT] with a port from 1 to 65535, or the mirror file of another auditor",
        ),
        (
            &["evidence", "show"],
            "incomplete command: \"evidence show\" needs the file of the evidence; expected immuaudit evidence show FILE",
        ),
        (
            &["evidence", "list", "x"],
            "\"evidence list\" does not take \"x\": remove it",
        ),
        (
            &["compare"],
            "incomplete command: \"compare\" needs the file or the URL of another auditor; expected immuaudit compare FILE or immuaudit compare URL or immuaudit compare FILE --peer-key KEY...",
        ),
        (
            &["checkpoint", "verify", "x"],
            "incomplete command: \"checkpoint verify\" needs the public key of an auditor: --key KEY; expected immuaudit checkpoint verify FILE --key KEY... [--require COUNT]",
        ),
        (
            &["checkpoint", "export", "x"],
            "\"checkpoint export\" does not take \"x\": remove it",
        ),
        (
            &["key", "new", "x"],
            "incomplete command: \"key new\" needs the name of the key: --name NAME; expected immuaudit key new --name NAME FILE",
        ),
        (
            &["notify"],
            "incomplete command: \"notify\" needs --test; expected immuaudit notify --test",
        ),
        (
            &["help", "status", "now"],
            "\"help\" does not take \"now\": remove it",
        ),
        (
            &["version", "now"],
            "\"version\" does not take \"now\": remove it",
        ),
        (
            &["compare", "x", "--json"],
            "\"immuaudit compare\" prints no JSON: remove --json; the commands that print it are audit-mode, sweep, status, locate, alarm list, alarm show, alarm close, alarm adopt, acknowledge, states list, states import, states forget, checkpoint show and checkpoint verify",
        ),
        (
            &["--once", "--audit-peers-required=2"],
            "--audit-peers-required: \"2\" is not valid; expected at most 0, the number of configured peers: add peers with --audit-peer or [[peer]] tables, or reduce the number",
        ),
        (
            &["alarm", "show", "7", "--all"],
            "--all is an option of \"immuaudit alarm list\": remove it",
        ),
        (
            &["alarm", "close", "7", "--yes"],
            "--yes is an option of \"immuaudit alarm adopt\": remove it",
        ),
        (
            &["acknowledge", "shop"],
            "incomplete command: \"acknowledge\" needs the facts to acknowledge: --absent-values-to TX, --unsigned or --disagreement; expected immuaudit acknowledge DATABASE [--absent-values-to TX] [--unsigned] [--disagreement]",
        ),
        (
            &["acknowledge", "--unsigned"],
            "incomplete command: \"acknowledge\" needs the name of a database; expected immuaudit acknowledge DATABASE [--absent-values-to TX] [--unsigned] [--disagreement]",
        ),
        (
            &["audit-mode", "instal"],
            "\"audit-mode\" does not take \"instal\"; the nearest is install; expected install, uninstall, start, stop, restart or status",
        ),
        (
            &["audit-mode", "--dry-run"],
            "--dry-run is an option of \"immuaudit audit-mode install\" and \"immuaudit audit-mode uninstall\": remove it",
        ),
        (
            &["audit-mode", "start", "--dry-run"],
            "--dry-run is an option of \"immuaudit audit-mode install\" and \"immuaudit audit-mode uninstall\": remove it",
        ),
        (
            &["audit-mode", "install", "--purge"],
            "--purge is an option of \"immuaudit audit-mode uninstall\": remove it",
        ),
        (
            &["audit-mode", "install", "--dry-run", "--purge"],
            "--purge is an option of \"immuaudit audit-mode uninstall\": remove it",
        ),
        (
            &["audit-mode", "install", "-p", "0"],
            "--immudb-port: \"0\" is not valid; expected a whole number from 1 to 65535",
        ),
        (
            &["states"],
            "incomplete command: \"states\" needs list, export, import or forget; immuaudit help states explains them",
        ),
        (
            &["states", "import"],
            "incomplete command: \"states import\" needs the state file or the directory of immuclient or immugw; expected immuaudit states import DIR-OR-FILE [--alarm]",
        ),
        (
            &["states", "list", "--alarm"],
            "--alarm is an option of \"immuaudit states import\": remove it",
        ),
        (
            &["drill", "--grow=1s"],
            "--grow has no effect without --serve: give both or neither",
        ),
        (
            &["completions", "tcsh"],
            "\"completions\" does not take \"tcsh\"; expected bash, zsh or fish",
        ),
        (
            &["-p", "0"],
            "--immudb-port: \"0\" is not valid; expected a whole number from 1 to 65535",
        ),
        (
            &["-p", "70000"],
            "--immudb-port: \"70000\" is not valid; expected a whole number from 1 to 65535",
        ),
        (
            &["--audit-interval=0"],
            "--audit-interval: \"0\" is not valid; expected a duration with its unit (ms, s, m, h), such as 30s or 1h30m, from 1ms to 8784h",
        ),
        (
            &["--audit-interval=60"],
            "--audit-interval: \"60\" is not valid; expected a duration with its unit (ms, s, m, h), such as 30s or 1h30m, from 1ms to 8784h",
        ),
        (
            &["--mtls=maybe"],
            "--mtls: \"maybe\" is not valid; expected true or false",
        ),
        (
            &["--log-level=loud"],
            "--log-level: \"loud\" is not valid; expected one of off, error, warn, info, debug, trace",
        ),
        (
            &["--pin=shop:7"],
            "--pin: \"shop:7\" is not valid; expected DATABASE:TX:HASH, with a transaction from 1 and its hash in 64 hexadecimal digits",
        ),
        (
            &["--audit-password=enc:%hunter2"],
            "--audit-password: not valid; expected after enc:, the base64 of a password",
        ),
        (
            &["--mtls", "--tls-ca=x"],
            "--mtls and --tls-ca exclude each other: with --mtls, give the CAs with --clientcas",
        ),
        (
            &["--mtls", "--clientcas=", "--pkey=", "--certificate="],
            "--mtls needs a file: name it with --certificate\n--mtls needs a file: name it with --pkey\n--mtls needs a file: name it with --clientcas",
        ),
    ] {
        assert_eq!(given(arguments).wrong(), expected);
    }
}

#[test]
fn the_value_of_a_mistyped_flag_is_never_printed() {
    for arguments in [
        &["--audit-pasword", "hunter2"][..],
        &["--audit-pasword=hunter2"],
    ] {
        assert!(!given(arguments).wrong().contains("hunter2"));
    }
}

#[test]
fn a_wrong_file_is_reported_with_its_name_and_line() {
    for (text, expected) in [
        (
            "\n\naudit-intervall = \"5m\"\n",
            "immuaudit.toml:3: unknown key \"audit-intervall\"; the nearest is audit-interval",
        ),
        (
            "immudb-port = \"many\"\n",
            "immudb-port (immuaudit.toml:1): \"many\" is not valid; expected a whole number from 1 to 65535",
        ),
        (
            "immudb-port = true\n",
            "immudb-port (immuaudit.toml:1): found true or false; expected a whole number",
        ),
        (
            "[server]\n",
            "immuaudit.toml:1: unknown key \"server\"; the nearest is servername",
        ),
        (
            "\nalarm = \"1\"\n",
            "immuaudit.toml:2: unknown key \"alarm\"",
        ),
    ] {
        assert_eq!(Setup::new().file("immuaudit.toml", text).wrong(), expected);
    }
    let expected = Setup::new()
        .file(
            "immuaudit.toml",
            "once = true\naudit-password = \"hunter2\n",
        )
        .wrong();
    assert!(
        expected.starts_with("immuaudit.toml:2: not TOML: "),
        "{expected}"
    );
    assert!(
        !expected.contains("hunter2") && !expected.contains('\n'),
        "{expected}"
    );
}

#[test]
fn all_wrong_settings_are_reported_together() {
    let setup = given(&["--once"])
        .file("immuaudit.toml", "port-x = 1\naudit-sample = -1\n")
        .variable("IMMUAUDIT_JSON", "perhaps");
    assert_eq!(setup.wrong().lines().count(), 3);
}

#[test]
fn a_wrong_variable_is_reported_with_its_name() {
    let setup = Setup::new().variable("IMMUCLIENT_IMMUDB_PORT", "x");
    assert_eq!(
        setup.wrong(),
        "immudb-port (IMMUCLIENT_IMMUDB_PORT): \"x\" is not valid; expected a whole number from 1 to 65535"
    );
}

#[test]
fn an_unusable_file_is_reported_with_setting_and_path() {
    let setup = Setup::new()
        .file("bad.pem", "nothing")
        .file("empty", "")
        .file("two", "a\nb\n")
        .file("twice/enc", "enc:hunter2!");
    let path = |name: &str| setup.at(name);
    for (arguments, expected) in [
        (
            vec!["--config".to_owned(), path("none")],
            "--config: \"none\": there is no such file",
        ),
        (
            vec!["--tls-ca".to_owned(), path("bad.pem")],
            "--tls-ca: \"bad.pem\": no CERTIFICATE block in it",
        ),
        (
            vec!["--tls-ca".to_owned(), path("none")],
            "--tls-ca: \"none\": there is no such file",
        ),
        (
            vec!["--tls-ca".to_owned(), path("twice")],
            "--tls-ca: \"twice\": it is a directory, not a file",
        ),
        (
            vec!["--server-signing-pub-key".to_owned(), path("bad.pem")],
            "--server-signing-pub-key: \"bad.pem\": no PUBLIC KEY block in it",
        ),
        (
            vec!["--audit-password-file".to_owned(), path("none")],
            "--audit-password-file: \"none\": there is no such file",
        ),
        (
            vec!["--audit-password-file".to_owned(), path("empty")],
            "--audit-password-file: \"empty\": expected one line, the password",
        ),
        (
            vec!["--audit-password-file".to_owned(), path("two")],
            "--audit-password-file: \"two\": expected one line, the password",
        ),
        (
            vec!["--audit-password-file".to_owned(), path("twice/enc")],
            "--audit-password-file: \"twice/enc\": expected after enc:, the base64 of a password",
        ),
    ] {
        let mut process = setup.process.clone();
        process.arguments = arguments;
        let wrong = load(&process).unwrap_err().to_string();
        // a backslash is shown as two
        let folder = setup.at("").replace('\\', r"\\");
        assert_eq!(wrong.replace(&folder, ""), expected);
    }
    let expected = given(&["--mtls"]).wrong();
    assert!(expected.starts_with("certificate (default): \"./tools/mtls/4_client/certs/localhost.cert.pem\": there is no such file"), "{expected}");
}

#[test]
fn without_a_directory_for_trusted_states_nothing_starts() {
    let mut setup = Setup::new();
    setup.process.variables.clear();
    let variables = match cfg!(windows) {
        true => "%ProgramData% and %LOCALAPPDATA%",
        false => "$STATE_DIRECTORY, $XDG_STATE_HOME and $HOME",
    };
    let expected = format!(
        "no directory for the trusted states ({variables} are not set): name one with --dir"
    );
    assert_eq!(setup.wrong(), expected);
}

#[test]
fn an_unreadable_settings_file_is_reported() {
    let setup = Setup::new().file("immuclient.toml/x", "");
    let expected = setup.wrong();
    assert!(
        expected.starts_with("settings file immuclient.toml: it is a directory, not a file; "),
        "{expected}"
    );
    let setup = Setup::new();
    std::fs::write(setup.path.join("immuaudit.toml"), b"dir = \"\xff\"\n").unwrap();
    let expected = setup.wrong();
    assert!(expected.contains("not UTF-8"), "{expected}");
}

#[test]
fn nothing_is_started_with_a_wrong_setting() {
    let folder = TempDir::new();
    let program = Program::new(1, &folder.join("trust"));
    for (wrong, expected) in [
        (
            &["--audit-interval=0"][..],
            "--audit-interval: \"0\" is not valid; expected a duration",
        ),
        (
            &["--audit-sample=many"],
            "--audit-sample: \"many\" is not valid; expected a whole number",
        ),
        (
            &["--tls-ca=none.pem"],
            "--tls-ca: \"none.pem\": there is no such file",
        ),
        (
            &["--once", "--audit-intervall=1s"],
            "the nearest is --audit-interval",
        ),
        (
            &["config", "--check", "--log-level=loud"],
            "--log-level: \"loud\" is not valid",
        ),
    ] {
        let run = program.run(wrong);
        run.ends_with(3);
        assert!(run.stderr.contains(expected), "{run:#?}");
        assert!(run.stdout.is_empty(), "{run:#?}");
    }
    assert!(!folder.join("trust").exists());
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf_8_is_reported() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = TempDir::new();
    let mut command = Program::new(1, &folder.join("trust")).command(&["--once"]);
    let output = command.arg(OsStr::from_bytes(b"\xff")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let expected = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(expected.contains("is not UTF-8"), "{expected}");
}

#[test]
fn bad_pem_files_of_mtls_are_reported_one_by_one() {
    let setup = Setup::new().file("bad.pem", "-----BEGIN CERTIFICATE-----\n%%%\n");
    let bad = setup.at("bad.pem");
    let setup = setup.arguments(&[
        "-m",
        "--certificate",
        &bad,
        "--pkey",
        &bad,
        "--clientcas",
        &bad,
    ]);
    let expected = setup.wrong();
    for flag in ["--certificate: ", "--pkey: ", "--clientcas: "] {
        assert!(
            expected.lines().any(|line| line.starts_with(flag)),
            "{expected}"
        );
    }
}
