//! Whether everybody can read a page: what is checked of it in the browser.

use super::browser::{Browser, Theme};

/// WCAG 2.1, 1.4.3 and 1.4.11: every text against what is behind it, and each part of a picture.
/// Answers what is too faint, and how many texts it looked at.
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

/// A page of this many databases, as somebody with this screen sees it.
pub struct Look<'a> {
    pub url: &'a str,
    /// The name of the picture.
    pub name: &'a str,
    pub size: (u32, u32),
    pub theme: Theme,
    pub databases: usize,
    /// Lines about several databases at once.
    pub others: usize,
}

/// Loads the page, takes a picture, and checks that it can be read by eye and by ear.
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
    assert_eq!(wide, "false", "{name}: it has to be scrolled sideways");
    names(browser, look);
    assert_eq!(browser.complaints(), [""; 0], "{name}");
}

/// What a screen reader says: everything that has a meaning has a name.
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
