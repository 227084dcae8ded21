//! Cron patterns: parsing, the days they match, and the instants of a day in a time zone.
//!
//! A pattern has five fields: minute, hour, day of the month, month, day of the week. The dialect is that of Vixie cron
//! with names, `L` (last), `W` (nearest weekday), `#` (n-th weekday of the month) and the macros `@hourly`, `@daily`,
//! `@weekly`, `@monthly` and `@yearly`. If both the day of the month and the day of the week are restricted, a day that
//! matches either one counts.

mod days;
mod field;
mod instants;

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use self::days::{MonthDays, WeekDays};
use self::field::{Field, MONTHS, Set, WEEKDAYS};

/// A cron pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: Set,
    hours: Set,
    month_days: MonthDays,
    months: Set,
    week_days: WeekDays,
    /// Neither minute nor hour has a `*` or a step: a job for fixed times of the day. It runs exactly once for each of
    /// them, even if the time does not exist on a day or exists twice.
    is_fixed: bool,
}

/// A text is not a cron pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronError(pub(crate) String);

const MACROS: [(&str, &str); 6] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
];

/// The calendar repeats after 400 years, and the longest gap between two matches (a 29 February that is a certain
/// weekday, across a year 2100) is 40 years.
const YEARS_SEARCHED: i16 = 41;

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('@') {
            let known = MACROS.iter().find(|(name, _)| *name == text);
            let names = || MACROS.map(|(name, _)| name).join(", ");
            return match known {
                Some((_, pattern)) => Ok(Self { text: text.to_owned(), ..pattern.parse()? }),
                None => Err(CronError(format!("`@{name}` is not known; known are {}", names()))),
            };
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, month_day, month, week_day] = fields[..] else {
            let hint = if fields.len() == 6 { "; seconds are not supported" } else { "" };
            return Err(CronError(format!(
                "a cron pattern has five fields (minute, hour, day of the month, month, day of the week), this one has \
                 {}{hint}",
                fields.len()
            )));
        };
        let minutes = Field::new("minute", 0, 59, &[]).parse(minute)?;
        let hours = Field::new("hour", 0, 23, &[]).parse(hour)?;
        let cron = Self {
            text: text.to_owned(),
            is_fixed: !minutes.is_stepped && !hours.is_stepped,
            minutes: minutes.set,
            hours: hours.set,
            month_days: MonthDays::parse(month_day)?,
            months: Field::new("month", 1, 12, MONTHS).parse(month)?.set,
            week_days: WeekDays::parse(week_day, WEEKDAYS)?,
        };
        if cron.matches_some_day() { Ok(cron) } else { Err(CronError(format!("`{text}` matches no day of any year"))) }
    }
}

impl Cron {
    /// Whether the pattern has ticks on this day.
    pub fn matches(&self, date: Date) -> bool {
        if !self.months.has(date.month() as u8) {
            return false;
        }
        match (self.month_days.is_any(), self.week_days.is_any()) {
            (false, false) => self.month_days.has(date) || self.week_days.has(date),
            _ => self.month_days.has(date) && self.week_days.has(date),
        }
    }

    fn matches_some_day(&self) -> bool {
        let (first, last) = (Date::constant(2024, 1, 1), Date::constant(2024 + YEARS_SEARCHED, 1, 1));
        std::iter::successors(Some(first), |day| day.tomorrow().ok())
            .take_while(|day| *day < last)
            .any(|day| self.matches(day))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Cron>().unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_pattern_is_explained() {
        assert!(error("* * * *").contains("this one has 4"));
        assert!(error("0 * * * * *").contains("seconds are not supported"));
        assert_eq!(error("60 * * * *"), "minute `60` is out of range: it is 0 to 59");
        assert_eq!(error("0 24 * * *"), "hour `24` is out of range: it is 0 to 23");
        assert_eq!(error("0 0 30 2 *"), "`0 0 30 2 *` matches no day of any year");
        assert!(error("0 0 * * mon-fir").contains("`fir` is not a day of the week"));
        assert!(error("*/0 * * * *").contains("a step is at least 1"));
        assert!(error("5-3 * * * *").contains("`5-3` goes backwards"));
        assert!(error("@nightly").contains("@daily"));
        assert!(error("0 0 * * 1#6").contains("`1#6`"));
    }

    #[test]
    fn days_are_matched_by_either_field() {
        let matches = |pattern: &str, date: &str| {
            let cron: Cron = pattern.parse().unwrap();
            cron.matches(date.parse().unwrap())
        };
        // 13 November 2026 is a Friday.
        assert!(matches("0 0 13 * fri", "2026-11-13") && matches("0 0 13 * fri", "2026-11-20"));
        assert!(matches("0 0 13 * fri", "2026-10-13") && !matches("0 0 13 * fri", "2026-10-14"));
        assert!(matches("0 0 13 * *", "2026-10-13") && !matches("0 0 * * fri", "2026-10-13"));
        assert!(matches("0 0 L * *", "2028-02-29") && !matches("0 0 L * *", "2028-02-28"));
        assert!(matches("0 0 L-1 * *", "2028-02-28"));
        assert!(matches("0 0 * * fri#2", "2026-11-13") && !matches("0 0 * * fri#2", "2026-11-06"));
        assert!(matches("0 0 * * friL", "2026-11-27") && !matches("0 0 * * 5L", "2026-11-20"));
        // 15 August 2026 is a Saturday, 1 August 2026 too.
        assert!(matches("0 0 15W * *", "2026-08-14") && !matches("0 0 15W * *", "2026-08-15"));
        assert!(matches("0 0 1W * *", "2026-08-03") && !matches("0 0 1W * *", "2026-07-31"));
        assert!(matches("0 0 LW * *", "2026-10-30") && !matches("0 0 LW * *", "2026-10-31"));
        assert!(matches("0 0 * * 7", "2026-11-15") && matches("0 0 * * 0", "2026-11-15"));
        assert!(matches("0 0 * jan,DEC *", "2026-12-01") && !matches("0 0 * jan,dec *", "2026-11-01"));
        assert!(matches("0 0 29 2 *", "2028-02-29"));
    }
}
