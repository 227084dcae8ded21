//! One field of a cron pattern: lists, ranges, steps and names.

use super::CronError;

/// Names of months, from 1.
pub(super) const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Names of days of the week, from 0.
pub(super) const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A set of numbers from 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set(u64);

impl Set {
    pub(super) fn has(self, number: u8) -> bool {
        number < 64 && self.0 >> number & 1 == 1
    }

    pub(super) fn insert(&mut self, number: u8) {
        self.0 |= 1 << number;
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |number| self.has(*number))
    }
}

/// What a field allows.
pub(super) struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    /// Names of the numbers from `min` on.
    names: &'static [&'static str],
}

/// The numbers of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parsed {
    pub set: Set,
    /// It has a `*` or a step.
    pub is_stepped: bool,
}

impl Field {
    pub(super) const fn new(name: &'static str, min: u8, max: u8, names: &'static [&'static str]) -> Self {
        Self { name, min, max, names }
    }

    /// Parses a comma-separated list.
    pub(super) fn parse(&self, text: &str) -> Result<Parsed, CronError> {
        let mut parsed = Parsed { set: Set::default(), is_stepped: false };
        for item in text.split(',') {
            self.add(item, &mut parsed)?;
        }
        Ok(parsed)
    }

    /// Adds `*`, `a`, `a-b`, and each of them with `/step`.
    pub(super) fn add(&self, item: &str, parsed: &mut Parsed) -> Result<(), CronError> {
        let (range, step) = match item.split_once('/') {
            None => (item, None),
            Some((range, step)) => {
                let number = step.parse::<u8>().ok().filter(|step| *step > 0);
                let wrong = || CronError(format!("`{item}` in the {}: a step is at least 1", self.name));
                (range, Some(number.ok_or_else(wrong)?))
            }
        };
        parsed.is_stepped |= step.is_some() || range == "*";
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            // `5/15` starts at 5, as in Vixie cron.
            None => {
                let first = self.number(range)?;
                (first, if step.is_some() { self.max } else { first })
            }
        };
        if first > last {
            return Err(CronError(format!("`{item}` goes backwards: write two ranges, as in `{}-{last}`", self.min)));
        }
        (first..=last).step_by(usize::from(step.unwrap_or(1))).for_each(|number| parsed.set.insert(number));
        Ok(())
    }

    /// A number or a name.
    pub(super) fn number(&self, text: &str) -> Result<u8, CronError> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        if let Some(place) = named {
            return Ok(self.min + place as u8);
        }
        match text.parse::<u8>() {
            Ok(number) if (self.min..=self.max).contains(&number) => Ok(number),
            Ok(_) => {
                Err(CronError(format!("{} `{text}` is out of range: it is {} to {}", self.name, self.min, self.max)))
            }
            Err(_) if text.chars().all(|c| c.is_ascii_digit()) && !text.is_empty() => {
                Err(CronError(format!("{} `{text}` is out of range: it is {} to {}", self.name, self.min, self.max)))
            }
            Err(_) => Err(CronError(format!("`{text}` is not a {}", self.name))),
        }
    }
}
