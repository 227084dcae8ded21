//! What the worst of all slices looks like by chance.
//!
//! A search over thousands of slices finds a bad one in any data. Losses are therefore shuffled among the rows, many times, and
//! searched again: the largest z of a shuffle says what chance alone gives to the worst slice. A slice is judged by how its z
//! compares with these maxima (Westfall and Young 1993), which takes the overlap of slices into account. The maxima follow a
//! Gumbel distribution; its tail is fitted, because counting shuffles says nothing of p below one over their number.

use rayon::prelude::*;
use tidemill_core::SplitMix64;

use super::column::FinderColumn;
use super::space::{DEPTH_MAX, Family, Ranges};

/// Rows that are shuffled: the maxima depend on the shares of rows in slices, hardly on their number.
const ROWS_MAX: usize = 4_000;
/// Crossings of three have more slices than can be summed again for every shuffle: an even sample of about so many stands for
/// all. Of independent numbers, the maximum of k times as many is larger by ln k scales of a Gumbel distribution; slices
/// overlap, so that this is too much rather than too little.
const SLICES_MAX: usize = 30_000;
/// Shuffles at least and at most, within about [`WORK`] additions.
const SHUFFLES: std::ops::RangeInclusive<usize> = 20..=200;
const WORK: usize = 120_000_000;
const EULER: f64 = 0.577_215_664_901_532_9;

/// The distribution of the largest z of all slices.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chance {
    /// That of the slices of one and two columns, and that of the slices of three.
    largest: Vec<Gumbel>,
    /// Shuffles that it was fitted to.
    pub shuffles: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Gumbel {
    location: f64,
    scale: f64,
}

/// How far the mean of `n` of `rows` losses lies from that of all, in standard errors of a draw without replacement. Losses are
/// centred, and their standard deviation is `deviation`.
pub(super) fn z(sum: f64, n: f64, rows: f64, deviation: f64) -> f64 {
    let error = deviation * (n * (1.0 - n / rows)).sqrt();
    if error > 0.0 { sum / error } else { 0.0 }
}

impl Chance {
    /// Shuffles the losses of `rows` among the slices of `families` that have a share of `min_share` of them.
    pub fn of(families: &[Family], columns: &[FinderColumn], rows: &[u32], losses: &[f64], min_share: f64) -> Self {
        let step = rows.len().div_ceil(ROWS_MAX).max(1);
        let sample: Vec<u32> = rows.iter().step_by(step).copied().collect();
        let count = sample.len() as f64;
        let mean = sample.iter().map(|row| losses[*row as usize]).sum::<f64>() / count;
        let centred: Vec<f64> = sample.iter().map(|row| losses[*row as usize] - mean).collect();
        let deviation = (centred.iter().map(|loss| loss * loss).sum::<f64>() / count).sqrt();
        let (narrow, wide): (Vec<Family>, Vec<Family>) =
            families.iter().copied().partition(|family| family.columns().len() < DEPTH_MAX);
        let all: usize = wide.iter().map(|family| family.slices_at_most(columns)).sum();
        let step_of_wide = all.div_ceil(SLICES_MAX).max(1);
        let slices = narrow.iter().map(|family| family.slices_at_most(columns)).sum::<usize>() + all / step_of_wide;
        let each: usize = families.iter().map(|family| sample.len() + 6 * family.cells()).sum::<usize>() + 8 * slices;
        let shuffles = (WORK / each.max(1)).clamp(*SHUFFLES.start(), *SHUFFLES.end());
        let shuffled: Vec<Vec<f64>> = (0..shuffles as u64).map(|number| shuffle(&centred, number)).collect();
        let min_rows = (min_share * count).max(2.0);
        let largest = |family: &Family, step: usize| -> Vec<f64> {
            let cells = family.cells_of(columns, &sample);
            let mut counts = vec![0.0; family.cells()];
            cells.iter().for_each(|cell| counts[*cell as usize] += 1.0);
            family.accumulate(&mut counts);
            let total = |table: &[f64], slice: &Ranges| -> f64 {
                let sign = |adds: bool| if adds { 1.0 } else { -1.0 };
                family.corners(*slice).iter().map(|(cell, adds)| sign(*adds) * table[*cell]).sum()
            };
            let slices = family.slices(columns, |slice| total(&counts, slice) >= min_rows);
            let kept: Vec<(f64, [(usize, bool); 8])> = slices
                .iter()
                .step_by(step)
                .map(|slice| (total(&counts, slice), family.corners(*slice)))
                .filter(|(n, _)| count - n >= min_rows)
                .collect();
            let mut sums = vec![0.0; family.cells()];
            let of_shuffle = |losses: &Vec<f64>| {
                sums.fill(0.0);
                cells.iter().zip(losses).for_each(|(cell, loss)| sums[*cell as usize] += loss);
                family.accumulate(&mut sums);
                let z_of = |(n, corners): &(f64, [(usize, bool); 8])| {
                    let sum = corners.iter().map(|(cell, adds)| if *adds { sums[*cell] } else { -sums[*cell] }).sum();
                    z(sum, *n, count, deviation)
                };
                kept.iter().map(z_of).fold(f64::NEG_INFINITY, f64::max)
            };
            shuffled.iter().map(of_shuffle).collect()
        };
        let of_all = |families: &[Family], step: usize| -> Option<Gumbel> {
            let of_families: Vec<Vec<f64>> = families.par_iter().map(|family| largest(family, step)).collect();
            let maxima: Vec<f64> = (0..shuffles)
                .map(|number| of_families.iter().map(|maxima| maxima[number]).fold(f64::NEG_INFINITY, f64::max))
                .filter(|largest| largest.is_finite())
                .collect();
            (!maxima.is_empty()).then(|| Gumbel::fitted(&maxima).of_more(step))
        };
        Self { largest: of_all(&narrow, 1).into_iter().chain(of_all(&wide, step_of_wide)).collect(), shuffles }
    }

    /// The chance that the worst of all slices is as bad as this by chance.
    pub fn p_value(&self, z: f64) -> f64 {
        // Small chances would be lost beside 1.
        let none_as_bad: f64 = self.largest.iter().map(|largest| (-largest.p_value(z)).ln_1p()).sum();
        if self.largest.is_empty() { 1.0 } else { -none_as_bad.exp_m1() }
    }
}

impl Gumbel {
    /// Gumbel's distribution with the mean and the variance of the maxima.
    fn fitted(maxima: &[f64]) -> Self {
        let n = maxima.len().max(1) as f64;
        let mean = maxima.iter().sum::<f64>() / n;
        let variance = maxima.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>() / (n - 1.0).max(1.0);
        let scale = (variance * 6.0).sqrt() / std::f64::consts::PI;
        Self { location: mean - EULER * scale, scale }
    }

    /// That of the maxima of so many times as many.
    fn of_more(self, times: usize) -> Self {
        Self { location: self.location + self.scale * (times as f64).ln(), ..self }
    }

    /// The chance of a maximum of at least `z`.
    fn p_value(self, z: f64) -> f64 {
        if self.scale <= 0.0 {
            return if z > self.location { 0.0 } else { 1.0 };
        }
        -(-(-(z - self.location) / self.scale).exp()).exp_m1()
    }
}

/// The losses in another order: Fisher and Yates, the same for the same number.
fn shuffle(losses: &[f64], number: u64) -> Vec<f64> {
    let mut shuffled = losses.to_vec();
    let draw = |at: usize| SplitMix64::to_unit(SplitMix64::hash(SplitMix64::hash((number << 32) | at as u64)));
    for at in (1..shuffled.len()).rev() {
        shuffled.swap(at, ((at + 1) as f64 * draw(at)) as usize);
    }
    shuffled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gumbel's distribution: mean μ + γβ, variance π²β²/6, upper tail 1 - exp(-exp(-(z - μ)/β)).
    #[test]
    fn the_tail_is_that_of_gumbels_distribution() {
        let quantile = |u: f64| 3.0 - 0.5 * (-u.ln()).ln();
        let maxima: Vec<f64> = (0..10_000).map(|at| quantile((f64::from(at) + 0.5) / 10_000.0)).collect();
        let chance = Gumbel::fitted(&maxima);
        assert!((chance.location - 3.0).abs() < 0.01 && (chance.scale - 0.5).abs() < 0.01, "{chance:?}");
        assert!((chance.p_value(quantile(0.95)) - 0.05).abs() < 0.003);
        assert!(chance.p_value(60.0) > 0.0 && chance.p_value(60.0) < 1e-40);
        assert!(chance.p_value(-10.0) > 0.999_999);
    }

    #[test]
    fn a_shuffle_keeps_every_loss() {
        let losses: Vec<f64> = (0..100).map(f64::from).collect();
        let mut shuffled = shuffle(&losses, 7);
        assert_ne!(shuffled, losses);
        assert_eq!(shuffled, shuffle(&losses, 7));
        shuffled.sort_by(f64::total_cmp);
        assert_eq!(shuffled, losses);
    }
}
