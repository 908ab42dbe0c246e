//! The picture in docs/architecture.md agrees with the code: it has the modules of src, and an
//! arrow for each path (`crate::MODULE`) by which one module uses another. Other tests limit which
//! modules and files may use each other, and where the time comes from.
//!
//! After an intended change, `DRAW=1 cargo test --release --test docs architecture` draws the
//! picture again.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::support::circles::{bare, circles, paths, sources, unfolded, uses};

/// A module, and a module that it uses.
type Arrow = (String, String);

/// The modules with their purpose, in the order of the picture: each uses only those below it, with
/// few exceptions.
const MODULES: [(&str, &str); 24] = [
    ("command", "the commands"),
    ("service", "systemd's unit"),
    ("drill", "a ledger that lies"),
    ("monitor", "the HTTP thread"),
    ("notify", "notifications"),
    ("report", "logs, JSON, metrics, page"),
    ("audit", "checks and verdicts"),
    ("peer", "other auditors' checkpoints"),
    ("locate", "the search for tampering"),
    ("http", "HTTP requests with limits"),
    ("server", "the connection and its calls"),
    ("wire", "bytes to ledger types"),
    ("config", "settings, from one table"),
    ("trust", "states, alarms and evidence in files"),
    ("clock", "time, real or simulated"),
    ("checkpoint", "signed states for other auditors"),
    ("ledger", "hashes and proofs, which decide"),
    ("json", "JSON, read strictly"),
    ("ranges", "sets of transaction ids"),
    ("random", "random numbers, or seeded ones"),
    ("histogram", "counts by duration"),
    ("stop", "the signal to end"),
    ("text", "text from outside, escaped"),
    ("sys", "system calls (unsafe)"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn picture() -> PathBuf {
    root().join("docs/pictures/architecture.svg")
}

/// Returns the module that a file or folder of src is; lib.rs and main.rs are not modules.
fn module(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?;
    (!["lib", "main"].contains(&name)).then(|| name.to_owned())
}

/// Returns the modules that a file's code uses. Comments and the file's own tests do not count.
fn named(text: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for line in bare(text).lines() {
        assert!(
            !line.contains("use crate::{"),
            "this test cannot parse: {line}"
        );
        for path in line.split("crate::").skip(1) {
            let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
            modules.insert(path[..end.unwrap_or(path.len())].to_owned());
        }
    }
    modules
}

fn modules_of_the_code() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("src")).expect("src");
    entries
        .filter_map(|entry| module(&entry.expect("an entry").path()))
        .collect()
}

fn arrows_of_the_code() -> BTreeSet<Arrow> {
    let mut arrows = BTreeSet::new();
    for entry in fs::read_dir(root().join("src")).expect("src") {
        let path = entry.expect("an entry").path();
        let Some(from) = module(&path) else { continue };
        let files = if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        };
        for file in files {
            let text = fs::read_to_string(&file).expect("a source");
            for to in named(&text).into_iter().filter(|to| *to != from) {
                arrows.insert((from.clone(), to));
            }
        }
    }
    arrows
}

/// Returns the values of an attribute, one for each element that has it.
fn attribute<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    svg.split(&start)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[test]
fn the_picture_shows_exactly_the_modules_and_arrows_of_the_code() {
    if env::var_os("DRAW").is_some() {
        fs::write(picture(), draw(&arrows_of_the_code())).expect("the picture");
    }
    let svg = fs::read_to_string(picture()).expect("docs/pictures/architecture.svg");
    let modules: BTreeSet<String> = attribute(&svg, "data-module")
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(modules, modules_of_the_code());

    let from = attribute(&svg, "data-from");
    let to = attribute(&svg, "data-to");
    assert_eq!(from.len(), to.len());
    let drawn: BTreeSet<Arrow> = from
        .into_iter()
        .zip(to)
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect();
    let code = arrows_of_the_code();
    let missing: Vec<_> = code.difference(&drawn).collect();
    let too_many: Vec<_> = drawn.difference(&code).collect();
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "missing in the picture: {missing:?}; missing in the code: {too_many:?}; if this change is \
         intended, run: DRAW=1 cargo test --release --test docs architecture"
    );
}

/// The modules that decide a verdict use no network, disk or clock (docs/verification.md).
#[test]
fn ledger_uses_no_module_and_wire_uses_only_ledger() {
    let arrows = arrows_of_the_code();
    let of = |module: &str| -> Vec<&str> {
        let from = arrows.iter().filter(|(from, _)| from == module);
        from.map(|(_, to)| to.as_str()).collect()
    };
    assert_eq!(of("ledger"), [""; 0]);
    assert_eq!(of("wire"), ["ledger"]);
}

/// Files that use each other in a cycle can only be understood together.
#[test]
fn no_files_of_a_module_use_each_other_in_a_cycle() {
    let uses = uses(&root().join("src"));
    let because = |circle: &BTreeSet<String>| -> Vec<String> {
        let each = circle.iter().flat_map(|from| {
            let used = uses[from].iter().filter(|to| circle.contains(*to));
            used.map(move |to| format!("{from} uses {to}"))
        });
        each.collect()
    };
    let found: Vec<_> = circles(&uses).iter().map(because).collect();
    assert!(
        found.is_empty(),
        "cycles of files that use each other: {found:#?}; remove a use, for instance by moving a type \
         to its own file"
    );
}

#[test]
fn a_cycle_is_found_for_every_form_of_path() {
    let code =
        "use super::{b::{One, Two}, c::Three}; // super::e\nfn f(x: crate::audit::d::Four) {}";
    let found = paths(&unfolded(code), "audit/a");
    let found: BTreeSet<String> = found.iter().map(|path| path.join("/")).collect();
    let expected = [
        "audit/b/One",
        "audit/b/Two",
        "audit/c/Three",
        "audit/d/Four",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());

    let uses = |pairs: &[(&str, &[&str])]| {
        let of = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let each = pairs.iter();
        each.map(|(from, to)| (from.to_string(), of(to))).collect()
    };
    let round = uses(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &["a"])]);
    let circle: BTreeSet<String> = ["b".to_owned(), "c".to_owned()].into();
    assert_eq!(circles(&round), [circle].into());
    let straight = uses(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert!(circles(&straight).is_empty());
}

/// Draws the modules on the diagonal. An arrow leaves its module along the row, turns at the dot,
/// and ends at the used module. That module is below, except in a cycle.
fn draw(arrows: &BTreeSet<Arrow>) -> String {
    const LEFT: usize = 245;
    const WIDE: usize = 76;
    const STEP: usize = 40;
    const HIGH: usize = 26;
    let at = |name: &str| {
        let index = MODULES.iter().position(|(module, _)| *module == name);
        index.unwrap_or_else(|| panic!("MODULES does not contain {name}: add it"))
    };
    let x = |index: usize| LEFT + index * (WIDE * 3 / 5);
    let y = |index: usize| 14 + index * STEP;
    let (width, height) = (
        x(MODULES.len() - 1) + WIDE + 14,
        y(MODULES.len() - 1) + HIGH + 14,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Modules of immuaudit and which uses which\">\n{STYLE}"
    );
    for (from, to) in arrows {
        let (row, column) = (at(from), at(to));
        let (across, down) = (x(column) + WIDE / 2, y(row) + HIGH / 2);
        let (kind, start, end) = if column > row {
            ("arrow", x(row) + WIDE, y(column))
        } else {
            ("back arrow", x(row), y(column) + HIGH)
        };
        let point = if column > row { end - 6 } else { end + 6 };
        let _ = writeln!(
            svg,
            "<g class=\"{kind}\" data-from=\"{from}\" data-to=\"{to}\"><title>{from} uses \
             {to}</title><path d=\"M{start} {down}H{across}V{point}\"/><path class=\"head\" \
             d=\"M{across} {end}L{} {point}H{}Z\"/><circle cx=\"{across}\" cy=\"{down}\" r=\"4\"/></g>",
            across - 4,
            across + 4,
        );
    }
    for (index, (module, purpose)) in MODULES.iter().enumerate() {
        let (left, top) = (x(index), y(index));
        let _ = writeln!(
            svg,
            "<g class=\"module\" data-module=\"{module}\"><rect x=\"{left}\" y=\"{top}\" width=\"{WIDE}\" \
             height=\"{HIGH}\" rx=\"5\"/><text x=\"{}\" y=\"{}\">{module}</text><text class=\"purpose\" \
             x=\"{}\" y=\"{}\">{purpose}</text></g>",
            left + WIDE / 2,
            top + 17,
            left - 10,
            top + 17,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The colours are readable in light and dark mode.
const STYLE: &str = "<style>
svg { background: #ffffff; color: #1f2328; font: 13px system-ui, sans-serif }
.arrow path { fill: none; stroke: #8c959f; stroke-width: 1.2 }
.arrow .head, .arrow circle { fill: #57606a; stroke: none }
.back path { stroke: #cf222e } .back .head, .back circle { fill: #cf222e }
.module rect { fill: #ddf4ff; stroke: #0969da }
.module text { fill: #1f2328; text-anchor: middle }
.module .purpose { fill: #57606a; text-anchor: end; font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117; color: #e6edf3 }
.arrow path { stroke: #6e7681 } .arrow .head, .arrow circle { fill: #9198a1 }
.back path { stroke: #ff7b72 } .back .head, .back circle { fill: #ff7b72 }
.module rect { fill: #12233d; stroke: #4493f8 }
.module text { fill: #e6edf3 } .module .purpose { fill: #9198a1; stroke: #0d1117 }
}
</style>
";

/// Files that may take the time of the system: as the default until another clock is given, and for
/// the deadlines of the network.
const SYSTEM_CLOCK_FILES: [&str; 6] = [
    "drill/ledger.rs",
    "drill/options.rs",
    "drill/transport.rs",
    "server/grpc.rs",
    "server/mod.rs",
    "trust/store.rs",
];

#[test]
fn auditing_code_takes_the_time_only_from_its_given_clock() {
    let modules = [
        "audit", "drill", "ledger", "locate", "server", "trust", "wire",
    ];
    let folder = root().join("src");
    let mut wrong = vec![];
    for path in sources(&folder) {
        let file = path.strip_prefix(&folder).expect("within src");
        let name = file.to_str().expect("a name");
        if name.starts_with("clock/") {
            continue;
        }
        let module = module(Path::new(name.split('/').next().unwrap_or_default()));
        let audits = module.is_some_and(|module| modules.contains(&module.as_str()));
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let mut refused = vec!["Instant::now", "SystemTime::now", ".elapsed()"];
        if audits && !SYSTEM_CLOCK_FILES.contains(&name) {
            refused.extend(["clock::now", "Clock::system"]);
        }
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            if refused.iter().any(|time| line.contains(time)) {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "time that no test can simulate; use the clock of the server, the store or the auditor, or \
         `Clock::system()` in a thread for users: {wrong:#?}"
    );
}
