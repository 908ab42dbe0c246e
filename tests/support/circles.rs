//! Circular dependencies between the files of a module, found by the paths in the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each file, by its path below src without its extension, with the files that it uses.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns code without its comments and its own tests.
pub fn bare(text: &str) -> String {
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| match line.find("//") {
        Some(comment) => &line[..comment],
        None => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Returns the modules of src by their paths (`audit`, `audit/values/reader`), each with its file,
/// without the tests.
fn modules(src: &Path) -> BTreeMap<String, PathBuf> {
    let files = sources(src).into_iter().filter_map(|path| {
        let inner = path.strip_prefix(src).ok()?.with_extension("");
        let module = match inner.file_name()?.to_str()? {
            "mod" => inner.parent()?,
            "lib" | "main" | "tests" => return None,
            _ => &inner,
        };
        Some((module.to_str()?.to_owned(), path.clone()))
    });
    files.collect()
}

/// Returns the code with each list of a `use` (`use super::{a::B, c}`) split into single paths.
pub fn unfolded(text: &str) -> String {
    let mut code = bare(text);
    // innermost lists first
    while let Some((close, open)) = innermost_list(&code) {
        let from = code[..open]
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
            .map_or(0, |before| before + 1);
        let each = code[open + 1..close].split(',').map(str::trim);
        let each = each.filter(|item| !item.is_empty());
        let list: Vec<String> = each
            .map(|item| format!("{}{item}", &code[from..open]))
            .collect();
        code.replace_range(from..=close, &list.join(" , "));
    }
    code
}

/// Returns the end and the begin of a list of paths that contains no other list.
fn innermost_list(code: &str) -> Option<(usize, usize)> {
    let mut open = None;
    for (at, c) in code.char_indices() {
        match c {
            '{' => open = code[..at].ends_with("::").then_some(at),
            '}' => {
                if let Some(open) = open.take() {
                    return Some((at, open));
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the paths in the code that begin with `crate`, `self` or `super`, as paths from the root
/// of the crate.
pub fn paths(code: &str, module: &str) -> Vec<Vec<String>> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut paths = vec![];
    for word in code.split(|c| !is_path(c)) {
        let mut parts = word.split("::").peekable();
        let mut base: Vec<&str> = match parts.peek() {
            Some(&"crate") => {
                parts.next();
                vec![]
            }
            Some(&("self" | "super")) => module.split('/').collect(),
            _ => continue,
        };
        for part in parts {
            match part {
                "self" => {}
                "super" => {
                    base.pop();
                }
                name => base.push(name),
            }
        }
        paths.push(base.into_iter().map(str::to_owned).collect());
    }
    paths
}

/// Returns for each file the other files of its module that it uses. A name that a `mod.rs`
/// re-exports counts as a use of its original file. A `mod.rs` itself is left out.
pub fn uses(src: &Path) -> Uses {
    let modules = modules(src);
    let texts: BTreeMap<&String, String> = modules
        .iter()
        .map(|(module, path)| {
            (
                module,
                unfolded(&fs::read_to_string(path).expect("a source")),
            )
        })
        .collect();
    let is_folder = |module: &str| modules[module].ends_with("mod.rs");
    // (module, name): the path that the module re-exports
    let mut passed_on: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (module, text) in texts.iter().filter(|(module, _)| is_folder(module)) {
        for words in text.split("pub").skip(1) {
            let words = words.split(';').next().unwrap_or_default();
            let Some((visible, names)) = words.split_once("use ") else {
                continue;
            };
            if !["", "(crate)", "(super)"].contains(&visible.trim()) {
                continue;
            }
            for name in names.split(',').map(str::trim) {
                let name = name.trim_start_matches("self::");
                let path: Vec<String> = module
                    .split('/')
                    .chain(name.split("::"))
                    .map(str::to_owned)
                    .collect();
                let last = path.last().cloned().unwrap_or_default();
                passed_on.insert((module.to_string(), last), path);
            }
        }
    }
    let of_path = |path: &[String]| -> Option<String> {
        let mut path = path.to_vec();
        for _ in 0..5 {
            let (module, rest) = (0..=path.len()).rev().find_map(|length| {
                let module = path[..length].join("/");
                modules
                    .contains_key(&module)
                    .then(|| (module, path[length..].to_vec()))
            })?;
            let from = rest
                .first()
                .and_then(|name| passed_on.get(&(module.clone(), name.clone())));
            match from {
                Some(from) => path = from.clone(),
                None => return Some(module),
            }
        }
        None
    };
    let room_of = |module: &str| module.split('/').next().map(str::to_owned);
    let mut uses: Uses = BTreeMap::new();
    for (module, text) in &texts {
        let paths = paths(text, module);
        let used = paths
            .iter()
            .filter_map(|path| of_path(path))
            .filter(|used| used != *module && room_of(used) == room_of(module))
            .filter(|used| !is_folder(used));
        uses.insert(module.to_string(), used.collect());
    }
    uses.retain(|module, _| !is_folder(module));
    uses
}

/// Returns the sets of files that depend on each other in a circle.
pub fn circles(uses: &Uses) -> BTreeSet<BTreeSet<String>> {
    let reached = |from: &String| {
        let mut reached: BTreeSet<&String> = BTreeSet::new();
        let mut ahead: Vec<&String> = uses[from].iter().collect();
        while let Some(next) = ahead.pop() {
            if reached.insert(next) {
                ahead.extend(&uses[next]);
            }
        }
        reached
    };
    let all: BTreeMap<&String, BTreeSet<&String>> =
        uses.keys().map(|from| (from, reached(from))).collect();
    let circle = |from: &String| -> BTreeSet<String> {
        let back = all[from].iter().filter(|to| all[*to].contains(from));
        back.map(|file| file.to_string()).collect()
    };
    let circles = uses.keys().map(circle);
    circles.filter(|circle| !circle.is_empty()).collect()
}
