//! What is known of a column of text.

use arrow::array::{Array, StringArray};
use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use datasketches::hll::HllSketch;
use rayon::prelude::*;
use tidemill_core::{LanguageStatistics, StringStatistics, TimeStatistics, ValueCounts, ValueFrequency};
use xxhash_rust::xxh3::xxh3_64;

use super::distinct;
use super::language::{LanguageAccumulator, Words};
use super::state::stored;
use super::text_counts::TextCounts;
use super::time::TimeAccumulator;
use super::value_sample::SampleAccumulator;

/// Values listed as the most frequent.
pub(crate) const TOP_VALUES: usize = 20;
/// Slots of the frequent-items sketch: a frequency is too low by at most 3.5 / 8192 = 0.043 % of the values.
pub(crate) const FREQUENT_SLOTS: usize = 8192;
/// Values longer than this are no candidates for the most frequent once there are too many to count each.
const FREQUENT_BYTES_MAX: usize = 256;
/// Rows of long text that are measured together, and the bytes of a batch from which on that is worth it.
const PART_ROWS: usize = 1024;
const LONG_BYTES: usize = 1 << 20;

/// Accumulates text: exact up to 10,000 distinct values (or 1 MiB of them), sketches beyond.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextAccumulator {
    count: u64,
    chars: u64,
    chars_min: Option<u64>,
    chars_max: u64,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Exact(TextCounts),
    Sketched(Box<Sketches>),
}

stored!(TextAccumulator { count, chars, chars_min, chars_max, values });
stored!(Sketches { distinct, frequent, sample, time, language });
stored!(enum Values { 0 Exact(counts), 2 Sketched(sketches) } else "texts are held in an unknown way");

impl Default for Values {
    fn default() -> Self {
        Self::Exact(TextCounts::default())
    }
}

/// What is found out of a value without looking at any other.
#[derive(Debug, Clone, Copy)]
struct Measured {
    hash: u64,
    chars: u64,
    /// Counted only where values are not counted one by one: there it is done once for each, at the end.
    words: Words,
}

impl Measured {
    fn of(text: &str, words: bool) -> Self {
        Self {
            hash: xxh3_64(text.as_bytes()),
            chars: text.chars().count() as u64,
            words: if words { Words::of(text) } else { Words::default() },
        }
    }
}

#[derive(Debug, Clone)]
struct Sketches {
    distinct: HllSketch,
    frequent: FrequentItemsSketch<String>,
    sample: SampleAccumulator,
    time: TimeAccumulator,
    language: LanguageAccumulator,
}

impl Sketches {
    fn of(counts: &TextCounts) -> Self {
        let mut sketches = Self {
            distinct: distinct::sketch(),
            frequent: FrequentItemsSketch::new(FREQUENT_SLOTS).expect("8192 is a size the sketch allows"),
            sample: SampleAccumulator::default(),
            time: TimeAccumulator::default(),
            language: LanguageAccumulator::default(),
        };
        // Ranked, because the order of arrival shapes a sketch and that of a hash table is nobody's promise.
        for (text, count) in counts.ranked() {
            sketches.add(text, Measured::of(text, true), count);
        }
        sketches.settle();
        sketches
    }

    fn add(&mut self, text: &str, measured: Measured, count: u64) {
        self.distinct.update(measured.hash);
        self.sample.add(measured.hash, count);
        if text.len() <= FREQUENT_BYTES_MAX {
            self.frequent.update_with_count_ref(text, count);
        }
        self.time.add(text, count);
        self.language.add(measured.words, count);
    }

    fn settle(&mut self) {
        self.time.settle();
        self.language.settle();
    }

    fn merge(&mut self, other: &Self) {
        self.distinct = distinct::union(&self.distinct, &other.distinct);
        self.frequent.merge(&other.frequent);
        self.sample.merge(&other.sample);
        self.time.merge(&other.time);
        self.language.merge(&other.language);
    }
}

impl TextAccumulator {
    pub fn update(&mut self, array: &StringArray) {
        let offsets = array.value_offsets();
        let bytes = (offsets[array.len()] - offsets[0]) as usize;
        if bytes >= LONG_BYTES && rayon::current_num_threads() > 1 {
            self.update_long(array);
        } else if array.null_count() == 0 {
            (0..array.len()).for_each(|row| self.add(array.value(row)));
        } else {
            array.iter().flatten().for_each(|text| self.add(text));
        }
        self.settle();
    }

    /// [`TextAccumulator::update`], in which the measuring is done on all threads: that is most of the work where
    /// values are long. The values are then taken in one after the other, in the order of the rows, with the same result.
    fn update_long(&mut self, array: &StringArray) {
        for start in (0..array.len()).step_by(PART_ROWS * 64) {
            let end = (start + PART_ROWS * 64).min(array.len());
            let measured: Vec<Option<Measured>> = (start..end)
                .into_par_iter()
                .with_min_len(PART_ROWS)
                .map(|row| array.is_valid(row).then(|| Measured::of(array.value(row), true)))
                .collect();
            for (row, measured) in (start..end).zip(measured) {
                if let Some(measured) = measured {
                    self.add_measured(array.value(row), measured);
                }
            }
        }
    }

    #[inline]
    fn add(&mut self, text: &str) {
        let words = matches!(self.values, Values::Sketched(_));
        self.add_measured(text, Measured::of(text, words));
    }

    #[inline]
    fn add_measured(&mut self, text: &str, measured: Measured) {
        self.count += 1;
        let chars = measured.chars;
        self.chars += chars;
        self.chars_min = Some(self.chars_min.map_or(chars, |min| min.min(chars)));
        self.chars_max = self.chars_max.max(chars);
        self.add_value(text, measured, 1);
    }

    fn add_value(&mut self, text: &str, measured: Measured, count: u64) {
        let mut measured = measured;
        if let Values::Exact(counts) = &mut self.values {
            if counts.add(text, measured.hash, count) {
                return;
            }
            self.values = Values::Sketched(Box::new(Sketches::of(counts)));
            measured.words = Words::of(text);
        }
        if let Values::Sketched(sketches) = &mut self.values {
            sketches.add(text, measured, count);
        }
    }

    fn settle(&mut self) {
        if let Values::Sketched(sketches) = &mut self.values {
            sketches.settle();
        }
    }

    /// Takes in what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.chars += other.chars;
        self.chars_min = match (self.chars_min, other.chars_min) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.chars_max = self.chars_max.max(other.chars_max);
        match &other.values {
            Values::Exact(theirs) => {
                for (text, count) in theirs.ranked() {
                    self.add_value(text, Measured::of(text, true), count);
                }
                self.settle();
            }
            Values::Sketched(theirs) => {
                if let Values::Exact(counts) = &self.values {
                    self.values = Values::Sketched(Box::new(Sketches::of(counts)));
                }
                if let Values::Sketched(sketches) = &mut self.values {
                    sketches.merge(theirs);
                }
            }
        }
    }

    /// Bytes held, about: of frequent texts the most that there can be are counted with a length that is usual.
    pub fn memory(&self) -> usize {
        let held = match &self.values {
            Values::Exact(counts) => counts.memory(),
            Values::Sketched(sketches) => {
                let texts = sketches.frequent.num_active_items() * 32;
                let measures = sketches.time.memory() + sketches.language.memory();
                let sample = sketches.sample.memory();
                sketches.distinct.estimated_size() + sketches.frequent.estimated_size() + sample + texts + measures
            }
        };
        size_of::<Self>() + held
    }

    pub fn finish(&self) -> StringStatistics {
        let mut out = StringStatistics {
            avg_length: if self.count == 0 { 0.0 } else { self.chars as f64 / self.count as f64 },
            min_length: self.chars_min.unwrap_or(0),
            max_length: self.chars_max,
            ..StringStatistics::default()
        };
        let listed = |(text, count): &(&str, u64)| ValueFrequency { value: (*text).to_owned(), frequency: *count };
        match &self.values {
            Values::Exact(counts) => {
                let ranked = counts.ranked();
                out.unique = ranked.len() as u64;
                out.num_singletons = ranked.iter().filter(|value| value.1 == 1).count() as u64;
                out.top_values = ranked.iter().take(TOP_VALUES).map(listed).collect();
                out.values = Some(ValueCounts::new(ranked.into_iter().map(|v| (v.0.to_owned(), v.1)).collect()));
            }
            Values::Sketched(sketches) => {
                out.unique = sketches.distinct.estimate().round() as u64;
                out.unique_is_estimate = true;
                out.frequency_error = sketches.frequent.maximum_error();
                let mut rows: Vec<(&str, u64)> = Vec::new();
                let frequent = sketches.frequent.frequent_items(ErrorType::NoFalsePositives);
                // The lower bound: a count that was seen for certain.
                rows.extend(frequent.iter().map(|row| (row.item().as_str(), row.lower_bound())));
                rows.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0)));
                out.top_values = rows.iter().take(TOP_VALUES).map(listed).collect();
                out.sample = Some(sketches.sample.finish());
            }
        }
        out
    }

    /// What the values are as dates or times, and as running text; each where it makes sense.
    pub fn meaning(&self) -> (Option<TimeStatistics>, Option<LanguageStatistics>) {
        match &self.values {
            Values::Sketched(sketches) => (sketches.time.finish(), sketches.language.finish()),
            Values::Exact(counts) => {
                let (mut time, mut language) = (TimeAccumulator::default(), LanguageAccumulator::default());
                for (text, count) in counts.ranked() {
                    time.add(text, count);
                    language.add(Words::of(text), count);
                }
                time.settle();
                language.settle();
                (time.finish(), language.finish())
            }
        }
    }
}
