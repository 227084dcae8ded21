//! The boosting loop.

use std::sync::atomic::{AtomicU16, Ordering};

use rayon::prelude::*;
use tidemill_core::SplitMix64;
use tidemill_model::{ModelError, TreeEnsemble};

use super::binned::Binned;
use super::grow::{Ground, Grower, Leaf};
use super::grown::{GrownNode, GrownTree};
use super::objective::{Gradient, Objective};
use super::params::GradientBoosting;
use super::rng::Rng;

/// Rows of one task. Mean losses depend on it, so it is fixed.
const RUN_ROWS: usize = 1 << 14;
const BAGGING_STREAM: u64 = 2;
const FEATURE_STREAM: u64 = 3;

/// Rows to learn from or to be judged on.
#[derive(Debug, Clone)]
pub struct LabelledRows {
    /// The features.
    pub data: Binned,
    /// A finite label a row.
    pub labels: Vec<f64>,
    /// A weight a row; all 1 when absent.
    pub weights: Option<Vec<f64>>,
}

/// A round that has just ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// Its number, from 1.
    pub round: u32,
    /// The metric on the eval rows, if there are any.
    pub eval_metric: Option<f64>,
}

/// One tree for each score, grown in the same round.
type Trees = Vec<GrownTree>;

/// What came of training.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The trees kept, a sum for each score: all, or with early stopping those up to the best round.
    pub sums: Vec<TreeEnsemble>,
    /// How many rounds were run.
    pub rounds: u32,
    /// The round whose eval metric is the best; the last one without eval rows.
    pub best_round: u32,
    /// The metric of the trees kept on the training rows.
    pub train_metric: f64,
    /// The metric of the trees kept on the eval rows.
    pub eval_metric: Option<f64>,
    /// Scores of the trees kept on the eval rows, a column each.
    pub eval_scores: Vec<Vec<f64>>,
    /// The metric on the eval rows after each round.
    pub curve: Vec<f64>,
    /// How much each feature helped.
    pub importance: Vec<Importance>,
}

impl Fitted {
    /// The first sum, the only one of an objective with one score.
    pub fn ensemble(&self) -> &TreeEnsemble {
        &self.sums[0]
    }
}

/// How much a feature helped.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Importance {
    /// Gains of its splits together.
    pub gain: f64,
    /// How many splits ask it.
    pub splits: u64,
}

/// Fits trees to `train`, calling `watch` after every round; its error ends the training.
///
/// The result depends on the arguments only, not on the number of threads of the rayon pool it runs in.
///
/// # Errors
/// What `watch` returns, and what [`TreeEnsemble::new`] refuses: scores that left the finite numbers.
pub fn fit<E: From<ModelError>>(
    params: &GradientBoosting,
    objective: &dyn Objective,
    train: &LabelledRows,
    eval: Option<&LabelledRows>,
    seed: u64,
    mut watch: impl FnMut(Round) -> Result<(), E>,
) -> Result<Fitted, E> {
    let base_scores = objective.base_scores(&train.labels, train.weights.as_deref());
    let mut boosting = Boosting::new(params, objective, train, &base_scores, seed);
    let mut eval = eval.map(|rows| EvalScores::new(rows, &base_scores));
    let mut grown: Vec<Trees> = Vec::new();
    let mut curve = Vec::new();

    for round in 1..=params.rounds {
        let trees = boosting.round(round);
        let eval_metric = eval.as_mut().map(|eval| eval.add(&trees, objective, round));
        let useless = trees.iter().all(|tree| tree.nodes.len() == 1);
        grown.push(trees);
        curve.extend(eval_metric);
        watch(Round { round, eval_metric })?;
        let best_round = eval.as_ref().map_or(round, |eval| eval.best_round);
        let stopped = params.early_stopping.is_some_and(|patience| round - best_round >= patience);
        // Without sampling, the next round would see the same gradients.
        if stopped || (useless && !boosting.samples()) {
            break;
        }
    }

    let rounds = grown.len() as u32;
    let best_round = eval.as_ref().map_or(rounds, |eval| eval.best_round);
    let kept = if params.early_stopping.is_some() { best_round } else { rounds } as usize;
    let train_metric = boosting.metric_without(&grown[kept..]);
    grown.truncate(kept);
    let binning = &train.data.binning;
    let sum = |(score, base_score): (usize, &f64)| {
        let trees: Result<Vec<_>, ModelError> = grown.iter().map(|trees| trees[score].to_tree(binning)).collect();
        TreeEnsemble::new(objective.task(), binning.features, *base_score, trees?)
    };
    let sums: Vec<TreeEnsemble> = base_scores.iter().enumerate().map(sum).collect::<Result<_, _>>()?;
    let (eval_metric, eval_scores) = match eval {
        Some(eval) if params.early_stopping.is_some() => (Some(eval.best_metric), eval.best_scores),
        Some(eval) => (Some(eval.metric), eval.scores),
        None => (None, Vec::new()),
    };
    let importance = importance(grown.iter().flatten(), train);
    Ok(Fitted { sums, rounds, best_round, train_metric, eval_metric, eval_scores, curve, importance })
}

/// The state of training between rounds.
struct Boosting<'a> {
    params: &'a GradientBoosting,
    objective: &'a dyn Objective,
    train: &'a LabelledRows,
    seed: u64,
    grower: Grower,
    /// By score, then by row.
    scores: Vec<Vec<f64>>,
    gradients: Vec<Vec<Gradient>>,
    /// The leaf each row is in. Leaves own disjoint rows scattered over all of memory; atomic cells let threads write
    /// them side by side.
    leaf_of: Vec<AtomicU16>,
    /// Rows a tree is grown on.
    sampled: usize,
}

impl<'a> Boosting<'a> {
    fn new(
        params: &'a GradientBoosting,
        objective: &'a dyn Objective,
        train: &'a LabelledRows,
        base_scores: &[f64],
        seed: u64,
    ) -> Self {
        let rows = train.data.rows();
        Self {
            params,
            objective,
            train,
            seed,
            grower: Grower::default(),
            scores: base_scores.iter().map(|base| vec![*base; rows]).collect(),
            gradients: vec![vec![[0.0; 2]; rows]; base_scores.len()],
            leaf_of: std::iter::repeat_with(AtomicU16::default).take(rows).collect(),
            sampled: rows,
        }
    }

    fn samples_rows(&self) -> bool {
        self.params.bagging_fraction < 1.0
    }

    fn samples(&self) -> bool {
        self.samples_rows() || self.params.feature_fraction < 1.0
    }

    /// Grows a tree for each score on the gradients before the round.
    fn round(&mut self, round: u32) -> Trees {
        self.compute_gradients();
        let scores = self.scores.len();
        (0..scores)
            .map(|score| self.grow(score, round, (u64::from(round) - 1) * scores as u64 + score as u64 + 1))
            .collect()
    }

    /// Grows the tree number `number` of all, and adds it to its score.
    fn grow(&mut self, score: usize, round: u32, number: u64) -> GrownTree {
        self.place_rows(round);
        let wanted = self.choose_features(number);
        let ground = Ground {
            data: &self.train.data,
            gradients: &self.gradients[score],
            wanted: &wanted,
            all_rows: !self.samples_rows(),
        };
        let (tree, leaves) = self.grower.grow(ground, self.sampled, self.params);
        if self.samples_rows() {
            add_tree(&tree, &self.train.data, &mut self.scores[score], 1.0);
        } else {
            self.add_leaves(&leaves, score);
        }
        tree
    }

    fn compute_gradients(&mut self) {
        let objective = self.objective;
        let (labels, weights) = (&self.train.labels, self.train.weights.as_deref());
        let scores = &self.scores;
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
                    for (gradient, weight) in column.iter_mut().zip(&weights[from..]) {
                        *gradient = gradient.map(|derivative| (f64::from(derivative) * weight) as f32);
                    }
                }
            }
        });
    }

    /// Puts all rows, or a sample of them, into the root.
    fn place_rows(&mut self, round: u32) {
        let rows = self.train.data.rows() as u32;
        if !self.samples_rows() {
            self.grower.partition.reset(0..rows);
            return;
        }
        // A row is in or out by a hash of its number: the same at any number of threads, and no list is kept.
        let draw = SplitMix64::hash(
            self.seed ^ SplitMix64::hash(BAGGING_STREAM ^ u64::from((round - 1) / self.params.bagging_freq) << 8),
        );
        let limit = (self.params.bagging_fraction * 2_f64.powi(32)) as u64;
        let drawn: Vec<u32> = (0..rows).filter(|row| SplitMix64::hash(draw ^ u64::from(*row)) >> 32 < limit).collect();
        self.sampled = drawn.len();
        self.grower.partition.reset(drawn.into_iter());
    }

    /// The features that the tree number `number` may use.
    fn choose_features(&self, number: u64) -> Vec<bool> {
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

    /// Adds the tree just grown to its score: its leaves hold all rows.
    fn add_leaves(&mut self, leaves: &[Leaf], score: usize) {
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

    /// The metric on the training rows with the last trees taken away again.
    fn metric_without(&mut self, last: &[Trees]) -> f64 {
        for trees in last {
            add_trees(trees, &self.train.data, &mut self.scores, -1.0);
        }
        metric(self.objective, &self.scores, self.train)
    }
}

/// Scores of the eval rows, and the best there were.
struct EvalScores<'a> {
    rows: &'a LabelledRows,
    scores: Vec<Vec<f64>>,
    metric: f64,
    best_round: u32,
    best_metric: f64,
    best_scores: Vec<Vec<f64>>,
}

impl<'a> EvalScores<'a> {
    fn new(rows: &'a LabelledRows, base_scores: &[f64]) -> Self {
        let scores: Vec<Vec<f64>> = base_scores.iter().map(|base| vec![*base; rows.data.rows()]).collect();
        let best_scores = scores.clone();
        Self { rows, scores, metric: f64::INFINITY, best_round: 0, best_metric: f64::INFINITY, best_scores }
    }

    /// Adds the trees of a round and gives the metric.
    fn add(&mut self, trees: &[GrownTree], objective: &dyn Objective, round: u32) -> f64 {
        add_trees(trees, &self.rows.data, &mut self.scores, 1.0);
        self.metric = metric(objective, &self.scores, self.rows);
        if self.metric < self.best_metric || self.best_round == 0 {
            (self.best_metric, self.best_round) = (self.metric, round);
            self.best_scores.clone_from(&self.scores);
        }
        self.metric
    }
}

/// Adds `factor` times the values of the trees of a round to their scores.
fn add_trees(trees: &[GrownTree], data: &Binned, scores: &mut [Vec<f64>], factor: f64) {
    for (tree, scores) in trees.iter().zip(scores) {
        add_tree(tree, data, scores, factor);
    }
}

/// Adds `factor` times the tree's values to one score of all rows.
fn add_tree(tree: &GrownTree, data: &Binned, scores: &mut [f64], factor: f64) {
    scores
        .par_chunks_mut(RUN_ROWS)
        .enumerate()
        .for_each(|(run, scores)| tree.add_to(data, run * RUN_ROWS, scores, factor));
}

/// The metric of the mean loss.
fn metric(objective: &dyn Objective, scores: &[Vec<f64>], rows: &LabelledRows) -> f64 {
    let parts: Vec<(f64, f64)> = rows
        .labels
        .par_chunks(RUN_ROWS)
        .enumerate()
        .map(|(run, labels)| {
            let from = run * RUN_ROWS;
            let mut of_row = vec![0.0; scores.len()];
            labels.iter().enumerate().fold((0.0, 0.0), |(loss, total), (at, label)| {
                let weight = rows.weights.as_ref().map_or(1.0, |weights| weights[from + at]);
                of_row.iter_mut().zip(scores).for_each(|(score, column)| *score = column[from + at]);
                (loss + weight * objective.loss(&of_row, *label), total + weight)
            })
        })
        .collect();
    let (loss, total) = parts.into_iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    objective.metric(loss / total)
}

fn importance<'a>(trees: impl Iterator<Item = &'a GrownTree>, train: &LabelledRows) -> Vec<Importance> {
    let binning = &train.data.binning;
    let mut importance = vec![Importance::default(); binning.features];
    for node in trees.flat_map(|tree| &tree.nodes) {
        if let GrownNode::Split { used, gain, .. } = node {
            let of_feature = &mut importance[binning.used[*used as usize].feature as usize];
            of_feature.gain += gain;
            of_feature.splits += 1;
        }
    }
    importance
}
