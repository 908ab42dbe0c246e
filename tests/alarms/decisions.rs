//! Decisions about an alarm. `alarm close` keeps the trusted state; `alarm adopt` trusts another
//! one, after it printed the transactions that this gives up. `acknowledge` ends a warning. The
//! tests run the program against the embedded ledger.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::support::ledgers::rewritten;
use crate::support::program::{Program, Run, copied, member};
use crate::support::temp_dir::TempDir;
use crate::support::tool::have;
use immuaudit::drill::{Embedded, Lie, Options};

const DATABASE: &str = "defaultdb";

struct Scene {
    _folder: TempDir,
    server: Embedded,
    audit: Program,
}

impl Scene {
    /// Starts a ledger and audits it twice: transaction 20 is trusted on first use, and transaction
    /// 25 by proof.
    fn new() -> Scene {
        let folder = TempDir::new();
        let server = Embedded::start(Options::default()).expect("an embedded ledger");
        server.grow(DATABASE, 20);
        let audit = Program::new(server.port(), &folder.join("trust"));
        audit.once().is(0, DATABASE, "first-seen");
        server.grow(DATABASE, 5);
        audit.once().is(0, DATABASE, "consistent");
        Scene {
            _folder: folder,
            server,
            audit,
        }
    }

    /// Removes all transactions of the server after `last`.
    fn truncate(&self, last: u64) {
        let mut ledger = self.server.ledger(DATABASE).expect("a database");
        ledger.truncate(last);
        self.server.put_ledger(DATABASE, ledger);
    }

    /// Replaces the server's last five transactions by ten others.
    fn rewrite(&self) {
        let ledger = self.server.ledger(DATABASE).expect("a database");
        self.server.put_ledger(DATABASE, rewritten(&ledger, 20, 30));
    }

    fn alarm(&self, args: &[&str]) -> Run {
        self.audit.run(&[&["alarm"], args].concat())
    }

    fn trusted(&self) -> String {
        let status = self.audit.run(&["status", "--json"]);
        member(status.line(DATABASE), "hash").to_owned()
    }
}

#[test]
fn closing_after_the_good_history_was_restored_keeps_the_trusted_state() {
    let scene = Scene::new();
    let good = scene.server.ledger(DATABASE).expect("a database");
    let trusted = scene.trusted();
    for forge in [Scene::rewrite, |scene: &Scene| scene.truncate(20)] {
        forge(&scene);
        scene.audit.once().ends_with(2);
        // the alarm is closed, but the server still shows the forged state, so the next check opens
        // it again
        let alarm = scene.audit.open_alarm(DATABASE);
        let closed = scene.alarm(&["close", &alarm]);
        let text = &closed.ends_with(0).stdout;
        assert!(text.contains("is still transaction 25"), "{text}");
        assert!(text.contains("opens the alarm again"), "{text}");
        assert_eq!(scene.trusted(), trusted);
        scene.audit.once().ends_with(2);
        assert_eq!(scene.audit.open_alarm(DATABASE), alarm);

        scene.server.put_ledger(DATABASE, good.clone());
        scene.alarm(&["close", &alarm]).ends_with(0);
        assert_eq!(scene.trusted(), trusted);
        scene.audit.once().is(0, DATABASE, "consistent");
        scene.audit.run(&["status"]).ends_with(0);
    }
}

#[test]
fn the_printed_commands_explain_their_effect() {
    let scene = Scene::new();
    scene.truncate(20);
    let run = scene.audit.run(&["--once"]);
    let text = &run.ends_with(2).stdout;
    let keep = "to close it and keep the trusted state: immuaudit alarm close --dir=";
    let adopt = "to trust transaction 20 of the evidence instead, giving up transactions 21 to 25: \
                 immuaudit alarm adopt --dir=";
    assert!(text.contains(keep), "{text}");
    assert!(text.contains(adopt), "{text}");
    let status = scene.audit.run(&["status"]);
    assert!(status.ends_with(2).stdout.contains(adopt), "{status:#?}");
    scene.server.drop_database(DATABASE);
    let text = scene.audit.run(&["--once"]).ends_with(2).stdout.clone();
    let none =
        "to trust no state of this database any more, giving up transactions 1 to 25: immuaudit";
    assert!(text.contains(none), "{text}");
}

#[test]
fn a_finding_that_names_no_other_state_offers_no_adoption() {
    let scene = Scene::new();
    scene.server.lie(Lie::EditedValue);
    let run = scene.audit.run(&["--once"]);
    let text = &run.ends_with(2).stdout;
    assert!(text.contains("immuaudit alarm close"), "{text}");
    assert!(!text.contains("adopt"), "{text}");
    let alarm = scene.audit.open_alarm(DATABASE);
    let shown = scene.alarm(&["show", &alarm]);
    assert!(
        shown.ends_with(2).stdout.contains("is not possible"),
        "{shown:#?}"
    );
    // the state that was trusted when the value was read
    let trusted = format!("trusted:   transaction 25, hash {}", scene.trusted());
    assert!(shown.stdout.contains(&trusted), "{shown:#?}");
    let json = scene.alarm(&["show", &alarm, "--json"]);
    assert_eq!(member(json.line(DATABASE), "trusted_tx"), "25");
    let refused = scene.alarm(&["adopt", &alarm, "--yes"]);
    let text = &refused.ends_with(3).stderr;
    let command = text
        .rsplit("keep the trusted state: ")
        .next()
        .expect("a command");
    assert_eq!(copied(command.trim()).status.code(), Some(0), "{text}");
}

#[test]
fn adopting_lists_the_transactions_given_up_and_needs_consent() {
    let scene = Scene::new();
    let trusted = scene.trusted();
    scene.rewrite();
    scene.audit.once().is(2, DATABASE, "inconsistent");
    let alarm = scene.audit.open_alarm(DATABASE);
    let forged = scene.server.state(DATABASE).expect("a state");
    let shown = scene.alarm(&["show", &alarm]);
    let asked = scene.alarm(&["adopt", &alarm]);
    assert!(asked.ends_with(3).stderr.contains("--yes"), "{asked:#?}");
    for text in [&shown.ends_with(2).stdout, &asked.stdout] {
        let given_up =
            format!("gives up the trusted state: transaction 25, hash {trusted}, trusted");
        assert!(text.contains(&given_up), "{text}");
        assert!(
            text.contains("gives up transactions 21 to 25, which were proven"),
            "{text}"
        );
        let adopted = format!("names: transaction 30, hash {}", forged.hash);
        assert!(text.contains(&adopted), "{text}");
        assert!(!text.contains("WARNING"), "{text}");
    }
    assert_eq!(scene.trusted(), trusted);
    let adopted = scene.alarm(&["adopt", &alarm, "--yes"]);
    let text = &adopted.ends_with(0).stdout;
    assert!(
        text.contains("gives up the trusted state: transaction 25"),
        "{text}"
    );
    assert!(
        text.contains("the trusted state is now transaction 30"),
        "{text}"
    );
    assert_eq!(scene.trusted(), forged.hash.to_string());
    scene.audit.once().is(0, DATABASE, "consistent");
    // a later look distinguishes the adopted alarm from a closed one
    let shown = scene.alarm(&["show", &alarm]).stdout;
    assert!(shown.contains("inconsistent, adopted 20"), "{shown}");
    assert!(
        shown.contains("gave up:   transactions 21 to 25"),
        "{shown}"
    );
    let json = scene.alarm(&["show", &alarm, "--json"]);
    assert_eq!(member(json.line(DATABASE), "adopted"), "true");
    let again = scene.alarm(&["close", &alarm]).stdout;
    assert!(again.contains("was already adopted 20"), "{again}");
}

/// Runs `alarm adopt` on a pseudo-terminal and types `answer`.
fn adopt_on_a_terminal(scene: &Scene, alarm: &str, answer: &str) -> Output {
    let mut command = scene.audit.command(&["alarm", "adopt", alarm]);
    let args: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().expect("UTF-8")))
        .collect();
    command = Command::new("script");
    let mut child = command
        .args(["-q", "-e", "-c", &args.join(" "), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    let stdin = child.stdin.as_mut().expect("a pipe");
    stdin
        .write_all(answer.as_bytes())
        .expect("it reads its input");
    child.wait_with_output().expect("it ends")
}

#[test]
fn on_a_terminal_only_the_word_yes_adopts() {
    if !have("script", "bsdutils") {
        return;
    }
    let scene = Scene::new();
    let trusted = scene.trusted();
    scene.truncate(20);
    scene.audit.once().is(2, DATABASE, "rolled-back");
    let alarm = scene.audit.open_alarm(DATABASE);
    for answer in ["y\n", "\n", "no\n"] {
        let done = adopt_on_a_terminal(&scene, &alarm, answer);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(1), "{text}");
        assert!(text.contains("Type yes to adopt"), "{text}");
        assert!(text.contains("nothing was changed"), "{text}");
        assert_eq!(scene.trusted(), trusted);
    }
    let done = adopt_on_a_terminal(&scene, &alarm, "yes\n");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    scene.audit.once().is(0, DATABASE, "consistent");
    assert_ne!(scene.trusted(), trusted);
}

#[test]
fn adopting_warns_when_the_server_showed_the_trusted_history_again() {
    let scene = Scene::new();
    let good = scene.server.ledger(DATABASE).expect("a database");
    scene.rewrite();
    let forged = scene.server.ledger(DATABASE).expect("a database");
    scene.audit.once().is(2, DATABASE, "inconsistent");
    let alarm = scene.audit.open_alarm(DATABASE);
    scene.server.put_ledger(DATABASE, good);
    scene.audit.once().is(2, DATABASE, "consistent");
    let warning = "WARNING: the server showed the trusted history again at ";
    for args in [&["show", &alarm][..], &["adopt", &alarm]] {
        let text = scene.alarm(args).stdout;
        assert!(
            text.contains(warning) && text.contains("close the alarm instead"),
            "{text}"
        );
    }
    let json = scene.alarm(&["show", &alarm, "--json"]);
    assert!(member(json.line(DATABASE), "trusted_history_shown_again").starts_with("20"));
    let steps = scene.audit.run(&["locate", DATABASE]).stdout;
    let close = "which keeps the trusted state: immuaudit alarm close --dir=";
    assert!(
        steps.contains(close) && !steps.contains("alarm adopt"),
        "{steps}"
    );
    // the server shows the forged history again, so the warning ends
    scene.server.put_ledger(DATABASE, forged);
    scene.audit.once().is(2, DATABASE, "inconsistent");
    let text = scene.alarm(&["show", &alarm]).stdout;
    assert!(!text.contains(warning), "{text}");
}

#[test]
fn adopting_is_refused_once_the_trusted_state_was_extended() {
    let scene = Scene::new();
    let good = scene.server.ledger(DATABASE).expect("a database");
    scene.rewrite();
    scene.audit.once().is(2, DATABASE, "inconsistent");
    let alarm = scene.audit.open_alarm(DATABASE);
    scene.server.put_ledger(DATABASE, good);
    scene.server.grow(DATABASE, 1);
    scene.audit.once().is(2, DATABASE, "consistent");
    let trusted = scene.trusted();
    let refused = scene.alarm(&["adopt", &alarm, "--yes"]);
    let text = &refused.ends_with(3).stderr;
    assert!(
        text.contains("it was transaction 25 at the alarm"),
        "{text}"
    );
    assert!(text.contains("is transaction 26 now"), "{text}");
    assert_eq!(scene.trusted(), trusted);
    scene.alarm(&["list"]).ends_with(2);
    scene.alarm(&["close", &alarm]).ends_with(0);
    scene.audit.once().is(0, DATABASE, "consistent");
}

#[test]
fn open_alarms_are_listed_and_closed_ones_with_all() {
    let scene = Scene::new();
    let none = scene.alarm(&["list"]);
    assert_eq!(none.ends_with(0).stdout, "no alarm is open\n");
    scene.truncate(20);
    scene.audit.once().ends_with(2);
    let alarm = scene.audit.open_alarm(DATABASE);
    for args in [&["list"][..], &["list", DATABASE], &["show", &alarm]] {
        let text = scene.alarm(args).ends_with(2).stdout.clone();
        assert!(
            text.contains(&alarm) && text.contains("rolled-back"),
            "{text}"
        );
        assert!(text.contains("evidence"), "{text}");
    }
    let json = scene.alarm(&["list", "--json"]);
    let line = json.ends_with(2).line(DATABASE);
    for (name, value) in [
        ("server", "tested"),
        ("kind", "rolled-back"),
        ("open", "true"),
        ("trusted_tx", "25"),
        ("shown_tx", "20"),
        ("given_up_from", "21"),
        ("given_up_to", "25"),
    ] {
        assert_eq!(member(line, name), value, "{line}");
    }
    let closed = copied(member(line, "close_command"));
    assert_eq!(closed.status.code(), Some(0), "{closed:?}");
    assert_eq!(
        scene.alarm(&["list"]).ends_with(0).stdout,
        "no alarm is open\n"
    );
    assert_eq!(scene.alarm(&["list", "--json"]).ends_with(0).stdout, "");
    let all = scene.alarm(&["list", "--all"]);
    assert!(all.ends_with(0).stdout.contains(" closed 20"), "{all:#?}");
    let shown = scene.alarm(&["show", &alarm]);
    assert!(
        shown.ends_with(0).stdout.contains("closed 20"),
        "{shown:#?}"
    );
    // closing a closed alarm is no error and changes nothing; adopting a closed alarm is refused
    let again = scene.alarm(&["close", &alarm]);
    assert!(
        again.ends_with(0).stdout.contains("was already closed 20")
            && again.stdout.contains("nothing changed"),
        "{again:#?}"
    );
    let refused = scene.alarm(&["adopt", &alarm, "--yes"]);
    assert!(
        refused.ends_with(3).stderr.contains("closed already"),
        "{refused:#?}"
    );
}

#[test]
fn a_wrong_name_is_reported_with_the_right_ones() {
    let scene = Scene::new();
    scene.truncate(20);
    scene.audit.once().ends_with(2);
    let alarm = scene.audit.open_alarm(DATABASE);
    for args in [
        &["show", "0123456789ab"][..],
        &["close", "0123456789ab"],
        &["adopt", "0123456789ab", "--yes"],
    ] {
        let refused = scene.alarm(args);
        let expected = format!(
            "tested has no alarm 0123456789ab; open alarms: {alarm} (rolled-back, defaultdb)"
        );
        assert!(
            refused.ends_with(3).stderr.contains(&expected),
            "{refused:#?}"
        );
    }
    let refused = scene.alarm(&["list", "defaultbd"]);
    assert!(
        refused
            .ends_with(3)
            .stderr
            .contains("known databases: defaultdb"),
        "{refused:#?}"
    );
    let args = ["acknowledge", "defaultbd", "--unsigned"];
    let refused = scene.audit.run(&args);
    assert!(
        refused
            .ends_with(3)
            .stderr
            .contains("known databases: defaultdb"),
        "{refused:#?}"
    );
}

// ---- acknowledge

/// Starts a server that signs its states, and audits it once: the signed transaction 20 is trusted.
fn signed() -> Scene {
    let folder = TempDir::new();
    let server = Embedded::start(Options::default().signed()).expect("an embedded ledger");
    server.grow(DATABASE, 20);
    let audit = Program::new(server.port(), &folder.join("trust"));
    audit.once().is(0, DATABASE, "first-seen");
    Scene {
        _folder: folder,
        server,
        audit,
    }
}

const LOST: &str = "signed before and is not signed now";

#[test]
fn a_lost_signature_causes_a_warning_until_back_or_acknowledged() {
    let scene = signed();
    let warns = |expected: bool| {
        let run = scene.audit.once();
        run.is(0, DATABASE, "consistent");
        assert_eq!(run.stderr.contains(LOST), expected, "{run:#?}");
    };
    scene.server.lie(Lie::SignatureDropped);
    warns(true); // the same transaction, without its signature
    for _ in 0..3 {
        scene.server.grow(DATABASE, 1);
        warns(true);
    }
    let done = scene.audit.run(&["acknowledge", DATABASE, "--unsigned"]);
    let text = &done.ends_with(0).stdout;
    assert!(text.contains("no signature after transaction 20"), "{text}");
    warns(false);
    scene.server.grow(DATABASE, 1);
    warns(false);
    let status = scene.audit.run(&["status"]).stdout;
    assert!(
        status.contains("acknowledged: no signature after transaction 20"),
        "{status}"
    );
    // the state is signed again without a new transaction; the next missing signature is a new loss
    scene.server.be_honest();
    warns(false);
    scene.server.lie(Lie::SignatureDropped);
    warns(true);
    scene.server.grow(DATABASE, 1);
    warns(true);
    scene.server.be_honest();
    warns(false);
}

#[test]
fn the_metric_of_a_lost_signature_stays_until_it_is_acknowledged() {
    let mut scene = signed();
    scene.server.lie(Lie::SignatureDropped);
    scene.server.grow(DATABASE, 1);
    let mut running = scene.audit.start(&["--audit-interval", "50ms"]);
    running.wait_for("status page on ");
    let log = running.log();
    let url = log.split("status page on ").nth(1).expect("a status page");
    let url = url.split_whitespace().next().expect("a URL");
    let port = url.trim_end_matches('/').rsplit(':').next();
    let port = port.and_then(|port| port.parse().ok()).expect("a port");
    let missing = || {
        let metrics = crate::support::http::get(port, "/metrics", "text/plain").body;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("immuaudit_signature_missing{"));
        line.map(|line| line.ends_with(" 1"))
    };
    for _ in 0..3 {
        scene.server.grow(DATABASE, 1);
        running.wait_for_cycles(3);
        assert_eq!(missing(), Some(true));
    }
    // a check without a response proves nothing about the signature
    scene.server.stop();
    running.wait_for_cycles(3);
    assert_eq!(missing(), Some(true));
    scene.server.restart().expect("it starts again");
    let done = scene.audit.run(&["acknowledge", DATABASE, "--unsigned"]);
    done.ends_with(0);
    running.wait_for("INFO  cycle "); // reconnecting may take several cycles
    for _ in 0..50 {
        if missing() == Some(false) {
            break;
        }
        running.wait_for_cycles(1);
    }
    assert_eq!(missing(), Some(false));
}

#[test]
fn a_signature_that_never_existed_cannot_be_acknowledged_as_lost() {
    let scene = Scene::new(); // this server never signed
    let refused = scene.audit.run(&["acknowledge", DATABASE, "--unsigned"]);
    let text = &refused.ends_with(3).stderr;
    assert!(
        text.contains("no signed state of defaultdb is known"),
        "{text}"
    );
}

#[test]
fn a_damaged_acknowledgement_is_reported_and_ignored() {
    let scene = signed();
    scene.server.lie(Lie::SignatureDropped);
    scene.server.grow(DATABASE, 1);
    scene.audit.once().is(0, DATABASE, "consistent");
    let args = ["acknowledge", DATABASE, "--unsigned"];
    scene.audit.run(&args).ends_with(0);
    assert!(!scene.audit.once().stderr.contains(LOST));
    let file = scene.audit.dir.join("tested/defaultdb.acknowledged");
    let whole = fs::read_to_string(&file).expect("a file");
    assert!(whole.contains("unsigned_after = 20\n"), "{whole}");
    fs::write(
        &file,
        whole.replace("unsigned_after = 20", "unsigned_after = 21"),
    )
    .expect("a file");
    let run = scene.audit.once();
    run.is(0, DATABASE, "consistent");
    assert!(run.stderr.contains(LOST), "{run:#?}");
    assert!(
        run.stderr.contains("acknowledged facts are ignored"),
        "{run:#?}"
    );
    let refused = scene.audit.run(&args);
    assert!(
        refused.ends_with(3).stderr.contains("acknowledge again"),
        "{refused:#?}"
    );
}

#[test]
fn several_alarms_or_all_of_a_database_are_closed_together() {
    let scene = Scene::new();
    let good = scene.server.ledger(DATABASE).expect("a database");
    let ids = |run: Run| -> Vec<String> {
        let lines = run.stdout.lines();
        lines.map(|line| member(line, "alarm").to_owned()).collect()
    };
    for last in [24, 23, 22, 21, 20] {
        scene.truncate(last);
        scene.audit.once().is(2, DATABASE, "rolled-back");
    }
    scene.server.put_ledger(DATABASE, good);
    let open = ids(scene.alarm(&["list", "--json"]));
    assert_eq!(open.len(), 5);
    // one wrong ID, so no alarm is closed
    let refused = scene.alarm(&["close", &open[0], "0123456789ab"]);
    let text = &refused.ends_with(3).stderr;
    assert!(text.contains("no alarm 0123456789ab"), "{text}");
    assert_eq!(ids(scene.alarm(&["list", "--json"])), open);
    let closed = scene.alarm(&["close", &open[0], &open[1]]);
    let text = &closed.ends_with(0).stdout;
    assert!(text.contains(&open[0]) && text.contains(&open[1]), "{text}");
    assert_eq!(ids(scene.alarm(&["list", "--json"])), open[2..]);
    let json = scene.alarm(&["close", "--database", DATABASE, "--json"]);
    json.ends_with(0);
    assert_eq!(ids(json), open[2..]);
    scene.audit.once().is(0, DATABASE, "consistent");
    let none = scene.alarm(&["close", "--database", DATABASE]);
    assert_eq!(
        none.ends_with(0).stdout,
        "no alarm of database defaultdb is open\n"
    );
    for (args, wrong) in [
        (&["close", "--database", "nodb"][..], "nodb"),
        (&["close"], "expected"),
        (&["close", &open[0], "--database", DATABASE], "expected"),
        (&["list", "--database", DATABASE], "alarm close"),
        (&["show", &open[0], &open[1]], "does not take"),
    ] {
        let refused = scene.alarm(args);
        let text = &refused.ends_with(3).stderr;
        assert!(text.contains(wrong), "{args:?}: {text}");
    }
}

#[test]
fn alarms_are_reported_as_closed_although_another_could_not_be_closed() {
    let folder = TempDir::new();
    let databases = ["defaultdb", "middle", "shop"];
    let server = Embedded::start(Options::default().with_databases(&databases[1..]));
    let server = server.expect("an embedded ledger");
    for database in databases {
        server.grow(database, 5);
    }
    let audit = Program::new(server.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    server.lie(Lie::Rollback);
    audit.once().ends_with(2);
    let [first, second, third] = databases.map(|database| audit.open_alarm(database));
    // a directory takes the place of the new list of alarms, so that it cannot be written
    let list = audit.dir.join("tested").join("middle.alarms.new");
    fs::create_dir(&list).expect("a directory");
    let run = audit.run(&["alarm", "close", &first, &second, &third]);
    let Run { stdout, stderr, .. } = run.ends_with(3);
    assert!(
        stdout.contains(&first) && stdout.contains(&third),
        "{run:#?}"
    );
    assert!(!stdout.contains(&second), "{run:#?}");
    let message = format!("alarm {second} is not closed: ");
    assert!(
        stderr.contains(&message) && stderr.contains("middle.alarms"),
        "{run:#?}"
    );
    fs::remove_dir(&list).expect("the directory");
    let left = audit.run(&["alarm", "list", "--json"]);
    assert_eq!(left.ends_with(2).stdout.lines().count(), 1);
    assert_eq!(member(left.line("middle"), "alarm"), second);
}

#[test]
fn a_reopened_alarm_keeps_its_first_time_and_its_closings() {
    let scene = Scene::new();
    scene.truncate(20);
    scene.audit.once().ends_with(2);
    let alarm = scene.audit.open_alarm(DATABASE);
    let raised = |run: &Run| member(run.line(DATABASE), "raised").to_owned();
    let first = raised(&scene.alarm(&["show", &alarm, "--json"]));
    scene.alarm(&["close", &alarm]).ends_with(0);
    std::thread::sleep(std::time::Duration::from_millis(1_100)); // stored times have a resolution of one second
    scene.audit.once().ends_with(2);
    let again = scene.alarm(&["show", &alarm, "--json"]);
    assert_eq!(raised(&again), first);
    let line = again.line(DATABASE);
    // no variable names the user, so the system does
    let user = std::process::Command::new("id").arg("-un").output();
    let user = String::from_utf8(user.expect("a user").stdout).expect("UTF-8");
    let user = user.trim();
    let closed = format!("\"past_closings\":[{{\"closed_by\":\"{user}\"");
    assert!(line.contains(&closed), "{line}");
    assert!(member(line, "reopened").starts_with("20"), "{line}");
    let text = scene.alarm(&["show", &alarm]).stdout;
    assert!(text.contains("reopened:"), "{text}");
    assert!(text.contains(&format!("by {user}\n")), "{text}");
}

#[test]
fn an_adopted_history_does_not_count_as_shown_again() {
    let scene = Scene::new();
    scene.rewrite();
    scene.audit.once().is(2, DATABASE, "inconsistent");
    let alarm = scene.audit.open_alarm(DATABASE);
    scene.alarm(&["adopt", &alarm, "--yes"]).ends_with(0);
    scene.audit.once().is(0, DATABASE, "consistent");
    let json = scene.alarm(&["list", "--all", "--json"]);
    let line = json.ends_with(0).line(DATABASE);
    assert!(
        line.contains("\"trusted_history_shown_again\":null"),
        "{line}"
    );
}

#[test]
fn a_damaged_list_of_alarms_counts_as_an_open_alarm() {
    let scene = Scene::new();
    let good = scene.server.ledger(DATABASE).expect("a database");
    scene.truncate(20);
    scene.audit.once().ends_with(2);
    let file = scene.audit.dir.join("tested/defaultdb.alarms");
    fs::write(&file, "damaged").expect("it can be written");
    for args in [&["alarm", "list"][..], &["evidence", "list"], &["status"]] {
        let run = scene.audit.run(args);
        let text = run.ends_with(2).stderr.clone() + &run.stdout;
        assert!(text.contains("defaultdb.alarms"), "{args:?}: {text}");
    }
    // of a tampered database and of a good one, for people and for programs
    for verdict in ["rolled-back", "consistent"] {
        if verdict == "consistent" {
            scene.server.put_ledger(DATABASE, good.clone());
        }
        let json = scene.audit.once();
        let reason = json.is(2, DATABASE, verdict).reason(DATABASE);
        let count = reason.matches("defaultdb.alarms").count();
        assert_eq!(count, 1, "{reason}");
        assert!(
            reason.contains("alarms of the database cannot be read"),
            "{reason}"
        );
        let text = scene.audit.run(&["--once"]).ends_with(2).stdout.clone();
        assert_eq!(text.matches("defaultdb.alarms").count(), 1, "{text}");
        for wrong in ["of earlier checks", "not stored"] {
            assert!(!text.contains(wrong), "{text}");
        }
        let located = scene.audit.run(&["locate", DATABASE]);
        let text = &located.ends_with(2).stdout;
        assert!(
            text.contains("repair the list of alarms before you close an alarm"),
            "{text}"
        );
        assert!(!text.contains("none is open yet"), "{text}");
    }
}

#[test]
fn the_json_of_tampering_has_alarm_evidence_and_commands() {
    let scene = Scene::new();
    let well = scene.audit.once();
    assert!(well.line(DATABASE).contains("\"alarm\":null"), "{well:?}");
    scene.truncate(20);
    let run = scene.audit.once();
    let line = run.ends_with(2).line(DATABASE);
    let evidence = member(line, "evidence");
    assert!(fs::exists(evidence).expect("a path"), "{line}");
    assert!(evidence.contains(member(line, "alarm")), "{line}");
    assert!(
        member(line, "adopt_command").contains("alarm adopt"),
        "{line}"
    );
    let closed = copied(member(line, "close_command"));
    assert_eq!(closed.status.code(), Some(0), "{closed:?}");
}

#[test]
fn a_key_in_a_reason_is_escaped_once() {
    let scene = Scene::new();
    scene.server.lie(Lie::EditedValue);
    scene.audit.run(&["sweep"]).ends_with(2);
    let once = "key \"\\u{0}key/";
    for args in [&["alarm", "list"][..], &["evidence", "list"], &["status"]] {
        let text = scene.audit.run(args).ends_with(2).stdout.clone();
        assert!(text.contains(once), "{args:?}: {text}");
    }
    let list = scene.alarm(&["list", "--json"]);
    let line = list.stdout.lines().find(|line| line.contains("u{0}key"));
    let line = line.expect("an alarm of that key");
    let show = scene.alarm(&["show", member(line, "alarm")]);
    let file = scene
        .audit
        .run(&["evidence", "show", member(line, "evidence")]);
    for text in [show.stdout, file.stdout] {
        assert!(text.contains(once), "{text}");
    }
}
