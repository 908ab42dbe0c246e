//! Generates the protobuf messages from `proto/`, without protoc, and says which sources the build is of.

use std::path::Path;
use std::process::Command;

fn main() {
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "crt-static") {
        // a static program relocates itself: in a list of bits, not in 24 bytes each
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs,-O2");
    }
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows") {
        // for gRPC's c-ares; behind everything else, or the linker has passed it by when it is asked for
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

/// What the program is made of. A change of anything else builds nothing anew.
const SOURCES: [&str; 5] = ["src", "proto", "build.rs", "Cargo.toml", "Cargo.lock"];

/// Where an archive of the sources, which has no history, names its revision and time.
const FILE: &str = "REVISION";

/// Hands the revision of the sources and their time (seconds since 1970) to the compiler, each empty where it is not known: from
/// `IMMUAUDIT_REVISION` ("REVISION SECONDS"), the file of an archive, or git. `SOURCE_DATE_EPOCH` sets the time alone.
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
    // 0 is said to compilers to mean that there is no time
    let epoch = epoch.filter(|epoch| epoch != "0" && epoch.parse::<u64>().is_ok());
    let seconds = epoch.as_deref().unwrap_or(seconds);
    println!("cargo::rustc-env=IMMUAUDIT_BUILD_REVISION={revision}");
    println!("cargo::rustc-env=IMMUAUDIT_BUILD_SECONDS={seconds}");
}

/// The commit of this folder's repository, `-dirty` behind it where the sources differ from it, and when it was made.
fn from_git() -> Option<String> {
    let git = |args: &[&str]| Command::new("git").args(args).output().ok();
    let text = |args: &[&str]| {
        let output = git(args).filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // a repository around this folder is of something else
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
