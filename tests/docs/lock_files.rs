//! The lock files agree: the fuzz targets and the program use the same versions of their crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Returns the versions of each crate in a lock file.
fn locked(path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    let mut locked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key));
            line.expect(key).trim_matches('"').to_owned()
        };
        locked
            .entry(value("name = "))
            .or_default()
            .insert(value("version = "));
    }
    locked
}

/// The fuzz targets are not part of the workspace, so cargo does not notice that their lock file is
/// old.
#[test]
fn the_fuzz_targets_and_the_program_use_the_same_crates() {
    let (ours, theirs) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let manifest = include_str!("../../Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let direct = manifest["dependencies"].as_table().expect("a table");
    for name in direct.keys() {
        assert!(
            theirs.contains_key(name),
            "fuzz/Cargo.lock lacks {name}: cp Cargo.lock fuzz/, then cargo update --workspace there"
        );
    }
    for (name, versions) in theirs {
        if let Some(ours) = ours.get(&name) {
            assert!(
                versions.is_subset(ours),
                "{name}: {versions:?} in fuzz/Cargo.lock, {ours:?} in Cargo.lock"
            );
        }
    }
}
