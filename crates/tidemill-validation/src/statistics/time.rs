//! What is known of text that is dates or times.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidemill_core::{TimeStatistics, ValueFrequency};

use super::moment::{Written, parse};
use super::numeric::NumericAccumulator;
use super::state::stored;

/// Accumulates the moments among the values of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimeAccumulator {
    values: u64,
    parsed: u64,
    written: [u64; Written::ALL.len()],
    hours: [u64; 24],
    weekdays: [u64; 7],
    seconds: NumericAccumulator,
    /// Moments that wait to be taken in together.
    waiting: Vec<f64>,
}

stored!(TimeAccumulator { values, parsed, written, hours, weekdays, seconds; fresh waiting });

impl TimeAccumulator {
    /// Takes in a value, `count` times over.
    pub fn add(&mut self, text: &str, count: u64) {
        self.values += count;
        let Some(moment) = parse(text) else { return };
        self.parsed += count;
        self.written[moment.format as usize] += count;
        let days = (moment.seconds / 86_400.0).floor();
        // 1970 began on a Thursday.
        self.weekdays[(days as i64 + 3).rem_euclid(7) as usize] += count;
        if moment.has_time {
            self.hours[((moment.seconds - days * 86_400.0) / 3600.0) as usize % 24] += count;
        }
        if count == 1 {
            self.waiting.push(moment.seconds);
        } else {
            self.seconds.add(moment.seconds, count);
        }
    }

    /// Takes in what waits; call it after every batch.
    pub fn settle(&mut self) {
        if !self.waiting.is_empty() {
            self.seconds.update(&self.waiting);
            self.waiting.clear();
        }
    }

    /// Takes in what another accumulator has seen, after both have settled.
    pub fn merge(&mut self, other: &Self) {
        self.values += other.values;
        self.parsed += other.parsed;
        add_up(&mut self.written, &other.written);
        add_up(&mut self.hours, &other.hours);
        add_up(&mut self.weekdays, &other.weekdays);
        self.seconds.merge(&other.seconds);
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.seconds.memory()
    }

    /// The statistics, where at least half of the values are moments.
    pub fn finish(&self) -> Option<TimeStatistics> {
        if self.parsed == 0 || self.parsed * 2 < self.values {
            return None;
        }
        let seconds = self.seconds.finish();
        let mut formats: Vec<ValueFrequency> = Written::ALL
            .iter()
            .zip(self.written)
            .filter(|(_, count)| *count > 0)
            .map(|(written, frequency)| ValueFrequency { value: written.name().to_owned(), frequency })
            .collect();
        formats.sort_by_key(|format| std::cmp::Reverse(format.frequency));
        let timed = self.hours.iter().any(|count| *count > 0);
        Some(TimeStatistics {
            num_parsed: self.parsed,
            share: self.parsed as f64 / self.values as f64,
            formats,
            min: written(seconds.min, timed),
            max: written(seconds.max, timed),
            histogram: seconds.histogram,
            quantiles: seconds.quantiles,
            hours: if timed { self.hours.to_vec() } else { Vec::new() },
            weekdays: self.weekdays.to_vec(),
        })
    }
}

fn add_up(mine: &mut [u64], theirs: &[u64]) {
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
}

/// A moment as ISO 8601.
fn written(seconds: f64, timed: bool) -> String {
    let Ok(moment) = Timestamp::from_second(seconds.floor() as i64) else { return String::new() };
    let moment = moment.to_zoned(TimeZone::UTC).datetime();
    if timed { moment.to_string() } else { moment.date().to_string() }
}
