//! What is drawn for a round: the rows and features of its trees, and the trees that it leaves out.

use rayon::prelude::*;
use tidemill_core::SplitMix64;

use super::boosting::{Boosting, Trees, add_trees};
use super::choices::{Combination, Sampling};
use super::rng::Rng;

const BAGGING_STREAM: u64 = 2;
const FEATURE_STREAM: u64 = 3;
const DROP_STREAM: u64 = 5;

impl Boosting<'_> {
    /// For DART: the rounds that this one leaves out, whose trees are taken off the scores.
    pub(super) fn drop_trees(&mut self, round: u32, grown: &[Trees], factors: &[f64]) -> Vec<usize> {
        let params = self.params;
        let mut draw = Rng::new(self.seed, DROP_STREAM ^ u64::from(self.before + round) << 8);
        if params.boosting != Combination::Dart || draw.unit() < params.skip_drop {
            return Vec::new();
        }
        // Rounds that count more are left out more often.
        let count = factors.len() as f64;
        let mean = factors.iter().sum::<f64>() / count;
        let limit = if params.max_drop == 0 { usize::MAX } else { params.max_drop as usize };
        let rate = params.drop_rate.min(limit as f64 / count);
        let mut dropped: Vec<usize> =
            (0..factors.len()).filter(|at| draw.unit() < rate * factors[*at] / mean).collect();
        dropped.truncate(limit);
        for at in &dropped {
            add_trees(&grown[*at], &self.train.data, &mut self.scores, -factors[*at]);
        }
        dropped
    }

    /// Chooses the rows that the trees of this round are grown on.
    pub(super) fn choose_rows(&mut self, round: u32) {
        let params = self.params;
        if !params.samples_rows() {
            return;
        }
        if params.sample == Sampling::Goss {
            // The first trees see all rows: their gradients say little yet.
            self.sampled = (f64::from(round) > 1.0 / params.learning_rate).then(|| self.largest_gradients(round));
            return;
        }
        // A row is in or out by a hash of its number: the same at any number of threads, and no list is kept.
        let draw = SplitMix64::hash(
            self.seed ^ SplitMix64::hash(BAGGING_STREAM ^ u64::from((round - 1) / params.bagging_freq) << 8),
        );
        let limit = |share: f64| (params.bagging_fraction * share * 2_f64.powi(32)) as u64;
        let limits = [limit(params.neg_bagging_fraction), limit(params.pos_bagging_fraction)];
        let labels = &self.train.labels;
        let is_in = |row: &u32| {
            let limit = limits[usize::from(labels[*row as usize] > 0.0)];
            SplitMix64::hash(draw ^ u64::from(*row)) >> 32 < limit
        };
        self.sampled = Some((0..self.train.data.rows() as u32).filter(is_in).collect());
    }

    /// The rows with the largest gradients and some others, whose gradients count for those that were not drawn.
    pub(super) fn largest_gradients(&mut self, round: u32) -> Vec<u32> {
        let rows = self.train.data.rows();
        let size = |row: usize| -> f32 { self.gradients.iter().map(|of| (of[row][0] * of[row][1]).abs()).sum() };
        let sizes: Vec<f32> = (0..rows).into_par_iter().map(size).collect();
        let top = ((rows as f64 * self.params.top_rate) as usize).clamp(1, rows);
        let mut order: Vec<u32> = (0..rows as u32).collect();
        let by_size = |a: &u32, b: &u32| sizes[*b as usize].total_cmp(&sizes[*a as usize]).then(a.cmp(b));
        if top < rows {
            order.select_nth_unstable_by(top, by_size);
        }
        let (rate, rest) = (self.params.other_rate, 1.0 - self.params.top_rate);
        let draw = SplitMix64::hash(self.seed ^ SplitMix64::hash(BAGGING_STREAM ^ u64::from(round) << 8));
        let limit = ((rate / rest.max(rate)) * 2_f64.powi(32)) as u64;
        let factor = (rest.max(rate) / rate) as f32;
        let mut sampled = order[..top].to_vec();
        for row in &order[top..] {
            if SplitMix64::hash(draw ^ u64::from(*row)) >> 32 < limit {
                sampled.push(*row);
                for of_score in &mut self.gradients {
                    of_score[*row as usize] = of_score[*row as usize].map(|derivative| derivative * factor);
                }
            }
        }
        sampled.sort_unstable();
        sampled
    }

    /// The features that the tree number `number` may use.
    pub(super) fn choose_features(&self, number: u64) -> Vec<bool> {
        let count = self.train.data.binning.used.len();
        if self.params.feature_fraction >= 1.0 {
            return vec![true; count];
        }
        let chosen = ((count as f64 * self.params.feature_fraction).round() as usize).max(1);
        let mut wanted = vec![false; count];
        for at in Rng::new(self.seed, FEATURE_STREAM ^ number << 8).choose(chosen, count) {
            wanted[at] = true;
        }
        wanted
    }
}
