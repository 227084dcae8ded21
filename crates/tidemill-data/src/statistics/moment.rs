//! Dates and times as people write them.

/// How a moment is written; the order is that of [`Written::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Date,
    DateTime,
    DateTimeZone,
    MonthDayYear,
}

impl Written {
    pub const ALL: [Self; 4] = [Self::Date, Self::DateTime, Self::DateTimeZone, Self::MonthDayYear];

    pub fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::DateTime => "date-time",
            Self::DateTimeZone => "date-time with zone",
            Self::MonthDayYear => "month/day/year",
        }
    }
}

/// A moment: seconds since the beginning of 1970, in UTC where the text states a zone, else as the clock stood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    pub seconds: f64,
    pub has_time: bool,
    pub written: Written,
}

/// Reads ISO 8601 (`2024-02-29`, `2024/02/29`, `2024-02-29T12:00:00.5+01:00`, a space for the `T`) and what
/// American exports hold (`02/29/2024`, `02/29/2024 12:00:00 PM`), years 1 to 9999.
pub(crate) fn parse(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    // Almost every other text fails here.
    if !(8..=40).contains(&bytes.len()) || !bytes[0].is_ascii_digit() {
        return None;
    }
    let mut rest = Rest(bytes);
    let first = rest.digits()?;
    let separator = rest.one_of(b"-/")?;
    let (written, days) = if first.1 == 4 {
        let month = rest.digits()?.0;
        rest.one_of(&[separator])?;
        (Written::Date, days(first.0, month, rest.digits()?.0)?)
    } else {
        if separator != b'/' || first.1 > 2 {
            return None;
        }
        let day = rest.digits()?.0;
        rest.one_of(b"/")?;
        let year = rest.digits().filter(|year| year.1 == 4)?.0;
        (Written::MonthDayYear, days(year, first.0, day)?)
    };
    let midnight = days as f64 * 86_400.0;
    if rest.0.is_empty() {
        return Some(Moment { seconds: midnight, has_time: false, written });
    }
    rest.one_of(b"T t")?;
    let time = time(&mut rest)?;
    let zoned = !rest.0.is_empty();
    let ahead = if zoned { zone(&mut rest)? } else { 0.0 };
    let written = match (written, zoned) {
        (Written::Date, false) => Written::DateTime,
        (Written::Date, true) => Written::DateTimeZone,
        (other, _) => other,
    };
    rest.0.is_empty().then_some(Moment { seconds: midnight + time - ahead, has_time: true, written })
}

/// Seconds since midnight.
fn time(rest: &mut Rest<'_>) -> Option<f64> {
    let mut hour = rest.digits().filter(|hour| hour.1 <= 2)?.0;
    rest.one_of(b":")?;
    let minute = rest.digits().filter(|minute| minute.1 == 2 && minute.0 < 60)?.0;
    let mut seconds = 0.0;
    if rest.one_of(b":").is_some() {
        // A leap second is told by some clocks.
        seconds = rest.digits().filter(|second| second.1 == 2 && second.0 <= 60)?.0 as f64;
        if rest.one_of(b".,").is_some() {
            let (fraction, digits) = rest.digits()?;
            seconds += fraction as f64 / 10f64.powi(digits as i32);
        }
    }
    let half = match rest.0 {
        [b' ', a @ (b'A' | b'a' | b'P' | b'p'), b'M' | b'm'] => Some(matches!(a, b'P' | b'p')),
        _ => None,
    };
    if let Some(afternoon) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if afternoon { 12 } else { 0 };
        rest.0 = &[];
    }
    (hour <= 23).then_some(hour as f64 * 3600.0 + minute as f64 * 60.0 + seconds)
}

/// The seconds that the zone at the end is ahead of UTC: `Z`, ` UTC`, `+01:00` or `+0100`.
fn zone(rest: &mut Rest<'_>) -> Option<f64> {
    if matches!(rest.0, b"Z" | b"z" | b" UTC" | b" Z") {
        rest.0 = &[];
        return Some(0.0);
    }
    let sign = rest.one_of(b"+-")?;
    let (hours, minutes) = match rest.digits()? {
        (both, 4) => (both / 100, both % 100),
        (hours, 2) if rest.one_of(b":").is_some() => (hours, rest.digits().filter(|minutes| minutes.1 == 2)?.0),
        (hours, 2) => (hours, 0),
        _ => return None,
    };
    let ahead = (hours * 3600 + minutes * 60) as f64;
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -ahead } else { ahead })
}

/// Bytes not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// A number of one to nine digits, and how many.
    fn digits(&mut self) -> Option<(i64, usize)> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 || count > 9 {
            return None;
        }
        let number = self.0[..count].iter().fold(0, |number, byte| number * 10 + i64::from(byte - b'0'));
        self.0 = &self.0[count..];
        Some((number, count))
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let first = *self.0.first().filter(|first| wanted.contains(first))?;
        self.0 = &self.0[1..];
        Some(first)
    }
}

/// Days since the beginning of 1970 of a date of the Gregorian calendar, if there is such a day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March, so that the day that is added comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(before + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        parse(text).map(|moment| moment.seconds)
    }

    #[test]
    fn moments_are_what_other_clocks_say() {
        // date -u -d '…' +%s
        assert_eq!(seconds("1970-01-01"), Some(0.0));
        assert_eq!(seconds("2024-02-29T12:00:00"), Some(1_709_208_000.0));
        assert_eq!(seconds("2024-02-29 12:00:00.25Z"), Some(1_709_208_000.25));
        assert_eq!(seconds("2024-02-29T12:00:00+01:00"), Some(1_709_204_400.0));
        assert_eq!(seconds("2024-02-29T12:00-0530"), Some(1_709_227_800.0));
        assert_eq!(seconds("02/29/2024 12:30:00 AM"), Some(1_709_166_600.0));
        assert_eq!(seconds("2/29/2024"), Some(1_709_164_800.0));
        assert_eq!(seconds("0001-01-01"), Some(-62_135_596_800.0));
        for wrong in [
            "2023-02-29",
            "2024-13-01",
            "2024-02-29T24:00",
            "2024-02-29T12",
            "2024-02-29 x",
            "31/12/2024",
            "1234-567",
            "12345678",
            "10.5.2024",
            "2024-02-29T1:2:3",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_day_has_its_number(day in -719_162i32..2_932_896) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).expect("in range");
            prop_assert_eq!(seconds(&date.to_string()), Some(f64::from(day) * 86_400.0));
        }

        #[test]
        fn any_text_is_read_or_not_read(text in "[0-9T:/ +.ZAPM-]{0,42}|.{0,20}") {
            let _ = parse(&text);
        }
    }
}
