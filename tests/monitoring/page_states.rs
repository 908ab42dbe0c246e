//! The status page in a real browser, in every condition, with no database, one, and databases of
//! all kinds.

use std::fs;
use std::time::Duration;

use crate::support::browser::{Browser, Theme};
use crate::support::readable::{Look, look};
use crate::support::temp_dir::TempDir;
use crate::support::tool::have;
use crate::support::value_scene::{ALL, DB, Scene};
use immuaudit::audit::{Auditor, Outcome, Overdue, Reason, Verdict, Warning};
use immuaudit::clock::{self, Clock};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::Lie;
use immuaudit::ledger::{Digest, State};
use immuaudit::report::{InstanceInfo, ReceiverStats, Snapshot, StatusRegistry, page};
use immuaudit::server::{Calls, ServerError, ServerErrorKind};
use immuaudit::trust::{Acknowledged, SweepSummary, Tampering, Unavailable, ValueProgress};

const SIZES: [(&str, (u32, u32), Theme); 4] = [
    ("wide", (1200, 700), Theme::Light),
    ("wide-dark", (1200, 700), Theme::Dark),
    ("narrow", (400, 1400), Theme::Light),
    ("narrow-dark", (400, 1400), Theme::Dark),
];

fn registry() -> StatusRegistry {
    let about = InstanceInfo {
        server: "ledger.example:3322".into(),
        address: "ledger.example:3322".into(),
        interval: Duration::from_secs(300),
        values: Values {
            sample: 32,
            new: NewValues::All,
            sweep: None,
        },
        call_timeout: Duration::from_secs(10),
        config: String::new(),
        started: clock::now(),
    };
    StatusRegistry::new(about, Calls::new(Clock::system()))
}

fn state(tx: u64) -> Option<State> {
    let hash = Digest::of(&[b"x"]);
    Some(State { tx, hash })
}

/// Returns the outcome of a check without remarks.
fn outcome(database: &str, verdict: Verdict) -> Outcome {
    Outcome {
        database: database.into(),
        verdict,
        of_state: None,
        reason: Reason::None,
        values: None,
        window: None,
        shown: state(180_500),
        previous: state(180_000),
        signature: None,
        previous_signature: None,
        alarm: None,
        opened: Vec::new(),
        unwritten: None,
        unreadable_alarms: None,
        open_alarms: usize::from(verdict.is_tampering()),
        overdue: None,
        values_overdue: None,
        peers: Vec::new(),
        peers_overdue: None,
        warnings: Vec::new(),
        duration: Duration::from_secs(1),
        is_untrusted: false,
        asked: true,
    }
}

fn reason(verdict: Verdict) -> Reason {
    let failure = |call, kind| Reason::Failure(ServerError::new(call, kind));
    match verdict {
        Verdict::Tampered(Tampering::RolledBack) => Reason::Fewer,
        Verdict::Tampered(_) => Reason::OtherHash { tx: 180_000 },
        Verdict::Unreachable => failure("CurrentState", ServerErrorKind::Unreachable),
        Verdict::Refused => failure("CurrentState", ServerErrorKind::Forbidden),
        Verdict::Malformed => Reason::UnbackedHash,
        Verdict::Unprovable => Reason::TookTooLong,
        _ => Reason::None,
    }
}

/// Returns the progress of a database whose 180,500 transactions a sweep has read five hours ago.
fn progress(database: &str) -> ValueProgress {
    let now = clock::now();
    let mut progress = ValueProgress::new(database, now.plus(-90_000));
    progress.read = 200_000;
    progress.swept = Some(SweepSummary {
        began: now.plus(-20_000),
        ended: now.plus(-18_000),
        read: 180_500,
        unavailable: Unavailable::default(),
        of: 180_500,
    });
    progress
}

/// Publishes a cycle over the databases of the registry.
fn end_cycle(registry: &StatusRegistry, auditor: &mut Auditor, complete: bool) {
    let mut cycle = auditor.cycle(|_| {});
    let known = registry
        .snapshot()
        .databases
        .keys()
        .map(|name| name.to_string())
        .collect();
    cycle.known = known;
    cycle.skipped_databases = usize::from(!complete);
    registry.publish_cycle(&cycle, Some("c0ffee"));
}

/// Publishes a database in each condition, with the condition as its name.
fn every_row(registry: &StatusRegistry) {
    let tampered = [
        Tampering::Inconsistent,
        Tampering::RolledBack,
        Tampering::BadSignature,
        Tampering::BadValue,
        Tampering::SplitView,
    ];
    let verdicts = [
        Verdict::FirstSeen,
        Verdict::Consistent,
        Verdict::Empty,
        Verdict::Unread,
        Verdict::Malformed,
        Verdict::Unreachable,
        Verdict::Refused,
        Verdict::Unprovable,
        Verdict::LocalFailure,
    ];
    let verdicts = verdicts.into_iter().chain(tampered.map(Verdict::Tampered));
    let verdicts: Vec<Verdict> = verdicts.collect();
    assert_eq!(verdicts.len(), Verdict::WORDS.len());
    for verdict in verdicts {
        let mut of = outcome(&format!("db-{verdict}"), verdict);
        of.reason = reason(verdict);
        registry.publish(&of);
    }
    let consistent = |name: &str| outcome(name, Verdict::Consistent);
    let mut of = consistent("overdue");
    of.overdue = Some(Overdue::Unproven(Duration::from_secs(4_000)));
    registry.publish(&of);
    let mut of = consistent("values-overdue");
    of.values_overdue = Some(Overdue::Unswept(Duration::from_secs(400_000)));
    registry.publish(&of);
    let mut of = consistent("unsigned");
    of.warnings.push(Warning::SignatureDropped);
    registry.publish(&of);
    registry.publish(&consistent("absent"));
    let mut absent = progress("absent");
    absent.absent.insert(1, 144_400, ());
    registry.publish_values(&absent, &Acknowledged::default());
    registry.publish(&consistent("behind"));
    let mut behind = progress("behind");
    behind.new_to = Some(180_100);
    behind.behind_since = Some(clock::now().plus(-120));
    registry.publish_values(&behind, &Acknowledged::default());
    registry.restore("not-checked-yet", None, 0, None);
    registry.restore("an-alarm-of-an-earlier-run", None, 2, None);
    registry.restore("not-selected", None, 0, None);
    registry.select(|database| database != "not-selected");
}

#[test]
fn the_page_is_readable_in_every_condition() {
    if !have("chromium", "chromium") {
        return;
    }
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    let mut pages: Vec<(&str, Snapshot, &str, usize)> = Vec::new();

    pages.push(("none-starting", registry().snapshot(), "Starting", 0));
    let none = registry();
    end_cycle(&none, &mut auditor, true);
    pages.push(("none", none.snapshot(), "All is well", 0));

    let one = registry();
    one.publish(&outcome(DB, Verdict::Consistent));
    one.publish_values(&progress(DB), &Acknowledged::default());
    pages.push(("one-starting", one.snapshot(), "Starting", 0));
    end_cycle(&one, &mut auditor, true);
    pages.push(("one", one.snapshot(), "All is well", 0));
    let mut absent = progress(DB);
    absent.absent.insert(1, 144_400, ());
    one.publish_values(&absent, &Acknowledged::default());
    let receiver = ReceiverStats::new("https://pager.example");
    let clock = Clock::system();
    receiver.waiting(3, clock.instant().checked_sub(Duration::from_secs(4_000)));
    one.register_receivers(vec![receiver]);
    pages.push(("one-attention", one.snapshot(), "Needs attention", 0));
    end_cycle(&one, &mut auditor, false);
    pages.push((
        "one-incomplete",
        one.snapshot(),
        "Not everything could be checked",
        0,
    ));
    let mut stalled = one.snapshot();
    stalled.stalled = Duration::from_secs(4_000);
    pages.push(("one-stalled", stalled, "The audit makes no progress", 0));

    let every = registry();
    every_row(&every);
    scene.embedded.lie(Lie::FreshNames);
    end_cycle(&every, &mut auditor, false);
    let snapshot = every.snapshot();
    assert!(
        !snapshot.server.untrusted.text.is_empty(),
        "untrusted databases"
    );
    pages.push(("every", snapshot, "Tampering", 1));

    let folder = TempDir::new();
    let mut browser = Browser::start();
    for (name, snapshot, title, others) in &pages {
        let html = page(snapshot);
        assert!(
            html.contains(&format!("<h1>{title}</h1>")),
            "{name}: {html}"
        );
        let file = folder.join(&format!("{name}.html"));
        fs::write(&file, &html).expect("a file");
        for (screen, size, theme) in SIZES {
            look(
                &mut browser,
                &Look {
                    url: &format!("file://{}", file.display()),
                    name: &format!("{name}-{screen}"),
                    size,
                    theme,
                    databases: snapshot.databases.len(),
                    others: *others,
                },
            );
        }
    }
}

#[test]
fn the_worst_databases_and_untrusted_tampering_come_first() {
    let every = registry();
    every_row(&every);
    let mut snapshot = every.snapshot();
    snapshot.server.cycles = 1;
    let classes = |snapshot: &Snapshot| -> Vec<String> {
        let html = page(snapshot);
        let rows = html.lines().filter(|line| line.contains("scope=\"row\""));
        let class = |row: &str| row.split('"').nth(1).unwrap_or_default().to_owned();
        rows.map(class).collect()
    };
    let worst = |class: &String| match class.split(' ').next() {
        Some("bad") => 0,
        Some("unclear") => 1,
        _ => 2,
    };
    let order: Vec<i32> = classes(&snapshot).iter().map(worst).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(order.contains(&0) && order.contains(&1) && order.contains(&2));
    // a reason has its own line below the row
    let html = page(&snapshot);
    let mut lines = html.lines();
    let row = lines.find(|line| line.contains(">overdue</th>"));
    assert!(row.is_some_and(|row| row.contains(" noted\"")), "{row:?}");
    let under = lines.find(|line| !line.is_empty()).expect("a line");
    assert!(under.contains(" note\"><td colspan=\"8\">"), "{under}");
    // an untrusted database with tampering changes the title, whatever the others are
    let one = registry();
    one.publish(&outcome(DB, Verdict::Consistent));
    let (mut first, mut second) = (registry().snapshot(), one.snapshot());
    for snapshot in [&mut first, &mut second] {
        (snapshot.server.cycles, snapshot.server.last_complete) = (1, true);
        let untrusted = &mut snapshot.server.untrusted;
        untrusted.text = "1 database without a trusted state".into();
        (untrusted.unproven, untrusted.tampering_count) = (1, 1);
        untrusted.worst = Some(Verdict::Tampered(Tampering::BadSignature));
        assert!(page(snapshot).contains("<h1>Tampering</h1>"));
        assert_eq!(classes(snapshot)[0], "bad");
    }
}

#[test]
fn databases_without_a_trusted_state_are_one_line_of_the_table() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(ALL);
    let registry = registry();
    registry.publish(&outcome(DB, Verdict::Consistent));
    scene.embedded.lie(Lie::FreshNames);
    end_cycle(&registry, &mut auditor, true);
    let html = page(&registry.snapshot());
    let line = html
        .lines()
        .find(|line| line.contains("without a trusted state"));
    let line = line.expect("a line");
    assert!(
        line.contains("others</th><td class=\"rest\" colspan=\"7\">"),
        "{line}"
    );
    let rows = html.lines().filter(|line| line.starts_with("<tr class"));
    assert_eq!(rows.count(), 2, "{html}");
}
