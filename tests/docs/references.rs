//! Links, file names and constants in the documentation and in comments refer to something that exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [&str; 4] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
];
const FOLDERS: [&str; 7] = ["src", "tests", "docs", "benches", "deploy", "proto", "fuzz"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Adds each file below a folder, as a path relative to the project's folder.
fn list(folder: &str, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root().join(folder)).expect(folder) {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("UTF-8"));
        match entry.file_type().expect("its type").is_dir() {
            true => list(&path, files),
            false => _ = files.insert(path),
        }
    }
}

fn files() -> BTreeSet<String> {
    let mut files: BTreeSet<String> = PAGES.map(String::from).into();
    FOLDERS.iter().for_each(|folder| list(folder, &mut files));
    // not the vendored crates below it
    files.extend(["build.rs", "vendor/README.md"].map(String::from));
    files
}

/// Returns the paths and texts of all pages.
fn pages() -> Vec<(PathBuf, String)> {
    let is_page = |path: &String| path.ends_with(".md");
    let pages = files().into_iter().filter(is_page);
    pages
        .map(|page| {
            let path = root().join(&page);
            let text = fs::read_to_string(&path).expect(&page);
            (path, text)
        })
        .collect()
}

/// Returns the anchors of a page's headings: lower case, hyphens for spaces, no punctuation.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
            heading
                .chars()
                .filter(kept)
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_has_a_target() {
    let mut checked = 0;
    for (path, text) in pages() {
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().expect("a link's end");
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().expect("a folder").join(file),
            };
            assert!(target.exists(), "{}: {link} does not exist", path.display());
            if !anchor.is_empty() {
                let page = fs::read_to_string(&target).expect(link);
                let found = anchors(&page).contains(anchor);
                assert!(found, "{}: {link} has no such heading", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn the_list_of_pages_names_each_page() {
    let docs = root().join("docs");
    let order = fs::read_to_string(docs.join("README.md")).expect("the list");
    for entry in fs::read_dir(&docs).expect("docs") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("UTF-8");
        if name.ends_with(".md") && name != "README.md" {
            let is_listed = order.contains(&format!("]({name})"));
            assert!(is_listed, "{name} is not in docs/README.md");
        }
    }
}

/// Returns the file names in a text: words that end in `.rs` or `.md` and have no placeholder.
fn named_files(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    text.split(move |letter| !is_part(letter))
        .map(|word| word.trim_end_matches('.').trim_start_matches("./"))
        .filter(|word| word.ends_with(".rs") || word.ends_with(".md"))
        .filter(|word| !word.starts_with('.') && !word.contains("//"))
}

#[test]
fn every_file_that_a_page_or_a_comment_names_exists() {
    let files = files();
    let exists = |name: &str| {
        let end = format!("/{name}");
        files.contains(name) || files.iter().any(|file| file.ends_with(&end))
    };
    let mut checked = 0;
    for path in files.iter().filter(|path| *path != "CHANGELOG.md") {
        let is_code = path.ends_with(".rs");
        if !is_code && !path.ends_with(".md") {
            continue;
        }
        let text = fs::read_to_string(root().join(path)).expect(path);
        for line in text.lines() {
            let prose = match is_code {
                true => line.split_once("//").map_or("", |(_, comment)| comment),
                false => line,
            };
            if prose.contains("://") {
                continue;
            }
            for name in named_files(prose) {
                assert!(exists(name), "{path}: {name} does not exist: {line}");
                checked += 1;
            }
        }
    }
    assert!(checked > 300, "{checked}");
}

/// Each row of the table *Bounds* names its constants, and then their file.
#[test]
fn every_limit_of_the_security_page_is_in_the_named_file() {
    let page = fs::read_to_string(root().join("SECURITY.md")).expect("the page");
    let table = page.split("## Bounds").nth(1).expect("the table");
    let table = table.split("\n## ").next().expect("its end");
    let mut checked = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let mut names = Vec::new();
        let last = row.rsplit(" | ").next().expect("a cell");
        for quoted in last.split('`').skip(1).step_by(2) {
            let Some(file) = quoted
                .ends_with(".rs")
                .then(|| root().join("src").join(quoted))
            else {
                names.push(quoted.rsplit("::").next().expect("a name"));
                continue;
            };
            let code = fs::read_to_string(&file).expect(quoted);
            for name in names.drain(..) {
                let found = [format!("const {name}:"), format!("fn {name}(")];
                let is_there = found.iter().any(|found| code.contains(found));
                assert!(is_there, "{quoted} has no {name}");
                checked += 1;
            }
        }
        assert!(names.is_empty(), "no file for {names:?}");
    }
    assert!(checked > 25, "{checked}");
}
