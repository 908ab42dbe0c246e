//! The status page in a real browser. It renders, its text has enough contrast, nothing has to be
//! scrolled sideways, a screen reader finds a name for every part, and the browser reports no error.

use std::thread;
use std::time::Duration;

use crate::support::browser::{Browser, Theme};
use crate::support::http::get;
use crate::support::program::Program;
use crate::support::readable::{CONTRAST, Look, look};
use crate::support::temp_dir::TempDir;
use crate::support::tool::have;
use crate::support::watched::port_of;
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

struct Page {
    browser: Browser,
    port: u16,
    databases: usize,
}

impl Page {
    /// Checks the page in its present condition on a screen of this size.
    #[track_caller]
    fn look(&mut self, name: &str, size: (u32, u32), theme: Theme) {
        let url = format!("http://127.0.0.1:{}/", self.port);
        let databases = self.databases;
        look(
            &mut self.browser,
            &Look {
                url: &url,
                name: &format!("{name}-{databases}"),
                size,
                theme,
                databases,
                others: 0,
            },
        );
    }
}

#[test]
fn the_page_is_readable_on_every_screen() {
    if !have("chromium", "chromium") {
        return;
    }
    for databases in [3, 300] {
        let names: Vec<String> = (1..databases).map(|n| format!("customer{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut ledger =
            Embedded::start(Options::default().with_databases(&names)).expect("a ledger");
        for name in names.iter().chain(&["defaultdb"]) {
            ledger.grow(name, 3);
        }
        let folder = TempDir::new();
        let program =
            Program::new(ledger.port(), &folder.join("state")).with(&["--audit-interval", "200ms"]);
        let mut running = program.start(&[]);
        running.wait_for("cycle finished server=");
        let port = port_of(&running);
        let until = |title: &str| {
            for _ in 0..600 {
                if get(port, "/", "text/html")
                    .body
                    .contains(&format!("<h1>{title}</h1>"))
                {
                    return;
                }
                thread::sleep(Duration::from_millis(50));
            }
            panic!("the page never has the title {title}");
        };
        let mut page = Page {
            browser: Browser::start(),
            port,
            databases,
        };
        until("All is well");
        page.look("good", (1200, 560), Theme::Light);
        page.look("good-dark", (1200, 560), Theme::Dark);
        ledger.stop();
        until("Not everything could be checked");
        page.look("away", (1200, 560), Theme::Light);
        page.look("away-dark", (1200, 560), Theme::Dark);
        ledger.restart().expect("its port is free");
        until("All is well");
        ledger.lie(LieSchedule::from(Lie::Rollback).of("customer002"));
        until("Tampering");
        page.look("tampered", (1200, 800), Theme::Light);
        page.look("tampered-dark", (1200, 800), Theme::Dark);
        page.look("tampered-phone", (400, 1400), Theme::Light);
        page.look("tampered-phone-dark", (400, 1400), Theme::Dark);
        // the check of the contrast finds a text that is too faint
        let faint = "document.querySelector('.dim').style.color = 'rgb(70, 80, 90)'; 'done'";
        page.browser.evaluate(faint);
        let found = page.browser.evaluate(CONTRAST);
        assert!(found.contains("P rgb(70, 80, 90) on rgb("), "{found}");
    }
}
