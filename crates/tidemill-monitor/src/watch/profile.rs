//! The reference of a version: what its columns looked like, and how much windows of it differ by themselves.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use tidemill_core::SplitMix64;

use super::cells::Cells;
use super::compare::distance_of;
use super::counts::{Reader, WindowCounts};
use super::significance::homogeneity;
use crate::MonitorError;
use crate::performance::{Estimator, Task};

/// The version of what is stored.
pub const PROFILE_FORMAT: u32 = 1;
/// Values of a column that edges are made of, at most twice as many.
const SAMPLE: usize = 50_000;
/// Different texts that are counted; a column with more is one of names.
const TEXTS_MAX: usize = 20_000;
/// Windows that a reference without times is cut into.
const CHUNKS: usize = 10;

/// What a monitor compares the windows of a version with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The format of this structure.
    pub format: u32,
    /// The version of the model.
    pub version: u64,
    /// Where the rows come from: `training (eval split of run 0197…)`.
    pub source: String,
    /// The columns that are watched.
    pub columns: Vec<ColumnProfile>,
    /// The output that is the model's answer.
    pub answer: Option<String>,
    /// The counts of the whole reference.
    pub counts: WindowCounts,
    /// How performance is estimated without labels, if the reference has labels.
    pub estimator: Option<Estimator>,
}

/// One column of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// An output of the model.
    pub output: bool,
    /// How its values are counted.
    pub cells: Cells,
    /// What it counts in the sum of all, between 0 and 1.
    pub importance: f64,
    /// How much the windows of the reference differ from it.
    pub windows: OwnWindows,
}

/// How windows of the reference differ from all of it: what a later window may do, too.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct OwnWindows {
    /// How many there are.
    pub count: u64,
    /// Their rows, on average.
    pub rows: f64,
    /// Mean and standard deviation of their Jensen-Shannon divergence.
    pub distance: [f64; 2],
    /// By how much χ² is larger than for rows that do not depend on each other; at least 1.
    pub dispersion: f64,
}

/// Builds a profile from two passes over the same rows.
#[derive(Debug)]
pub struct ProfileBuilder {
    columns: Vec<(String, bool, Collected)>,
    row: u64,
    limit: u64,
}

#[derive(Debug)]
enum Collected {
    Numbers(Vec<(u64, f64)>),
    Texts(HashMap<String, u64>),
    Booleans,
    Opaque,
}

impl ProfileBuilder {
    /// For rows of these columns. The flag says which are outputs of the model.
    pub fn new(schema: &Schema, watched: impl Fn(&str) -> Option<bool>) -> Self {
        let columns = schema.fields().iter().filter_map(|field| {
            let output = watched(field.name())?;
            let collected = match field.data_type() {
                DataType::Int64 | DataType::Float64 => Collected::Numbers(Vec::new()),
                DataType::Utf8 => Collected::Texts(HashMap::new()),
                DataType::Boolean => Collected::Booleans,
                _ => Collected::Opaque,
            };
            Some((field.name().clone(), output, collected))
        });
        Self { columns: columns.collect(), row: 0, limit: u64::MAX }
    }

    /// The first pass.
    pub fn look(&mut self, batch: &RecordBatch) {
        for (name, _, collected) in &mut self.columns {
            let Some(array) = batch.column_by_name(name) else { continue };
            match collected {
                Collected::Numbers(values) => {
                    let value = |row: usize| match array.data_type() {
                        DataType::Float64 => Some(array.as_primitive::<Float64Type>().value(row)),
                        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row) as f64),
                        _ => None,
                    };
                    for row in (0..array.len()).filter(|row| !array.is_null(*row)) {
                        let hash = SplitMix64::nth(self.row + row as u64);
                        if let (true, Some(value)) = (hash <= self.limit, value(row)) {
                            values.push((hash, value));
                        }
                    }
                }
                Collected::Texts(counts) => {
                    let Some(texts) = array.as_string_opt::<i32>() else { continue };
                    for text in texts.iter().flatten() {
                        if let Some(count) = counts.get_mut(text) {
                            *count += 1;
                        } else if counts.len() < TEXTS_MAX {
                            counts.insert(text.to_owned(), 1);
                        }
                    }
                }
                Collected::Booleans | Collected::Opaque => {}
            }
        }
        self.row += batch.num_rows() as u64;
        let most = |columns: &[(String, bool, Collected)]| {
            let length = |column: &(String, bool, Collected)| match &column.2 {
                Collected::Numbers(values) => values.len(),
                _ => 0,
            };
            columns.iter().map(length).max().unwrap_or(0)
        };
        while most(&self.columns) > 2 * SAMPLE {
            self.limit /= 2;
            for (_, _, collected) in &mut self.columns {
                if let Collected::Numbers(values) = collected {
                    values.retain(|(hash, _)| *hash <= self.limit);
                }
            }
        }
    }

    /// The columns, with nothing counted yet.
    pub fn columns(
        self,
        version: u64,
        source: &str,
        answer: Option<String>,
        importance: &BTreeMap<String, f64>,
    ) -> Profile {
        let total: f64 = importance.values().filter(|weight| **weight > 0.0).sum();
        let columns: Vec<ColumnProfile> = self
            .columns
            .into_iter()
            .filter_map(|(name, output, collected)| {
                let cells = match collected {
                    Collected::Numbers(values) => {
                        Cells::of_numbers(values.into_iter().map(|(_, value)| value).collect())
                    }
                    // A value for nearly every row: names of things, of which no window has the same.
                    Collected::Texts(counts) if counts.len() as f64 > self.row as f64 / 2.0 && counts.len() > 50 => {
                        return None;
                    }
                    Collected::Texts(counts) => Cells::of_texts(counts),
                    Collected::Booleans => Cells::Booleans,
                    Collected::Opaque => Cells::Opaque,
                };
                let weight = importance.get(&name).copied().unwrap_or(0.0).max(0.0);
                let importance = if total > 0.0 { weight / total } else { 0.0 };
                Some(ColumnProfile { name, output, cells, importance, windows: OwnWindows::default() })
            })
            .collect();
        let mut profile = Profile {
            format: PROFILE_FORMAT,
            version,
            source: source.to_owned(),
            columns,
            answer,
            counts: WindowCounts::default(),
            estimator: None,
        };
        if total <= 0.0 {
            let inputs = profile.columns.iter().filter(|column| !column.output).count().max(1);
            for column in profile.columns.iter_mut().filter(|column| !column.output) {
                column.importance = 1.0 / inputs as f64;
            }
        }
        profile.counts = WindowCounts::new(&profile);
        profile
    }
}

impl Profile {
    /// The second pass over rows without times, and with it what windows of the reference do. `rows` is how many there
    /// are, `labels` gives the label of each row of a batch where known.
    pub fn count(
        mut self,
        rows: u64,
        batches: impl Iterator<Item = Result<RecordBatch, MonitorError>>,
        labels: Option<(Task, &mut dyn FnMut(&RecordBatch) -> Vec<Option<f64>>)>,
    ) -> Result<Self, MonitorError> {
        let size = (rows as usize).div_ceil(CHUNKS).max(1);
        let mut windows = vec![WindowCounts::new(&self)];
        let mut pairs: Vec<(f64, f64)> = Vec::new();
        let mut cells: Vec<Vec<u16>> = vec![Vec::new(); self.columns.len()];
        let (task, mut labels) = labels.unzip();
        {
            let reader = Reader::new(&self, []);
            for batch in batches {
                let batch = batch?;
                if let (Some(labels), Some(answer)) = (labels.as_mut(), self.answer.as_ref()) {
                    let answers = batch.column_by_name(answer).and_then(|of| of.as_primitive_opt::<Float64Type>());
                    if let Some(answers) = answers {
                        let known = labels(&batch);
                        for (row, pair) in answers.iter().zip(known).enumerate() {
                            let (Some(answer), Some(label)) = pair else { continue };
                            pairs.push((answer, label));
                            if task == Some(Task::Regression) {
                                see_cells(&self.columns, &batch, row, &mut cells);
                            }
                        }
                    }
                }
                let mut from = 0;
                while from < batch.num_rows() {
                    let open = windows.last().map_or(0, |window| window.rows as usize);
                    if open >= size {
                        windows.push(WindowCounts::new(&self));
                        continue;
                    }
                    let take = (size - open).min(batch.num_rows() - from);
                    if let Some(window) = windows.last_mut() {
                        window.update(&batch.slice(from, take), &reader);
                    }
                    from += take;
                }
            }
        }
        if let Some(task) = task {
            let counts: Vec<usize> = self.columns.iter().map(|column| column.cells.count()).collect();
            self.estimator = Estimator::fit(task, &pairs, &cells, &counts);
        }
        // A short last window would look wilder than it is.
        windows.retain(|window| window.rows as usize * 2 >= size);
        self.learn(&windows);
        Ok(self)
    }

    /// Takes these windows as the reference.
    pub fn learn(&mut self, windows: &[WindowCounts]) {
        let mut all = WindowCounts::new(self);
        windows.iter().for_each(|window| all.merge(window));
        for (at, column) in self.columns.iter_mut().enumerate() {
            let mut distances = Vec::new();
            let (mut value, mut degrees) = (0.0, 0.0);
            for window in windows {
                // Against the others: a window is part of the reference, and nearer to it than a later one.
                let mine: Vec<f64> = window.columns[at].cells.iter().map(|count| *count as f64).collect();
                let rest: Vec<f64> =
                    all.columns[at].cells.iter().zip(&mine).map(|(all, mine)| *all as f64 - mine).collect();
                let (chi, of) = homogeneity(&mine, &rest);
                (value, degrees) = (value + chi, degrees + of);
                if of > 0.0 {
                    distances.push(distance_of(&rest, &mine));
                }
            }
            let n = distances.len() as f64;
            let mean = if n > 0.0 { distances.iter().sum::<f64>() / n } else { 0.0 };
            let spread = distances.iter().map(|distance| (distance - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
            column.windows = OwnWindows {
                count: distances.len() as u64,
                rows: all.rows as f64 / windows.len().max(1) as f64,
                distance: [mean, spread.sqrt()],
                dispersion: if degrees > 0.0 { (value / degrees).max(1.0) } else { 1.0 },
            };
        }
        self.counts = all;
    }

    /// The types in which rows of a log are read.
    pub fn types(&self) -> SchemaRef {
        let field = |column: &ColumnProfile| {
            let of = match column.cells {
                Cells::Numbers { .. } => DataType::Float64,
                Cells::Texts { .. } => DataType::Utf8,
                Cells::Booleans => DataType::Boolean,
                Cells::Opaque => return None,
            };
            Some(Field::new(&column.name, of, true))
        };
        Schema::new(self.columns.iter().filter_map(field).collect::<Vec<_>>()).into()
    }
}

/// Adds the cells of a row, column by column; a missing value is the cell after the last.
fn see_cells(columns: &[ColumnProfile], batch: &RecordBatch, row: usize, cells: &mut [Vec<u16>]) {
    for (column, of_rows) in columns.iter().zip(cells) {
        let cell = batch.column_by_name(&column.name).and_then(|array| column.cells.cell_of(array.as_ref(), row));
        of_rows.push(cell.unwrap_or_else(|| column.cells.count()) as u16);
    }
}
