//! The status page in a real browser: it renders, everybody can read it, and the browser has nothing
//! to complain about.

mod support;

use std::thread;
use std::time::Duration;

use immuaudit::drill::{Embedded, Lie, Options, Telling};
use support::browser::{Browser, Theme};
use support::http::get;
use support::place::Place;
use support::program::Program;
use support::tool::have;

/// WCAG 2.1, 1.4.3 and 1.4.11: every text against what is behind it, and each part of a picture.
/// Answers what is too faint, and how many texts it looked at.
const CONTRAST: &str = r"(() => {
    const numbers = c => c.match(/[\d.]+/g).map(Number);
    const light = c => { const [r, g, b] = numbers(c).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const ratio = (a, b) => { const [x, y] = [light(a), light(b)];
        return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
    const seen = c => numbers(c).length < 4 || numbers(c)[3] > 0;
    const behind = e => { for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor; if (seen(c)) return c; }
        return 'rgb(255, 255, 255)'; };
    const faint = []; let count = 0;
    const hold = (what, a, b, least) => { count++;
        if (ratio(a, b) < least) faint.push(what + ' ' + a + ' on ' + b + ': ' + ratio(a, b).toFixed(2)); };
    for (const e of document.body.querySelectorAll('*')) {
        const style = getComputedStyle(e);
        if (e.tagName == 'rect') hold('rect', style.fill, behind(e.parentElement), 3);
        const own = [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
        if (own) { const size = parseFloat(style.fontSize);
            const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
            hold(e.tagName, style.color, behind(e), large ? 3 : 4.5); }
        const before = getComputedStyle(e, ':before');
        if (before.content != 'none') hold(e.tagName + ':before', before.color, behind(e), 4.5);
    }
    return count + ' looked at;' + faint.join(';');
})()";

struct Page {
    browser: Browser,
    port: u16,
    databases: usize,
}

impl Page {
    /// Looks at the page as it is now, as somebody with this screen does.
    #[track_caller]
    fn look(&mut self, name: &str, size: (u32, u32), theme: Theme) {
        let browser = &mut self.browser;
        let url = format!("http://127.0.0.1:{}/", self.port);
        browser.load(&url, size, theme);
        let picture = browser.shoot(&format!("{name}-{}", self.databases));
        let is_picture = picture.starts_with(b"\x89PNG") && picture.len() > 5_000;
        assert!(is_picture, "{name}: {} bytes", picture.len());
        let contrast = browser.evaluate(CONTRAST);
        let (count, faint) = contrast.split_once(" looked at;").expect(&contrast);
        let count: usize = count.parse().expect("a number");
        assert!(count > 5 * self.databases, "{name}: {contrast}");
        assert_eq!(faint, "", "{name}");
        let wide = browser.evaluate("String(document.documentElement.scrollWidth > innerWidth)");
        assert_eq!(wide, "false", "{name}: it has to be scrolled sideways");
        self.names(name);
        assert_eq!(self.browser.complaints(), [""; 0], "{name}");
    }

    /// What a screen reader says: everything that has a meaning has a name.
    #[track_caller]
    fn names(&mut self, page: &str) {
        let nodes = self.browser.accessible();
        let of = |role: &str| -> Vec<&str> {
            let nodes = nodes.iter().filter(|node| node.role == role);
            nodes.map(|node| node.name.as_str()).collect()
        };
        for role in [
            "RootWebArea",
            "heading",
            "link",
            "image",
            "columnheader",
            "rowheader",
        ] {
            let names = of(role);
            assert!(!names.is_empty(), "{page}: no {role}: {nodes:?}");
            assert!(
                names.iter().all(|name| !name.is_empty()),
                "{page}: {role}: {names:?}"
            );
        }
        assert_eq!(of("table"), ["Databases"], "{page}");
        assert_eq!(of("rowheader").len(), self.databases, "{page}");
        let pictures = of("image");
        assert_eq!(pictures.len(), self.databases, "{page}");
        for picture in pictures {
            assert!(
                picture.starts_with("Last 24 hours of "),
                "{page}: {picture}"
            );
        }
    }
}

#[test]
fn the_page_is_for_everybody_few_and_many_good_tampered_and_away_in_light_dark_and_on_a_telephone()
{
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
                thread::sleep(Duration::from_millis(50));
            }
            panic!("the page never says {title}");
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
        ledger.lie(Telling::from(Lie::Rollback).of("customer002"));
        until("Tampering");
        page.look("tampered", (1200, 800), Theme::Light);
        page.look("tampered-dark", (1200, 800), Theme::Dark);
        page.look("tampered-phone", (400, 1400), Theme::Light);
        page.look("tampered-phone-dark", (400, 1400), Theme::Dark);
        // the eye that looks for what is too faint finds it
        let faint = "document.querySelector('.dim').style.color = 'rgb(70, 80, 90)'; 'done'";
        page.browser.evaluate(faint);
        let found = page.browser.evaluate(CONTRAST);
        assert!(found.contains("P rgb(70, 80, 90) on rgb("), "{found}");
    }
}
