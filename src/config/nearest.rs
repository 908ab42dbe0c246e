//! Suggests the existing name that is nearest to an unknown one.

/// The number of letters for each allowed mistake after the first. A name of at most this many letters may have
/// one mistake. With more mistakes, the name is probably another word.
const LETTERS_A_MISTAKE: usize = 4;

/// Returns the candidate with the fewest changed, added, omitted and swapped letters. Of several, it is one that begins
/// with the name, or the first. Returns `None` if none is near.
pub fn nearest(name: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let name = name.to_lowercase();
    // an omitted end ("--al") or begin ("--address") counts as fewer mistakes than many wrong letters
    let measured = candidates.map(|candidate| {
        let begin = name.len() > 1 && candidate.starts_with(name.as_str());
        let part = name.len() > 2 && candidate.contains(name.as_str());
        let mistakes = match (begin, part) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => distance(&name, candidate),
        };
        let is_near =
            begin || part || mistakes <= 1 + name.len().saturating_sub(1) / LETTERS_A_MISTAKE;
        ((mistakes, !begin), is_near, candidate)
    });
    let (_, is_near, candidate) = measured.min_by_key(|(rank, ..)| *rank)?;
    is_near.then_some(candidate)
}

/// Returns the optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(100).collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            let mut cost = at(&last, j) + usize::from(x != y);
            cost = cost.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                cost = cost.min(at(&before_last, j - 1) + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_changed_added_left_out_and_swapped_each_count_one() {
        assert_eq!(distance("once", "once"), 0);
        assert_eq!(distance("onze", "once"), 1);
        assert_eq!(distance("oncee", "once"), 1);
        assert_eq!(distance("one", "once"), 1);
        assert_eq!(distance("ocne", "once"), 1);
        assert_eq!(distance("", "once"), 4);
    }

    #[test]
    fn a_part_of_a_name_leads_to_it() {
        let names = ["json", "immudb-address", "dir"];
        assert_eq!(
            nearest("address", names.into_iter()),
            Some("immudb-address")
        );
        assert_eq!(nearest("josn", names.into_iter()), Some("json"));
        assert_eq!(nearest("x", std::iter::empty()), None);
    }

    #[test]
    fn of_equally_near_names_the_one_that_begins_so_is_meant() {
        let names = ["as", "all", "alarm"];
        assert_eq!(nearest("al", names.into_iter()), Some("all"));
        assert_eq!(nearest("ala", names.into_iter()), Some("alarm"));
        assert_eq!(nearest("alk", names.into_iter()), Some("all"));
    }

    #[test]
    fn a_distant_name_is_not_suggested() {
        let names = ["json", "value-only", "audit-keep-hashes", "version", "bash"];
        let unknown = [
            "build-seconds",
            "build-revision",
            "frobnicate",
            "x",
            "verdict",
            "tcsh",
        ];
        for name in unknown {
            assert_eq!(nearest(name, names.into_iter()), None, "{name}");
        }
    }
}
