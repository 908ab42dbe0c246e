//! Accessibility of a page, checked in the browser.

use super::browser::{Browser, Theme};

/// A script for WCAG 2.1, 1.4.3 and 1.4.11: the contrast of every text and of each part of a
/// picture. It returns how many it checked and those with too little contrast.
pub const CONTRAST: &str = r"(() => {
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

/// A page with this many databases, and the screen on which it is shown.
pub struct Look<'a> {
    pub url: &'a str,
    /// The name of the screenshot.
    pub name: &'a str,
    pub size: (u32, u32),
    pub theme: Theme,
    pub databases: usize,
    /// The number of lines that are about several databases.
    pub others: usize,
}

/// Loads the page, takes a screenshot, and checks contrast, width, accessible names and console
/// messages.
#[track_caller]
pub fn look(browser: &mut Browser, look: &Look) {
    let name = look.name;
    browser.load(look.url, look.size, look.theme);
    let picture = browser.shoot(name);
    let is_picture = picture.starts_with(b"\x89PNG") && picture.len() > 5_000;
    assert!(is_picture, "{name}: {} bytes", picture.len());
    let contrast = browser.evaluate(CONTRAST);
    let (count, faint) = contrast.split_once(" looked at;").expect(&contrast);
    let count: usize = count.parse().expect("a number");
    assert!(count > 5 * look.databases, "{name}: {contrast}");
    assert_eq!(faint, "", "{name}");
    let wide = browser.evaluate("String(document.documentElement.scrollWidth > innerWidth)");
    assert_eq!(
        wide, "false",
        "{name}: the page has to be scrolled sideways"
    );
    names(browser, look);
    assert_eq!(browser.complaints(), [""; 0], "{name}");
}

/// Checks that every element with a meaning has an accessible name.
#[track_caller]
fn names(browser: &mut Browser, look: &Look) {
    let page = look.name;
    let nodes = browser.accessible();
    let of = |role: &str| -> Vec<&str> {
        let nodes = nodes.iter().filter(|node| node.role == role);
        nodes.map(|node| node.name.as_str()).collect()
    };
    let mut roles = vec!["RootWebArea", "heading", "link"];
    if look.databases > 0 {
        roles.extend(["image", "columnheader", "rowheader"]);
        assert_eq!(of("table"), ["Databases"], "{page}");
    }
    for role in roles {
        let names = of(role);
        assert!(!names.is_empty(), "{page}: no {role}: {nodes:?}");
        assert!(
            names.iter().all(|name| !name.is_empty()),
            "{page}: {role}: {names:?}"
        );
    }
    let headers = of("rowheader").len();
    assert_eq!(headers, look.databases + look.others, "{page}");
    let pictures = of("image");
    assert_eq!(pictures.len(), look.databases, "{page}");
    for picture in pictures {
        assert!(
            picture.starts_with("Last 24 hours of "),
            "{page}: {picture}"
        );
    }
}
