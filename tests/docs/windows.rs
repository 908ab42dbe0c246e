//! `tests/windows/run` selects tests by name. Each name in it belongs to a test. Otherwise a renamed
//! test would be left out, or would run, without notice.

use std::fs;
use std::path::Path;

use crate::support::circles::sources;

#[test]
fn each_name_in_the_wine_script_is_the_name_of_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let script = fs::read_to_string(tests.join("windows/run")).expect("the script");
    let (_, list) = script.split_once("\ntests=\"").expect("the list of tests");
    let (list, _) = list.split_once('"').expect("its end");
    for name in list.split_whitespace() {
        let folder = tests.join(name).join("main.rs");
        let file = tests.join(format!("{name}.rs"));
        assert!(folder.exists() || file.exists(), "{name} is no test file");
    }
    let code: Vec<String> = sources(&tests)
        .iter()
        .map(|path| fs::read_to_string(path).expect("a source"))
        .collect();
    let skipped = script.lines().filter_map(|line| line.strip_prefix("skip "));
    let skipped: Vec<&str> = skipped.collect();
    assert!(!skipped.is_empty());
    for name in skipped {
        let function = format!("fn {name}");
        assert!(
            code.iter().any(|code| code.contains(&function)),
            "no name of a test begins with {name}"
        );
    }
}
