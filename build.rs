//! Generates the protobuf messages from `proto/` without protoc, and passes the revision of the sources to the compiler.

use std::path::Path;
use std::process::Command;

fn main() {
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "crt-static") {
        // a static program relocates itself; packed relocations take a bit instead of 24 bytes each
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs,-O2");
    }
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows") {
        // for gRPC's c-ares; the last argument, because the linker resolves symbols from left to right
        println!("cargo::rustc-link-arg=-liphlpapi");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto/immudb.proto");
    protobuf_codegen::Codegen::new()
        .pure()
        .include("proto")
        .input("proto/immudb.proto")
        .cargo_out_dir("proto")
        .run_from_script();
    stamp();
}

/// The sources of the program. A change of other files causes no rebuild.
const SOURCES: [&str; 5] = ["src", "proto", "build.rs", "Cargo.toml", "Cargo.lock"];

/// The file with the revision and time in an archive of the sources, which has no git history.
const FILE: &str = "REVISION";

/// Passes the revision of the sources and their time (seconds since 1970) to the compiler. They come from
/// `IMMUAUDIT_REVISION` ("REVISION SECONDS"), from [`FILE`], or from git, and are empty if unknown.
/// `SOURCE_DATE_EPOCH` replaces only the time.
fn stamp() {
    for variable in ["IMMUAUDIT_REVISION", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    if Path::new(FILE).exists() {
        println!("cargo::rerun-if-changed={FILE}");
    }
    let given = std::env::var("IMMUAUDIT_REVISION").ok();
    let given = given.or_else(|| std::fs::read_to_string(FILE).ok());
    let found = given.or_else(from_git).unwrap_or_default();
    let (revision, seconds) = found.trim().split_once(' ').unwrap_or_default();
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    // the build scripts set 0 for compilers, so 0 is no time
    let epoch = epoch.filter(|epoch| epoch != "0" && epoch.parse::<u64>().is_ok());
    let seconds = epoch.as_deref().unwrap_or(seconds);
    println!("cargo::rustc-env=IMMUAUDIT_BUILD_REVISION={revision}");
    println!("cargo::rustc-env=IMMUAUDIT_BUILD_SECONDS={seconds}");
}

/// Returns the commit of this folder's repository, with `-dirty` if the sources differ from it, and the commit's time.
fn from_git() -> Option<String> {
    let git = |args: &[&str]| Command::new("git").args(args).output().ok();
    let text = |args: &[&str]| {
        let output = git(args).filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // a repository in a parent folder has other contents
    let top = std::fs::canonicalize(text(&["rev-parse", "--show-toplevel"])?).ok()?;
    if top != std::env::current_dir().ok()?.canonicalize().ok()? {
        return None;
    }
    let revision = text(&["rev-parse", "--short=12", "HEAD"])?;
    let seconds = text(&["log", "-1", "--format=%ct"])?;
    let mut changes = vec!["diff", "--quiet", "HEAD", "--"];
    changes.extend(SOURCES);
    let changed = git(&changes)?.status.code() == Some(1);
    let dirty = if changed { "-dirty" } else { "" };
    Some(format!("{revision}{dirty} {seconds}"))
}
