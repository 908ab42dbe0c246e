//! The options of each command, and the output of help, version and config.

use std::time::Duration;

use crate::support::process::given;
use immuaudit::config::{
    AcknowledgeTask, AdoptConsent, AlarmTask, ClosedAlarms, Drill, ListedAlarms, StatesTask, Task,
};

#[test]
fn commands_have_their_own_flags() {
    let task = |arguments: &[&str]| given(arguments).run().task;
    assert_eq!(task(&["audit-mode"]), Task::Audit);
    assert_eq!(task(&["--json", "status"]), Task::Status);
    let alarm = |args: &[&str]| task(&[&["alarm"], args].concat());
    let list = |database: Option<&str>, which| {
        Task::Alarm(AlarmTask::List {
            database: database.map(String::from),
            which,
        })
    };
    assert_eq!(alarm(&["list"]), list(None, ListedAlarms::Open));
    let all = alarm(&["list", "shop", "--all"]);
    assert_eq!(all, list(Some("shop"), ListedAlarms::All));
    let id = || "7".to_owned();
    let show = Task::Alarm(AlarmTask::Show { alarm: id() });
    assert_eq!(alarm(&["show", "7"]), show);
    let close = |alarms| Task::Alarm(AlarmTask::Close(alarms));
    let ids = ClosedAlarms::Ids(vec![id()]);
    assert_eq!(alarm(&["close", "7"]), close(ids));
    let ids = ClosedAlarms::Ids(vec![id(), "8".to_owned()]);
    assert_eq!(alarm(&["close", "7", "8"]), close(ids));
    let of_database = ClosedAlarms::OfDatabase("shop".to_owned());
    assert_eq!(alarm(&["close", "--database=shop"]), close(of_database));
    for (args, consent) in [
        (&["adopt", "7"][..], AdoptConsent::Ask),
        (&["adopt", "7", "--yes"], AdoptConsent::Given),
    ] {
        let alarm_id = id();
        let adopt = Task::Alarm(AlarmTask::Adopt {
            alarm: alarm_id,
            consent,
        });
        assert_eq!(alarm(args), adopt);
    }
    let acknowledge = Task::Acknowledge(AcknowledgeTask {
        database: "shop".to_owned(),
        absent_to: Some(7),
        unsigned: true,
        disagreement: false,
    });
    let args = ["acknowledge", "shop", "--absent-values-to=7", "--unsigned"];
    assert_eq!(task(&args), acknowledge);
    let import = |alarm| {
        Task::States(StatesTask::Import {
            path: "x".into(),
            alarm,
        })
    };
    // `--alarm` of `states import` is a switch and takes no value
    let with_alarm = task(&["states", "import", "--alarm", "x"]);
    assert_eq!(with_alarm, import(true));
    assert_eq!(task(&["states", "import", "x"]), import(false));
    assert_eq!(task(&["drill"]), Task::Drill(Drill::Table { lie: None }));
    assert_eq!(task(&["drill", "--list"]), Task::Drill(Drill::List));
    assert_eq!(
        task(&["drill", "--lie=fork"]),
        Task::Drill(Drill::Table {
            lie: Some("fork".to_owned())
        })
    );
    let serve = Drill::Serve {
        port: 5,
        databases: 3,
        views: 2,
        lie: None,
        grow: Some(Duration::from_secs(1)),
    };
    assert_eq!(
        task(&[
            "drill",
            "--serve",
            "--port=5",
            "--databases=3",
            "--views=2",
            "--grow=1s"
        ]),
        Task::Drill(serve)
    );
}

#[test]
fn help_and_version_need_no_settings() {
    for arguments in [
        &["--help"][..],
        &["help"],
        &["-h", "status"],
        &["--version"],
        &["version"],
        &["help", "drill"],
        // Windows has no manual pages
        #[cfg(unix)]
        &["man"],
        &["completions", "zsh"],
    ] {
        let setup = given(arguments).file("immuaudit.toml", "not TOML");
        assert!(!setup.text().is_empty());
    }
    assert!(
        given(&["--help", "--all"])
            .text()
            .contains("--max-recv-msg-size")
    );
    let short = given(&["--help"]).text();
    assert!(!short.contains("--max-recv-msg-size"), "{short}");
    assert!(short.contains("  acknowledge "), "{short}");
    assert!(short.lines().count() <= 24, "{short}"); // a short help fits a terminal of 24 lines
}

#[test]
fn config_prints_values_and_their_source_but_no_secret() {
    let setup =
        given(&["config", "--once"]).file("immuaudit.toml", "audit-password = \"hunter2\"\n");
    let path = setup.at("immuaudit.toml");
    let text = setup.text();
    assert!(
        text.contains(&format!("audit-password = \"***\" # {path}:1\n")),
        "{text}"
    );
    assert!(text.contains("once = true # flag --once\n"), "{text}");
    assert!(text.contains("immudb-port = 3322 # default\n"), "{text}");
    assert!(!text.contains("hunter2"));
    assert_eq!(
        setup.arguments(&["config", "--check"]).run().task,
        Task::Check
    );
}

#[test]
fn help_takes_a_subcommand_too_and_a_subcommand_alone_is_completed() {
    let help = given(&["help", "alarm"]).text();
    assert_eq!(given(&["help", "alarm", "adopt"]).text(), help);
    for (args, message) in [
        (
            &["help", "alarm", "adpt"][..],
            "\"help\" does not take \"adpt\": remove it",
        ),
        (&["adopt"], "unknown command \"adopt\": write alarm adopt"),
        (&["help", "show"], "write evidence show or alarm show or"),
    ] {
        let wrong = given(args).wrong();
        assert!(wrong.contains(message), "{wrong}");
    }
}
