//! Parts of a time: the proleptic Gregorian calendar in UTC.

use std::fmt;

use serde::{Deserialize, Serialize};

const DAY_SECONDS: i64 = 86_400;
/// Years 1 to 9999, in seconds since 1970. Milliseconds mistaken for seconds lie outside.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A part of a time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatePart {
    /// The year.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// The week of ISO 8601, 1 to 53: week 1 holds the year's first Thursday.
    Week,
    /// The day of the month, 1 to 31.
    Day,
    /// 1 to 366.
    DayOfYear,
    /// 0 for Monday to 6 for Sunday.
    DayOfWeek,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
}

impl DatePart {
    /// Every part.
    pub const ALL: [Self; 10] = [
        Self::Year,
        Self::Quarter,
        Self::Month,
        Self::Week,
        Self::Day,
        Self::DayOfYear,
        Self::DayOfWeek,
        Self::Hour,
        Self::Minute,
        Self::Second,
    ];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::DayOfYear => "day_of_year",
            Self::DayOfWeek => "day_of_week",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }

    /// Its smallest value, where it has bounds.
    pub(super) const fn first(self) -> u32 {
        match self {
            Self::Year | Self::DayOfWeek | Self::Hour | Self::Minute | Self::Second => 0,
            Self::Quarter | Self::Month | Self::Week | Self::Day | Self::DayOfYear => 1,
        }
    }

    /// One past its largest value; `None` for the year.
    pub(super) const fn end(self) -> Option<u32> {
        match self {
            Self::Year => None,
            Self::Quarter => Some(5),
            Self::Month => Some(13),
            Self::Week => Some(54),
            Self::Day => Some(32),
            Self::DayOfYear => Some(367),
            Self::DayOfWeek => Some(7),
            Self::Hour => Some(24),
            Self::Minute | Self::Second => Some(60),
        }
    }

    /// The part of a time in seconds since 1970; NaN for one that is missing or in no year from 1 to 9999.
    pub(super) fn of(self, seconds: f64) -> f64 {
        if !(seconds >= FIRST as f64 && seconds < (LAST + 1) as f64) {
            return f64::NAN;
        }
        let seconds = seconds.floor() as i64;
        let (days, within) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let part = match self {
            Self::Hour => within / 3600,
            Self::Minute => within / 60 % 60,
            Self::Second => within % 60,
            Self::DayOfWeek => weekday(days),
            Self::Year => civil(days).0,
            Self::Quarter => (civil(days).1 + 2) / 3,
            Self::Month => civil(days).1,
            Self::Day => civil(days).2,
            Self::DayOfYear => days - days_of(civil(days).0, 1, 1) + 1,
            Self::Week => {
                // The week belongs to the year of its Thursday.
                let thursday = days - weekday(days) + 3;
                (thursday - days_of(civil(thursday).0, 1, 1)) / 7 + 1
            }
        };
        part as f64
    }
}

impl fmt::Display for DatePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// 0 for Monday; 1970 began on a Thursday.
fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// Year, month and day of a day since 1970 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

/// Days since 1970 of a date (Hinnant, as above).
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Seconds since 1970 of a text of ISO 8601: `2024-02-29`, with a time after `T` or a space (`12:30`, `12:30:05`,
/// `12:30:05.25`), with `Z` or an offset (`+01:00`, `+0100`, `+01`) after that. Without an offset it is UTC. NaN for
/// any other text.
pub(super) fn seconds_of(text: &str) -> f64 {
    parse(text.trim().as_bytes()).unwrap_or(f64::NAN)
}

fn parse(text: &[u8]) -> Option<f64> {
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    mark(&mut rest, b'-')?;
    let month = digits(&mut rest, 2)?;
    mark(&mut rest, b'-')?;
    let day = digits(&mut rest, 2)?;
    let days = days_of(year, month, day);
    if year < 1 || !(1..=12).contains(&month) || civil(days) != (year, month, day) {
        return None;
    }
    let mut seconds = days * DAY_SECONDS;
    let mut fraction = 0.0;
    if !rest.is_empty() {
        mark(&mut rest, b'T').or_else(|| mark(&mut rest, b't')).or_else(|| mark(&mut rest, b' '))?;
        let hour = digits(&mut rest, 2)?;
        mark(&mut rest, b':')?;
        let minute = digits(&mut rest, 2)?;
        let mut second = 0;
        if mark(&mut rest, b':').is_some() {
            second = digits(&mut rest, 2)?;
            if mark(&mut rest, b'.').is_some() {
                fraction = tail(&mut rest)?;
            }
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        seconds += hour * 3600 + minute * 60 + second - offset(&mut rest)?;
    }
    rest.is_empty().then_some(seconds as f64 + fraction)
}

/// The seconds that local time is ahead of UTC.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    if rest.is_empty() || mark(rest, b'Z').or_else(|| mark(rest, b'z')).is_some() {
        return Some(0);
    }
    let sign = if mark(rest, b'+').is_some() { 1 } else { mark(rest, b'-').map(|()| -1)? };
    let hour = digits(rest, 2)?;
    let minute = if rest.is_empty() {
        0
    } else {
        let _ = mark(rest, b':');
        digits(rest, 2)?
    };
    (hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

/// Digits of a fraction, at least one.
fn tail(rest: &mut &[u8]) -> Option<f64> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut fraction = 0.0;
    for byte in rest[..count].iter().rev() {
        fraction = (fraction + f64::from(byte - b'0')) / 10.0;
    }
    *rest = &rest[count..];
    (count > 0).then_some(fraction)
}

fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let head = rest.get(..count)?;
    let mut value = 0;
    for byte in head {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    *rest = &rest[count..];
    Some(value)
}

fn mark(rest: &mut &[u8], expected: u8) -> Option<()> {
    let (first, after) = rest.split_first()?;
    (*first == expected).then(|| *rest = after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years_reads_back() {
        let mut before = None;
        for days in FIRST / DAY_SECONDS..=LAST / DAY_SECONDS {
            let (year, month, day) = civil(days);
            assert_eq!(days_of(year, month, day), days);
            assert!(before < Some((year, month, day)));
            before = Some((year, month, day));
        }
        assert_eq!((civil(FIRST / DAY_SECONDS), before), ((1, 1, 1), Some((9999, 12, 31))));
    }

    #[test]
    fn texts_of_iso_8601_are_read_and_others_are_not() {
        // Python 3.11.7: datetime.fromisoformat(text).timestamp(), with UTC where no offset stands.
        for (text, seconds) in [
            ("1970-01-01", 0.0),
            ("2024-02-29", 1_709_164_800.0),
            ("2024-02-29T12:30", 1_709_209_800.0),
            ("2024-02-29 12:30:05", 1_709_209_805.0),
            ("2024-02-29T12:30:05.25Z", 1_709_209_805.25),
            ("2024-02-29T12:30:05+05:30", 1_709_190_005.0),
            ("2024-02-29T00:30:05-0100", 1_709_170_205.0),
            (" 2024-02-29T00:30:05+01 ", 1_709_163_005.0),
            ("1969-12-31T23:59:59.5", -0.5),
        ] {
            assert_eq!(seconds_of(text), seconds, "{text}");
        }
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "0000-01-01",
            "2024-2-9",
            "2024-02-29T",
            "2024-02-29T24:00",
            "2024-02-29T12:30:60",
            "2024-02-29T12:30:05.",
            "2024-02-29T12:30+1",
            "2024-02-29T12:30+01:60",
            "2024-02-29x",
            "٢٠٢٤-٠٢-٢٩",
            "1709164800",
        ] {
            assert!(seconds_of(text).is_nan(), "{text}");
        }
    }
}
