//! The calendar: dates and times in text, and the parts of a time.
//!
//! One parser serves statistics, `date_part`, histories and validation, so a text that statistics count as a date is a
//! date everywhere. The calendar is the proleptic Gregorian one, in UTC, for the years 1 to 9999.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The seconds of a day.
pub const DAY_SECONDS: i64 = 86_400;
/// The first second of year 1, and the first one after year 9999. Milliseconds mistaken for seconds lie outside.
const FIRST: f64 = -62_135_596_800.0;
const END: f64 = 253_402_300_800.0;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateFormat {
    /// `2024-02-29` or `2024/02/29`.
    Date,
    /// A date with the time of day: `2024-02-29T12:30:05.25`.
    DateTime,
    /// The same with a time zone: `2024-02-29 12:30+01:00`.
    DateTimeZone,
    /// `2/29/2024` or `02/29/2024 12:30 PM`, as American programs write.
    MonthDayYear,
}

impl DateFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Date, Self::DateTime, Self::DateTimeZone, Self::MonthDayYear];

    /// Its name in statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::DateTime => "date-time",
            Self::DateTimeZone => "date-time with zone",
            Self::MonthDayYear => "month/day/year",
        }
    }
}

/// A time that was read from text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Seconds since the beginning of 1970. In UTC if the text has a time zone; otherwise the clock's time is taken for
    /// UTC.
    pub seconds: f64,
    /// Whether the text has a time of day.
    pub has_time: bool,
    /// How the text is written.
    pub format: DateFormat,
}

impl Moment {
    /// Reads a date, with or without a time of day and a time zone. White space at either end is ignored.
    ///
    /// | part | forms |
    /// |---|---|
    /// | date | `2024-02-29`, `2024/02/29`, `2/29/2024` |
    /// | time, after `T` or a space | `12:30`, `12:30:05`, `12:30:05.25` (or a comma), `9:30 AM` |
    /// | time zone | `Z`, ` UTC`, `+01:00`, `+0100`, `+01` |
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim().as_bytes();
        // Almost every other text fails here.
        if bytes.len() < 8 || !bytes[0].is_ascii_digit() {
            return None;
        }
        let mut rest = Rest(bytes);
        let (format, days) = date(&mut rest)?;
        let midnight = days * DAY_SECONDS;
        if rest.0.is_empty() {
            return Some(Self { seconds: midnight as f64, has_time: false, format });
        }
        rest.one_of(b"Tt ")?;
        let (seconds, fraction) = time(&mut rest)?;
        let has_zone = !rest.0.is_empty();
        let ahead = if has_zone { zone(&mut rest)? } else { 0 };
        let format = match (format, has_zone) {
            (DateFormat::Date, false) => DateFormat::DateTime,
            (DateFormat::Date, true) => DateFormat::DateTimeZone,
            (other, _) => other,
        };
        let seconds = (midnight + seconds - ahead) as f64 + fraction;
        // A time zone can move the first and the last day out of the calendar.
        (rest.0.is_empty() && contains(seconds)).then_some(Self { seconds, has_time: true, format })
    }
}

/// Seconds since 1970 of a text, as [`Moment::parse`] reads it; NaN if it is not a date.
pub fn seconds_of(text: &str) -> f64 {
    Moment::parse(text).map_or(f64::NAN, |moment| moment.seconds)
}

/// Whether a time in seconds since 1970 lies in the years 1 to 9999.
pub fn contains(seconds: f64) -> bool {
    (FIRST..END).contains(&seconds)
}

/// A part of a time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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

    /// Its smallest value; 0 for the year.
    pub const fn first(self) -> u32 {
        match self {
            Self::Year | Self::DayOfWeek | Self::Hour | Self::Minute | Self::Second => 0,
            Self::Quarter | Self::Month | Self::Week | Self::Day | Self::DayOfYear => 1,
        }
    }

    /// One past its largest value; `None` for the year.
    pub const fn end(self) -> Option<u32> {
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

    /// The part of a time in seconds since 1970; NaN for NaN and outside of the years 1 to 9999.
    pub fn of(self, seconds: f64) -> f64 {
        if !contains(seconds) {
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

/// A date that exists, in days since 1970.
fn date(rest: &mut Rest<'_>) -> Option<(DateFormat, i64)> {
    let (first, digits) = rest.digits(4)?;
    let separator = rest.one_of(b"-/")?;
    let (format, year, month, day) = if digits == 4 {
        let month = rest.pair()?;
        rest.one_of(&[separator])?;
        (DateFormat::Date, first, month, rest.pair()?)
    } else {
        if separator != b'/' || digits > 2 {
            return None;
        }
        let (day, _) = rest.digits(2)?;
        rest.one_of(b"/")?;
        let (year, _) = rest.digits(4).filter(|(_, digits)| *digits == 4)?;
        (DateFormat::MonthDayYear, year, first, day)
    };
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let days = days_of(year, month, day);
    (civil(days) == (year, month, day)).then_some((format, days))
}

/// Whole seconds since midnight, and the fraction of a second.
fn time(rest: &mut Rest<'_>) -> Option<(i64, f64)> {
    let (mut hour, _) = rest.digits(2)?;
    rest.one_of(b":")?;
    let minute = rest.pair().filter(|minute| *minute < 60)?;
    let (mut second, mut fraction) = (0, 0.0);
    if rest.one_of(b":").is_some() {
        second = rest.pair().filter(|second| *second < 60)?;
        if rest.one_of(b".,").is_some() {
            fraction = rest.fraction()?;
        }
    }
    if let [b' ', half @ (b'A' | b'a' | b'P' | b'p'), b'M' | b'm'] = rest.0 {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if matches!(half, b'P' | b'p') { 12 } else { 0 };
        rest.0 = &[];
    }
    (hour < 24).then_some((hour * 3600 + minute * 60 + second, fraction))
}

/// The seconds that the time zone at the end is ahead of UTC.
fn zone(rest: &mut Rest<'_>) -> Option<i64> {
    if matches!(rest.0, b"Z" | b"z" | b" UTC" | b" Z") {
        rest.0 = &[];
        return Some(0);
    }
    let sign = if rest.one_of(b"+-")? == b'-' { -1 } else { 1 };
    let hours = rest.pair()?;
    let minutes = if rest.0.is_empty() {
        0
    } else {
        let _ = rest.one_of(b":");
        rest.pair()?
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The bytes that are not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// The number at the front, and how many digits it has: from 1 to `digits_max`.
    fn digits(&mut self, digits_max: usize) -> Option<(i64, usize)> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 || count > digits_max {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        Some((digits.iter().fold(0, |number, byte| number * 10 + i64::from(byte - b'0')), count))
    }

    /// The number of the two digits at the front; more may follow.
    fn pair(&mut self) -> Option<i64> {
        let [tens @ b'0'..=b'9', units @ b'0'..=b'9', rest @ ..] = self.0 else { return None };
        let number = i64::from(tens - b'0') * 10 + i64::from(units - b'0');
        self.0 = rest;
        Some(number)
    }

    /// The digits of a fraction, at least one.
    fn fraction(&mut self) -> Option<f64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let fraction = digits.iter().rev().fold(0.0, |fraction, byte| (fraction + f64::from(byte - b'0')) / 10.0);
        (count > 0).then_some(fraction)
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        Moment::parse(text).map(|moment| moment.seconds)
    }

    #[test]
    fn every_day_of_ten_thousand_years_reads_back() {
        let mut before = None;
        for days in FIRST as i64 / DAY_SECONDS..END as i64 / DAY_SECONDS {
            let (year, month, day) = civil(days);
            assert_eq!(days_of(year, month, day), days);
            assert!(before < Some((year, month, day)));
            before = Some((year, month, day));
        }
        assert_eq!((civil(FIRST as i64 / DAY_SECONDS), before), ((1, 1, 1), Some((9999, 12, 31))));
    }

    #[test]
    fn texts_are_the_times_that_other_clocks_give() {
        // Python 3.11.7: datetime.fromisoformat(text).timestamp(), with UTC where no offset stands.
        for (text, expected) in [
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
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        // date -u -d '…' +%s
        for (text, expected) in [
            ("2024-02-29T12:00:00", 1_709_208_000.0),
            ("2024/02/29 12:00:00", 1_709_208_000.0),
            ("2024-02-29 12:00:00.25Z", 1_709_208_000.25),
            ("2024-02-29 12:00:00,25 UTC", 1_709_208_000.25),
            ("2024-02-29T12:00:00+01:00", 1_709_204_400.0),
            ("2024-02-29T12:00-0530", 1_709_227_800.0),
            ("02/29/2024 12:30:00 AM", 1_709_166_600.0),
            ("2/29/2024 9:30 pm", 1_709_242_200.0),
            ("2/29/2024", 1_709_164_800.0),
            ("0001-01-01", -62_135_596_800.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "0000-01-01",
            "2024-2-9",
            "2024-02-29T",
            "2024-02-29T12",
            "2024-02-29T24:00",
            "2024-02-29T12:30:60",
            "2024-02-29T12:30:05.",
            "2024-02-29T12:30+1",
            "2024-02-29T12:30+01:60",
            "2024-02-29T12:30+01:",
            "2024-02-29T1:2:3",
            "2024-02-29T13:00 PM",
            "2024-02-29x",
            "2024-02-29 x",
            "2024-02/29",
            "31/12/2024",
            "12/31/24",
            "10.5.2024",
            "1234-567",
            "12345678",
            "1709164800",
            "٢٠٢٤-٠٢-٢٩",
            "0001-01-01T00:00+01:00",
            "9999-12-31T23:30-01:00",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_are_those_of_another_calendar(day in -719_162i32..2_932_896, second in 0i32..86_400) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).expect("in range");
            let expected = f64::from(day) * 86_400.0;
            prop_assert_eq!(seconds(&date.to_string()), Some(expected));
            let american = date.strftime("%m/%d/%Y").to_string();
            prop_assert_eq!(seconds(&american), Some(expected));
            let time = date.at(0, 0, 0, 0).checked_add(jiff::Span::new().seconds(second)).expect("in range");
            let read = expected + f64::from(second);
            prop_assert_eq!(seconds(&time.to_string()), Some(read));
            prop_assert_eq!(DatePart::Year.of(read), f64::from(time.year()));
            prop_assert_eq!(DatePart::Month.of(read), f64::from(time.month()));
            prop_assert_eq!(DatePart::Day.of(read), f64::from(time.day()));
            prop_assert_eq!(DatePart::DayOfYear.of(read), f64::from(time.day_of_year()));
            prop_assert_eq!(DatePart::DayOfWeek.of(read), f64::from(time.weekday().to_monday_zero_offset()));
            prop_assert_eq!(DatePart::Week.of(read), f64::from(time.date().iso_week_date().week()));
            prop_assert_eq!(DatePart::Hour.of(read), f64::from(time.hour()));
        }

        #[test]
        fn a_text_is_a_date_if_and_only_if_it_has_parts(text in "[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}([T ][0-9:+. ZAPM]{0,14})?|.{0,20}") {
            let moment = Moment::parse(&text);
            for part in DatePart::ALL {
                prop_assert_eq!(moment.is_some(), !part.of(seconds_of(&text)).is_nan());
            }
        }
    }
}
