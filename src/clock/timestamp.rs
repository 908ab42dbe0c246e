//! Timestamps as the files have them: whole seconds, UTC (RFC 3339).

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z, up to the end of year 9999. A time outside of this range becomes the nearest
/// time in it, because no decision depends on such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

const LAST: u64 = 253_402_300_799;
const DAY: u64 = 86_400;

impl Timestamp {
    /// Creates a timestamp from seconds since 1970.
    pub fn from_unix(seconds: u64) -> Timestamp {
        Timestamp(seconds.min(LAST))
    }

    /// Returns the seconds since 1970.
    pub fn unix(self) -> u64 {
        self.0
    }

    /// Returns the time `seconds` later, or earlier if they are negative.
    pub fn plus(self, seconds: i64) -> Timestamp {
        Timestamp::from_unix(self.0.saturating_add_signed(seconds))
    }

    /// Returns the time this long before.
    pub fn before(self, time: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(time.as_secs()))
    }

    /// Returns the time since `earlier`; zero if that is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time as HTTP's header `Date` has it (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn http_date(self) -> String {
        // 1 January 1970 was a Thursday
        let weekday = match self.0 / DAY % 7 {
            0 => "Thu",
            1 => "Fri",
            2 => "Sat",
            3 => "Sun",
            4 => "Mon",
            5 => "Tue",
            _ => "Wed",
        };
        let [year, month, day] = self.date();
        let month = match month {
            1 => "Jan",
            2 => "Feb",
            3 => "Mar",
            4 => "Apr",
            5 => "May",
            6 => "Jun",
            7 => "Jul",
            8 => "Aug",
            9 => "Sep",
            10 => "Oct",
            11 => "Nov",
            _ => "Dec",
        };
        let [hour, minute, second] = self.time_of_day();
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Returns year, month and day, the latter two from 1.
    fn date(self) -> [u64; 3] {
        let mut days = self.0 / DAY;
        let mut year = 1970;
        while days >= days_of_year(year) {
            days -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while days >= days_of_month(year, month) {
            days -= days_of_month(year, month);
            month += 1;
        }
        [year, month, days + 1]
    }

    /// Returns hour, minute and second.
    fn time_of_day(self) -> [u64; 3] {
        let second = self.0 % DAY;
        [second / 3600, second / 60 % 60, second % 60]
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix(since.as_secs())
    }
}

/// `2026-11-22T03:48:33Z`
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day] = self.date();
        let [hour, minute, second] = self.time_of_day();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// A text is not a time in the form that [`Timestamp`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampError;

impl std::error::Error for TimestampError {}

impl std::fmt::Display for TimestampError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a time such as 2026-01-31T12:00:00Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        let form = |(byte, due): (u8, u8)| match due {
            b'0' => byte.is_ascii_digit(),
            due => byte == due,
        };
        let due = b"0000-00-00T00:00:00Z";
        if text.len() != due.len() || !text.bytes().zip(*due).all(form) {
            return Err(TimestampError);
        }
        let field = |range| {
            let digits: Option<&str> = text.get(range);
            digits
                .and_then(|digits| digits.parse::<u64>().ok())
                .ok_or(TimestampError)
        };
        let (year, month, day) = (field(0..4)?, field(5..7)?, field(8..10)?);
        let (hour, minute, second) = (field(11..13)?, field(14..16)?, field(17..19)?);
        if year < 1970
            || !(1..=12).contains(&month)
            || !(1..=days_of_month(year, month)).contains(&day)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return Err(TimestampError);
        }
        let days = (1970..year).map(days_of_year).sum::<u64>()
            + (1..month).map(|m| days_of_month(year, m)).sum::<u64>()
            + (day - 1);
        Ok(Timestamp(days * DAY + hour * 3600 + minute * 60 + second))
    }
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_text_and_comes_back_from_it() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_319_313, "2026-11-22T03:48:33Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            let time = Timestamp::from_unix(seconds);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
        }
    }

    #[test]
    fn http_has_a_form_of_its_own_for_a_time() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), // RFC 9110 §5.6.7
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(Timestamp::from_unix(seconds).http_date(), text);
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for bad in [
            "",
            "2026-11-22",
            "2026-11-22T03:48:33",
            "2026-11-22T03:48:33z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-22T03:48:60Z",
            "1969-12-31T23:59:59Z",
            "+202-11-22T03:48:33Z",
            "2026-11-22T+3:48:33Z",
            "2026-11-22T03:48:33Zé",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampError), "{bad}");
        }
    }

    #[test]
    fn a_clock_before_1970_is_1970() {
        let before = UNIX_EPOCH - std::time::Duration::from_secs(5);
        assert_eq!(Timestamp::from(before).unix(), 0);
    }
}
