//! Shapley values of a model that is only known by its scores.

use tidemill_core::SplitMix64;

use crate::FeatureBlock;
use crate::trees::Contributions;

/// Seed of the orders in which features change, so that the same row has the same explanation.
const SEED: u64 = 0x5eed_0f0d_d5ca_1e55;

/// Estimates the contribution of each feature to the score of `row`, relative to the rows of `background`.
///
/// Features change one after the other from a background row's to the row's, in a random order and then in the reverse one, and
/// each is credited with what its change adds; this is repeated for every background row and averaged (Castro et al.,
/// "Polynomial calculation of the Shapley value based on sampling", 2009). The estimates sum exactly to the score less the mean
/// score of the background, and equal the Shapley values where a feature adds the same in every order. The orders come from a
/// fixed seed.
pub(super) fn sampled_contributions(
    row: &[f64],
    background: &[Vec<f64>],
    scores: &dyn Fn(&FeatureBlock) -> Vec<f64>,
) -> Contributions {
    let mut features = vec![0.0; row.len()];
    let mut base = 0.0;
    for (number, other) in background.iter().enumerate() {
        let differs = |feature: &usize| match other.get(*feature) {
            Some(value) => value.to_bits() != row[*feature].to_bits() && !(value.is_nan() && row[*feature].is_nan()),
            None => true,
        };
        let mut order: Vec<usize> = (0..row.len()).filter(differs).collect();
        let mut draw = SplitMix64::new(SplitMix64::hash(SEED ^ number as u64));
        for at in (1..order.len()).rev() {
            order.swap(at, draw.below(at as u64 + 1) as usize);
        }
        let block = walk(row, other, &order);
        let values = scores(&block);
        base += values[0];
        let way = 1 + order.len();
        for (from, order) in [(0, order.clone()), (way, order.iter().rev().copied().collect())] {
            for (step, feature) in order.into_iter().enumerate() {
                features[feature] += (values[from + step + 1] - values[from + step]) / 2.0;
            }
        }
    }
    let count = background.len().max(1) as f64;
    features.iter_mut().for_each(|value| *value /= count);
    Contributions { base: base / count, features }
}

/// The rows on the way from `other` to `row` in `order`, then those in the reverse order.
fn walk(row: &[f64], other: &[f64], order: &[usize]) -> FeatureBlock {
    let way = 1 + order.len();
    let start = |feature: usize| other.get(feature).copied().unwrap_or(f64::NAN);
    let mut columns: Vec<Vec<f64>> = (0..row.len()).map(|feature| vec![start(feature); 2 * way]).collect();
    for (step, feature) in order.iter().enumerate() {
        columns[*feature][step + 1..way].fill(row[*feature]);
        columns[*feature][way + order.len() - step..].fill(row[*feature]);
    }
    FeatureBlock { rows: 2 * way, columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributions_sum_to_the_score_and_are_exact_for_pairs() {
        // Two features of a product share what it adds; the third adds alone.
        let score = |block: &FeatureBlock| -> Vec<f64> {
            let of = |feature: usize, row: usize| block.columns[feature][row];
            (0..block.rows).map(|row| of(0, row) * of(1, row) + 3.0 * of(2, row)).collect()
        };
        let background = vec![vec![0.0, 1.0, 2.0], vec![1.0, 1.0, -1.0]];
        let row = [2.0, 5.0, 1.0];
        let found = sampled_contributions(&row, &background, &score);
        let mean = 2.0;
        assert!((found.base - mean).abs() < 1e-12);
        assert!((found.base + found.features.iter().sum::<f64>() - 13.0).abs() < 1e-12);
        // By hand: half of the value of each order.
        let first = [6.0, 3.0];
        assert!((found.features[0] - first.iter().sum::<f64>() / 2.0).abs() < 1e-12, "{found:?}");
        assert!((found.features[2] - 3.0 * (1.0 - 0.5)).abs() < 1e-12);
        assert_eq!(found, sampled_contributions(&row, &background, &score));
    }
}
