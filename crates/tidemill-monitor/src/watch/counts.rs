//! What a monitor keeps of a window: counts, which add up, and no rows.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::profile::Profile;
use crate::performance::{ClassSums, Estimator, ExpectedLosses};

/// Values that are new are kept as examples up to this many.
const EXAMPLES: usize = 10;
/// Answers that are watched for repetition.
const FREQUENT: usize = 8;

/// Counts of one column.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ColumnCounts {
    /// Values by cell.
    pub cells: Vec<u64>,
    /// Rows without a value.
    pub missing: u64,
    /// Values of another type than in the reference.
    pub wrong_type: u64,
    /// Numbers that are not finite.
    pub not_finite: u64,
    /// Numbers below the least of the reference, and above the greatest.
    pub outside: u64,
    /// Texts that the reference does not have, if all of its texts are known.
    pub new: u64,
    /// Some of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub examples: BTreeMap<String, u64>,
    /// Finite numbers.
    pub numbers: u64,
    /// Their sum, and that of their squares.
    pub sums: [f64; 2],
}

impl ColumnCounts {
    /// Values.
    pub fn values(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// Mean and standard deviation of the finite numbers.
    pub fn moments(&self) -> Option<(f64, f64)> {
        let n = self.numbers as f64;
        (self.numbers > 0).then(|| {
            let mean = self.sums[0] / n;
            (mean, (self.sums[1] / n - mean * mean).max(0.0).sqrt())
        })
    }

    fn merge(&mut self, other: &Self) {
        if self.cells.len() < other.cells.len() {
            self.cells.resize(other.cells.len(), 0);
        }
        for (mine, theirs) in self.cells.iter_mut().zip(&other.cells) {
            *mine += theirs;
        }
        self.missing += other.missing;
        self.wrong_type += other.wrong_type;
        self.not_finite += other.not_finite;
        self.outside += other.outside;
        self.new += other.new;
        for (value, count) in &other.examples {
            add_example(&mut self.examples, value, *count);
        }
        self.numbers += other.numbers;
        self.sums = [self.sums[0] + other.sums[0], self.sums[1] + other.sums[1]];
    }
}

fn add_example(examples: &mut BTreeMap<String, u64>, value: &str, count: u64) {
    if let Some(known) = examples.get_mut(value) {
        *known += count;
    } else if examples.len() < EXAMPLES {
        examples.insert(value.to_owned(), count);
    }
}

/// What is known of a window of a version. Two of the same profile merge.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WindowCounts {
    /// Rows.
    pub rows: u64,
    /// Rows with a value that the reference says nothing about.
    pub outside: u64,
    /// By column, in the order of the profile.
    pub columns: Vec<ColumnCounts>,
    /// Columns of the profile that rows did not have: how many rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, u64>,
    /// Columns that the profile does not have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, u64>,
    /// How often the most frequent answers came, at least (Misra and Gries 1982), by the bits of the number.
    #[serde(default)]
    pub frequent: Vec<(u64, u64)>,
    /// Sum and greatest of the latencies in microseconds.
    pub latency: [f64; 2],
    /// What performance is estimated from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<ClassSums>,
}

impl WindowCounts {
    /// Nothing yet.
    pub fn new(profile: &Profile) -> Self {
        let empty = |cells: &Cells| ColumnCounts { cells: vec![0; cells.count()], ..ColumnCounts::default() };
        Self {
            columns: profile.columns.iter().map(|column| empty(&column.cells)).collect(),
            estimate: profile.estimator.as_ref().map(|_| ClassSums::default()),
            ..Self::default()
        }
    }

    /// Takes in rows.
    pub fn update(&mut self, batch: &RecordBatch, reader: &Reader<'_>) {
        let rows = batch.num_rows();
        self.rows += rows as u64;
        let mut outside = vec![false; rows];
        let mut losses = match &reader.profile.estimator {
            Some(Estimator::Losses { model, .. }) => Some(ExpectedLosses::new(model, rows)),
            _ => None,
        };
        let schema = batch.schema();
        for (at, column) in reader.profile.columns.iter().enumerate() {
            let Ok(index) = schema.index_of(&column.name) else {
                *self.absent.entry(column.name.clone()).or_default() += rows as u64;
                continue;
            };
            let texts = reader.texts[at].as_ref();
            let array = batch.column(index).as_ref();
            count(&mut self.columns[at], array, &column.cells, texts, &mut outside);
            if let Some(losses) = &mut losses {
                (0..rows).for_each(|row| losses.see(at, row, column.cells.cell_of(array, row)));
            }
        }
        if let (Some(sums), Some(losses)) = (&mut self.estimate, &losses) {
            sums.update_losses(losses);
        }
        self.outside += outside.iter().filter(|outside| **outside).count() as u64;
        for field in schema.fields() {
            if !reader.known.contains(field.name().as_str()) {
                *self.unknown.entry(field.name().clone()).or_default() += rows as u64;
            }
        }
        let answers = reader.profile.answer.as_ref().and_then(|name| batch.column_by_name(name));
        if let Some(answers) = answers.and_then(|answers| answers.as_primitive_opt::<Float64Type>()) {
            for answer in answers.iter().flatten() {
                see_answer(&mut self.frequent, answer.to_bits(), 1);
            }
            if let (Some(sums), Some(estimator)) = (&mut self.estimate, &reader.profile.estimator) {
                sums.update(answers.iter().flatten(), estimator);
            }
        }
        if let Some(latency) = batch.column_by_name("_latency_us").and_then(|of| of.as_primitive_opt::<Int64Type>()) {
            for micros in latency.iter().flatten() {
                self.latency = [self.latency[0] + micros as f64, self.latency[1].max(micros as f64)];
            }
        }
    }

    /// Takes in what another window of the same profile has counted.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.outside += other.outside;
        for (mine, theirs) in self.columns.iter_mut().zip(&other.columns) {
            mine.merge(theirs);
        }
        for (mine, theirs) in [(&mut self.absent, &other.absent), (&mut self.unknown, &other.unknown)] {
            for (name, rows) in theirs {
                *mine.entry(name.clone()).or_default() += rows;
            }
        }
        for (answer, times) in &other.frequent {
            see_answer(&mut self.frequent, *answer, *times);
        }
        self.latency = [self.latency[0] + other.latency[0], self.latency[1].max(other.latency[1])];
        if let (Some(mine), Some(theirs)) = (&mut self.estimate, &other.estimate) {
            mine.merge(theirs);
        }
    }

    /// The most frequent answer and how often it came, at least.
    pub fn most_frequent(&self) -> Option<(f64, u64)> {
        self.frequent.iter().max_by_key(|(_, times)| *times).map(|(bits, times)| (f64::from_bits(*bits), *times))
    }
}

/// A place for an answer among the frequent ones; if there is none, all others lose as much.
fn see_answer(frequent: &mut Vec<(u64, u64)>, answer: u64, times: u64) {
    if let Some((_, known)) = frequent.iter_mut().find(|(known, _)| *known == answer) {
        *known += times;
        return;
    }
    if frequent.len() < FREQUENT {
        frequent.push((answer, times));
        return;
    }
    let least = frequent.iter().map(|(_, times)| *times).min().unwrap_or(0).min(times);
    frequent.retain_mut(|(_, known)| {
        *known -= least;
        *known > 0
    });
    if times > least {
        frequent.push((answer, times - least));
    }
}

/// A profile, ready to read rows.
pub struct Reader<'a> {
    pub(crate) profile: &'a Profile,
    texts: Vec<Option<HashMap<&'a str, usize>>>,
    known: std::collections::HashSet<&'a str>,
}

impl<'a> Reader<'a> {
    /// For rows that are compared with `profile`; `others` are columns that may be there and are not watched.
    pub fn new(profile: &'a Profile, others: impl IntoIterator<Item = &'a str>) -> Self {
        let texts = |cells: &'a Cells| match cells {
            Cells::Texts { values, .. } => {
                Some(values.iter().enumerate().map(|(at, value)| (value.as_str(), at)).collect())
            }
            _ => None,
        };
        Self {
            texts: profile.columns.iter().map(|column| texts(&column.cells)).collect(),
            known: profile.columns.iter().map(|column| column.name.as_str()).chain(others).collect(),
            profile,
        }
    }
}

fn count(
    counts: &mut ColumnCounts,
    array: &dyn Array,
    cells: &Cells,
    texts: Option<&HashMap<&str, usize>>,
    outside: &mut [bool],
) {
    counts.missing += array.null_count() as u64;
    let wrong = |counts: &mut ColumnCounts| counts.wrong_type += (array.len() - array.null_count()) as u64;
    match (cells, array.data_type()) {
        (Cells::Numbers { edges, extent }, DataType::Float64) => {
            let values = array.as_primitive::<Float64Type>();
            numbers(counts, values.values().iter().copied(), |row| values.is_null(row), edges, *extent, outside);
        }
        (Cells::Numbers { edges, extent }, DataType::Int64) => {
            let values = array.as_primitive::<Int64Type>();
            numbers(
                counts,
                values.values().iter().map(|v| *v as f64),
                |row| values.is_null(row),
                edges,
                *extent,
                outside,
            );
        }
        (Cells::Texts { values: known, all }, DataType::Utf8) => {
            let (values, last) = (array.as_string::<i32>(), known.len());
            for row in 0..values.len() {
                if values.is_null(row) {
                    continue;
                }
                let value = values.value(row);
                let cell = texts.and_then(|texts| texts.get(value)).copied().unwrap_or(last);
                counts.cells[cell] += 1;
                if cell == last && *all {
                    counts.new += 1;
                    outside[row] = true;
                    add_example(&mut counts.examples, value, 1);
                }
            }
        }
        (Cells::Booleans, DataType::Boolean) => {
            for value in array.as_boolean().iter().flatten() {
                counts.cells[usize::from(value)] += 1;
            }
        }
        (Cells::Opaque, _) => {}
        // A file of JSON lines without any value of the column.
        _ if array.null_count() == array.len() => {}
        _ => wrong(counts),
    }
}

fn numbers(
    counts: &mut ColumnCounts,
    values: impl Iterator<Item = f64>,
    is_null: impl Fn(usize) -> bool,
    edges: &[f64],
    extent: [f64; 2],
    outside: &mut [bool],
) {
    for (row, value) in values.enumerate() {
        if is_null(row) {
            continue;
        }
        if !value.is_finite() {
            counts.not_finite += 1;
            outside[row] = true;
            continue;
        }
        // Few edges: a count without branches is faster than a search.
        let cell: usize = edges.iter().map(|edge| usize::from(value > *edge)).sum();
        counts.cells[cell] += 1;
        counts.numbers += 1;
        counts.sums[0] += value;
        counts.sums[1] += value * value;
        if value < extent[0] || value > extent[1] {
            counts.outside += 1;
            outside[row] = true;
        }
    }
}
