//! How features enter a network: chosen from the training rows.

use rayon::prelude::*;
use tidemill_core::SplitMix64;
use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec, NetworkInput, Periodic};

use super::net::BLOCK_ROWS;
use super::params::Mlp;
use super::rows::EncodedRows;

/// More categories of a feature are refused: each has a vector of its own.
const CATEGORIES_MAX: u32 = 1 << 16;
/// Waves of a number with waves, and the standard deviation of their frequencies at the start.
const WAVES: usize = 16;
const FREQUENCY: f64 = 0.1;
/// Keeps the vectors of features apart.
const EMBEDDING_STREAM: u64 = 0x656d_6265;

/// Columns of features of all training rows, as the transform graph gives them.
#[derive(Debug)]
pub(super) struct RawColumns(Vec<Vec<f64>>);

impl RawColumns {
    pub(super) fn new(features: usize, rows: usize) -> Self {
        Self((0..features).map(|_| Vec::with_capacity(rows)).collect())
    }

    pub(super) fn push(&mut self, block: &FeatureBlock) {
        self.0.iter_mut().zip(&block.columns).for_each(|(all, part)| all.extend_from_slice(&part[..block.rows]));
    }

    /// How each feature enters. An error names a feature of too many categories.
    pub(super) fn inputs(
        &self,
        features: &[FeatureSpec],
        params: &Mlp,
        seed: u64,
    ) -> Result<Vec<NetworkInput>, String> {
        let input = |(at, (spec, column)): (usize, (&FeatureSpec, &Vec<f64>))| match spec.kind {
            FeatureKind::Numeric => Ok(number(column, params.number_embedding, stream(seed, at))),
            FeatureKind::Categorical { cardinality } if cardinality > CATEGORIES_MAX => Err(format!(
                "feature `{}` has more than {CATEGORIES_MAX} categories, too many for a network",
                spec.name
            )),
            FeatureKind::Categorical { cardinality } if cardinality <= params.one_hot_max => {
                Ok(NetworkInput::OneHot { categories: cardinality })
            }
            FeatureKind::Categorical { cardinality } => Ok(embedding(cardinality, params.embedding, stream(seed, at))),
        };
        features.par_iter().zip(&self.0).enumerate().map(input).collect()
    }
}

impl RawColumns {
    /// Adds the features of all rows to `rows`.
    pub(super) fn encode(&self, inputs: &[NetworkInput], rows: &mut EncodedRows) {
        let mut block = FeatureBlock { rows: 0, columns: vec![Vec::new(); self.0.len()] };
        let count = self.0.first().map_or(0, Vec::len);
        for from in (0..count).step_by(BLOCK_ROWS) {
            block.rows = BLOCK_ROWS.min(count - from);
            for (part, column) in block.columns.iter_mut().zip(&self.0) {
                part.clear();
                part.extend_from_slice(&column[from..from + block.rows]);
            }
            rows.push(&block, inputs);
        }
    }
}

/// The seed of what a feature begins with.
fn stream(seed: u64, feature: usize) -> u64 {
    SplitMix64::hash(seed ^ SplitMix64::hash(EMBEDDING_STREAM ^ (feature as u64) << 32))
}

/// The median and one over the distance of the quartiles; of the range where the quartiles are the same.
fn number(column: &[f64], inputs: u32, seed: u64) -> NetworkInput {
    let mut values: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
    let indicator = column.iter().any(|value| value.is_nan());
    if values.is_empty() {
        return NetworkInput::Number { centre: 0.0, factor: 0.0, periodic: None, indicator };
    }
    let last = values.len() - 1;
    let mut at = |share: f64| *values.select_nth_unstable_by((share * last as f64).round() as usize, f64::total_cmp).1;
    let [low, first, centre, third, high] = [at(0.0), at(0.25), at(0.5), at(0.75), at(1.0)];
    let factor = match (third - first, high - low) {
        (quartiles, _) if quartiles > 0.0 => 1.0 / quartiles,
        (_, range) if range > 0.0 => 2.0 / range,
        _ => 0.0,
    };
    // A factor beyond the numbers: the feature varies by less than a number can tell.
    let factor = if factor.is_finite() { factor } else { 0.0 };
    let periodic = (inputs > 1 && factor > 0.0).then(|| waves(inputs as usize - 1, seed));
    NetworkInput::Number { centre, factor, periodic, indicator }
}

/// Waves as they begin: of low frequencies, each with a phase of its own.
fn waves(width: usize, seed: u64) -> Periodic {
    let mut draw = SplitMix64::new(seed);
    let bound = 1.0 / (WAVES as f64).sqrt();
    let frequencies = (0..WAVES).map(|_| (FREQUENCY * normal(&mut draw)) as f32).collect();
    let mut even = |bound: f64, count: usize| (0..count).map(|_| (bound * (2.0 * draw.unit() - 1.0)) as f32).collect();
    let phases = even(std::f64::consts::PI, WAVES);
    Periodic { frequencies, phases, weights: even(bound, WAVES * width), biases: even(bound, width) }
}

/// Vectors of about length 1, and zeros for what is missing or unknown.
fn embedding(categories: u32, width: u32, seed: u64) -> NetworkInput {
    let mut draw = SplitMix64::new(seed);
    let count = categories as usize * width as usize;
    let deviation = 1.0 / f64::from(width).sqrt();
    let mut table: Vec<f32> = (0..count).map(|_| (deviation * normal(&mut draw)) as f32).collect();
    table.resize(count + width as usize, 0.0);
    NetworkInput::Embedding { width, table }
}

/// A number of the standard normal distribution (Box and Muller).
pub(super) fn normal(draw: &mut SplitMix64) -> f64 {
    let radius = (-2.0 * (1.0 - draw.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * draw.unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_scaled_by_their_quartiles_or_their_range() {
        let of = |column: &[f64]| match number(column, 1, 1) {
            NetworkInput::Number { centre, factor, periodic: None, indicator } => (centre, factor, indicator),
            other => panic!("{other:?}"),
        };
        let column: Vec<f64> = (0..101).map(f64::from).collect();
        assert_eq!(of(&column), (50.0, 1.0 / 50.0, false));
        let mostly = [&[1.0; 20][..], &[5.0, f64::NAN, f64::INFINITY]].concat();
        assert_eq!(of(&mostly), (1.0, 0.5, true));
        assert_eq!(of(&[f64::NAN]), (0.0, 0.0, true));
        let widths = [&column[..], &mostly, &[1.0]].map(|column| number(column, 4, 1).width());
        assert_eq!(widths, [4, 5, 1]);
    }

    #[test]
    fn normal_numbers_have_the_moments() {
        let mut draw = SplitMix64::new(5);
        let drawn: Vec<f64> = (0..100_000).map(|_| normal(&mut draw)).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        let variance = drawn.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
