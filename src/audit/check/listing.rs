//! The databases that a cycle checks: listed, trusted and selected ones.

use std::collections::BTreeSet;

use crate::text::Escaped;
use crate::wire::Names;

/// The limit of known and new databases together. So a server cannot fill the disk with a long list, or with new names
/// in every list.
pub const MAX_DATABASES: usize = 10_000;

/// The longest name of a database, in bytes.
const MAX_NAME: usize = 128;

/// The server's list, divided by what a cycle does with each name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Selected databases in the server's order, each once.
    pub listed: Vec<String>,
    /// Selected databases with a trusted state that the server does not list.
    pub missing: Vec<String>,
    /// Names that no database can have.
    pub impossible: Option<Impossible>,
    /// Names past [`MAX_DATABASES`].
    pub skipped_databases: usize,
}

/// Names that no database can have: their number and the first of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// The number of these names.
    pub count: usize,
    /// The first of them.
    pub first: Escaped,
}

/// Selects the databases of a server's list that a cycle checks, and counts impossible and skipped names.
pub fn sort(names: &Names, known: &BTreeSet<String>, selects: impl Fn(&str) -> bool) -> Listing {
    let mut seen = BTreeSet::new();
    let mut listing = Listing::default();
    let mut new = 0;
    for name in names.iter() {
        let Some(name) = possible(name) else {
            let impossible = listing.impossible.get_or_insert_with(|| Impossible {
                count: 0,
                first: Escaped::of_bytes(name),
            });
            impossible.count += 1;
            continue;
        };
        if !selects(name) || seen.contains(name) {
            continue;
        }
        if !known.contains(name) {
            if known.len() + new >= MAX_DATABASES {
                listing.skipped_databases += 1;
                continue;
            }
            new += 1;
        }
        seen.insert(name.to_owned());
        listing.listed.push(name.to_owned());
    }
    listing.missing = known
        .iter()
        .filter(|name| !seen.contains(*name) && selects(name))
        .cloned()
        .collect();
    listing
}

/// Returns the name if a database can have it: printable ASCII without spaces and not too long. Servers allow less.
pub(in crate::audit) fn possible(name: &[u8]) -> Option<&str> {
    let possible = (1..=MAX_NAME).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(name).ok().filter(|_| possible)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Names {
        names.iter().map(|name| name.as_bytes()).collect()
    }

    fn strings(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_known_database_that_is_not_listed_is_missing_only_if_it_is_selected() {
        let known = strings(&["a", "b", "other"]);
        let listing = sort(&names(&["b", "c", "b"]), &known, |name| name != "other");
        assert_eq!(listing.listed, ["b", "c"]);
        assert_eq!(listing.missing, ["a"]);
        assert_eq!(listing.impossible, None);
    }

    #[test]
    fn thousands_of_impossible_names_are_counted_and_hide_no_other() {
        let mut list: Vec<Vec<u8>> = (0..5000u32)
            .map(|i| format!("\u{202e}{i}\n").into())
            .collect();
        list.push(b"real".to_vec());
        list.push(vec![0xff, 0xfe]);
        list.push(vec![]);
        let list: Names = list.iter().map(Vec::as_slice).collect();
        let listing = sort(&list, &BTreeSet::new(), |_| true);
        assert_eq!(listing.listed, ["real"]);
        let impossible = listing.impossible.unwrap();
        assert_eq!(impossible.count, 5002);
        assert_eq!(impossible.first.as_str(), "\\u{202e}0\\n");
    }

    #[test]
    fn a_flood_of_names_leaves_space_for_trusted_databases() {
        let mut list: Vec<String> = (0..MAX_DATABASES + 7)
            .map(|i| format!("flood{i}"))
            .collect();
        list.push("trusted".into());
        let list: Names = list.iter().map(String::as_bytes).collect();
        let listing = sort(&list, &strings(&["trusted"]), |_| true);
        assert_eq!(listing.skipped_databases, 8); // the trusted database is audited at any position of the list
        assert!(listing.listed.contains(&"trusted".to_owned()));
    }
}
