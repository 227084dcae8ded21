//! What is known of a column of text.

use arrow::array::{Array, StringArray};
use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use datasketches::hll::{HllSketch, HllType, HllUnion};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use tidemill_core::{StringStatistics, ValueCounts, ValueFrequency};
use xxhash_rust::xxh3::xxh3_64;

/// Distinct values that are counted one by one.
pub(crate) const DISTINCT_TEXTS_MAX: usize = 10_000;
/// Bytes of distinct values that are counted one by one.
const DISTINCT_BYTES_MAX: usize = 1 << 20;
/// Values listed as the most frequent.
pub(crate) const TOP_VALUES: usize = 20;
/// Slots of the frequent-items sketch: a frequency is too low by at most 3.5 / 8192 = 0.043 % of the values.
const FREQUENT_SLOTS: usize = 8192;
/// Values longer than this are no candidates for the most frequent once there are too many to count each.
const FREQUENT_BYTES_MAX: usize = 256;
/// 2^12 registers: the number of distinct values is right within 1.6 % (one standard error).
const HLL_LG_K: u8 = 12;

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

impl Default for Values {
    fn default() -> Self {
        Self::Exact(TextCounts::default())
    }
}

/// How often each text occurs; the texts lie one after the other in one string.
#[derive(Debug, Clone, Default)]
struct TextCounts {
    texts: String,
    table: HashTable<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u64,
    start: u32,
    bytes: u32,
    count: u64,
}

impl Slot {
    fn text<'a>(&self, texts: &'a str) -> &'a str {
        &texts[self.start as usize..(self.start + self.bytes) as usize]
    }
}

impl TextCounts {
    /// Counts `text` `count` times more. `None`: it would be one distinct text too many; `Some(true)`: it is new.
    #[inline]
    fn add(&mut self, text: &str, count: u64) -> Option<bool> {
        let hash = xxh3_64(text.as_bytes());
        let (texts, table) = (&mut self.texts, &mut self.table);
        let distinct = table.len();
        match table.entry(hash, |slot| slot.hash == hash && slot.text(texts) == text, |slot| slot.hash) {
            Entry::Occupied(mut slot) => {
                slot.get_mut().count += count;
                Some(false)
            }
            Entry::Vacant(slot) => {
                if distinct == DISTINCT_TEXTS_MAX || texts.len() + text.len() > DISTINCT_BYTES_MAX {
                    return None;
                }
                slot.insert(Slot { hash, start: texts.len() as u32, bytes: text.len() as u32, count });
                texts.push_str(text);
                Some(true)
            }
        }
    }

    /// Texts with their counts, most frequent first, ties in reverse lexicographic order.
    fn ranked(&self) -> Vec<(&str, u64)> {
        let mut ranked: Vec<(&str, u64)> = self.table.iter().map(|slot| (slot.text(&self.texts), slot.count)).collect();
        ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0)));
        ranked
    }
}

#[derive(Debug, Clone)]
struct Sketches {
    distinct: HllSketch,
    frequent: FrequentItemsSketch<String>,
}

impl Sketches {
    fn of(counts: &TextCounts) -> Self {
        let mut sketches = Self {
            distinct: HllSketch::new(HLL_LG_K, HllType::Hll8).expect("12 is a size the sketch allows"),
            frequent: FrequentItemsSketch::new(FREQUENT_SLOTS).expect("8192 is a size the sketch allows"),
        };
        // Ranked, because the order of arrival shapes a sketch and that of a hash table is nobody's promise.
        for (text, count) in counts.ranked() {
            sketches.add(text, count);
        }
        sketches
    }

    fn add(&mut self, text: &str, count: u64) {
        self.distinct.update(text);
        if text.len() <= FREQUENT_BYTES_MAX {
            self.frequent.update_with_count_ref(text, count);
        }
    }

    fn merge(&mut self, other: &Self) {
        let mut union = HllUnion::new(HLL_LG_K).expect("12 is a size the sketch allows");
        union.update(&self.distinct);
        union.update(&other.distinct);
        self.distinct = union.to_sketch(HllType::Hll8);
        self.frequent.merge(&other.frequent);
    }
}

impl TextAccumulator {
    pub fn update(&mut self, array: &StringArray) {
        if array.null_count() == 0 {
            (0..array.len()).for_each(|row| self.add(array.value(row)));
        } else {
            array.iter().flatten().for_each(|text| self.add(text));
        }
    }

    #[inline]
    fn add(&mut self, text: &str) {
        self.count += 1;
        let chars = text.chars().count() as u64;
        self.chars += chars;
        self.chars_min = Some(self.chars_min.map_or(chars, |min| min.min(chars)));
        self.chars_max = self.chars_max.max(chars);
        self.add_value(text, 1);
    }

    fn add_value(&mut self, text: &str, count: u64) {
        if let Values::Exact(counts) = &mut self.values {
            if counts.add(text, count).is_some() {
                return;
            }
            self.values = Values::Sketched(Box::new(Sketches::of(counts)));
        }
        if let Values::Sketched(sketches) = &mut self.values {
            sketches.add(text, count);
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
            Values::Exact(theirs) => theirs.ranked().into_iter().for_each(|(text, count)| self.add_value(text, count)),
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
            }
        }
        out
    }
}
