//! The boosting loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use rayon::prelude::*;
use tidemill_core::SplitMix64;
use tidemill_model::trees::Link;
use tidemill_model::{ModelError, Task, TreeEnsemble};

use super::binned::Binned;
use super::constraints::{Constraints, UsedConstraints};
use super::grow::{Ground, Grower, Leaf};
use super::grown::{GrownNode, GrownTree};
use super::metric::StopMetric;
use super::objective::{Gradient, Objective, Renewal, quantile};
use super::params::{Combination, GradientBoosting, Sampling};
use super::queries::Queries;
use super::rng::Rng;

/// Rows of one task. Mean losses depend on it, so it is fixed.
const RUN_ROWS: usize = 1 << 14;
const BAGGING_STREAM: u64 = 2;
const FEATURE_STREAM: u64 = 3;
const DROP_STREAM: u64 = 5;
const TREE_STREAM: u64 = 6;
const LIST_STREAM: u64 = 7;
/// Steps to the best constant on top of offsets: it converges in far fewer.
const NEWTON_STEPS: u32 = 100;

/// Rows to learn from or to be judged on.
#[derive(Debug, Clone)]
pub struct LabelledRows {
    /// The features.
    pub data: Binned,
    /// A finite label a row.
    pub labels: Vec<f64>,
    /// A weight a row; all 1 when absent.
    pub weights: Option<Vec<f64>>,
    /// The queries of a ranking.
    pub queries: Option<Arc<Queries>>,
    /// What the score of a row starts from beside the base score; nothing when absent.
    pub offsets: Option<Vec<f64>>,
    /// The scores of the model that training continues, a column each: what a row starts from then.
    pub scored: Option<Vec<Vec<f64>>>,
}

impl LabelledRows {
    /// Rows that all count the same, of no queries.
    pub fn new(data: Binned, labels: Vec<f64>) -> Self {
        Self { data, labels, weights: None, queries: None, offsets: None, scored: None }
    }

    /// The scores that the rows start from.
    fn start(&self, base_scores: &[f64]) -> Vec<Vec<f64>> {
        if let Some(scored) = &self.scored {
            return scored.clone();
        }
        let column = |base: &f64| match &self.offsets {
            Some(offsets) => offsets.iter().map(|offset| base + offset).collect(),
            None => vec![*base; self.data.rows()],
        };
        base_scores.iter().map(column).collect()
    }
}

/// What training starts from.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The same seed and data give the same trees.
    pub seed: u64,
    /// The sums that are continued; none for a new model.
    pub previous: &'a [TreeEnsemble],
}

impl From<u64> for Start<'_> {
    fn from(seed: u64) -> Self {
        Self { seed, previous: &[] }
    }
}

/// A round that has just ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// Its number, from 1.
    pub round: u32,
    /// The metric on the validation rows, if there are any.
    pub validation_metric: Option<f64>,
}

/// One tree for each score, grown in the same round.
type Trees = Vec<GrownTree>;

/// What came of training.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The trees kept, a sum for each score: all, or with early stopping those up to the best round. Those of a model that was
    /// continued come first.
    pub sums: Vec<TreeEnsemble>,
    /// How many rounds were run.
    pub rounds: u32,
    /// The round whose validation metric is the best; the last one without validation rows.
    pub best_round: u32,
    /// The metric of the trees kept on the training rows.
    pub train_metric: f64,
    /// The metric of the trees kept on the validation rows.
    pub validation_metric: Option<f64>,
    /// Scores of the trees kept on the validation rows, a column each.
    pub validation_scores: Vec<Vec<f64>>,
    /// The metric on the validation rows after each round.
    pub curve: Vec<f64>,
    /// The metric on the training rows after some rounds: the round and the value.
    pub train_curve: Vec<(u32, f64)>,
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
pub fn fit<'a, E: From<ModelError>>(
    params: &GradientBoosting,
    objective: &dyn Objective,
    constraints: &Constraints,
    train: &LabelledRows,
    validation: Option<&LabelledRows>,
    start: impl Into<Start<'a>>,
    mut watch: impl FnMut(Round) -> Result<(), E>,
) -> Result<Fitted, E> {
    let start: Start<'_> = start.into();
    let base_scores = if start.previous.is_empty() {
        base_scores(objective, train)
    } else {
        start.previous.iter().map(TreeEnsemble::base_score).collect()
    };
    let judge = Judge { objective, metric: params.metric.or(objective.stop_metric()), params };
    let mut boosting = Boosting::new(params, objective, constraints, train, &base_scores, start);
    let mut validation = validation.map(|rows| ValidationScores::new(rows, judge, &base_scores));
    let mut grown: Vec<Trees> = Vec::new();
    // What each round's trees count.
    let mut factors: Vec<f64> = Vec::new();
    let mut curve = Vec::new();
    let mut train_curve = Vec::new();
    let patience = params.patience();

    for round in 1..=params.rounds {
        let dropped = boosting.drop_trees(round, &grown, &factors);
        let trees = boosting.round(round);
        let changes = changes(params.boosting, &factors, &dropped);
        boosting.settle(&changes, &grown, &factors, &trees);
        if let Some(rows) = &mut validation {
            rows.add(&changes, &grown, &trees, &factors, round);
        }
        let useless = trees.iter().all(|tree| tree.nodes.len() == 1);
        grown.push(trees);
        changes.apply(&mut factors);
        let metric = validation.as_ref().map(|rows| rows.metric);
        curve.extend(metric);
        if is_recorded(round) && params.boosting != Combination::RandomForest {
            train_curve.push((round, judge.metric(&boosting.scores, train)));
        }
        watch(Round { round, validation_metric: metric })?;
        let best_round = validation.as_ref().map_or(round, |rows| rows.best_round);
        let stopped = patience > 0 && round - best_round >= patience;
        // Without sampling, the next round would see the same gradients.
        if stopped || (useless && !boosting.samples()) {
            break;
        }
    }

    let rounds = grown.len() as u32;
    let best_round = validation.as_ref().filter(|_| patience > 0).map_or(rounds, |rows| rows.best_round);
    let kept = best_round as usize;
    if params.boosting == Combination::RandomForest {
        for (trees, factor) in grown.iter().zip(&factors) {
            add_trees(trees, &train.data, &mut boosting.scores, *factor);
        }
    }
    let train_metric = boosting.metric_without(&grown[kept..], judge);
    grown.truncate(kept);
    for (trees, factor) in grown.iter_mut().zip(&factors).filter(|(_, factor)| **factor != 1.0) {
        trees.iter_mut().for_each(|tree| tree.scale(*factor));
    }
    let binning = &train.data.binning;
    let link = objective.link();
    let task = if link == Link::Logistic { Task::Binary } else { Task::Regression };
    // The offset is a feature after those that trees ask.
    let offset = train.offsets.as_ref().map(|_| binning.features);
    let features = binning.features + usize::from(offset.is_some());
    let sum = |(score, base_score): (usize, &f64)| {
        let earlier = start.previous.get(score).map_or(&[][..], TreeEnsemble::trees);
        let mut trees = earlier.to_vec();
        for round in &grown {
            trees.push(round[score].to_tree(binning)?);
        }
        TreeEnsemble::new(task.clone(), features, *base_score, trees)?.with_link(link)?.with_offset(offset)
    };
    let sums: Vec<TreeEnsemble> = base_scores.iter().enumerate().map(sum).collect::<Result<_, _>>()?;
    let (validation_metric, validation_scores) = match validation {
        Some(rows) if patience > 0 => (Some(rows.best_metric), rows.best_scores),
        Some(rows) => (Some(rows.metric), rows.scores),
        None => (None, Vec::new()),
    };
    let importance = importance(grown.iter().flatten(), train);
    Ok(Fitted {
        sums,
        rounds,
        best_round,
        train_metric,
        validation_metric,
        validation_scores,
        curve,
        train_curve,
        importance,
    })
}

/// Whether a round is one of those that a curve is drawn through: the metric on all training rows takes time.
pub(super) fn is_recorded(round: u32) -> bool {
    round <= 10 || round.is_multiple_of(10)
}

/// What a round changes in what the rounds before it count.
#[derive(Debug)]
struct Changes {
    /// What the trees of the new round count.
    new: f64,
    /// By what trees of earlier rounds are multiplied, where they are.
    earlier: Vec<(usize, f64)>,
    /// By what all earlier trees are multiplied.
    all: f64,
}

impl Changes {
    fn apply(&self, factors: &mut Vec<f64>) {
        factors.iter_mut().for_each(|factor| *factor *= self.all);
        for (round, by) in &self.earlier {
            factors[*round] *= by;
        }
        factors.push(self.new);
    }
}

/// What the trees count after a round that left out `dropped`.
fn changes(combination: Combination, factors: &[f64], dropped: &[usize]) -> Changes {
    match combination {
        Combination::Gbdt => Changes { new: 1.0, earlier: Vec::new(), all: 1.0 },
        Combination::Dart => {
            // The new tree learned what the dropped ones did: together they count as much as those did alone.
            let count = dropped.len() as f64;
            let earlier = dropped.iter().map(|round| (*round, count / (count + 1.0))).collect();
            Changes { new: 1.0 / (count + 1.0), earlier, all: 1.0 }
        }
        Combination::RandomForest => {
            let count = factors.len() as f64;
            Changes { new: 1.0 / (count + 1.0), earlier: Vec::new(), all: count / (count + 1.0) }
        }
    }
}

/// The state of training between rounds.
struct Boosting<'a> {
    params: &'a GradientBoosting,
    objective: &'a dyn Objective,
    constraints: UsedConstraints,
    train: &'a LabelledRows,
    seed: u64,
    /// Rounds of the model that is continued: what is drawn goes on from them.
    before: u32,
    grower: Grower,
    /// By score, then by row: of all trees, or for a random forest of none.
    scores: Vec<Vec<f64>>,
    gradients: Vec<Vec<Gradient>>,
    /// The leaf each row is in. Leaves own disjoint rows scattered over all of memory; atomic cells let threads write
    /// them side by side.
    leaf_of: Vec<AtomicU16>,
    /// The rows that the round's trees are grown on, where not on all.
    sampled: Option<Vec<u32>>,
}

impl<'a> Boosting<'a> {
    fn new(
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

    fn samples(&self) -> bool {
        let params = self.params;
        params.samples_rows()
            || params.feature_fraction < 1.0
            || params.feature_fraction_by_node < 1.0
            || params.extra_trees
            || params.boosting == Combination::Dart
    }

    /// For DART: the rounds that this one leaves out, whose trees are taken off the scores.
    fn drop_trees(&mut self, round: u32, grown: &[Trees], factors: &[f64]) -> Vec<usize> {
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

    /// Grows a tree for each score on the gradients before the round.
    fn round(&mut self, round: u32) -> Trees {
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
    fn grow(&mut self, score: usize, number: u64) -> GrownTree {
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
        if self.adds_leaves() {
            self.add_leaves(&leaves, score);
        }
        tree
    }

    /// Whether a tree's leaves, which hold all rows, are added to its score as soon as it is grown.
    fn adds_leaves(&self) -> bool {
        self.sampled.is_none() && self.params.boosting == Combination::Gbdt
    }

    /// Makes the scores those of all trees as they count from now on.
    fn settle(&mut self, changes: &Changes, grown: &[Trees], factors: &[f64], trees: &[GrownTree]) {
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
    fn renew(&self, renewal: Renewal, score: usize, tree: &mut GrownTree, leaves: &mut [Leaf]) {
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

    fn compute_gradients(&mut self, round: u32) {
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

    /// Chooses the rows that the trees of this round are grown on.
    fn choose_rows(&mut self, round: u32) {
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
    fn largest_gradients(&mut self, round: u32) -> Vec<u32> {
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

    /// The metric on the training rows of all trees but the last ones.
    fn metric_without(&mut self, last: &[Trees], judge: Judge<'_>) -> f64 {
        for trees in last {
            add_trees(trees, &self.train.data, &mut self.scores, -1.0);
        }
        judge.metric(&self.scores, self.train)
    }
}

fn weigh(gradient: &mut Gradient, weight: f64) {
    *gradient = gradient.map(|derivative| (f64::from(derivative) * weight) as f32);
}

/// What a round is judged by.
#[derive(Clone, Copy)]
struct Judge<'a> {
    objective: &'a dyn Objective,
    metric: Option<StopMetric>,
    params: &'a GradientBoosting,
}

impl Judge<'_> {
    fn metric(self, scores: &[Vec<f64>], rows: &LabelledRows) -> f64 {
        match self.metric {
            // Of classes and labels, the loss is the log-loss.
            Some(StopMetric::LogLoss) | None => loss(self.objective, scores, rows),
            Some(metric) => metric.value(scores, self.objective.link(), rows, self.params),
        }
    }

    fn is_better(self, metric: f64, than: f64) -> bool {
        if self.metric.is_some_and(StopMetric::larger_is_better) { metric > than } else { metric < than }
    }
}

/// Scores of the validation rows, and the best there were.
struct ValidationScores<'a> {
    rows: &'a LabelledRows,
    judge: Judge<'a>,
    /// What the rows start from, where a round changes what all trees count.
    start: Option<Vec<Vec<f64>>>,
    scores: Vec<Vec<f64>>,
    metric: f64,
    best_round: u32,
    best_metric: f64,
    best_scores: Vec<Vec<f64>>,
}

impl<'a> ValidationScores<'a> {
    fn new(rows: &'a LabelledRows, judge: Judge<'a>, base_scores: &[f64]) -> Self {
        let scores = rows.start(base_scores);
        let best_scores = scores.clone();
        let start = (judge.params.boosting == Combination::RandomForest).then(|| scores.clone());
        Self { rows, judge, start, scores, metric: f64::NAN, best_round: 0, best_metric: f64::NAN, best_scores }
    }

    /// Adds the trees of a round.
    fn add(&mut self, changes: &Changes, grown: &[Trees], trees: &[GrownTree], factors: &[f64], round: u32) {
        for (scores, start) in self.scores.iter_mut().zip(self.start.iter().flatten()) {
            scores.iter_mut().zip(start).for_each(|(score, start)| *score = start + (*score - start) * changes.all);
        }
        for (at, by) in &changes.earlier {
            add_trees(&grown[*at], &self.rows.data, &mut self.scores, factors[*at] * (by - 1.0));
        }
        add_trees(trees, &self.rows.data, &mut self.scores, changes.new);
        self.metric = self.judge.metric(&self.scores, self.rows);
        if self.best_round == 0 || self.judge.is_better(self.metric, self.best_metric) {
            (self.best_metric, self.best_round) = (self.metric, round);
            self.best_scores.clone_from(&self.scores);
        }
    }
}

/// The constant scores with the smallest loss, on top of the offsets of the rows if they have any.
fn base_scores(objective: &dyn Objective, train: &LabelledRows) -> Vec<f64> {
    let weights = train.weights.as_deref();
    let Some(offsets) = &train.offsets else { return objective.base_scores(&train.labels, weights) };
    if objective.link() == Link::Identity {
        let residuals: Vec<f64> = train.labels.iter().zip(offsets).map(|(label, offset)| label - offset).collect();
        return objective.base_scores(&residuals, weights);
    }
    // Newton's method in one dimension, from the constant without offsets less their mean.
    let mean = offsets.iter().sum::<f64>() / offsets.len().max(1) as f64;
    let mut base = objective.base_scores(&train.labels, weights)[0] - mean;
    let mut gradients = vec![[0.0; 2]; offsets.len()];
    for _ in 0..NEWTON_STEPS {
        let scores: Vec<f64> = offsets.iter().map(|offset| base + offset).collect();
        objective.gradients(&[&scores], &train.labels, &mut [&mut gradients]);
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let [slope, curve] = gradients
            .iter()
            .enumerate()
            .fold([0.0; 2], |sum, (row, of_row)| [0, 1].map(|at| sum[at] + weight(row) * f64::from(of_row[at])));
        let step = -slope / curve;
        if !step.is_finite() {
            break;
        }
        base += step.clamp(-1.0, 1.0);
        if step.abs() < 1e-9 {
            break;
        }
    }
    vec![base]
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
fn loss(objective: &dyn Objective, scores: &[Vec<f64>], rows: &LabelledRows) -> f64 {
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
