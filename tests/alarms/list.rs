//! `immuaudit alarm list` prints a summary for a database with many alarms, and all of them on
//! request.

use crate::support::program::{Program, member};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

const MANY: &str = "defaultdb";
const ONE: &str = "shop";

#[test]
fn many_alarms_of_one_database_print_a_summary_and_the_first_three() {
    let server = Embedded::start(Options::default().with_databases(&[ONE])).expect("a ledger");
    server.grow(MANY, 30);
    server.grow(ONE, 3);
    let folder = TempDir::new();
    let program = Program::new(server.port(), &folder.join("state")).with(&["--audit-sample=100"]);
    program.once().ends_with(0);
    server.lie(Lie::EditedValue);
    program
        .run(&["--once", "--audit-databases", MANY])
        .ends_with(2);
    server.lie(LieSchedule::from(Lie::Rollback).of(ONE));
    program.once().ends_with(2);
    let json = program.run(&["alarm", "list", "--json"]);
    let lines = || json.stdout.lines();
    let of = |database| lines().filter(move |line| member(line, "database") == database);
    let ids: Vec<&str> = of(MANY).map(|line| member(line, "alarm")).collect();
    assert!(ids.len() > 10 && of(ONE).count() == 1, "{json:#?}");

    let run = program.run(&["alarm", "list"]);
    let text = &run.ends_with(2).stdout;
    let count = ids.len();
    let summary =
        format!("{MANY}: {count} open alarms, worst first: {count} bad-value; first raised 20");
    assert!(text.starts_with(&summary), "{text}");
    assert!(text.contains(", last seen 20"), "{text}");
    assert!(text.contains(&format!(" --database={MANY}\n")), "{text}");
    let named = |text: &str| {
        ids.iter()
            .filter(|id| text.contains(&format!("{id} {MANY} bad-value")))
            .count()
    };
    assert_eq!(named(text), 3, "{text}");
    let more = format!(
        "and {} more of this database: immuaudit alarm list {MANY} prints",
        count - 3
    );
    assert!(text.contains(&more), "{text}");
    // the other database has a single alarm, which needs no summary
    assert!(text.contains(&format!(" {ONE} rolled-back (")), "{text}");
    assert!(!text.contains(&format!("{ONE}: 1 open alarm")), "{text}");
    assert!(text.len() < 6_000, "{} bytes: {text}", text.len());

    for args in [&["alarm", "list", MANY][..], &["alarm", "list", "--all"]] {
        let run = program.run(args);
        assert_eq!(named(&run.ends_with(2).stdout), count, "{run:#?}");
    }
    // the printed command closes all of them
    let close = text
        .lines()
        .find_map(|line| line.split("trusted state: immuaudit ").nth(1));
    let args: Vec<&str> = close.expect("a command").split(' ').collect();
    assert_eq!(args[..2], ["alarm", "close"]);
    program
        .run(&["alarm", "close", args[args.len() - 1]])
        .ends_with(0);
    let run = program.run(&["alarm", "list", "--all"]);
    let text = &run.ends_with(2).stdout;
    let summary =
        format!("{MANY}: {count} alarms, 0 of them open, worst first: {count} bad-value;");
    assert!(text.starts_with(&summary), "{text}");
    assert!(!program.run(&["alarm", "list"]).stdout.contains(MANY));
}
