//! The features as a linear model sees them.

use tidemill_model::{FeatureBlock, LinearFeature};

use super::run::{NONE, RUN_ROWS, Run};

/// One feature of a design.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Column {
    /// A number, less `mean` and divided by `scale`.
    Dense { mean: f64, scale: f64 },
    /// The same for a number that is mostly 0: kept where it is not 0, divided by `scale`. The mean is taken off in the sums.
    Sparse { mean: f64, scale: f64 },
    /// So many categories, each a column of 0 and 1.
    Categories(usize),
}

/// Rows of scaled numbers and categories.
///
/// A number takes 8 bytes for each row, a category 4, and a number that is 0 in more than three of four rows 12 bytes where it
/// is not 0.
#[derive(Debug)]
pub struct Design {
    columns: Vec<Column>,
    /// Where the weights of each feature begin.
    first: Vec<usize>,
    width: usize,
    /// The places of the weights of dense numbers.
    dense: Vec<usize>,
    /// By sparse number the place of its weight and its scaled mean.
    sparse: Vec<(usize, f64)>,
    runs: Vec<Run>,
    rows: usize,
}

impl Design {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        let mut width = 0;
        let (mut first, mut dense, mut sparse) = (Vec::with_capacity(columns.len()), Vec::new(), Vec::new());
        for column in &columns {
            first.push(width);
            match column {
                Column::Dense { .. } => dense.push(width),
                Column::Sparse { mean, scale } => sparse.push((width, mean / scale)),
                Column::Categories(_) => {}
            }
            width += match column {
                Column::Categories(count) => *count,
                _ => 1,
            };
        }
        Self { columns, first, width, dense, sparse, runs: Vec::new(), rows: 0 }
    }

    /// Adds the rows of a block.
    pub fn push(&mut self, block: &FeatureBlock) {
        let mut done = 0;
        while done < block.rows {
            if self.runs.last().is_none_or(|run| run.rows == RUN_ROWS) {
                let categories = self.columns.len() - self.dense.len() - self.sparse.len();
                self.runs.push(Run::new(self.dense.len(), categories));
            }
            let room = RUN_ROWS - self.runs.last().map_or(0, |run| run.rows);
            let count = room.min(block.rows - done);
            self.push_rows(block, done, count);
            done += count;
        }
        self.rows += block.rows;
    }

    /// Adds the rows from `from` on, which the last run has room for.
    fn push_rows(&mut self, block: &FeatureBlock, from: usize, count: usize) {
        let Some(run) = self.runs.last_mut() else { return };
        let (mut numbers, mut categories) = (0, 0);
        let mut sparse = Vec::with_capacity(self.sparse.len());
        for ((column, first), cells) in self.columns.iter().zip(&self.first).zip(&block.columns) {
            let cells = &cells[from..from + count];
            match column {
                Column::Dense { mean, scale } => {
                    let place = numbers * RUN_ROWS + run.rows;
                    for (out, value) in run.dense[place..place + count].iter_mut().zip(cells) {
                        *out = if value.is_finite() { (value - mean) / scale } else { 0.0 };
                    }
                    numbers += 1;
                }
                Column::Categories(most) => {
                    let place = categories * RUN_ROWS + run.rows;
                    for (out, value) in run.codes[place..place + count].iter_mut().zip(cells) {
                        let code = *value as usize;
                        *out = if code as f64 == *value && code < *most { (first + code) as u32 } else { NONE };
                    }
                    categories += 1;
                }
                Column::Sparse { mean, scale } => sparse.push((*first as u32, *mean, *scale, cells)),
            }
        }
        for row in 0..count {
            for (place, mean, scale, cells) in &sparse {
                let value = if cells[row].is_finite() { cells[row] } else { *mean };
                if value != 0.0 {
                    run.places.push(*place);
                    run.values.push(value / scale);
                }
            }
            run.ends.push(run.places.len() as u32);
        }
        run.rows += count;
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many weights a score has, beside the intercept.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many runs of rows there are.
    pub(super) fn run_count(&self) -> usize {
        self.runs.len()
    }

    /// The first row of a run, and how many there are.
    pub(super) fn run_rows(&self, run: usize) -> (usize, usize) {
        (run * RUN_ROWS, self.runs[run].rows)
    }

    /// Writes a score for each row of a run: `point` is the intercept and the weights.
    pub(super) fn scores(&self, run: usize, point: &[f64], scores: &mut [f64]) {
        let weights = &point[1..];
        let shift: f64 = self.sparse.iter().map(|(place, mean)| weights[*place] * mean).sum();
        scores.fill(point[0] - shift);
        self.runs[run].add_scores(&self.dense, weights, scores);
    }

    /// Adds the derivatives of the rows of a run to `gradient`, before [`centre`](Self::centre).
    pub(super) fn add_gradient(&self, run: usize, derivatives: &[f64], gradient: &mut [f64]) {
        gradient[0] += derivatives.iter().sum::<f64>();
        self.runs[run].add_gradient(&self.dense, derivatives, &mut gradient[1..]);
    }

    /// Takes the means of sparse numbers into account, once a gradient has the derivatives of all rows.
    pub(super) fn centre(&self, gradient: &mut [f64]) {
        for (place, mean) in &self.sparse {
            gradient[1 + place] -= mean * gradient[0];
        }
    }

    /// What each feature adds in its own units, and what the intercepts of the scores change by, where `weights` holds
    /// [`width`](Self::width) weights for each score.
    pub fn unscaled(&self, weights: &[Vec<f64>]) -> (Vec<LinearFeature>, Vec<f64>) {
        let mut shifts = vec![0.0; weights.len()];
        let features = self.columns.iter().zip(&self.first).map(|(column, first)| match column {
            Column::Dense { mean, scale } | Column::Sparse { mean, scale } => {
                let own: Vec<f64> = weights.iter().map(|score| score[*first] / scale).collect();
                shifts.iter_mut().zip(&own).for_each(|(shift, weight)| *shift -= weight * mean);
                LinearFeature::Number { missing: *mean, weights: own }
            }
            Column::Categories(count) => LinearFeature::Categories {
                weights: (0..*count).map(|code| weights.iter().map(|score| score[first + code]).collect()).collect(),
            },
        });
        let features = features.collect();
        (features, shifts)
    }

    /// By feature: how far it moves the scores, as the largest share over the scores of a number's weight per standard
    /// deviation, or of the spread of the weights of categories over the rows.
    pub fn strengths(&self, weights: &[Vec<f64>]) -> Vec<f64> {
        let mut categories = 0;
        let mut strengths = Vec::with_capacity(self.columns.len());
        for (column, first) in self.columns.iter().zip(&self.first) {
            let of_scores: Vec<f64> = match column {
                Column::Categories(_) => {
                    categories += 1;
                    weights.iter().map(|score| self.spread(categories - 1, score)).collect()
                }
                _ => weights.iter().map(|score| score[*first].abs()).collect(),
            };
            strengths.push(of_scores.into_iter().fold(0.0, f64::max));
        }
        strengths
    }

    /// The standard deviation over the rows of the weight of their category.
    fn spread(&self, category: usize, weights: &[f64]) -> f64 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for run in &self.runs {
            for code in &run.codes[category * RUN_ROWS..][..run.rows] {
                let weight = if *code == NONE { 0.0 } else { weights[*code as usize] };
                sum += weight;
                squares += weight * weight;
            }
        }
        let rows = self.rows.max(1) as f64;
        (squares / rows - (sum / rows) * (sum / rows)).max(0.0).sqrt()
    }
}
