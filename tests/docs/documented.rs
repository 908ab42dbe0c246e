//! docs/metrics.md and docs/json.md list exactly the metrics and members that the program prints,
//! with their types.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::http::get;
use crate::support::program::{Program, Running};
use crate::support::receiver::Receiver;
use crate::support::temp_dir::TempDir;
use crate::support::watched::port_of;
use immuaudit::drill::{Embedded, Lie, LieSchedule, NewEntry, Options};
use immuaudit::json::Json;
use immuaudit::ledger::encode_base64;

fn page(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    fs::read_to_string(docs.join(name)).expect(name)
}

/// Returns the cells of the table rows that begin with a name in backticks.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| line.split('|').skip(1).map(str::trim).collect())
}

fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The key of a peer that is unavailable.
const PEER: &str = "zone-b+4a8a84aa+BHy7xs+Wk/TAnW4LKKlPt/oZYoFISsdd5yxg41dhGD3U";

/// A signing server of two databases, and an auditor of it with a receiver and an unavailable peer.
struct Scene {
    ledger: Embedded,
    program: Program,
    receiver: Receiver,
    folder: TempDir,
}

impl Scene {
    fn new(args: &[&str]) -> Scene {
        let options = Options::default().signed().with_databases(&["shop"]);
        let ledger = Embedded::start(options).expect("a ledger");
        for database in ["defaultdb", "shop"] {
            ledger.grow(database, 5);
        }
        let (folder, receiver) = (TempDir::new(), Receiver::start());
        let program = Program::new(ledger.port(), &folder.join("state"))
            .with(&["--audit-interval=1s", "--audit-notification-url"])
            .with(&[&receiver.url()])
            .with(&[&format!("--audit-peer=http://127.0.0.1:9={PEER}")])
            .with(args);
        Scene {
            ledger,
            program,
            receiver,
            folder,
        }
    }

    /// Starts the loop, waits for its first cycle, and returns the port of the status page.
    fn start(&self) -> (Running, u16) {
        let mut running = self.program.start(&[]);
        running.wait_for("cycle finished server=");
        let port = port_of(&running);
        (running, port)
    }
}

/// The type and the labels of a metric.
type Metric = (String, BTreeSet<String>);

/// Returns the metrics of a scrape, each with its type and the labels of its samples, except `le`
/// of histograms.
fn scraped(text: &str) -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').expect("a type");
            name.clone_into(&mut last);
            let before = metrics.insert(last.clone(), (kind.to_owned(), BTreeSet::new()));
            assert_eq!(before, None, "{name} appears twice");
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&last), "{line}");
            let labels = &mut metrics.get_mut(&last).expect("a family").1;
            for part in line.rsplit("=\"").skip(1) {
                let name = part.rsplit(['{', ',']).next().expect("a label");
                labels.insert(name.to_owned());
            }
            labels.remove("le");
        }
    }
    metrics
}

#[test]
fn the_documented_metrics_are_exactly_the_exposed_ones() {
    // nothing listens on this port
    let scene = Scene::new(&["--audit-heartbeat-url=http://127.0.0.1:9/"]);
    scene.ledger.drop_values_before("shop", 3);
    let (_running, port) = scene.start();
    let shown = || scraped(&get(port, "/metrics", "*/*").body);
    for _ in 0..100 {
        // this metric has series only if values are missing
        if !shown()["immuaudit_values_unavailable"].1.is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let page = page("metrics.md");
    let mut documented = BTreeMap::new();
    for row in rows(&page) {
        let [name, kind, labels, meaning, alert, ..] = row.as_slice() else {
            panic!("not a row of a metric: {row:?}");
        };
        assert!(!meaning.is_empty() && !alert.is_empty(), "{row:?}");
        let labels = labels.split_whitespace().map(bare).collect();
        let before = documented.insert(bare(name), ((*kind).to_owned(), labels));
        assert_eq!(before, None, "{name} is documented twice");
    }
    let shown = shown();
    for (name, metric) in &shown {
        let (kind, labels) = metric;
        let row = documented.get(name);
        assert!(
            row.is_some(),
            "docs/metrics.md has no row for {name}, a {kind} with the labels {labels:?}"
        );
        assert_eq!(
            row,
            Some(metric),
            "docs/metrics.md has another type or other labels for {name} than the program (right)"
        );
    }
    let gone: Vec<&String> = documented
        .keys()
        .filter(|name| !shown.contains_key(*name))
        .collect();
    assert_eq!(gone, Vec::<&String>::new(), "documented, but not exposed");
}

/// The alert rules and the dashboard use documented metrics only.
#[test]
fn the_rules_and_the_dashboard_use_only_documented_metrics() {
    let page = page("metrics.md");
    let documented: BTreeSet<String> = rows(&page).map(|row| bare(row[0])).collect();
    for file in [
        "deploy/prometheus/immuaudit.rules.yml",
        "deploy/grafana/immuaudit.json",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(path).expect(file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named =
            words.filter(|word| word.starts_with("immuaudit_") || word.starts_with("process_"));
        for name in named {
            let family = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            assert!(documented.contains(family), "{file}: {name}");
        }
    }
}

/// Returns the documented members with their types, by the heading of their section.
fn sections() -> BTreeMap<String, BTreeMap<String, String>> {
    let page = page("json.md");
    page.split("\n## ")
        .skip(1)
        .map(|section| {
            let heading = section.lines().next().expect("a heading").to_owned();
            let members = rows(section).map(|row| (bare(row[0]), row[1].to_owned()));
            (heading, members.collect())
        })
        .collect()
}

/// Collects every member of a value with its path and type, for instance `databases[].verdict`.
fn members(value: &Json, path: &str, found: &mut Vec<(String, &'static str)>) {
    let Json::Object(inner) = value else { return };
    for (name, value) in inner {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        let kind = match value {
            Json::Word("null") => "null",
            Json::Word(_) => "true or false",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::Object(_) => "object",
            Json::List(list) if list.iter().all(|of| matches!(of, Json::Text(_))) => {
                "list of strings"
            }
            Json::List(_) => "list of objects",
        };
        found.push((path.clone(), kind));
        members(value, &path, found);
        if let Json::List(list) = value {
            for value in list {
                members(value, &format!("{path}[]"), found);
            }
        }
    }
}

/// Compares objects with their section: each member is documented with its type, and each
/// documented member occurs.
#[track_caller]
fn documented(heading: &str, objects: &[String]) {
    let sections = sections();
    let section = sections
        .get(heading)
        .unwrap_or_else(|| panic!("docs/json.md has no section {heading}"));
    assert!(!objects.is_empty(), "{heading}: no object");
    let mut seen = BTreeSet::new();
    for object in objects {
        let value = Json::parse(object).unwrap_or_else(|_| panic!("{heading}: {object}"));
        let mut found = Vec::new();
        members(&value, "", &mut found);
        for (name, kind) in &found {
            let expected = section
                .get(name)
                .unwrap_or_else(|| panic!("docs/json.md, {heading}: {name} is missing"));
            let expected: Vec<&str> = expected.split(" or ").collect();
            let expected: Vec<&str> = expected
                .iter()
                .map(|expected| expected.trim_end_matches(','))
                .collect();
            let is = match *kind {
                "null" => expected.contains(&"null"),
                "true or false" => expected.starts_with(&["true", "false"]),
                // an empty list may be a list of anything
                "list of strings" => expected
                    .iter()
                    .any(|expected| expected.starts_with("list of ")),
                kind => expected.contains(&kind),
            };
            assert!(
                is,
                "docs/json.md, {heading}: {name} is {kind}, not {expected:?}"
            );
        }
        let names: BTreeSet<&String> = found.iter().map(|(name, _)| name).collect();
        for (name, expected) in section.iter().filter(|(name, _)| !name.contains('.')) {
            let may_lack = expected.contains("not there");
            assert!(
                may_lack || names.contains(name),
                "docs/json.md, {heading}: {name} is not in {object}"
            );
        }
        seen.extend(found.into_iter().map(|(name, _)| name));
    }
    let unseen: Vec<&String> = section
        .keys()
        .filter(|name| !seen.contains(*name))
        .collect();
    assert_eq!(unseen, Vec::<&String>::new(), "{heading}: never seen");
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_json_of_the_commands_is_documented() {
    let scene = Scene::new(&["--audit-databases=shop,defaultdb,none"]);
    let plain = scene.program.with(&[]);
    let scene = Scene {
        program: plain.with(&["--json"]),
        ..scene
    };
    let once = |scene: &Scene| lines(&scene.program.run(&["--once"]).stdout);
    let mut checks = once(&scene);
    scene.program.run(&["alarm", "list"]).ends_with(0);
    let mut status = lines(&scene.program.run(&["status"]).stdout);
    let swept = scene.program.run(&["sweep", "shop"]).stdout;
    let roots = lines(&scene.program.run(&["states", "list"]).stdout);
    scene
        .ledger
        .lie(LieSchedule::from(Lie::Rollback).of("shop"));
    checks.extend(once(&scene));
    status.extend(lines(&scene.program.run(&["status"]).stdout));
    let alarm = scene.program.open_alarm("shop");
    let shown = |args: &[&str]| scene.program.run(args).stdout;
    let open = shown(&["alarm", "show", &alarm]);
    let closed = shown(&["alarm", "close", &alarm]) + &shown(&["alarm", "list", "--all"]);
    checks.extend(once(&scene)); // which opens the alarm again
    let again = shown(&["alarm", "list"]);
    scene.ledger.be_honest();
    let early = shown(&["sweep", "unknown"]);
    let is_sweep = |line: &&String| line.contains("\"of\":");
    let sweeps: Vec<String> = [lines(&swept), lines(&early)].concat();
    let sweeps: Vec<String> = sweeps.iter().filter(is_sweep).cloned().collect();
    let (none, one): (Vec<String>, Vec<String>) = checks
        .into_iter()
        .partition(|line| line.contains("\"database\":null"));
    documented("`immuaudit --once --json`: a database", &one);
    documented("`immuaudit --once --json`: no single database", &none);
    documented("`immuaudit sweep --json`", &sweeps);
    let key = scene.folder.join("key").display().to_string();
    let public = plain.run(&["key", "new", "--name", "zone-a", &key]).stdout;
    let file = scene.folder.join("checkpoints");
    let exported = plain.run(&["checkpoint", "export", "--audit-signing-key", &key]);
    fs::write(&file, exported.stdout).expect("a file");
    let file = file.display().to_string();
    let verify = ["checkpoint", "verify", &file, "--key", public.trim()];
    documented(
        "`immuaudit checkpoint show --json`",
        &lines(&shown(&["checkpoint", "show", &file])),
    );
    documented(
        "`immuaudit checkpoint verify --json`",
        &lines(&shown(&verify)),
    );
    let (none, one): (Vec<String>, Vec<String>) = status
        .into_iter()
        .partition(|line| line.contains("\"database\":null"));
    documented("`immuaudit status --json`: a database", &one);
    documented("`immuaudit status --json`: the server", &none);
    documented("`immuaudit states list --json`", &roots);
    let alarms = [lines(&open), lines(&closed), lines(&again)].concat();
    documented(
        "`immuaudit alarm list --json`, and `show`, `close` and `adopt`",
        &alarms,
    );
}

#[test]
fn the_json_of_commands_that_change_or_search_is_documented() {
    let scene = Scene::new(&["--json"]);
    let shown = |args: &[&str]| lines(&scene.program.run(args).stdout);
    scene.program.run(&["--once"]).ends_with(0);
    let state = scene.ledger.state("defaultdb").expect("a state");
    let message = [
        &[10, 9][..],
        b"defaultdb",
        &[16, 5, 26, 32],
        state.hash.as_bytes(),
    ]
    .concat();
    let file = scene.folder.join("imported.state");
    fs::write(&file, format!("defaultdb:{}\n", encode_base64(&message))).expect("a file");
    let imported = shown(&["states", "import", file.to_str().expect("UTF-8")]);
    documented("`immuaudit states import --json`", &imported);
    let acknowledge = ["acknowledge", "shop", "--unsigned"];
    documented("`immuaudit acknowledge --json`", &shown(&acknowledge));
    // rewritten from the fourth transaction on, with a copy of the good history
    let good = scene.ledger.ledger("shop").expect("a database");
    let copy = Embedded::start(Options::default().with_databases(&["shop"])).expect("a ledger");
    copy.put_ledger("shop", good.clone());
    let mut forged = good.clone();
    forged.truncate(3);
    for number in 0..4 {
        forged.commit(vec![NewEntry::set("forged", number.to_string())]);
    }
    scene.ledger.put_ledger("shop", forged);
    scene.program.run(&["--once"]).ends_with(2);
    let against = format!("127.0.0.1:{}", copy.port());
    let mut located = shown(&["locate", "shop", "--against", &against, "--show-values"]);
    scene.ledger.put_ledger("shop", good);
    scene.ledger.lie(Lie::EditedValue);
    scene.program.run(&["sweep", "defaultdb"]).ends_with(2);
    located.extend(shown(&["locate", "defaultdb"]));
    let mirroring = scene.program.with(&["--audit-keep-hashes"]);
    mirroring.run(&["--once"]);
    let mirror = scene.program.dir.join("another.mirror"); // as if another auditor had written it
    fs::copy(scene.program.dir.join("tested/defaultdb.mirror"), &mirror).expect("a mirror");
    let mirror = mirror.to_str().expect("UTF-8");
    located.extend(shown(&["locate", "defaultdb", "--against", mirror]));
    documented("`immuaudit locate --json`", &located);
    scene.ledger.be_honest();
    let forgotten = shown(&["states", "forget", "defaultdb"]);
    documented("`immuaudit states forget --json`", &forgotten);
}

#[test]
fn the_json_of_the_port_and_of_notifications_is_documented() {
    let scene = Scene::new(&["--audit-notification-username=user"]);
    let password = scene.folder.join("password");
    fs::write(&password, "secret").expect("a file");
    let program = scene.program.with(&["--audit-notification-password-file"]);
    let scene = Scene {
        program: program.with(&[password.to_str().expect("UTF-8")]),
        ..scene
    };
    scene.program.run(&["notify", "--test"]).ends_with(0);
    let (mut running, port) = scene.start();
    let before = get(port, "/status.json", "*/*").body;
    scene
        .ledger
        .lie(LieSchedule::from(Lie::Rollback).of("shop"));
    running.wait_for("TAMPERED");
    scene
        .receiver
        .wait_for(|received| received.body.contains("rolled-back"));
    let after = get(port, "/status.json", "*/*").body;
    documented("`/status.json`", &[before, after]);
    documented("`/states`", &[get(port, "/states", "*/*").body]);
    documented("`/version`", &[get(port, "/version", "*/*").body]);
    let probes = ["/livez", "/readyz", "/initz"].map(|path| get(port, path, "*/*").body);
    documented("`/livez`, `/readyz`, `/initz`", &probes);
    let Scene {
        ledger,
        receiver,
        folder,
        ..
    } = scene;
    drop(ledger); // one notification for all databases, because the server is unavailable
    receiver.wait_for(|received| received.body.contains("database_count"));
    let received = receiver.received();
    let bodies: Vec<String> = received.into_iter().map(|received| received.body).collect();
    documented("A notification", &bodies);
    drop((running, folder));
}
