//! The state of training between rounds, and what a round does.

use std::sync::atomic::{AtomicU16, Ordering};

use rayon::prelude::*;
use tidemill_core::SplitMix64;

use super::binned::Binned;
use super::choices::Combination;
use super::combination::Changes;
use super::constraints::{Constraints, UsedConstraints};
use super::fit::Start;
use super::grow::{Ground, Grower, Leaf};
use super::grown::{GrownNode, GrownTree};
use super::judge::Judge;
use super::objective::{Gradient, Objective, Renewal, quantile};
use super::params::GradientBoosting;
use super::rows::LabelledRows;

/// Rows of one task. Mean losses depend on it, so it is fixed.
pub(super) const RUN_ROWS: usize = 1 << 14;
const TREE_STREAM: u64 = 6;
const LIST_STREAM: u64 = 7;

/// One tree for each score, grown in the same round.
pub(super) type Trees = Vec<GrownTree>;

/// The state of training between rounds.
pub(super) struct Boosting<'a> {
    pub(super) params: &'a GradientBoosting,
    pub(super) objective: &'a dyn Objective,
    pub(super) constraints: UsedConstraints,
    pub(super) train: &'a LabelledRows,
    pub(super) seed: u64,
    /// Rounds of the model that is continued: what is drawn goes on from them.
    pub(super) before: u32,
    pub(super) grower: Grower,
    /// By score, then by row: of all trees, or for a random forest of none.
    pub(super) scores: Vec<Vec<f64>>,
    pub(super) gradients: Vec<Vec<Gradient>>,
    /// The leaf each row is in. Leaves own disjoint rows scattered over all of memory; atomic cells let threads write
    /// them side by side.
    pub(super) leaf_of: Vec<AtomicU16>,
    /// The rows that the round's trees are grown on, where not on all.
    pub(super) sampled: Option<Vec<u32>>,
}

impl<'a> Boosting<'a> {
    pub(super) fn new(
        params: &'a GradientBoosting,
        objective: &'a dyn Objective,
        constraints: &Constraints,
        train: &'a LabelledRows,
        base_scores: &[f64],
        start: Start<'_>,
    ) -> Self {
        let rows = train.data.rows();
        Self {
            params,
            objective,
            constraints: constraints.used(&train.data.binning),
            train,
            seed: start.seed,
            before: start.previous.iter().map(|sum| sum.trees().len()).max().unwrap_or(0) as u32,
            grower: Grower::default(),
            scores: train.start(base_scores),
            gradients: vec![vec![[0.0; 2]; rows]; base_scores.len()],
            leaf_of: std::iter::repeat_with(AtomicU16::default).take(rows).collect(),
            sampled: None,
        }
    }

    pub(super) fn samples(&self) -> bool {
        let params = self.params;
        params.samples_rows()
            || params.feature_fraction < 1.0
            || params.feature_fraction_by_node < 1.0
            || params.extra_trees
            || params.boosting == Combination::Dart
    }

    /// Grows a tree for each score on the gradients before the round.
    pub(super) fn round(&mut self, round: u32) -> Trees {
        let is_first = round == 1;
        let round = self.before + round;
        if is_first || self.params.boosting != Combination::RandomForest {
            self.compute_gradients(round);
        }
        self.choose_rows(round);
        let scores = self.scores.len();
        (0..scores).map(|score| self.grow(score, (u64::from(round) - 1) * scores as u64 + score as u64 + 1)).collect()
    }

    /// Grows the tree number `number` of all.
    pub(super) fn grow(&mut self, score: usize, number: u64) -> GrownTree {
        let rows = self.train.data.rows();
        match &self.sampled {
            Some(sampled) => self.grower.partition.reset(sampled.iter().copied()),
            None => self.grower.partition.reset(0..rows as u32),
        }
        let wanted = self.choose_features(number);
        let ground = Ground {
            data: &self.train.data,
            gradients: &self.gradients[score],
            wanted: &wanted,
            all_rows: self.sampled.is_none(),
            constraints: &self.constraints,
            draw: SplitMix64::hash(self.seed ^ SplitMix64::hash(TREE_STREAM ^ number << 8)),
        };
        let count = self.sampled.as_ref().map_or(rows, Vec::len);
        let (mut tree, mut leaves) = self.grower.grow(ground, count, self.params);
        if let Some(renewal) = self.objective.renewal(score).filter(|_| leaves.len() > 1) {
            self.renew(renewal, score, &mut tree, &mut leaves);
        }
        if let Some(limit) = self.objective.leaf_limit() {
            limit_leaves(&mut tree, &mut leaves, limit * self.params.rate());
        }
        if self.adds_leaves() {
            self.add_leaves(&leaves, score);
        }
        tree
    }

    /// Whether a tree's leaves, which hold all rows, are added to its score as soon as it is grown.
    pub(super) fn adds_leaves(&self) -> bool {
        self.sampled.is_none() && self.params.boosting == Combination::Gbdt
    }

    /// Makes the scores those of all trees as they count from now on.
    pub(super) fn settle(&mut self, changes: &Changes, grown: &[Trees], factors: &[f64], trees: &[GrownTree]) {
        if self.adds_leaves() || self.params.boosting == Combination::RandomForest {
            return;
        }
        let data = &self.train.data;
        add_trees(trees, data, &mut self.scores, changes.new);
        for (at, by) in &changes.earlier {
            add_trees(&grown[*at], data, &mut self.scores, by * factors[*at]);
        }
    }

    /// Gives leaves the quantile of the residuals of their rows.
    pub(super) fn renew(&self, renewal: Renewal, score: usize, tree: &mut GrownTree, leaves: &mut [Leaf]) {
        let (labels, weights) = (&self.train.labels, self.train.weights.as_deref());
        let (scores, partition, rate) = (&self.scores[score], &self.grower.partition, self.params.rate());
        leaves.par_iter_mut().for_each(|leaf| {
            let mut residuals: Vec<(f64, f64)> = partition
                .rows(leaf.from, leaf.to)
                .iter()
                .map(|row| {
                    let row = *row as usize;
                    let weight = weights.map_or(1.0, |weights| weights[row]) * (renewal.weight)(labels[row]);
                    (labels[row] - scores[row], weight)
                })
                .collect();
            if !residuals.is_empty() {
                let [low, high] = leaf.bounds();
                leaf.value = rate * quantile(&mut residuals, renewal.level).clamp(low, high);
            }
        });
        for leaf in leaves {
            tree.nodes[leaf.node()] = GrownNode::Leaf { value: leaf.value };
        }
    }

    pub(super) fn compute_gradients(&mut self, round: u32) {
        let objective = self.objective;
        let (labels, weights) = (&self.train.labels, self.train.weights.as_deref());
        let scores = &self.scores;
        if let Some(list) = objective.list() {
            let draw = SplitMix64::hash(self.seed ^ SplitMix64::hash(LIST_STREAM ^ u64::from(round) << 8));
            list.list_gradients(&scores[0], labels, draw, &mut self.gradients[0]);
            if let Some(weights) = weights {
                self.gradients[0].par_iter_mut().zip(weights).for_each(|(gradient, weight)| weigh(gradient, *weight));
            }
            return;
        }
        // For each run of rows, its part of every column.
        let mut runs: Vec<Vec<&mut [Gradient]>> = labels.chunks(RUN_ROWS).map(|_| Vec::new()).collect();
        for column in &mut self.gradients {
            runs.iter_mut().zip(column.chunks_mut(RUN_ROWS)).for_each(|(run, part)| run.push(part));
        }
        runs.into_par_iter().zip(labels.par_chunks(RUN_ROWS)).enumerate().for_each(|(run, (mut out, labels))| {
            let from = run * RUN_ROWS;
            let scores: Vec<&[f64]> = scores.iter().map(|column| &column[from..from + labels.len()]).collect();
            objective.gradients(&scores, labels, &mut out);
            if let Some(weights) = weights {
                for column in out {
                    column.iter_mut().zip(&weights[from..]).for_each(|(gradient, weight)| weigh(gradient, *weight));
                }
            }
        });
    }

    /// Adds the tree just grown to its score: its leaves hold all rows.
    pub(super) fn add_leaves(&mut self, leaves: &[Leaf], score: usize) {
        let (partition, leaf_of) = (&self.grower.partition, &self.leaf_of);
        leaves.par_iter().enumerate().for_each(|(at, leaf)| {
            for row in partition.rows(leaf.from, leaf.to) {
                leaf_of[*row as usize].store(at as u16, Ordering::Relaxed);
            }
        });
        let values: Vec<f64> = leaves.iter().map(|leaf| leaf.value).collect();
        self.scores[score].par_chunks_mut(RUN_ROWS).zip(leaf_of.par_chunks(RUN_ROWS)).for_each(|(scores, leaf_of)| {
            for (score, leaf) in scores.iter_mut().zip(leaf_of) {
                *score += values[usize::from(leaf.load(Ordering::Relaxed))];
            }
        });
    }

    /// The metric on the training rows of all trees but the last ones.
    pub(super) fn metric_without(&mut self, last: &[Trees], judge: Judge<'_>) -> f64 {
        for trees in last {
            add_trees(trees, &self.train.data, &mut self.scores, -1.0);
        }
        judge.metric(&self.scores, self.train)
    }
}

/// Keeps the values of leaves within `limit`.
fn limit_leaves(tree: &mut GrownTree, leaves: &mut [Leaf], limit: f64) {
    for leaf in leaves.iter_mut().filter(|leaf| leaf.value.abs() > limit) {
        leaf.value = leaf.value.clamp(-limit, limit);
        tree.nodes[leaf.node()] = GrownNode::Leaf { value: leaf.value };
    }
}

pub(super) fn weigh(gradient: &mut Gradient, weight: f64) {
    *gradient = gradient.map(|derivative| (f64::from(derivative) * weight) as f32);
}

/// Adds `factor` times the values of the trees of a round to their scores.
pub(super) fn add_trees(trees: &[GrownTree], data: &Binned, scores: &mut [Vec<f64>], factor: f64) {
    for (tree, scores) in trees.iter().zip(scores) {
        add_tree(tree, data, scores, factor);
    }
}

/// Adds `factor` times the tree's values to one score of all rows.
pub(super) fn add_tree(tree: &GrownTree, data: &Binned, scores: &mut [f64], factor: f64) {
    scores
        .par_chunks_mut(RUN_ROWS)
        .enumerate()
        .for_each(|(run, scores)| tree.add_to(data, run * RUN_ROWS, scores, factor));
}
