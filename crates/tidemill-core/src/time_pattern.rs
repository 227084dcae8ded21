//! Moments written as text.

/// A pattern for moments written as text, with the directives of `strptime`.
///
/// | directive | stands for |
/// |---|---|
/// | `%Y` `%y` | year of four digits, of two |
/// | `%m` `%b` `%B` | month: two digits, `Jan`, `January` |
/// | `%d` `%j` | day of the month, of the year |
/// | `%a` `%A` | day of the week: `Mon`, `Monday` |
/// | `%H` `%I` `%p` | hour of 24, of 12, `AM` or `PM` |
/// | `%M` `%S` `%f` | minute, second (60 is a leap second), fraction of one to nine digits |
/// | `%z` `%Z` | offset (`+0100`, `+01:00`, `Z`), name of a zone |
/// | `%F` `%T` `%D` `%R` | `%Y-%m-%d`, `%H:%M:%S`, `%m/%d/%y`, `%H:%M` |
/// | `%%` | a per cent sign |
///
/// Numbers of two digits may leave out a leading zero where no digit follows, as `strptime` has it. Everything else stands for itself.
///
/// ```
/// # use tidemill_core::TimePattern;
/// let pattern = TimePattern::new("%Y-%m-%d %H:%M").unwrap();
/// assert!(pattern.matches("2024-02-29 23:59"));
/// assert!(!pattern.matches("2023-02-29 23:59"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimePattern(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Literal(char),
    Directive(char),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl TimePattern {
    /// The pattern in `format`, or what is wrong with it.
    pub fn new(format: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                pieces.push(Piece::Literal(c));
                continue;
            }
            let long: &[char] = match chars.next() {
                Some('%') => {
                    pieces.push(Piece::Literal('%'));
                    continue;
                }
                Some('F') => &['Y', '-', 'm', '-', 'd'],
                Some('T') => &['H', ':', 'M', ':', 'S'],
                Some('D') => &['m', '/', 'd', '/', 'y'],
                Some('R') => &['H', ':', 'M'],
                Some(c) if "YymbBdjaAHIpMSfzZ".contains(c) => {
                    pieces.push(Piece::Directive(c));
                    continue;
                }
                Some(c) => return Err(format!("`%{c}` in the format `{format}` is not known")),
                None => return Err(format!("the format `{format}` ends in `%`")),
            };
            let piece = |c: &char| if c.is_alphabetic() { Piece::Directive(*c) } else { Piece::Literal(*c) };
            pieces.extend(long.iter().map(piece));
        }
        if !pieces.iter().any(|piece| matches!(piece, Piece::Directive(_))) {
            return Err(format!("the format `{format}` names no part of a time"));
        }
        Ok(Self(pieces))
    }

    /// Whether the whole of `text` is a moment of this pattern: one that the calendar has.
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text;
        let mut date = Date::default();
        for piece in &self.0 {
            let read = match piece {
                Piece::Literal(c) => rest.strip_prefix(*c),
                Piece::Directive(directive) => date.read(*directive, rest),
            };
            let Some(after) = read else { return false };
            rest = after;
        }
        rest.is_empty() && date.exists()
    }
}

/// The parts read that only together make a day.
#[derive(Default)]
struct Date {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
}

impl Date {
    /// What follows the part that `directive` asks for; `None` where `text` does not begin with one.
    fn read<'t>(&mut self, directive: char, text: &'t str) -> Option<&'t str> {
        match directive {
            'Y' => {
                let (year, rest) = number(text, 4, 4)?;
                self.year = Some(year);
                Some(rest)
            }
            'y' => {
                let (year, rest) = number(text, 2, 2)?;
                // POSIX: 69 to 99 lie in the last century.
                self.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
                Some(rest)
            }
            'm' => within(text, 1, 12, &mut self.month),
            'd' => within(text, 1, 31, &mut self.day),
            'j' => {
                let (day, rest) = number(text, 1, 3)?;
                self.day_of_year = Some(day);
                (1..=366).contains(&day).then_some(rest)
            }
            'b' | 'B' => {
                let (month, rest) = name(text, &MONTHS, directive == 'b')?;
                self.month = Some(month + 1);
                Some(rest)
            }
            'a' | 'A' => name(text, &DAYS, directive == 'a').map(|(_, rest)| rest),
            'H' => within(text, 0, 23, &mut None),
            'I' => within(text, 1, 12, &mut None),
            'M' => within(text, 0, 59, &mut None),
            'S' => within(text, 0, 60, &mut None),
            'p' => name(text, &["AM", "PM"], false).map(|(_, rest)| rest),
            'f' => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                (1..=9).contains(&digits).then(|| &text[digits..])
            }
            'z' => offset(text),
            'Z' => {
                let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
                (letters > 0).then(|| &text[letters..])
            }
            _ => None,
        }
    }

    /// Whether the calendar has such a day.
    fn exists(&self) -> bool {
        let leap = |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        // Without a year, the 29th of February may be one.
        let leap = self.year.is_none_or(leap);
        let longest = match self.month {
            Some(2) => 28 + u32::from(leap),
            Some(4 | 6 | 9 | 11) => 30,
            _ => 31,
        };
        self.day.is_none_or(|day| day <= longest) && self.day_of_year.is_none_or(|day| day <= 365 + u32::from(leap))
    }
}

/// A number of `least` to `most` digits and what follows it.
fn number(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits < least {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn within<'t>(text: &'t str, low: u32, high: u32, part: &mut Option<u32>) -> Option<&'t str> {
    let (value, rest) = number(text, 1, 2)?;
    *part = Some(value);
    (low..=high).contains(&value).then_some(rest)
}

/// Which of `names` (or of their first three letters) `text` begins with, and what follows it. Case does not matter.
fn name<'t>(text: &'t str, names: &[&str], short: bool) -> Option<(u32, &'t str)> {
    names.iter().zip(0..).find_map(|(name, index)| {
        let length = if short { 3 } else { name.len() };
        let head = text.get(..length)?;
        head.eq_ignore_ascii_case(&name[..length]).then(|| (index, &text[length..]))
    })
}

/// What follows an offset from UTC.
fn offset(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some(rest);
    }
    let (hours, rest) = number(text.strip_prefix(['+', '-'])?, 2, 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':').unwrap_or(rest), 2, 2)?;
    (hours < 24 && minutes < 60).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_calendar_match_and_others_do_not() {
        for (format, good, bad) in [
            (
                "%Y-%m-%d",
                &["2024-02-29", "1999-12-31", "2024-2-9"][..],
                &["2023-02-29", "2024-04-31", "24-01-01", ""][..],
            ),
            ("%Y%m%d", &["20240229"], &["20240230", "2024022x", "202402290"]),
            (
                "%FT%T.%f%z",
                &["2024-01-01T00:00:60.123456789+01:00", "2024-01-01T00:00:00.0Z"],
                &["2024-01-01T24:00:00.0Z"],
            ),
            ("%d %b %y", &["29 feb 00", "1 Jan 70"], &["29 feb 01", "1 Janu 70"]),
            ("%A, %d. %B", &["Monday, 29. February"], &["Mon, 29. February", "Monday, 30. February"]),
            ("%I:%M %p", &["12:59 pm", "1:00 AM"], &["13:00 PM", "0:10 AM"]),
            ("%Y/%j", &["2024/366", "2023/001"], &["2023/366", "2023/0"]),
            ("%D %R", &["12/31/99 23:59"], &["31/12/99 23:59"]),
            ("%M%%", &["5%"], &["5", "5%%"]),
        ] {
            let pattern = TimePattern::new(format).unwrap();
            for text in good {
                assert!(pattern.matches(text), "{format}: {text}");
            }
            for text in bad.iter().chain(&["é", "２０２４"]) {
                assert!(!pattern.matches(text), "{format}: {text}");
            }
        }
    }

    #[test]
    fn a_pattern_with_no_part_or_an_unknown_one_is_refused() {
        for (format, why) in [("%Q", "`%Q`"), ("%", "ends in"), ("today", "no part"), ("100%%", "no part")] {
            assert!(TimePattern::new(format).unwrap_err().contains(why), "{format}");
        }
    }
}
