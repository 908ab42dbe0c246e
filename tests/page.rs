//! The status page in a real browser: it renders, and the browser has nothing to complain about.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, thread};

use immuaudit::drill::{Embedded, Lie, Options, Telling};
use support::http::get;
use support::place::Place;
use support::program::Program;
use support::tool::have;

/// A screenshot, written to $SCREENSHOTS too where that is given.
fn shoot(place: &Path, port: u16, name: &str, size: &str, dark: bool) {
    let picture = place.join(format!("{name}.png"));
    let mut command = Command::new("chromium");
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args(["--enable-logging=stderr", "--hide-scrollbars"])
        .arg(format!(
            "--user-data-dir={}",
            place.join(format!("{name}.profile")).display()
        ))
        .arg(format!("--window-size={size}"))
        .arg(format!("--screenshot={}", picture.display()))
        .stdin(Stdio::null());
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let output = command
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()
        .expect("chromium runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let bytes = fs::read(&picture).unwrap_or_else(|error| panic!("no picture: {error}: {said}"));
    assert!(
        bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000,
        "{name}: {} bytes",
        bytes.len()
    );
    let console: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert_eq!(console, Vec::<&str>::new(), "{name}");
    if let Some(keep) = std::env::var_os("SCREENSHOTS") {
        fs::copy(&picture, Path::new(&keep).join(format!("{name}.png"))).expect("a copy");
    }
}

#[test]
fn the_page_renders_for_few_and_many_good_tampered_and_away_in_light_dark_and_on_a_telephone() {
    if !have("chromium", "chromium") {
        return;
    }
    for count in [3, 300] {
        let names: Vec<String> = (1..count).map(|n| format!("customer{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut ledger =
            Embedded::start(Options::default().with_databases(&names)).expect("a ledger");
        for name in &names {
            ledger.grow(name, 3);
        }
        let place = Place::new();
        let program =
            Program::new(ledger.port(), &place.join("state")).with(&["--audit-interval", "200ms"]);
        let mut running = program.start(&[]);
        running.wait_for("cycle server=");
        let log = running.log();
        let at = log
            .split("http://0.0.0.0:")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let port: u16 = at.and_then(|port| port.parse().ok()).expect("a port");
        let until = |title: &str| {
            for _ in 0..600 {
                if get(port, "/", "text/html")
                    .body
                    .contains(&format!("<h1>{title}</h1>"))
                {
                    return;
                }
                thread::sleep(std::time::Duration::from_millis(50));
            }
            panic!("the page never says {title}");
        };
        let shoot = |name: &str, size, dark| {
            shoot(place.path(), port, &format!("{name}-{count}"), size, dark)
        };
        until("All is well");
        shoot("good", "1200,800", false);
        ledger.stop();
        until("Not everything could be checked");
        shoot("away", "1200,800", true);
        ledger.restart().expect("its port is free");
        until("All is well");
        ledger.lie(Telling::from(Lie::Rollback).of("customer002"));
        until("Tampering");
        shoot("tampered", "1200,1000", false);
        shoot("tampered-dark", "1200,1000", true);
        shoot("tampered-phone", "500,1400", false);
    }
}
