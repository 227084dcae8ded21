//! Losses of the order of the rows of a query.

use std::sync::Arc;

use tidemill_core::{SplitMix64, rank_discount};

use super::super::StopMetric;
use super::super::queries::Queries;
use super::{Gradient, ListLoss, Objective};

/// Keeps denominators from being zero.
const TINY: f64 = 1e-15;

/// `LambdaMART` (Burges, "From `RankNet` to `LambdaRank` to `LambdaMART`", 2010): pairs of rows of a query, each weighted by what
/// swapping them changes of the NDCG. Formulas and defaults are LightGBM's.
#[derive(Debug, Clone)]
pub struct LambdaRank {
    queries: Arc<Queries>,
    options: LambdaOptions,
    /// By query: one over the discounted gain of the best order of its first rows.
    inverse_best: Vec<f64>,
}

/// Options of [`LambdaRank`].
#[derive(Debug, Clone, PartialEq)]
pub struct LambdaOptions {
    /// A pair counts if one of its rows is among so many first ones.
    pub truncation: usize,
    /// Scale the derivatives of a query down, and pairs by the distance of their scores.
    pub norm: bool,
    /// What a row is worth, by its label.
    pub gains: Vec<f64>,
    /// What second derivatives are multiplied by: 2 in XGBoost.
    pub hessian: f64,
}

impl LambdaRank {
    /// The loss of rows with these queries and labels, which have gains.
    pub fn new(queries: Arc<Queries>, labels: &[f64], options: LambdaOptions) -> Self {
        let best = |rows: &[u32]| {
            let mut gains: Vec<f64> = rows.iter().map(|row| options.gain(labels[*row as usize])).collect();
            gains.sort_unstable_by(|a, b| b.total_cmp(a));
            let best = gains.iter().take(options.truncation).enumerate();
            let sum: f64 = best.map(|(place, gain)| gain * rank_discount(place)).sum();
            if sum > 0.0 { 1.0 / sum } else { 0.0 }
        };
        let inverse_best = queries.map(best);
        Self { queries, options, inverse_best }
    }
}

impl LambdaOptions {
    fn gain(&self, label: f64) -> f64 {
        self.gains.get(label as usize).copied().unwrap_or_default()
    }

    /// The derivatives of the rows of a query, into `out`.
    fn of_query(&self, scores: &[f64], labels: &[f64], inverse_best: f64, out: &mut [[f64; 2]]) {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let spread = order.first().zip(order.last()).map_or(0.0, |(first, last)| scores[*first] - scores[*last]);
        let mut sum = 0.0;
        for first in 0..scores.len().saturating_sub(1).min(self.truncation) {
            for second in first + 1..scores.len() {
                let (a, b) = (order[first], order[second]);
                if labels[a] == labels[b] {
                    continue;
                }
                let (high, low) = if labels[a] > labels[b] { (a, b) } else { (b, a) };
                let distance = scores[high] - scores[low];
                let discounts = rank_discount(first) - rank_discount(second);
                let mut change = (self.gain(labels[high]) - self.gain(labels[low])) * discounts * inverse_best;
                if self.norm && spread > 0.0 {
                    change /= 0.01 + distance.abs();
                }
                let wrong = 1.0 / (1.0 + distance.exp());
                let (slope, curve) = (change * wrong, change * wrong * (1.0 - wrong) * self.hessian);
                out[high] = [out[high][0] - slope, out[high][1] + curve];
                out[low] = [out[low][0] + slope, out[low][1] + curve];
                sum += 2.0 * slope;
            }
        }
        if self.norm && sum > 0.0 {
            let factor = (1.0 + sum).log2() / sum;
            out.iter_mut().for_each(|both| *both = both.map(|derivative| derivative * factor));
        }
    }
}

impl Objective for LambdaRank {
    fn metric_name(&self) -> &'static str {
        "NDCG"
    }

    fn stop_metric(&self) -> Option<StopMetric> {
        Some(StopMetric::Ndcg)
    }

    fn base_scores(&self, _labels: &[f64], _weights: Option<&[f64]>) -> Vec<f64> {
        vec![0.0]
    }

    fn list(&self) -> Option<&dyn ListLoss> {
        Some(self)
    }
}

impl ListLoss for LambdaRank {
    fn list_gradients(&self, scores: &[f64], labels: &[f64], _draw: u64, out: &mut [Gradient]) {
        self.queries.scatter(out, |query, rows, out| {
            let of = |column: &[f64]| rows.iter().map(|row| column[*row as usize]).collect::<Vec<f64>>();
            let mut sums = vec![[0.0; 2]; rows.len()];
            self.options.of_query(&of(scores), &of(labels), self.inverse_best[query], &mut sums);
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum.map(|derivative| derivative as f32));
        });
    }
}

/// Cross-entropy between the softmax of the scores of a query and shares drawn around the gains of its rows (Bruch, "An
/// alternative cross entropy loss for learning-to-rank", 2020). Formulas are LightGBM's.
#[derive(Debug, Clone)]
pub struct XeNdcg {
    queries: Arc<Queries>,
}

impl XeNdcg {
    /// The loss of rows with these queries.
    pub fn new(queries: Arc<Queries>) -> Self {
        Self { queries }
    }

    /// The derivatives of the rows of a query whose shares are `truth` before they are divided by their sum.
    fn of_query(scores: &[f64], truth: &[f64], out: &mut [Gradient]) {
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut shares: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let (sum, total) = (shares.iter().sum::<f64>(), truth.iter().sum::<f64>().max(TINY));
        shares.iter_mut().for_each(|share| *share /= sum);
        // Three terms of the inverse of the matrix of second derivatives, times the first ones.
        let first: Vec<f64> = shares.iter().zip(truth).map(|(share, truth)| share - truth / total).collect();
        let rest = |share: f64| (1.0 - share).max(TINY);
        let mut slopes = first.clone();
        let mut terms: Vec<f64> = first.iter().zip(&shares).map(|(term, share)| term / rest(*share)).collect();
        for _ in 0..2 {
            let sum: f64 = terms.iter().sum();
            for ((term, share), slope) in terms.iter_mut().zip(&shares).zip(&mut slopes) {
                let next = share * (sum - *term);
                *slope += next;
                *term = next / rest(*share);
            }
        }
        for ((out, slope), share) in out.iter_mut().zip(slopes).zip(shares) {
            *out = [slope as f32, (share * (1.0 - share)) as f32];
        }
    }
}

impl Objective for XeNdcg {
    fn metric_name(&self) -> &'static str {
        "NDCG"
    }

    fn stop_metric(&self) -> Option<StopMetric> {
        Some(StopMetric::Ndcg)
    }

    fn base_scores(&self, _labels: &[f64], _weights: Option<&[f64]>) -> Vec<f64> {
        vec![0.0]
    }

    fn list(&self) -> Option<&dyn ListLoss> {
        Some(self)
    }
}

impl ListLoss for XeNdcg {
    fn list_gradients(&self, scores: &[f64], labels: &[f64], draw: u64, out: &mut [Gradient]) {
        self.queries.scatter(out, |_, rows, out| {
            if rows.len() < 2 {
                return;
            }
            let truth = |row: &u32| {
                let drawn = SplitMix64::to_unit(SplitMix64::hash(draw ^ SplitMix64::hash(u64::from(*row))));
                labels[*row as usize].exp2() - drawn
            };
            let scores: Vec<f64> = rows.iter().map(|row| scores[*row as usize]).collect();
            Self::of_query(&scores, &rows.iter().map(truth).collect::<Vec<f64>>(), out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(norm: bool, truncation: usize) -> LambdaOptions {
        LambdaOptions {
            truncation,
            norm,
            gains: (0..31).map(|label| f64::from(label).exp2() - 1.0).collect(),
            hessian: 1.0,
        }
    }

    /// With the order held, the derivatives are those of the sum over pairs of `weight · ln(1 + e^(low − high))`.
    #[test]
    fn derivatives_of_pairs_are_those_of_their_logistic_loss() {
        let (scores, labels) = ([0.4, -0.3, 1.2, 0.1_f64], [2.0, 0.0, 1.0, 0.0_f64]);
        let lambda = LambdaRank::new(Arc::new(Queries::new(&[0; 4])), &labels, options(false, 30));
        let mut places = [0; 4];
        let mut order = [0, 1, 2, 3];
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.iter().enumerate().for_each(|(place, row)| places[*row] = place);
        let loss = |scores: &[f64]| -> f64 {
            let pairs = (0..4).flat_map(|high| (0..4).map(move |low| (high, low)));
            let of = |(high, low): (usize, usize)| {
                if labels[high] <= labels[low] {
                    return 0.0;
                }
                let gain = labels[high].exp2() - labels[low].exp2();
                let discount = (rank_discount(places[high]) - rank_discount(places[low])).abs();
                gain * discount * lambda.inverse_best[0] * (scores[low] - scores[high]).exp().ln_1p()
            };
            pairs.map(of).sum()
        };
        let mut out = vec![[0.0; 2]; 4];
        lambda.list_gradients(&scores, &labels, 0, &mut out);
        for row in 0..4 {
            let step = 1e-4;
            let at = |change: f64| {
                let mut moved = scores;
                moved[row] += change;
                loss(&moved)
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            let curve = (at(step) - 2.0 * at(0.0) + at(-step)) / (step * step);
            assert!((f64::from(out[row][0]) - slope).abs() < 1e-6, "{out:?} {slope}");
            assert!((f64::from(out[row][1]) - curve).abs() < 1e-5, "{out:?} {curve}");
        }
        let sum: f32 = out.iter().map(|both| both[0]).sum();
        assert!(sum.abs() < 1e-6);
    }

    /// LightGBM's loop over pairs, word by word, beside ours.
    #[test]
    fn normed_and_truncated_derivatives_are_those_of_lightgbm() {
        let (scores, labels) = ([0.5, 0.5, -1.0, 2.0, 0.0_f64], [1.0, 3.0, 2.0, 0.0, 1.0_f64]);
        let (truncation, mut order) = (2, [0, 1, 2, 3, 4]);
        order.sort_by(|a: &usize, b| scores[*b].total_cmp(&scores[*a]));
        let gain = |label: f64| label.exp2() - 1.0;
        let mut ideal = labels;
        ideal.sort_by(|a, b| b.total_cmp(a));
        let best: f64 = (0..truncation).map(|at| gain(ideal[at]) * rank_discount(at)).sum();
        let (mut expected, mut total) = ([[0.0; 2]; 5], 0.0);
        for i in 0..truncation {
            for j in i + 1..5 {
                if labels[order[i]] == labels[order[j]] {
                    continue;
                }
                let (high, low) = if labels[order[i]] > labels[order[j]] { (i, j) } else { (j, i) };
                let delta = scores[order[high]] - scores[order[low]];
                let mut weight = (gain(labels[order[high]]) - gain(labels[order[low]]))
                    * (rank_discount(high) - rank_discount(low)).abs()
                    / best;
                weight /= 0.01 + delta.abs();
                let p = 1.0 / (1.0 + delta.exp());
                expected[order[low]][0] += p * weight;
                expected[order[high]][0] -= p * weight;
                for row in [high, low] {
                    expected[order[row]][1] += p * (1.0 - p) * weight;
                }
                total += 2.0 * p * weight;
            }
        }
        let factor = (1.0 + total).log2() / total;
        let lambda = LambdaRank::new(Arc::new(Queries::new(&[0; 5])), &labels, options(true, truncation));
        let mut out = vec![[0.0; 2]; 5];
        lambda.list_gradients(&scores, &labels, 0, &mut out);
        for (found, expected) in out.iter().flatten().zip(expected.iter().flatten()) {
            assert!((f64::from(*found) - expected * factor).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn cross_entropy_starts_from_its_derivative_and_never_leaves_the_numbers() {
        let (scores, truth) = ([0.3, -0.2, 0.1, 0.0], [4.0, 1.0, 2.0, 0.5]);
        let mut out = vec![[0.0; 2]; 4];
        XeNdcg::of_query(&scores, &truth, &mut out);
        // The derivative itself, without the terms after it, has the same sign for a row far below its share.
        assert!(out[0][0] < 0.0 && out[1][0] > 0.0 && out.iter().all(|both| both[1] > 0.0), "{out:?}");
        XeNdcg::of_query(&[1e3, 0.0, -1e3, 0.0], &truth, &mut out);
        assert!(out.iter().flatten().all(|derivative| derivative.is_finite()), "{out:?}");
    }
}
