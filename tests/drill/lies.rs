//! The program against every lie of the embedded ledger. Within one cycle the exit code, JSON, log
//! and evidence have the expected verdict, the other database is not affected, and the next cycles
//! are correct.
//!
//! tests/values has the lies about values.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fs, thread};

use crate::support::program::{Program, Run, high_water, member};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{AuditorSetup, Embedded, Lie, LieSchedule, fill};
use immuaudit::ledger::State;
use immuaudit::trust::Evidence;

const DATABASE: &str = "defaultdb";
/// The other database, which is honest in every lie about a single database.
const OTHER: &str = "otherdb";
/// The highest memory of the auditor in KiB, whatever the server sends.
const MAX_MEMORY_KIB: u64 = 48 << 10;
/// The number of concurrent scenes. A small machine has fewer cores, but some lies only wait for
/// timeouts.
const MAX_CONCURRENT_SCENES: usize = 4;

fn lies() -> impl Iterator<Item = Lie> {
    let all = Lie::ALL.iter().copied();
    all.filter(|lie| lie.group() != "value")
}

/// A ledger of two databases, and an auditor in its own process.
struct Scene {
    folder: TempDir,
    server: Embedded,
    program: Program,
}

impl Scene {
    fn new(lie: Lie) -> Scene {
        let mut options = lie.options();
        options.databases.push(OTHER.into());
        let server = Embedded::start(options).expect("an embedded ledger");
        fill(&server, DATABASE);
        fill(&server, OTHER);
        let folder = TempDir::new();
        // on a busy machine a short deadline could expire by itself, which would look like the lie
        let timeout = match lie.due().verdicts.contains(&"unreachable") {
            true => "4s",
            false => "30s",
        };
        let mut program = Program::new(server.port(), &folder.join("trust")).with(&[
            "--call-timeout",
            timeout,
            "--log-level",
            "debug",
        ]);
        if lie == Lie::WithheldTransaction {
            // the state is consistent, and the sample would find the lie only by chance
            program = program.with(&["--audit-sample", "0"]);
        }
        if lie.auditor() == AuditorSetup::WithKey {
            let key = folder.join("server.pub");
            fs::write(&key, server.public_pem().expect("a signing server")).expect("a file");
            program = program.with(&["--server-signing-pub-key", key.to_str().expect("UTF-8")]);
        }
        Scene {
            folder,
            server,
            program,
        }
    }

    fn evidence(&self) -> Vec<PathBuf> {
        let directory = self.folder.join("trust/tested/evidence").join(DATABASE);
        let files = fs::read_dir(directory).into_iter().flatten();
        files.map(|file| file.expect("a file").path()).collect()
    }
}

/// The result of one lie.
struct LieResult {
    lie: Lie,
    verdict: String,
    peak: u64,
}

fn run_lie(lie: Lie) -> LieResult {
    let scene = Scene::new(lie);
    let Scene {
        server, program, ..
    } = &scene;
    let new = lie.auditor() == AuditorSetup::New;
    if !new {
        program.once().is(0, DATABASE, "first-seen");
        server.grow(DATABASE, 7);
        program.once().is(0, DATABASE, "consistent");
    }
    let trusted = server.state(DATABASE).expect("a state");
    if !lie.forges() {
        server.grow(DATABASE, 5);
        server.grow(OTHER, 5);
    }
    let telling = LieSchedule::from(lie);
    server.lie(if lie.is_server_wide() {
        telling
    } else {
        telling.of(DATABASE)
    });
    if lie == Lie::FrozenView {
        server.grow(DATABASE, 3); // the frozen view does not contain these transactions
    }
    let (run, peak) = program.once_measured();
    let verdict = check_verdict(lie, &run);
    check_raw(lie, &run);
    assert!(peak < MAX_MEMORY_KIB, "{}: {peak} KiB", lie.name());
    if !lie.is_server_wide() {
        let expected = if new { "first-seen" } else { "consistent" };
        assert_eq!(run.verdict(OTHER), expected, "{}: {run:#?}", lie.name());
    }
    if is_tampering(&verdict) {
        check_evidence(lie, &scene, &run, (!new).then_some(trusted));
    } else {
        assert_eq!(scene.evidence().len(), 0, "{}", lie.name());
    }
    check_files(lie, &scene);

    server.be_honest();
    server.grow(DATABASE, 2);
    check_afterwards(lie, &scene, is_tampering(&verdict));
    LieResult { lie, verdict, peak }
}

fn is_tampering(verdict: &str) -> bool {
    ["inconsistent", "rolled-back", "bad-signature", "bad-value"].contains(&verdict)
}

/// Asserts that exit code, JSON and log have the expected verdict, and returns it.
fn check_verdict(lie: Lie, run: &Run) -> String {
    let name = lie.name();
    let verdict = run.verdict(DATABASE).to_owned();
    let expected = lie.due();
    assert!(expected.verdicts.contains(&&*verdict), "{name}: {run:#?}");
    if let Some(reason) = expected.reason {
        assert!(run.reason(DATABASE).contains(reason), "{name}: {run:#?}");
    }
    let tampered = is_tampering(&verdict);
    let printed = member(run.line(DATABASE), "tampered");
    assert_eq!(printed, tampered.to_string(), "{name}");
    let codes: &[i32] = match &*verdict {
        _ if tampered => &[2],
        // the lie may add databases, which need not be verified
        "consistent" if lie.is_server_wide() => &[0, 1],
        "consistent" | "first-seen" => &[0],
        _ => &[1],
    };
    assert!(
        codes.iter().any(|c| Some(*c) == run.code),
        "{name}: {run:#?}"
    );
    let logged = format!("database={DATABASE} verdict={verdict}");
    assert!(run.stderr.contains(&logged), "{name}: {}", run.stderr);
    if tampered {
        assert!(run.stderr.contains("TAMPERED"), "{name}: {}", run.stderr);
    }
    verdict
}

/// Asserts that text of the server is printed escaped only.
fn check_raw(lie: Lie, run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        let raw = text.chars().find(|c| !matches!(c, ' '..='~' | '\n'));
        assert_eq!(raw, None, "{}: {text}", lie.name());
    }
    let longest = run.stderr.lines().map(str::len).max();
    assert!(longest < Some(2000), "{}: {longest:?}", lie.name());
    // a line that begins with a time is from the program, not from the server
    let is_from_the_program = |line: &str| line.as_bytes().get(4) == Some(&b'-');
    assert!(
        run.stderr.lines().all(is_from_the_program),
        "{}: {}",
        lie.name(),
        run.stderr
    );
}

/// Asserts that there is one evidence file, with the trusted and the shown state.
fn check_evidence(lie: Lie, scene: &Scene, run: &Run, trusted: Option<State>) {
    let name = lie.name();
    let files = scene.evidence();
    assert_eq!(files.len(), 1, "{name}: {files:?}");
    let bytes = fs::read(&files[0]).expect("the evidence");
    assert!(
        bytes.iter().all(|b| matches!(b, b' '..=b'~' | b'\n')),
        "{name}"
    );
    let evidence = Evidence::parse(&bytes).expect(name);
    assert_eq!(evidence.finding.database, DATABASE);
    assert_eq!(
        evidence.finding.kind.word(),
        run.verdict(DATABASE),
        "{name}"
    );
    let recorded = evidence.finding.trusted.map(|trusted| trusted.state);
    assert_eq!(recorded, trusted, "{name}");
    let shown = evidence.finding.shown.map(|state| state.tx.to_string());
    let printed = member(run.line(DATABASE), "tx");
    assert_eq!(shown.unwrap_or("null".into()), printed, "{name}");
    assert!(!evidence.answers.is_empty(), "{name}");
    // the evidence is verified without the server, with the same result
    let file = files[0].to_str().expect("UTF-8");
    let checked = scene.program.run(&["evidence", "verify", file]);
    checked.ends_with(2);
    check_raw(lie, &checked);
    let shown = scene.program.run(&["evidence", "show", file]);
    shown.ends_with(0);
    assert!(shown.stdout.starts_with("It proves: "), "{shown:#?}");
    check_raw(lie, &shown);
    let listed = scene.program.run(&["evidence", "list"]);
    assert!(listed.ends_with(2).stdout.contains(file), "{listed:#?}");
}

/// Asserts that no name from the server created a file with another path (CVE-2022-39199).
fn check_files(lie: Lie, scene: &Scene) {
    let mut created: BTreeSet<String> = names(scene.folder.path());
    created.remove("server.pub");
    assert_eq!(created, BTreeSet::from(["trust".into()]), "{}", lie.name());
    let servers = names(&scene.folder.join("trust"));
    assert!(
        servers.iter().all(|name| name == "tested"),
        "{}: {servers:?}",
        lie.name()
    );
    for file in names(&scene.folder.join("trust/tested")) {
        let known = [
            "arrivals",
            "auditor.lock",
            "write.lock",
            "identities",
            "outcomes",
            "values",
            "evidence",
            "located",
        ];
        let endings = [".state", ".history", ".alarms"];
        let is_known = known.contains(&&*file) || endings.iter().any(|end| file.ends_with(end));
        assert!(is_known, "{}: {file}", lie.name());
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect()
}

/// Asserts that the honest server is verified again, and that an alarm stays open until it is
/// closed.
fn check_afterwards(lie: Lie, scene: &Scene, tampered: bool) {
    let server = &scene.server;
    // an honest server responds, but a busy machine needs more time
    let program = scene.program.with(&["--call-timeout", "30s"]);
    let name = lie.name();
    let run = program.once();
    let expected = match lie.auditor() {
        AuditorSetup::New => "first-seen",
        _ => "consistent",
    };
    assert_eq!(run.verdict(DATABASE), expected, "{name}: {run:#?}");
    let state = server.state(DATABASE).expect("a state");
    assert_eq!(
        member(run.line(DATABASE), "tx"),
        state.tx.to_string(),
        "{name}"
    );
    if !tampered {
        // the additional names of the lie are not audited databases
        run.ends_with(0);
        return;
    }
    run.is(2, DATABASE, expected);
    for _ in 0..2 {
        // every database is proven, but only the operator closes the alarm
        server.grow(DATABASE, 1);
        program.once().is(2, DATABASE, "consistent");
    }
    program.run(&["status"]).ends_with(2);
    let list = program.run(&["alarm", "list", "--json"]);
    for line in list.ends_with(2).stdout.lines() {
        let close = program.run(&["alarm", "close", member(line, "alarm")]);
        close.ends_with(0);
    }
    server.grow(DATABASE, 1);
    program.once().is(0, DATABASE, "consistent");
}

#[test]
fn every_lie_gets_its_verdict_and_affects_nothing_else() {
    let queue: Mutex<Vec<Lie>> = Mutex::new(lies().collect());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..MAX_CONCURRENT_SCENES {
            scope.spawn(|| {
                while let Some(lie) = next(&queue) {
                    let done = run_lie(lie);
                    results.lock().expect("no panic").push(done);
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no panic");
    results.sort_by_key(|result| result.lie);
    for result in &results {
        println!(
            "{:32} {:13} {:6} KiB",
            result.lie.name(),
            result.verdict,
            result.peak
        );
    }
    let peak = results
        .iter()
        .map(|result| result.peak)
        .max()
        .expect("lies");
    println!("{} lies, {peak} KiB at most", results.len());
    assert!(results.len() >= 70, "{}", results.len());
}

fn next(queue: &Mutex<Vec<Lie>>) -> Option<Lie> {
    queue.lock().ok()?.pop()
}

/// The loop keeps running, so its highest memory can be read from /proc.
#[test]
fn large_responses_use_limited_memory_in_the_loop() {
    for lie in [
        Lie::HugeReply,
        Lie::GzipBomb,
        Lie::ManyParts,
        Lie::ManyTerms,
        Lie::ManyNames,
        Lie::ManyEntries,
        Lie::EndlessScan,
        Lie::EndlessError,
        Lie::LongToken,
    ] {
        let scene = Scene::new(lie);
        scene.program.once().is(0, DATABASE, "first-seen");
        scene.server.grow(DATABASE, 5);
        scene.server.lie(lie);
        // each sampled value is such a response, so a small sample is enough
        let sample = if lie.group() == "value" { "2" } else { "0" };
        let args = ["--audit-interval", "10ms", "--audit-sample", sample];
        let mut running = scene.program.start(&args);
        let cycles = if lie == Lie::ManyNames { 2 } else { 5 };
        running.wait_for_times("INFO  cycle ", cycles);
        let peak = high_water(running.id()).expect("a running process");
        println!("{:32} {peak:6} KiB", lie.name());
        assert!(peak < MAX_MEMORY_KIB, "{}: {peak} KiB", lie.name());
        running.signal("TERM");
        assert_eq!(running.end(), Some(0), "{}", running.log());
    }
}

/// Each check has another finding. The number of stored findings is limited; the first and the last
/// are stored.
#[test]
fn many_findings_fill_no_disk_and_stop_no_audit() {
    let scene = Scene::new(Lie::ChangingState);
    scene.program.once().is(0, DATABASE, "first-seen");
    scene
        .server
        .lie(LieSchedule::from(Lie::ChangingState).of(DATABASE));
    let mut running = scene.program.start(&["--audit-interval", "1ms"]);
    running.wait_for_times("INFO  cycle ", 300);
    running.signal("TERM");
    running.end();
    let files = scene.evidence().len();
    assert!((2..=100).contains(&files), "{files} files");
    scene.server.be_honest();
    scene.server.grow(OTHER, 1);
    let run = scene.program.once();
    run.is(2, DATABASE, "consistent").is(2, OTHER, "consistent");
    let alarms: u64 = member(run.line(DATABASE), "open_alarms")
        .parse()
        .expect("a number");
    assert!((2..=100).contains(&alarms), "{alarms}");
}
