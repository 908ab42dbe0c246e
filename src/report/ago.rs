//! Ages as text.

use std::time::Duration;

/// Returns an age for people, in the largest unit of which there are two or more: `12 s ago`, `90 min ago`.
pub fn ago(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_the_largest_unit_of_which_there_are_two() {
        let of = |seconds| ago(Duration::from_secs(seconds));
        assert_eq!([of(0), of(119)], ["0 s ago", "119 s ago"]);
        assert_eq!([of(120), of(7_199)], ["2 min ago", "119 min ago"]);
        assert_eq!([of(7_200), of(172_799)], ["2 h ago", "47 h ago"]);
        assert_eq!(of(172_800), "2 days ago");
    }
}
