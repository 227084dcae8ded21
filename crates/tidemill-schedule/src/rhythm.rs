//! Rhythms: cron patterns in a zone, and fixed intervals.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::Cron;

/// What makes ticks as time goes by.
#[derive(Debug, Clone, PartialEq)]
pub enum Rhythm {
    /// A cron pattern in a time zone.
    Cron {
        /// The pattern.
        cron: Cron,
        /// The zone of its wall times.
        zone: TimeZone,
    },
    /// Every whole multiple of an interval since 1970-01-01T00:00Z, so that a restart does not shift the ticks.
    Every(Duration),
}

impl Rhythm {
    /// The ticks after `after`, in ascending order, without end.
    pub fn after(&self, after: Timestamp) -> Ticks<'_> {
        Ticks { rhythm: self, after, next_day: None, ready: VecDeque::new(), buffer: Vec::new() }
    }
}

/// The ticks of a [`Rhythm`].
#[derive(Debug, Clone)]
pub struct Ticks<'a> {
    rhythm: &'a Rhythm,
    /// The last tick, or where the search began.
    after: Timestamp,
    next_day: Option<Date>,
    ready: VecDeque<Timestamp>,
    buffer: Vec<Timestamp>,
}

impl Iterator for Ticks<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let tick = match self.rhythm {
            Rhythm::Every(interval) => {
                let (interval, now) = (interval.as_secs().max(1) as i64, self.after.as_second());
                Timestamp::from_second((now.div_euclid(interval) + 1).checked_mul(interval)?).ok()?
            }
            Rhythm::Cron { cron, zone } => loop {
                if let Some(tick) = self.ready.pop_front() {
                    // A tick that was moved to the end of a gap may be one of the next day too.
                    if tick > self.after {
                        break tick;
                    }
                    continue;
                }
                let day = match self.next_day {
                    Some(day) => day,
                    // A whole day can be skipped (Samoa, 30 December 2011), and its ticks are at the end of the gap.
                    None => zone.to_datetime(self.after).date().checked_sub(2.days()).ok()?,
                };
                self.next_day = Some(day.tomorrow().ok()?);
                self.buffer.clear();
                cron.instants(day, zone, &mut self.buffer);
                self.ready.extend(self.buffer.drain(..));
            },
        };
        self.after = tick;
        Some(tick)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticks(pattern: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let rhythm = Rhythm::Cron { cron: pattern.parse().unwrap(), zone: zone.clone() };
        let after: Timestamp = after.parse().unwrap();
        rhythm
            .after(after)
            .take(count)
            .map(|tick| tick.to_zoned(zone.clone()).strftime("%F %R%:z").to_string())
            .collect()
    }

    const BERLIN: &str = "Europe/Berlin";

    #[test]
    fn a_time_that_does_not_exist_is_the_end_of_the_gap() {
        // Clocks go from 02:00 to 03:00 on 29 March 2026.
        assert_eq!(
            ticks("30 2 * * *", BERLIN, "2026-03-28T00:00Z", 3),
            ["2026-03-28 02:30+01:00", "2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00"]
        );
        assert_eq!(
            ticks("30 2,14 * * *", BERLIN, "2026-03-28T23:00Z", 3),
            ["2026-03-29 03:00+02:00", "2026-03-29 14:30+02:00", "2026-03-30 02:30+02:00"]
        );
        // Both times in the gap are one instant, and 03:00 exists.
        assert_eq!(
            ticks("0,30 2,3 * * *", BERLIN, "2026-03-28T23:00Z", 3),
            ["2026-03-29 03:00+02:00", "2026-03-29 03:30+02:00", "2026-03-30 02:00+02:00"]
        );
        assert_eq!(
            ticks("*/30 * * * *", BERLIN, "2026-03-29T00:29Z", 3),
            ["2026-03-29 01:30+01:00", "2026-03-29 03:00+02:00", "2026-03-29 03:30+02:00"]
        );
    }

    #[test]
    fn a_time_that_exists_twice_is_the_first() {
        // Clocks go from 03:00 back to 02:00 on 25 October 2026.
        assert_eq!(
            ticks("30 2 * * *", BERLIN, "2026-10-24T22:00Z", 2),
            ["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"]
        );
        assert_eq!(
            ticks("30 2,14 * * *", BERLIN, "2026-10-24T22:00Z", 3),
            ["2026-10-25 02:30+02:00", "2026-10-25 14:30+01:00", "2026-10-26 02:30+01:00"]
        );
        assert_eq!(
            ticks("0 * * * *", BERLIN, "2026-10-24T23:00Z", 3),
            ["2026-10-25 02:00+02:00", "2026-10-25 02:00+01:00", "2026-10-25 03:00+01:00"]
        );
    }

    #[test]
    fn a_day_that_was_skipped_has_its_tick_at_the_end_of_the_gap() {
        assert_eq!(
            ticks("30 2 * * *", "Pacific/Apia", "2011-12-29T20:00Z", 2),
            ["2011-12-31 00:00+14:00", "2011-12-31 02:30+14:00"]
        );
    }

    #[test]
    fn intervals_are_counted_from_the_epoch() {
        let rhythm = Rhythm::Every(Duration::from_mins(15));
        let after: Timestamp = "2026-01-01T10:07:12.5Z".parse().unwrap();
        let ticks: Vec<String> = rhythm.after(after).take(2).map(|tick| tick.to_string()).collect();
        assert_eq!(ticks, ["2026-01-01T10:15:00Z", "2026-01-01T10:30:00Z"]);
        let on_tick: Timestamp = "2026-01-01T10:15:00Z".parse().unwrap();
        assert_eq!(rhythm.after(on_tick).next().unwrap().to_string(), "2026-01-01T10:30:00Z");
    }

    /// Zones with daylight saving in both hemispheres, by half an hour, at midnight, with other rules in the past, with
    /// a skipped day, and without any.
    const ZONES: [&str; 14] = [
        "UTC",
        "Europe/Berlin",
        "Europe/London",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Asia/Beirut",
        "Africa/Casablanca",
        "Pacific/Apia",
        "Asia/Kathmandu",
        "Pacific/Chatham",
        "America/Havana",
        "Africa/Cairo",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// In every zone and year, a fixed time of the day has exactly one tick for every day, in order, at its wall
        /// time or, if that does not exist, later and at the end of a gap.
        #[test]
        fn a_fixed_time_has_one_tick_a_day(
            zone in 0..ZONES.len(), year in 1972_i16..2060, hour in 0_i8..24, minute in 0_i8..60, more in prop::option::of(0_i8..24),
        ) {
            let zone = TimeZone::get(ZONES[zone]).unwrap();
            let hours: std::collections::BTreeSet<i8> = std::iter::once(hour).chain(more).collect();
            let list = hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let rhythm = Rhythm::Cron { cron: format!("{minute} {list} * * *").parse().unwrap(), zone: zone.clone() };
            let start = Date::new(year, 1, 1).unwrap();
            let mut expected: Vec<Timestamp> = Vec::new();
            let mut day = start.yesterday().unwrap();
            while day.year() <= year {
                for hour in &hours {
                    // jiff's own rule for times that exist twice: the first. Times in a gap: the first instant whose
                    // wall time is later, found by bisection.
                    let wall = day.at(*hour, minute, 0, 0);
                    let ambiguous = zone.to_ambiguous_timestamp(wall);
                    let tick = if ambiguous.is_ambiguous() && matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Gap { .. }) {
                        let (mut low, mut high) = (ambiguous.earlier().unwrap().as_second(), ambiguous.later().unwrap().as_second());
                        while high - low > 1 {
                            let middle = (low + high).div_euclid(2);
                            let shown = zone.to_datetime(Timestamp::from_second(middle).unwrap());
                            if shown > wall { high = middle } else { low = middle }
                        }
                        let second = Timestamp::from_second(low).unwrap();
                        if zone.to_datetime(second) > wall { second } else { Timestamp::from_second(high).unwrap() }
                    } else {
                        ambiguous.earlier().unwrap()
                    };
                    expected.push(tick);
                }
                day = day.tomorrow().unwrap();
            }
            expected.sort_unstable();
            expected.dedup();
            let from = expected[0];
            let found: Vec<Timestamp> = rhythm.after(from).take(expected.len() - 1).collect();
            prop_assert_eq!(&found[..], &expected[1..]);
        }

        /// A pattern with wildcards has a tick at every instant whose wall time matches, and at no other.
        #[test]
        fn a_wildcard_follows_the_wall_clock(zone in 0..ZONES.len(), year in 1972_i16..2060, day in 0_i64..365, step in 1_u8..30) {
            let zone = TimeZone::get(ZONES[zone]).unwrap();
            let cron: Cron = format!("*/{step} * * * *").parse().unwrap();
            let rhythm = Rhythm::Cron { cron, zone: zone.clone() };
            let start = Date::new(year, 1, 1).unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() + day * 86_400;
            // Offsets have whole minutes since 1972 in all of these zones.
            let expected: Vec<Timestamp> = (1..=2 * 1440)
                .map(|minute| Timestamp::from_second(start + minute * 60).unwrap())
                .filter(|tick| { let wall = zone.to_datetime(*tick); wall.second() == 0 && (wall.minute() as u8).is_multiple_of(step) })
                .collect();
            let found: Vec<Timestamp> = rhythm.after(Timestamp::from_second(start).unwrap()).take_while(|tick| tick.as_second() <= start + 2 * 86_400).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
