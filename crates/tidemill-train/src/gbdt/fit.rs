//! The boosting loop.

use tidemill_model::trees::Link;
use tidemill_model::{ModelError, Task, TreeEnsemble};

use super::boosting::{Boosting, Trees, add_trees};
use super::choices::Combination;
use super::combination::changes;
use super::constraints::Constraints;
use super::grown::{GrownNode, GrownTree};
use super::judge::{Judge, ValidationScores};
use super::objective::Objective;
use super::params::GradientBoosting;
use super::rows::{LabelledRows, base_scores};

/// What training starts from.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The same seed and data give the same trees.
    pub seed: u64,
    /// The sums that are continued; none for a new model.
    pub previous: &'a [TreeEnsemble],
    /// Whether to end after a round with the trees that there are; never where there is none.
    pub is_over: Option<&'a dyn Fn() -> bool>,
}

impl From<u64> for Start<'_> {
    fn from(seed: u64) -> Self {
        Self { seed, previous: &[], is_over: None }
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
        let stopped =
            (patience > 0 && round - best_round >= patience) || start.is_over.is_some_and(|is_over| is_over());
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
