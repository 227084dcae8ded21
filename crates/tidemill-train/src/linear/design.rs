//! The features as a linear model sees them.

use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec, LinearFeature};

/// More categories of a feature than these are refused: each would have a weight of its own.
const CATEGORIES_MAX: u32 = 1 << 16;

/// Looks at every row once: means and standard deviations of numbers.
#[derive(Debug)]
pub struct DesignPlan {
    kinds: Vec<FeatureKind>,
    /// Rows that have the number, its mean, and the sum of squared differences from it (Welford).
    moments: Vec<(f64, f64, f64)>,
}

/// One feature of a design.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    /// A number, less `mean` and divided by `scale`.
    Number { mean: f64, scale: f64 },
    /// So many categories, each a column of 0 and 1.
    Categories(usize),
}

/// Rows of scaled numbers and categories.
#[derive(Debug)]
pub struct Design {
    columns: Vec<Column>,
    /// Where the weights of each feature begin.
    first: Vec<usize>,
    width: usize,
    /// Values by row, a number each feature: scaled, or the category, −1 where it is missing or unknown.
    values: Vec<f64>,
    rows: usize,
}

impl DesignPlan {
    /// Nothing seen yet. A feature of too many categories is an error that names it.
    pub fn new(features: &[FeatureSpec]) -> Result<Self, String> {
        let too_many = features
            .iter()
            .find(|spec| matches!(spec.kind, FeatureKind::Categorical { cardinality } if cardinality > CATEGORIES_MAX));
        if let Some(spec) = too_many {
            return Err(format!(
                "feature `{}` has more than {CATEGORIES_MAX} categories, too many for a linear model",
                spec.name
            ));
        }
        let kinds: Vec<FeatureKind> = features.iter().map(|spec| spec.kind).collect();
        Ok(Self { moments: vec![(0.0, 0.0, 0.0); kinds.len()], kinds })
    }

    /// Takes in rows.
    pub fn observe(&mut self, block: &FeatureBlock) {
        for ((kind, moments), column) in self.kinds.iter().zip(&mut self.moments).zip(&block.columns) {
            if *kind != FeatureKind::Numeric {
                continue;
            }
            for value in column.iter().filter(|value| value.is_finite()) {
                let (count, mean, squares) = moments;
                *count += 1.0;
                let apart = value - *mean;
                *mean += apart / *count;
                *squares += apart * (value - *mean);
            }
        }
    }

    /// A design for so many rows.
    pub fn design(&self, rows: usize) -> Design {
        let column = |(kind, (count, mean, squares)): (&FeatureKind, &(f64, f64, f64))| match kind {
            FeatureKind::Numeric => {
                let deviation = (squares / count.max(1.0)).sqrt();
                // A number that never varies is 0 everywhere once it is centred.
                let scale = if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 };
                Column::Number { mean: *mean, scale }
            }
            FeatureKind::Categorical { cardinality } => Column::Categories(*cardinality as usize),
        };
        let columns: Vec<Column> = self.kinds.iter().zip(&self.moments).map(column).collect();
        let mut width = 0;
        let mut first = Vec::with_capacity(columns.len());
        for column in &columns {
            first.push(width);
            width += match column {
                Column::Number { .. } => 1,
                Column::Categories(count) => *count,
            };
        }
        Design { first, width, values: Vec::with_capacity(rows * columns.len()), rows: 0, columns }
    }
}

impl Design {
    /// Adds the rows of a block.
    pub fn push(&mut self, block: &FeatureBlock) {
        for row in 0..block.rows {
            for (column, cells) in self.columns.iter().zip(&block.columns) {
                let value = cells[row];
                self.values.push(match column {
                    Column::Number { mean, scale } if value.is_finite() => (value - mean) / scale,
                    Column::Number { .. } => 0.0,
                    Column::Categories(count) => {
                        let code = value as usize;
                        if code as f64 == value && code < *count { value } else { -1.0 }
                    }
                });
            }
        }
        self.rows += block.rows;
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many weights a score has, beside the intercept.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The columns of a row that are not 0, with their values.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let values = &self.values[row * self.columns.len()..][..self.columns.len()];
        self.columns.iter().zip(&self.first).zip(values).filter_map(|((column, first), value)| match column {
            Column::Number { .. } => Some((*first, *value)),
            Column::Categories(_) => (*value >= 0.0).then(|| (first + *value as usize, 1.0)),
        })
    }

    /// What each feature adds in its own units, and what the intercepts of the scores change by, where `weights` holds
    /// [`width`](Self::width) weights for each score.
    pub fn unscaled(&self, weights: &[Vec<f64>]) -> (Vec<LinearFeature>, Vec<f64>) {
        let mut shifts = vec![0.0; weights.len()];
        let features = self.columns.iter().zip(&self.first).map(|(column, first)| match column {
            Column::Number { mean, scale } => {
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
        let of = |at: usize, score: &Vec<f64>| match self.columns[at] {
            Column::Number { .. } => score[self.first[at]].abs(),
            Column::Categories(_) => {
                let (mut sum, mut squares) = (0.0, 0.0);
                for row in 0..self.rows {
                    let code = self.values[row * self.columns.len() + at];
                    let weight = if code >= 0.0 { score[self.first[at] + code as usize] } else { 0.0 };
                    sum += weight;
                    squares += weight * weight;
                }
                let rows = self.rows.max(1) as f64;
                (squares / rows - (sum / rows) * (sum / rows)).max(0.0).sqrt()
            }
        };
        (0..self.columns.len()).map(|at| weights.iter().map(|score| of(at, score)).fold(0.0, f64::max)).collect()
    }
}
