//! What is known of the features before the rows are laid out for fitting.

use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec};

use super::design::{Column, Design};

/// More categories of a feature than these are refused: each has a weight of its own, and the optimiser keeps about 25
/// numbers for a weight.
const CATEGORIES_MAX: u32 = 1 << 22;

/// A number that is 0 in a larger share of the rows is kept as pairs of place and value.
const SPARSE_FROM: f64 = 0.75;

/// Looks at every row once: means, standard deviations and zeros of numbers.
#[derive(Debug)]
pub struct DesignPlan {
    kinds: Vec<FeatureKind>,
    moments: Vec<Moments>,
}

/// What is known of a number.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    /// Rows that have it.
    count: f64,
    mean: f64,
    /// The sum of squared differences from the mean (Welford).
    squares: f64,
    /// Rows where it is not 0, or missing.
    entries: u64,
    rows: u64,
}

impl Moments {
    fn observe(&mut self, value: f64) {
        self.rows += 1;
        self.entries += u64::from(value != 0.0);
        if !value.is_finite() {
            return;
        }
        self.count += 1.0;
        let apart = value - self.mean;
        self.mean += apart / self.count;
        self.squares += apart * (value - self.mean);
    }

    /// The standard deviation. A number that never varies is 0 everywhere once it is centred, in any unit.
    fn scale(&self) -> f64 {
        let deviation = (self.squares / self.count.max(1.0)).sqrt();
        if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 }
    }

    fn is_sparse(&self) -> bool {
        self.squares > 0.0 && (self.entries as f64) < (1.0 - SPARSE_FROM) * self.rows as f64
    }
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
        Ok(Self { moments: vec![Moments::default(); kinds.len()], kinds })
    }

    /// Takes in rows.
    pub fn observe(&mut self, block: &FeatureBlock) {
        for ((kind, moments), column) in self.kinds.iter().zip(&mut self.moments).zip(&block.columns) {
            if *kind == FeatureKind::Numeric {
                column.iter().for_each(|value| moments.observe(*value));
            }
        }
    }

    /// Bytes that a design of `rows` rows takes.
    pub fn bytes(&self, rows: u64) -> u64 {
        let of = |(kind, moments): (&FeatureKind, &Moments)| match kind {
            FeatureKind::Categorical { .. } => 4 * rows,
            FeatureKind::Numeric if moments.is_sparse() => {
                12 * (moments.entries as f64 * (rows as f64 / moments.rows.max(1) as f64)) as u64
            }
            FeatureKind::Numeric => 8 * rows,
        };
        self.kinds.iter().zip(&self.moments).map(of).sum()
    }

    /// A design without rows.
    pub fn design(&self) -> Design {
        let column = |(kind, moments): (&FeatureKind, &Moments)| match kind {
            FeatureKind::Categorical { cardinality } => Column::Categories(*cardinality as usize),
            FeatureKind::Numeric => {
                let (mean, scale) = (moments.mean, moments.scale());
                if moments.is_sparse() { Column::Sparse { mean, scale } } else { Column::Dense { mean, scale } }
            }
        };
        Design::new(self.kinds.iter().zip(&self.moments).map(column).collect())
    }
}
