//! How far two samples of the same distribution lie apart by chance.
//!
//! A distance above its threshold says something only if it is also above this: the quantile of 99.9 % of the distance between
//! two samples of these sizes, drawn from what both sides show together.

use std::collections::HashMap;
use std::f64::consts::LN_2;

use super::shares::{Pair, Pairs};

/// The normal quantile of 0.999.
const Z: f64 = 3.090_232_306;
/// Mean count from which a cell is treated as normal instead of being summed up.
const LARGE: f64 = 30.0;

/// The sizes of two samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub a: f64,
    pub b: f64,
}

impl Sizes {
    /// The sizes as far as a sample of values tells: so that its counts, which are whole numbers, stay what they are.
    pub fn of(sample: &Pairs) -> Self {
        let (a, b) = sample.totals();
        Self { a, b }
    }

    /// `1 / a + 1 / b`, by which variances of differences grow; `None` where a side is empty.
    fn inverse(self) -> Option<f64> {
        (self.a > 0.0 && self.b > 0.0).then(|| 1.0 / self.a + 1.0 / self.b)
    }

    /// What chance makes of the Jensen-Shannon divergence in bits.
    ///
    /// Of cells with counts that are large it is `χ²(k − 1) (1/a + 1/b) / (8 ln 2)`, the second-order expansion of both
    /// relative entropies; small counts are summed up, see [`Sizes::additive`].
    pub fn jensen_shannon(self, pairs: &Pairs) -> Option<f64> {
        let part = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
        let term = move |p: f64, q: f64| {
            let m = f64::midpoint(p, q);
            f64::midpoint(part(p, m), part(q, m))
        };
        Some(self.additive(pairs, term, 1.0 / (8.0 * LN_2))?.min(1.0))
    }

    /// What chance makes of the population stability index: of large counts `χ²(k − 1) (1/a + 1/b)` (Yurdakul 2018).
    pub fn population_stability_index(self, pairs: &Pairs) -> Option<f64> {
        let least = pairs.share_min();
        let term = |p: f64, q: f64| {
            let (p, q) = (p.max(least), q.max(least));
            (q - p) * (q / p).ln()
        };
        self.additive(pairs, term, 1.0)
    }

    /// The 99.9 % quantile of a sum over cells: its mean and variance under chance, matched by a gamma distribution, whose
    /// quantile is that of Wilson and Hilferty (1931). A cell of small expected counts is summed over the ways
    /// in which chance splits its examples; one of large counts gives `scale (1/a + 1/b) (1 − share)` with the variance of a χ² of one degree.
    fn additive(self, pairs: &Pairs, term: impl Fn(f64, f64) -> f64, scale: f64) -> Option<f64> {
        let inverse = self.inverse()?;
        let totals = pairs.totals();
        if totals.0 <= 0.0 || totals.1 <= 0.0 {
            return None;
        }
        let (mut mean, mut variance) = (0.0, 0.0);
        // Most rare values occur equally often.
        let mut known: HashMap<u64, (f64, f64)> = HashMap::new();
        for pair in &pairs.0 {
            let share = self.share(pair, totals);
            if share <= 0.0 {
                continue;
            }
            let (cell_mean, cell_variance) = if share * self.a.min(self.b) >= LARGE {
                let one = scale * inverse * (1.0 - share);
                (one, 2.0 * one * one)
            } else {
                let count = share * (self.a + self.b);
                *known.entry((count * 1000.0).round() as u64).or_insert_with(|| self.small_cell(count, &term))
            };
            mean += pair.times * cell_mean;
            variance += pair.times * pair.times * cell_variance;
        }
        if mean <= 0.0 || variance <= 0.0 {
            return Some(0.0);
        }
        let spread = variance / (9.0 * mean * mean);
        Some(mean * (1.0 - spread + Z * spread.sqrt()).max(0.0).powi(3))
    }

    /// The share of a cell in both samples together.
    fn share(self, pair: &Pair, totals: (f64, f64)) -> f64 {
        (pair.a / totals.0 * self.a + pair.b / totals.1 * self.b) / (self.a + self.b)
    }

    /// Mean and variance of the term of a cell with this count on both sides together: each of these examples falls on one
    /// side or the other in proportion to the sizes. A count between two whole numbers counts as much of each.
    fn small_cell(self, count: f64, term: &impl Fn(f64, f64) -> f64) -> (f64, f64) {
        let (low, part) = (count.floor(), count.fract());
        let (mut mean, mut square) = (0.0, 0.0);
        for (whole, weight) in [(low, 1.0 - part), (low + 1.0, part)] {
            if whole < 1.0 || weight <= 0.0 {
                continue;
            }
            let smaller = self.a.min(self.b) / (self.a + self.b);
            for (few, probability) in binomial(whole, smaller) {
                let (p, q) = if self.a <= self.b { (few, whole - few) } else { (whole - few, few) };
                let value = term(p / self.a, q / self.b);
                mean += value * probability * weight;
                square += value * value * probability * weight;
            }
        }
        (mean, (square - mean * mean).max(0.0))
    }

    /// What chance makes of the largest difference of shares: the normal quantile for the most variable cell, corrected for as
    /// many cells as there are (Bonferroni), and a count on each side because counts are whole.
    pub fn l_infinity(self, pairs: &Pairs) -> Option<f64> {
        let inverse = self.inverse()?;
        let totals = pairs.totals();
        if totals.0 <= 0.0 || totals.1 <= 0.0 {
            return None;
        }
        let shares = pairs.0.iter().map(|pair| self.share(pair, totals));
        let widest = shares.map(|share| share * (1.0 - share)).fold(0.0, f64::max);
        let cells: f64 = pairs.0.iter().filter(|pair| pair.a + pair.b > 0.0).map(|pair| pair.times).sum();
        // An upper bound of the normal quantile: P(|Z| > z) ≤ exp(−z² / 2).
        let z = (2.0 * (cells.max(1.0) / 0.001).ln()).sqrt();
        Some((z * (widest * inverse).sqrt() + inverse / 2.0).min(1.0))
    }

    /// What chance makes of the Kolmogorov-Smirnov statistic: `sqrt(−ln(α / 2) / 2 · (1/a + 1/b))` (Smirnov 1948).
    pub fn kolmogorov_smirnov(self) -> Option<f64> {
        Some(((2.0f64 / 0.001).ln() / 2.0 * self.inverse()?).sqrt().min(1.0))
    }

    /// What chance makes of the Wasserstein distance, from `∫ sqrt(F (1 − F))` of both together: the expected distance is at most
    /// `sqrt(1/a + 1/b)` of it (Bobkov and Ledoux 2019), and the quantile lies below three times as much.
    pub fn wasserstein(self, spread: f64) -> Option<f64> {
        Some(3.0 * self.inverse()?.sqrt() * spread)
    }
}

/// The counts of a binomial distribution of `of` trials that are likely enough to matter, with their probabilities.
/// `share`, the probability of a success, is at most a half, and the mean at most [`LARGE`].
fn binomial(of: f64, share: f64) -> impl Iterator<Item = (f64, f64)> {
    let mean = of * share;
    let last = (mean + 6.0 * mean.sqrt() + 8.0).min(of) as u32;
    let mut probability = (of * (-share).ln_1p()).exp();
    (0..=last).map(move |count| {
        let count = f64::from(count);
        if count > 0.0 {
            probability *= (of - count + 1.0) / count * share / (1.0 - share);
        }
        (count, probability)
    })
}

#[cfg(test)]
mod tests {
    use tidemill_core::SplitMix64;

    use super::*;

    /// Counts of `size` draws from cells of these shares.
    fn draw(shares: &[f64], size: u64, seed: u64) -> Vec<f64> {
        let mut counts = vec![0.0; shares.len()];
        for at in 0..size {
            let mut rest = SplitMix64::to_unit(SplitMix64::nth(seed.wrapping_mul(1_000_003).wrapping_add(at)));
            let cell = shares.iter().position(|share| {
                rest -= share;
                rest < 0.0
            });
            counts[cell.unwrap_or(shares.len() - 1)] += 1.0;
        }
        counts
    }

    #[test]
    fn samples_of_one_distribution_lie_within_the_bounds() {
        let zipf: Vec<f64> = (1..=40).map(|rank| 1.0 / f64::from(rank)).collect();
        let total: f64 = zipf.iter().sum();
        let even = vec![0.1; 10];
        let zipf: Vec<f64> = zipf.iter().map(|share| share / total).collect();
        let rare = vec![1.0 / 400.0; 400];
        for (shares, a, b) in [
            (&even, 1000, 30),
            (&even, 1000, 1000),
            (&zipf, 500, 50),
            (&zipf, 2000, 2000),
            (&zipf, 20, 20),
            (&rare, 600, 600),
            (&rare, 900, 300),
        ] {
            let sizes = Sizes { a: a as f64, b: b as f64 };
            let mut beyond = [0; 3];
            let (mut largest, mut bound) = (0.0f64, 0.0);
            for trial in 0..500u64 {
                let (left, right) = (draw(shares, a, trial * 2 + 1), draw(shares, b, trial * 2 + 2));
                let pairs = Pairs::from(left.into_iter().zip(right).collect::<Vec<_>>());
                let js = sizes.jensen_shannon(&pairs).unwrap_or_default();
                largest = largest.max(pairs.jensen_shannon());
                bound = js;
                beyond[0] += usize::from(pairs.jensen_shannon() > js);
                let psi = sizes.population_stability_index(&pairs).unwrap_or_default();
                beyond[1] += usize::from(pairs.population_stability_index() > psi);
                beyond[2] += usize::from(pairs.l_infinity() > sizes.l_infinity(&pairs).unwrap_or_default());
            }
            assert!(beyond.iter().all(|count| *count <= 3), "{a} {b}: {beyond:?} of 500");
            // And not far above what happens.
            assert!(bound < largest * 2.5, "{a} {b}: {bound} against {largest}");
        }
    }
}
