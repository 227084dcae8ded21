//! The two day fields of a cron pattern, which know `L`, `W` and `#`.

use jiff::civil::Date;

use super::CronError;
use super::field::{Field, Parsed, Set};

/// The field "day of the month".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MonthDays {
    is_any: bool,
    days: Set,
    /// Days before the last one of the month: 0 for `L`, 1 for `L-1`.
    before_last: Set,
    /// `15W`: the weekday nearest to the day, in the same month.
    nearest: Set,
    /// `LW`: the last weekday of the month.
    last_weekday: bool,
}

impl MonthDays {
    pub(super) fn parse(text: &str) -> Result<Self, CronError> {
        let field = Field::new("day of the month", 1, 31, &[]);
        let mut parsed = Parsed { set: Set::default(), is_stepped: false };
        let mut days = Self {
            is_any: text.starts_with('*'),
            days: Set::default(),
            before_last: Set::default(),
            nearest: Set::default(),
            last_weekday: false,
        };
        for item in text.split(',') {
            let upper = item.to_ascii_uppercase();
            if upper == "L" {
                days.before_last.insert(0);
            } else if upper == "LW" {
                days.last_weekday = true;
            } else if let Some(before) = upper.strip_prefix("L-") {
                let before = before.parse::<u8>().ok().filter(|before| *before <= 30);
                let wrong = || CronError(format!("`{item}`: days before the last one are 0 to 30"));
                days.before_last.insert(before.ok_or_else(wrong)?);
            } else if let Some(near) = upper.strip_suffix('W') {
                days.nearest.insert(field.number(near)?);
            } else {
                field.add(item, &mut parsed)?;
            }
        }
        days.days = parsed.set;
        Ok(days)
    }

    /// The field restricts nothing.
    pub(super) fn is_any(&self) -> bool {
        self.is_any
    }

    pub(super) fn has(&self, date: Date) -> bool {
        let (day, last) = (date.day() as u8, date.days_in_month() as u8);
        self.days.has(day)
            || self.before_last.has(last - day)
            || (self.last_weekday && day == nearest_weekday(date, last))
            || self.nearest.iter().any(|near| near <= last && day == nearest_weekday(date, near))
    }
}

/// The weekday nearest to `day` in the month of `date`; never in another month.
fn nearest_weekday(date: Date, day: u8) -> u8 {
    let first_of_month = date.first_of_month();
    let last = date.days_in_month() as u8;
    // 0 is Monday.
    let weekday = (first_of_month.weekday().to_monday_zero_offset() as u8 + day - 1) % 7;
    match weekday {
        5 if day == 1 => 3,
        5 => day - 1,
        6 if day == last => day - 2,
        6 => day + 1,
        _ => day,
    }
}

/// The field "day of the week".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WeekDays {
    is_any: bool,
    days: Set,
    /// `fri#2`: weekday and number.
    nth: Vec<(u8, u8)>,
    /// `friL`: the last one of the month.
    last: Set,
}

impl WeekDays {
    pub(super) fn parse(text: &str, names: &'static [&'static str]) -> Result<Self, CronError> {
        // 7 is Sunday too.
        let field = Field::new("day of the week", 0, 7, names);
        let mut parsed = Parsed { set: Set::default(), is_stepped: false };
        let mut days =
            Self { is_any: text.starts_with('*'), days: Set::default(), nth: Vec::new(), last: Set::default() };
        for item in text.split(',') {
            if let Some((day, number)) = item.split_once('#') {
                let wrong = || CronError(format!("`{item}`: a month has the weekdays `#1` to `#5`"));
                let number = number.parse::<u8>().ok().filter(|number| (1..=5).contains(number)).ok_or_else(wrong)?;
                days.nth.push((field.number(day)? % 7, number));
            } else if let Some(day) = item.strip_suffix(['L', 'l']).filter(|day| !day.is_empty()) {
                days.last.insert(field.number(day)? % 7);
            } else {
                field.add(item, &mut parsed)?;
            }
        }
        for day in parsed.set.iter() {
            days.days.insert(day % 7);
        }
        Ok(days)
    }

    /// The field restricts nothing.
    pub(super) fn is_any(&self) -> bool {
        self.is_any
    }

    pub(super) fn has(&self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset() as u8;
        let number = (date.day() as u8 - 1) / 7 + 1;
        self.days.has(weekday)
            || self.nth.contains(&(weekday, number))
            || (self.last.has(weekday) && date.day() + 7 > date.days_in_month())
    }
}
