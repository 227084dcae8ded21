//! What is known of the columns of the train split before features are chosen.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use tidemill_core::calendar::{DatePart, Moment};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Different values of a column that are counted; more are many.
const DISTINCT_MAX: usize = 1 << 16;
/// Rows of which values are kept to compare them with the label.
pub(super) const SAMPLE_ROWS: u64 = 1 << 14;

/// What is known of one column.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) rows: u64,
    pub(super) missing: u64,
    distinct: HashSet<u64>,
    /// Whether there are more different values than are counted.
    is_full: bool,
    /// Whether a value occurred twice before there were too many to count.
    pub(super) repeats: bool,
    /// The smallest and largest whole number.
    pub(super) range: Option<(i64, i64)>,
    /// Texts that are dates.
    pub(super) dates: u64,
    /// Dates with a time of day.
    times: u64,
    /// By part of a date: its first value, and whether another one occurred.
    parts: Vec<(f64, bool)>,
    /// White space within texts.
    spaces: u64,
    /// The first text.
    pub(super) example: Option<String>,
    /// Values of sampled rows as numbers, with the label of the row. Texts are numbers that mean nothing else.
    pub(super) sample: Vec<(f64, f64)>,
    pub(super) is_text: bool,
}

impl Profile {
    pub(super) fn new() -> Self {
        Self {
            rows: 0,
            missing: 0,
            distinct: HashSet::new(),
            is_full: false,
            repeats: false,
            range: None,
            dates: 0,
            times: 0,
            parts: vec![(f64::NAN, false); DatePart::ALL.len()],
            spaces: 0,
            example: None,
            sample: Vec::new(),
            is_text: false,
        }
    }

    /// Takes in a column; `sampled` are rows of the batch with their labels.
    pub(super) fn update(&mut self, column: &ArrayRef, sampled: &[(usize, f64)]) {
        self.rows += column.len() as u64;
        match column.data_type() {
            ArrowType::Utf8 => {
                let texts = column.as_string::<i32>();
                self.is_text = true;
                self.missing += texts.null_count() as u64;
                for text in texts.iter().flatten() {
                    self.add(xxh3_64(text.as_bytes()));
                    self.add_text(text);
                }
                for (row, label) in sampled.iter().filter(|(row, _)| texts.is_valid(*row)) {
                    // 53 bits are a whole number in floating point.
                    self.sample.push(((xxh3_64(texts.value(*row).as_bytes()) >> 11) as f64, *label));
                }
            }
            ArrowType::Int64 => {
                let wholes = column.as_primitive::<Int64Type>();
                self.missing += wholes.null_count() as u64;
                for whole in wholes.iter().flatten() {
                    self.add(xxh3_64(&whole.to_le_bytes()));
                    self.range = Some(self.range.map_or((whole, whole), |(min, max)| (min.min(whole), max.max(whole))));
                }
                for (row, label) in sampled.iter().filter(|(row, _)| wholes.is_valid(*row)) {
                    self.sample.push((wholes.value(*row) as f64, *label));
                }
            }
            ArrowType::Float64 => {
                let numbers = column.as_primitive::<Float64Type>();
                for number in numbers {
                    match number.filter(|number| !number.is_nan()) {
                        Some(number) => self.add(xxh3_64_with_seed(&(number + 0.0).to_le_bytes(), 1)),
                        None => self.missing += 1,
                    }
                }
                for (row, label) in sampled.iter().filter(|(row, _)| numbers.is_valid(*row)) {
                    let number = numbers.value(*row);
                    if number.is_finite() {
                        self.sample.push((number, *label));
                    }
                }
            }
            ArrowType::Boolean => {
                let truths = column.as_boolean();
                self.missing += truths.null_count() as u64;
                for truth in truths.iter().flatten() {
                    self.add(u64::from(truth));
                }
                for (row, label) in sampled.iter().filter(|(row, _)| truths.is_valid(*row)) {
                    self.sample.push((f64::from(u8::from(truths.value(*row))), *label));
                }
            }
            _ => self.missing += column.null_count() as u64,
        }
    }

    fn add(&mut self, hash: u64) {
        if !self.distinct.insert(hash) {
            self.repeats = true;
        } else if self.distinct.len() > DISTINCT_MAX {
            self.distinct.remove(&hash);
            self.is_full = true;
        }
    }

    fn add_text(&mut self, text: &str) {
        if self.example.is_none() {
            self.example = Some(text.chars().take(40).collect());
        }
        self.spaces += text.trim().bytes().filter(|byte| *byte == b' ').count() as u64;
        let Some(moment) = Moment::parse(text) else { return };
        self.dates += 1;
        self.times += u64::from(moment.has_time);
        for (part, (first, varies)) in DatePart::ALL.iter().zip(&mut self.parts) {
            let value = part.of(moment.seconds);
            if first.is_nan() {
                *first = value;
            }
            *varies |= value != *first;
        }
    }

    /// Values that are there.
    pub(super) fn values(&self) -> u64 {
        self.rows - self.missing
    }

    /// How many different values there are; `None` for too many to count.
    pub(super) fn distinct(&self) -> Option<usize> {
        (!self.is_full).then_some(self.distinct.len())
    }

    /// Whether no value occurs twice.
    pub(super) fn is_unique(&self) -> bool {
        !self.repeats && self.values() > 0
    }

    /// Whether texts have four words or more on average.
    pub(super) fn is_prose(&self) -> bool {
        self.is_text && self.spaces >= 3 * self.values().max(1)
    }

    /// Whether the texts are dates: nearly all of them.
    pub(super) fn is_date(&self) -> bool {
        self.dates > 0 && self.dates * 20 >= self.values() * 19
    }

    /// The parts of dates that vary.
    pub(super) fn varying_parts(&self) -> impl Iterator<Item = DatePart> {
        const PARTS: [DatePart; 5] =
            [DatePart::Year, DatePart::Month, DatePart::Day, DatePart::DayOfWeek, DatePart::Hour];
        let varies = |part: &DatePart| {
            let at = DatePart::ALL.iter().position(|other| other == part);
            at.and_then(|at| self.parts.get(at)).is_some_and(|(_, varies)| *varies)
        };
        PARTS.into_iter().filter(move |part| varies(part) && (*part != DatePart::Hour || self.times > 0))
    }
}

/// The rows of a batch that are sampled, one in `stride`, with their labels; rows without a label are left out.
pub(super) fn sampled(batch: &RecordBatch, first_row: u64, stride: u64, labels: &[Option<f64>]) -> Vec<(usize, f64)> {
    let is_sampled = |row: &usize| (first_row + *row as u64).is_multiple_of(stride);
    let label = |row: usize| Some((row, labels.get(row).copied().flatten()?));
    (0..batch.num_rows()).filter(is_sampled).filter_map(label).collect()
}
