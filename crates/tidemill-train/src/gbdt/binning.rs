//! Choosing the bins: the first pass over the rows.

use rayon::prelude::*;
use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec};

use super::bins::FeatureBins;
use super::rng::Rng;

/// Rows that numeric bounds are taken from.
const SAMPLE_ROWS: u64 = 200_000;
/// A categorical feature's codes are counted up to here; codes beyond share the bin of the rare ones.
const CODES_MAX: usize = 1 << 24;
const STREAM: u64 = 1;

/// Looks at every row once, block by block, and chooses the bins of every feature.
///
/// Numeric bounds come from at most 200,000 rows, picked evenly at random by the seed; codes are counted and missing
/// values noticed in all rows.
#[derive(Debug)]
pub struct BinPlanner {
    features: Vec<Plan>,
    bins_max: usize,
    rng: Rng,
    rows_left: u64,
    sample_left: u64,
    picked: Vec<usize>,
}

#[derive(Debug)]
struct Plan {
    kind: FeatureKind,
    missing: bool,
    sample: Vec<f64>,
    counts: Vec<u64>,
}

impl BinPlanner {
    /// A planner for `rows` rows of `features` with at most `max_bin` bins each.
    pub fn new(features: &[FeatureSpec], rows: u64, max_bin: u32, seed: u64) -> Self {
        let plan =
            |spec: &FeatureSpec| Plan { kind: spec.kind, missing: false, sample: Vec::new(), counts: Vec::new() };
        Self {
            features: features.iter().map(plan).collect(),
            bins_max: max_bin as usize,
            rng: Rng::new(seed, STREAM),
            rows_left: rows,
            sample_left: rows.min(SAMPLE_ROWS),
            picked: Vec::new(),
        }
    }

    /// Looks at the next rows.
    pub fn observe(&mut self, block: &FeatureBlock) {
        // Selection sampling (Knuth, Algorithm S): every row has the same chance, and the sample comes out full.
        self.picked.clear();
        for row in 0..block.rows {
            if self.rng.below(self.rows_left.max(1)) < self.sample_left {
                self.picked.push(row);
                self.sample_left -= 1;
            }
            self.rows_left = self.rows_left.saturating_sub(1);
        }
        let picked = &self.picked;
        self.features.par_iter_mut().zip(&block.columns).for_each(|(plan, column)| plan.observe(column, picked));
    }

    /// The bins chosen.
    pub fn finish(self) -> Binning {
        let bins_max = self.bins_max;
        let features: Vec<(FeatureBins, bool)> =
            self.features.into_par_iter().map(|plan| plan.bins(bins_max)).collect();
        Binning::new(features)
    }
}

impl Plan {
    fn observe(&mut self, column: &[f64], picked: &[usize]) {
        self.missing |= column.iter().any(|value| value.is_nan());
        match self.kind {
            FeatureKind::Numeric => {
                self.sample.extend(picked.iter().map(|row| column[*row]).filter(|value| !value.is_nan()));
            }
            FeatureKind::Categorical { .. } => {
                for value in column {
                    let code = *value as usize;
                    if code as f64 != *value || code >= CODES_MAX {
                        continue;
                    }
                    if code >= self.counts.len() {
                        self.counts.resize((code + 1).next_power_of_two(), 0);
                    }
                    self.counts[code] += 1;
                }
            }
        }
    }

    /// The bins, and whether values are missing.
    fn bins(self, bins_max: usize) -> (FeatureBins, bool) {
        let bins = match self.kind {
            FeatureKind::Numeric => FeatureBins::numeric(self.sample, bins_max),
            FeatureKind::Categorical { .. } => FeatureBins::categorical(&self.counts, bins_max),
        };
        (bins, self.missing)
    }
}

/// The bins of every feature, and where each feature lies in binned rows and in histograms.
#[derive(Debug, Clone, PartialEq)]
pub struct Binning {
    /// How many features a row has before binning.
    pub(crate) features: usize,
    /// The features that vary, in order; the others can split nothing and are left out.
    pub(crate) used: Vec<UsedFeature>,
    /// How many histogram cells all used features have together.
    pub(crate) cells: usize,
}

/// A feature that varies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UsedFeature {
    /// Its number among all features.
    pub(crate) feature: u32,
    pub(crate) bins: FeatureBins,
    /// Some training row lacks it.
    pub(crate) has_missing: bool,
    /// Its first cell in a histogram.
    pub(crate) first_cell: usize,
}

impl UsedFeature {
    /// How many cells it has in a histogram: its bins, and one for missing values if there are any.
    pub(crate) fn cells(&self) -> usize {
        self.bins.len() + usize::from(self.has_missing)
    }

    pub(crate) fn is_categorical(&self) -> bool {
        matches!(self.bins, FeatureBins::Categorical { .. })
    }

    /// Whether any two training rows may fall into different bins.
    fn varies(&self) -> bool {
        match &self.bins {
            FeatureBins::Numeric { .. } => self.cells() > 1,
            // The first bin may well be empty.
            FeatureBins::Categorical { codes, .. } => codes.len() + usize::from(self.has_missing) > 1,
        }
    }
}

impl Binning {
    fn new(features: Vec<(FeatureBins, bool)>) -> Self {
        let mut binning = Self { features: features.len(), used: Vec::new(), cells: 0 };
        for (feature, (bins, has_missing)) in features.into_iter().enumerate() {
            let used = UsedFeature { feature: feature as u32, bins, has_missing, first_cell: binning.cells };
            if used.varies() {
                binning.cells += used.cells();
                binning.used.push(used);
            }
        }
        binning
    }

    /// Features that never vary in the training rows, by number.
    pub fn constant(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.features).filter(|at| !self.used.iter().any(|used| used.feature as usize == *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(kind: FeatureKind) -> FeatureSpec {
        FeatureSpec { name: "f".to_owned(), kind }
    }

    #[test]
    fn constant_features_are_left_out() {
        let features = [
            spec(FeatureKind::Numeric),
            spec(FeatureKind::Numeric),
            spec(FeatureKind::Numeric),
            spec(FeatureKind::Categorical { cardinality: 3 }),
            spec(FeatureKind::Categorical { cardinality: 3 }),
        ];
        let columns = vec![
            vec![1.0, 1.0, 1.0],
            vec![1.0, f64::NAN, 1.0],
            vec![f64::NAN; 3],
            vec![2.0, 2.0, 2.0],
            vec![2.0, 0.0, f64::NAN],
        ];
        let mut planner = BinPlanner::new(&features, 3, 255, 1);
        planner.observe(&FeatureBlock { rows: 3, columns });
        let binning = planner.finish();
        assert_eq!(binning.features, 5);
        let used: Vec<(u32, usize, usize)> =
            binning.used.iter().map(|used| (used.feature, used.first_cell, used.cells())).collect();
        // All missing counts as one empty value bin and one of missing values, which no split can part.
        assert_eq!(used, [(1, 0, 2), (2, 2, 2), (4, 4, 4)]);
        assert_eq!(binning.cells, 8);
    }

    #[test]
    fn the_sample_is_full_spread_and_fixed_by_the_seed() {
        let rows = 3 * SAMPLE_ROWS as usize;
        let sample = |seed| {
            let mut planner = BinPlanner::new(&[spec(FeatureKind::Numeric)], rows as u64, 255, seed);
            for part in 0..3 {
                let first = part * rows / 3;
                let column: Vec<f64> = (first..first + rows / 3).map(|row| row as f64).collect();
                planner.observe(&FeatureBlock { rows: column.len(), columns: vec![column] });
            }
            planner.features.remove(0).sample
        };
        let first = sample(1);
        assert_eq!(first.len() as u64, SAMPLE_ROWS);
        let mean = first.iter().sum::<f64>() / first.len() as f64;
        assert!((mean / (rows as f64 / 2.0) - 1.0).abs() < 0.01, "{mean}");
        assert_eq!(first, sample(1));
        assert_ne!(first, sample(2));
    }
}
