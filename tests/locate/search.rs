//! The search for the first rewritten transaction in the embedded ledger: at every position, and
//! with every lie during the search.

use std::time::Duration;

use crate::support::locating::{
    ALL, APART, DATABASE, audited, auditor_of, backup, fill_mirror, rewritten, server,
};
use crate::support::program::{Program, member};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Exit, Located, ServerView};
use immuaudit::config::ShownValues;
use immuaudit::drill::{Embedded, Lie, LieSchedule, NewEntry, Options};
use immuaudit::ledger::State;
use immuaudit::locate::Window;
use immuaudit::trust::LocatedRecord;

fn locate(auditor: &mut Auditor) -> Located {
    auditor.locate(DATABASE).expect("not stopped")
}

fn window(located: &Located) -> &Window {
    match &located.present {
        ServerView::Shows { window, .. } => window,
        other => panic!("{other:?}"),
    }
}

fn intact(window: &Window) -> u64 {
    window.intact.map_or(0, |point| point.tx)
}

#[test]
fn a_rewrite_is_found_between_two_audits_at_every_position() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    for parted in 0..ALL {
        embedded.put_ledger(DATABASE, rewritten(&honest, parted));
        let located = locate(&mut auditor);
        let before = parted / APART * APART;
        let window = window(&located);
        assert_eq!(window.doubtful(), Some(before + 1..=before + APART));
        assert_eq!(intact(window), before);
        assert_eq!(window.precedes_memory(), parted < APART);
        assert!(!window.is_replaced(), "transaction 1 was never trusted");
        assert!(window.undecided.is_empty());
        // 2 log2(30) is 9.8; the list and the state are additional calls
        assert!(window.questions <= 10 && located.calls <= 13, "{located:?}");
        assert_eq!(located.exit(), Exit::Tampered);
    }
    embedded.put_ledger(DATABASE, honest);
    let located = locate(&mut auditor);
    assert!(window(&located).is_intact());
    assert_eq!(located.exit(), Exit::Good);
}

#[test]
fn a_mirror_finds_the_exact_transaction_at_every_position() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    fill_mirror(&mut auditor);
    let honest = embedded.ledger(DATABASE).unwrap();
    for parted in 0..ALL {
        embedded.put_ledger(DATABASE, rewritten(&honest, parted));
        let located = locate(&mut auditor);
        let first = window(&located).first_differing();
        assert_eq!(first.map(|point| point.tx), Some(parted + 1));
        assert!(located.calls <= 20, "{located:?}");
    }
}

#[test]
fn the_lost_transactions_of_a_rollback_are_named() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    for mirrored in [false, true] {
        if mirrored {
            embedded.put_ledger(DATABASE, honest.clone());
            fill_mirror(&mut auditor);
        }
        for last in (1..ALL).step_by(7) {
            let mut older = honest.clone();
            older.truncate(last);
            embedded.put_ledger(DATABASE, older);
            let located = locate(&mut auditor);
            let window = window(&located);
            assert_eq!(window.lost(), Some(last + 1..=ALL));
            assert_eq!(window.broken, None);
            let expected = if mirrored { last } else { last / APART * APART };
            assert_eq!(intact(window), expected, "{window}");
            assert_eq!(located.exit(), Exit::Tampered);
        }
    }
}

#[test]
fn a_replaced_server_has_no_intact_transaction() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    embedded.lie(LieSchedule::from(Lie::OtherIdentity));
    let located = locate(&mut auditor);
    assert!(window(&located).precedes_memory());
    assert_eq!(window(&located).intact, None);
    embedded.be_honest();
    fill_mirror(&mut auditor);
    embedded.lie(LieSchedule::from(Lie::OtherIdentity));
    assert!(window(&locate(&mut auditor)).is_replaced());
    embedded.lie(LieSchedule::from(Lie::Emptied));
    assert!(matches!(
        locate(&mut auditor).present,
        ServerView::Emptied(_)
    ));
    embedded.be_honest();
    let (_backup, mut other) = backup(embedded.ledger(DATABASE).unwrap());
    embedded.drop_database(DATABASE);
    assert!(matches!(
        locate(&mut auditor).present,
        ServerView::Vanished(_)
    ));
    // a backup still has the vanished history
    let compared = auditor.against_server(DATABASE, State::EMPTY, &mut other, ShownValues::No);
    let differences = compared.unwrap().unwrap();
    assert!(differences.holds.as_ref().unwrap().is_intact());
    assert!(differences.unproven.is_none() && differences.differing.is_empty());
}

/// The server shows a rewrite. Each lie is added to it, immediately or after some responses.
#[test]
fn no_lie_makes_a_rewritten_transaction_look_intact() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    fill_mirror(&mut auditor);
    drop(auditor);
    // some lies are missing responses, so the timeout is short
    let hasty = server(&embedded, Duration::from_millis(60));
    let mut auditor = auditor_of(hasty, folder.path());
    let honest = embedded.ledger(DATABASE).unwrap();
    for lie in Lie::ALL {
        for (parted, after) in [(0, 0), (155, 4), (299, 7)] {
            embedded.be_honest();
            embedded.put_ledger(DATABASE, rewritten(&honest, parted));
            embedded.lie(LieSchedule::from(*lie).after(after));
            let located = locate(&mut auditor);
            if let ServerView::Shows { window, .. } = &located.present {
                let name = lie.name();
                assert!(
                    intact(window) <= parted,
                    "{name} {parted} {after}: {window}"
                );
                let broken = window.broken.map_or(u64::MAX, |point| point.tx);
                // a forging lie shows a third history, which may differ earlier
                assert!(lie.forges() || broken > parted, "{name} {parted}: {window}");
                assert!(!window.is_intact(), "{name} {parted}: {window}");
            }
        }
    }
    embedded.be_honest();
    embedded.put_ledger(DATABASE, rewritten(&honest, 155));
    embedded.lie(LieSchedule::from(Lie::NeverAnswers).after(5));
    let located = locate(&mut auditor);
    if let ServerView::Shows { window, .. } = &located.present {
        assert!(intact(window) <= 155 && !window.undecided.is_empty());
        assert!(
            window.to_string().contains("so the range is wider"),
            "{window}"
        );
    }
}

#[test]
fn alternating_histories_are_compared_with_the_first_one_shown() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    embedded.grow(DATABASE, 5);
    embedded.lie(LieSchedule::from(Lie::Alternating));
    for _ in 0..6 {
        let located = locate(&mut auditor);
        let window = window(&located);
        let forged = window.shown != embedded.state(DATABASE).unwrap();
        assert!(!forged || intact(window) <= 152, "{window}");
    }
}

#[test]
fn the_alarm_has_the_window_and_needs_logarithmic_calls() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    embedded.put_ledger(DATABASE, rewritten(&honest, 155));
    embedded.reset_calls();
    let cycle = auditor.cycle(|_| {});
    let outcome = &cycle.outcomes[0];
    let window = outcome.window.as_ref().unwrap();
    assert_eq!(window.doubtful(), Some(151..=160));
    let why = outcome.why();
    assert!(why.contains("transactions up to 150"), "{why}");
    assert!(why.contains("the rewrite begins in 151..160"), "{why}");
    let calls: u64 = embedded.calls().values().sum();
    assert!(calls <= 3 + 9, "{:?}", embedded.calls());
    let alarm = outcome.alarm.as_ref().unwrap();
    let kept = LocatedRecord::for_evidence(&alarm.evidence)
        .unwrap()
        .unwrap();
    assert_eq!((kept.intact, kept.broken), (Some(150), Some(160)));
    // a repeated finding is not located again
    embedded.reset_calls();
    auditor.cycle(|_| {});
    let calls: u64 = embedded.calls().values().sum();
    assert!(calls <= 3, "{:?}", embedded.calls());
}

/// Returns the stored result of the search for the only open alarm.
fn stored(auditor: &Auditor) -> LocatedRecord {
    let alarms = auditor.open_alarms(DATABASE).unwrap();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    let located = LocatedRecord::for_evidence(&alarms[0].evidence);
    located.unwrap().expect("a stored result")
}

/// Returns the ends of the stored range.
fn range(record: &LocatedRecord) -> (Option<u64>, Option<u64>) {
    (record.intact, record.broken)
}

#[test]
fn a_stored_range_is_replaced_only_by_one_of_the_same_state_that_is_not_wider() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    let forged = rewritten(&honest, 155);
    embedded.put_ledger(DATABASE, forged.clone());
    auditor.cycle(|_| {});
    let first = stored(&auditor);
    assert_eq!(range(&first), (Some(150), Some(160)));
    let save = |auditor: &mut Auditor, report: &str| {
        let located = locate(auditor);
        auditor.save_report(&located, report).unwrap();
        located
    };
    save(&mut auditor, "the whole report");
    let whole = stored(&auditor);
    assert_eq!(whole.report, "the whole report");
    assert_eq!((range(&whole), whole.shown), (range(&first), first.shown));
    // the trusted history, and the next state of the rewritten one
    embedded.put_ledger(DATABASE, honest);
    assert_eq!(save(&mut auditor, "intact").alarms.len(), 1);
    assert_eq!(stored(&auditor), whole);
    embedded.put_ledger(DATABASE, forged);
    embedded.grow(DATABASE, 1);
    save(&mut auditor, "another state");
    assert_eq!(stored(&auditor), whole);
    // the server is stopped
    drop(embedded);
    let located = save(&mut auditor, "not shown");
    assert!(matches!(located.present, ServerView::NotShown(_)));
    assert_eq!(stored(&auditor), whole);
}

#[test]
fn the_range_of_a_search_without_results_is_replaced_by_a_later_one() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    embedded.put_ledger(DATABASE, rewritten(&honest, 155));
    // the list, the state and the proof of the check come before the search
    embedded.lie(LieSchedule::from(Lie::NeverAnswers).after(3));
    let cycle = auditor.cycle(|_| {});
    let window = cycle.outcomes[0].window.as_ref().unwrap();
    assert!(!window.undecided.is_empty(), "{window}");
    assert_eq!(range(&stored(&auditor)), (None, None));
    embedded.be_honest();
    auditor.cycle(|_| {});
    assert_eq!(range(&stored(&auditor)), (Some(150), Some(160)));
}

#[test]
fn locate_changes_neither_verdict_nor_trusted_state() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    let trusted = honest.state();
    for lie in [Lie::FlippedProof, Lie::ExtremeFields, Lie::NeverAnswers] {
        embedded.be_honest();
        embedded.put_ledger(DATABASE, rewritten(&honest, 155));
        // the list, the state and the proof of the check come before the search
        embedded.lie(LieSchedule::from(lie).after(3));
        let cycle = auditor.cycle(|_| {});
        let outcome = &cycle.outcomes[0];
        assert_eq!(outcome.verdict.word(), "inconsistent", "{outcome:?}");
        assert_eq!(outcome.previous, Some(trusted));
        assert!(outcome.alarm.is_some());
        let stood = outcome.window.as_ref().map_or(0, intact);
        assert!(stood <= 155);
    }
}

#[test]
fn locate_prints_text_and_json_and_extends_the_evidence() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).unwrap();
    let audit = Program::new(embedded.port(), &folder.join("trust")).with(&["--audit-keep-hashes"]);
    for _ in 0..5 {
        embedded.grow(DATABASE, APART);
        audit.once().ends_with(0);
    }
    let honest = embedded.ledger(DATABASE).unwrap();
    let run = audit.run(&["locate", DATABASE]);
    let part = "only headers and states were verified";
    assert!(run.stdout.contains(part), "{run:#?}");
    assert!(
        run.ends_with(0).stdout.contains(
            "no header: every trusted state is proven to be part of the server's history"
        )
    );

    let mut forged = honest.clone();
    forged.truncate(33);
    forged.commit(vec![NewEntry::set("key/33", "forged")]);
    for _ in 0..20 {
        forged.commit(vec![NewEntry::set("a", "b")]);
    }
    embedded.put_ledger(DATABASE, forged);
    let run = audit.once();
    run.is(2, DATABASE, "inconsistent");
    let reason = run.reason(DATABASE);
    assert!(reason.contains("transaction 34, audited"), "{reason}");
    let (backup, _) = backup(honest);
    let against = format!("127.0.0.1:{}", backup.port());
    let run = audit.run(&["locate", DATABASE, "--against", &against, "--show-values"]);
    let text = &run.ends_with(2).stdout;
    for part in [
        "history was rewritten",
        "transactions 1..33, audited by",
        "transaction 34 is the first that was rewritten",
        "a good source for a restore",
        "changed \"key/33\": \"value 33\" there, \"forged\" here",
        "What to do next",
        "immuaudit alarm close --dir=",
        "immuaudit alarm adopt --dir=",
        "close it and keep the trusted state",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let run = audit.run(&["locate", DATABASE, "--json", "--against", &against]);
    let line = run.ends_with(2).line(DATABASE);
    assert_eq!(member(line, "happened"), "rewritten");
    assert_eq!(member(line, "first_rewritten"), "34");
    assert_eq!(member(line, "holds_trusted_to"), "50");
    assert!(
        line.contains("\"how\":\"changed\",\"key\":\"key/33\",\"there\":null"),
        "{line}"
    );

    let listed = audit.run(&["evidence", "list"]);
    let file = listed.stdout.split_whitespace().last().unwrap();
    let shown = audit.run(&["evidence", "show", file]);
    assert!(
        shown
            .ends_with(0)
            .stdout
            .contains("transaction 34 is the first"),
        "{shown:#?}"
    );
    audit.run(&["evidence", "verify", file]).ends_with(2);
    let run = audit.run(&["locate", "nothere"]);
    assert!(
        run.ends_with(3)
            .stderr
            .contains("this auditor knows no database nothere; known databases: defaultdb"),
        "{run:?}"
    );
    audit.run(&["locate"]).ends_with(3);
    audit
        .run(&["locate", DATABASE, "--against", "a:b"])
        .ends_with(3);
    audit
        .run(&["locate", DATABASE, "--show-values"])
        .ends_with(3);
}

#[test]
fn a_report_that_cannot_be_stored_is_printed() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).unwrap();
    embedded.grow(DATABASE, 30);
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    let mut older = embedded.ledger(DATABASE).unwrap();
    older.truncate(20);
    embedded.put_ledger(DATABASE, older);
    audit.once().is(2, DATABASE, "rolled-back");
    // a file takes the place of the directory of the reports
    let reports = audit.dir.join("tested").join("located");
    if reports.exists() {
        std::fs::remove_dir_all(&reports).unwrap();
    }
    std::fs::write(&reports, "").unwrap();
    for (args, part) in [
        (&["locate", DATABASE][..], "What to do next"),
        (&["locate", DATABASE, "--json"], "\"happened\":"),
    ] {
        let run = audit.run(args);
        assert!(run.ends_with(2).stdout.contains(part), "{run:#?}");
        assert!(
            run.stderr.contains("is not stored with the alarm"),
            "{run:#?}"
        );
    }
}

#[test]
fn every_corrupt_transaction_of_a_value_alarm_is_listed() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).unwrap();
    embedded.grow(DATABASE, 60);
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    embedded.lie(LieSchedule::from(Lie::EditedValue));
    audit.once().is(2, DATABASE, "bad-value");
    let run = audit.run(&["locate", DATABASE]);
    let text = &run.ends_with(2).stdout;
    assert!(
        text.contains("60 transactions of 60 that were read"),
        "{text}"
    );
    assert!(
        text.contains("a value differs: 60 transactions, written 20"),
        "{text}"
    );
    assert!(text.contains("according to the server"), "{text}");
    assert!(text.contains("the values named above differ"), "{text}");
    assert!(!text.contains("extends every trusted state"), "{text}");
    let part = "the values of 60 transactions were read";
    assert!(text.contains(part), "{text}");
    let list = audit.run(&["alarm", "list", "--json"]);
    let alarm = member(list.line(DATABASE), "alarm").to_owned();
    let part = "values of transactions 1, 2, 3, 4, 5, 6, 7, 8 and 52 more differ from what was written: alarm ";
    assert!(text.contains(part), "{text}");
    assert!(text.contains(&format!("written: alarm {alarm}")), "{text}");
    let json = audit.run(&["locate", DATABASE, "--json"]);
    let line = json.ends_with(2).line(DATABASE);
    assert_eq!(member(line, "looked_at"), "headers, states and values");
}

/// The history is intact and no check has opened an alarm yet.
#[test]
fn a_state_that_a_check_would_refuse_decides_the_exit_code() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default().signed()).unwrap();
    embedded.grow(DATABASE, 10);
    let key = folder.public_key_of(&embedded);
    let key = ["--server-signing-pub-key", &key];
    let without_key = Program::new(embedded.port(), &folder.join("trust"));
    let audit = without_key.with(&key);
    audit.once().is(0, DATABASE, "first-seen");
    audit.run(&["locate", DATABASE]).ends_with(0);
    for (audit, lie, expected) in [
        (&audit, Lie::GarbageSignature, 2),
        (&without_key, Lie::OtherDatabase, 1),
    ] {
        embedded.lie(lie);
        let run = audit.run(&["locate", DATABASE]);
        let stdout = &run.stdout;
        assert!(
            stdout.contains("a check would refuse the state"),
            "{run:#?}"
        );
        run.ends_with(expected);
        embedded.be_honest();
    }
}
