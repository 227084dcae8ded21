//! Conditions of rules on headers and times.

use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::spec::{Day, HeaderMatch, TimeWindow};

/// A condition on a header.
#[derive(Debug, Clone)]
pub(super) struct HeaderCondition {
    pub(super) name: HeaderName,
    patterns: Vec<String>,
}

impl HeaderCondition {
    /// `None`: that is no name of a header.
    pub(super) fn new(name: &str, of: &HeaderMatch) -> Option<Self> {
        Some(Self { name: name.parse().ok()?, patterns: of.patterns().to_vec() })
    }

    pub(super) fn holds(&self, headers: &HeaderMap) -> bool {
        headers.get_all(&self.name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
            self.patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => value.starts_with(start),
                None => value == pattern,
            })
        })
    }
}

/// A window of time.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    from: Time,
    /// The end; `None` is midnight.
    until: Option<Time>,
    days: Vec<Weekday>,
    zone: TimeZone,
}

impl Window {
    /// Reads a window; an error names the key.
    pub(crate) fn new(of: &TimeWindow) -> Result<Self, (&'static str, String)> {
        let time = |key, text: &Option<String>| {
            let wrong = |text: &str| (key, format!("`{text}` is not a time of day; write `22:00`"));
            let read = |text: &String| {
                let digits = text.split_once(':').is_some_and(|(hour, _)| !hour.is_empty());
                text.parse::<Time>().ok().filter(|_| digits).ok_or_else(|| wrong(text))
            };
            text.as_ref().map(read).transpose()
        };
        let (from, until) = (time("from", &of.from)?, time("until", &of.until)?);
        if from.is_none() && until.is_none() && of.days.is_empty() {
            return Err(("zone", "a time has `from`, `until` or `days`".to_owned()));
        }
        if from.is_some() && from == until {
            return Err(("until", "the window ends where it begins".to_owned()));
        }
        let zone = match &of.zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name)
                .map_err(|_| ("zone", format!("`{name}` is not a time zone; write `Europe/Berlin` or `UTC`")))?,
        };
        let days = of.days.iter().map(|day| weekday(*day)).collect();
        Ok(Self { from: from.unwrap_or(Time::midnight()), until, days, zone })
    }

    pub(super) fn holds(&self, now: SystemTime) -> bool {
        let Ok(now) = Timestamp::try_from(now) else { return false };
        let here = now.to_zoned(self.zone.clone());
        let (time, today) = (here.time(), here.date());
        let over_midnight = self.until.is_some_and(|until| until < self.from);
        let after_start = time >= self.from;
        let before_end = self.until.is_none_or(|until| time < until);
        let inside = if over_midnight { after_start || before_end } else { after_start && before_end };
        if !inside {
            return false;
        }
        // After midnight, the window has begun the day before.
        let began = if over_midnight && !after_start { today.checked_sub(1.day()).unwrap_or(today) } else { today };
        self.days.is_empty() || self.days.contains(&began.weekday())
    }
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    fn window(from: Option<&str>, until: Option<&str>, days: &[Day], zone: Option<&str>) -> Window {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Window::new(&TimeWindow { from: text(from), until: text(until), days: days.to_vec(), zone: text(zone) })
            .unwrap()
    }

    #[test]
    fn windows_go_over_midnight_and_follow_their_zone() {
        let night = window(Some("22:00"), Some("06:00"), &[], None);
        for (time, inside) in [("21:59", false), ("22:00", true), ("23:59", true), ("05:59", true), ("06:00", false)] {
            assert_eq!(night.holds(at(&format!("2026-12-01T{time}:00Z"))), inside, "{time}");
        }
        // The 5th of December 2026 is a Saturday; the night that began on it goes on until Sunday morning.
        let saturday = window(Some("22:00"), Some("06:00"), &[Day::Sat], None);
        assert!(saturday.holds(at("2026-12-05T23:00:00Z")) && saturday.holds(at("2026-12-06T05:00:00Z")));
        assert!(!saturday.holds(at("2026-12-05T05:00:00Z")) && !saturday.holds(at("2026-12-06T23:00:00Z")));
        let morning = window(Some("08:00"), Some("09:00"), &[], Some("America/New_York"));
        assert!(morning.holds(at("2026-12-01T13:30:00Z")) && morning.holds(at("2026-07-01T12:30:00Z")));
        assert!(!morning.holds(at("2026-12-01T12:30:00Z")));
        assert!(window(None, None, &[Day::Tue], None).holds(at("2026-12-01T00:00:00Z")));
    }

    #[test]
    fn wrong_windows_are_refused() {
        let wrong = |from: &str, until: &str, zone: &str| {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let window = TimeWindow { from: text(from), until: text(until), days: Vec::new(), zone: text(zone) };
            Window::new(&window).unwrap_err().0
        };
        assert_eq!(wrong("25:00", "", ""), "from");
        assert_eq!(wrong("8", "", ""), "from");
        assert_eq!(wrong("08:00", "08:00", ""), "until");
        assert_eq!(wrong("08:00", "", "Mars/Olympus"), "zone");
        assert_eq!(wrong("", "", ""), "zone");
    }

    #[test]
    fn headers_are_compared_whole_or_by_their_start() {
        let condition = HeaderCondition::new("X-Target", &HeaderMatch::Any(vec!["mountain".into(), "sea*".into()]));
        let condition = condition.unwrap();
        for (value, holds) in [("mountain", true), ("mountains", false), ("sea", true), ("seaside", true), ("", false)]
        {
            let headers = HeaderMap::from_iter([("x-target".parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(condition.holds(&headers), holds, "{value}");
        }
        assert!(!condition.holds(&HeaderMap::new()));
    }
}
