//! Correlation of every two numeric columns.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use rayon::prelude::*;
use tidemill_core::NumericCross;

use crate::statistics::state::stored;

/// Columns that are compared with each other: 1,225 pairs.
const COLUMNS_MAX: usize = 50;

/// Accumulates second moments of every two numeric columns, over the rows that have a finite value of both.
#[derive(Debug, Clone)]
pub(crate) struct Correlations {
    columns: Vec<(String, usize)>,
    left_out: Vec<String>,
    /// The pair `(x, y)`, `x < y`, in lexicographic order.
    pairs: Vec<Joint>,
}

/// Moments of two numbers of the same rows.
#[derive(Debug, Clone, Copy, Default)]
struct Joint {
    count: u64,
    mean: [f64; 2],
    /// Sums of squared distances from the means.
    m2: [f64; 2],
    /// Sum of the products of the distances.
    c: f64,
}

/// The numbers of a batch, NaN where there is none.
struct Numbers {
    values: Vec<f64>,
    complete: bool,
}

stored!(Correlations { columns, left_out, pairs } if |it| {
    it.columns.len() <= COLUMNS_MAX && it.pairs.len() == it.columns.len() * it.columns.len().saturating_sub(1) / 2
});
stored!(Joint { count, mean, m2, c });

impl Correlations {
    /// For the first fifty columns of numbers.
    pub fn new(schema: &Schema) -> Self {
        let numeric = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| matches!(field.data_type(), DataType::Int64 | DataType::Float64));
        let mut columns: Vec<(String, usize)> = numeric.map(|(index, field)| (field.name().clone(), index)).collect();
        let left_out = columns.split_off(columns.len().min(COLUMNS_MAX)).into_iter().map(|column| column.0).collect();
        let pairs = vec![Joint::default(); columns.len() * columns.len().saturating_sub(1) / 2];
        Self { columns, left_out, pairs }
    }

    /// The columns compared.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.0.as_str()).collect()
    }

    fn places(&self) -> Vec<(usize, usize)> {
        let n = self.columns.len();
        (0..n).flat_map(|x| (x + 1..n).map(move |y| (x, y))).collect()
    }

    pub fn update(&mut self, batch: &RecordBatch) {
        let numbers: Vec<Numbers> = self.columns.par_iter().map(|(_, index)| numbers(batch.column(*index))).collect();
        let places = self.places();
        self.pairs.par_iter_mut().zip(places).for_each(|(joint, (x, y))| joint.merge(&of(&numbers[x], &numbers[y])));
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.pairs.iter_mut().zip(&other.pairs) {
            mine.merge(theirs);
        }
    }

    /// The pairs, and the columns that were left out.
    pub fn finish(&self) -> (Vec<NumericCross>, Vec<String>) {
        let pairs = self.pairs.iter().zip(self.places()).map(|(joint, (x, y))| NumericCross {
            x: self.columns[x].0.clone(),
            y: self.columns[y].0.clone(),
            count: joint.count,
            correlation: joint.correlation(),
            covariance: if joint.count == 0 { 0.0 } else { finite(joint.c / joint.count as f64) },
        });
        (pairs.collect(), self.left_out.clone())
    }
}

fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 0.0 }
}

fn numbers(array: &ArrayRef) -> Numbers {
    let valid = |row: usize| array.is_valid(row);
    let mut values = Vec::with_capacity(array.len());
    if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
        values.extend((0..array.len()).map(|row| if valid(row) { floats.value(row) } else { f64::NAN }));
    } else if let Some(ints) = array.as_primitive_opt::<Int64Type>() {
        values.extend((0..array.len()).map(|row| if valid(row) { ints.value(row) as f64 } else { f64::NAN }));
    }
    let complete = values.iter().all(|value| value.is_finite());
    Numbers { values, complete }
}

/// The joint moments of a batch, in two passes.
fn of(x: &Numbers, y: &Numbers) -> Joint {
    if x.complete && y.complete {
        return joint(&x.values, &y.values);
    }
    let both = x.values.iter().zip(&y.values).filter(|(x, y)| x.is_finite() && y.is_finite());
    let (x, y): (Vec<f64>, Vec<f64>) = both.unzip();
    joint(&x, &y)
}

fn joint(x: &[f64], y: &[f64]) -> Joint {
    let n = x.len().min(y.len());
    if n == 0 {
        return Joint::default();
    }
    let (mx, my) = (x.iter().sum::<f64>() / n as f64, y.iter().sum::<f64>() / n as f64);
    let mut sums = [[0.0f64; 3]; 4];
    for (index, (x, y)) in x.iter().zip(y).enumerate() {
        let (dx, dy) = (x - mx, y - my);
        let lane = &mut sums[index % 4];
        lane[0] += dx * dx;
        lane[1] += dy * dy;
        lane[2] += dx * dy;
    }
    let sum = |which: usize| (sums[0][which] + sums[1][which]) + (sums[2][which] + sums[3][which]);
    Joint { count: n as u64, mean: [mx, my], m2: [sum(0), sum(1)], c: sum(2) }
}

impl Joint {
    /// The pairwise update of Chan, Golub and `LeVeque` (1979), for two numbers.
    fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let total = self.count + other.count;
        let share = other.count as f64 / total as f64;
        let between = share * self.count as f64;
        let delta = [other.mean[0] - self.mean[0], other.mean[1] - self.mean[1]];
        self.c += other.c + delta[0] * delta[1] * between;
        for (side, delta) in delta.into_iter().enumerate() {
            self.m2[side] += other.m2[side] + delta * delta * between;
            self.mean[side] += delta * share;
        }
        self.count = total;
    }

    fn correlation(&self) -> Option<f64> {
        // The root of each, because the product of both may overflow.
        let r = self.c / (self.m2[0].sqrt() * self.m2[1].sqrt());
        (self.m2[0] > 0.0 && self.m2[1] > 0.0 && r.is_finite()).then(|| r.clamp(-1.0, 1.0))
    }
}
