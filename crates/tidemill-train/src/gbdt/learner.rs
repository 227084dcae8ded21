//! Gradient boosting as a learner of the `Trainer`.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, Task, TaskKind};
use tidemill_model::{FeatureSpec, TreeEnsemble};

use super::fit::is_recorded;
use super::{
    BinPlanner, Binned, Binning, Combination, Constraints, Fitted, GradientBoosting, LabelledRows, Loss, Objective,
    Queries, Start, StopMetric, fit,
};
use crate::learner::{
    Estimator, FittedLearner, Importance, Learner, Measure, MoreInput, SplitRows, StartPoint, TrainingData, object,
};

/// Trees, each correcting the ones before it.
#[derive(Debug, Clone, Copy)]
pub struct BoostingLearner;

impl Learner for BoostingLearner {
    fn name(&self) -> &'static str {
        "gradient_boosting"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<GradientBoosting>()
    }

    /// As the searches of `TabArena` (2025) for LightGBM, with rates that a thousand rounds suffice for.
    fn space(&self) -> Option<Value> {
        Some(json!({
            "learning_rate": { "float": [0.015, 0.2], "log": true },
            "leaves": { "int": [4, 200], "log": true },
            "min_data_in_leaf": { "int": [1, 64], "log": true },
            "feature_fraction": { "float": [0.4, 1.0] },
            "bagging_fraction": { "float": [0.5, 1.0] },
            "lambda_l1": { "float": [0.0, 1.0] },
            "lambda_l2": { "float": [0.001, 10.0], "log": true },
            "extra_trees": [false, true],
            "cat_smooth": { "float": [0.1, 100.0], "log": true },
            "cat_l2": { "float": [0.1, 20.0], "log": true },
        }))
    }

    fn starts(&self, task: TaskKind) -> Vec<StartPoint> {
        let start = |cost: u32,
                     [learning_rate, rows, features, l2]: [f64; 4],
                     [leaves, min_rows]: [u32; 2],
                     extra: bool| {
            let params = json!({
                "learning_rate": learning_rate, "leaves": leaves, "min_data_in_leaf": min_rows, "bagging_fraction": rows,
                "feature_fraction": features, "lambda_l1": 0.0, "lambda_l2": l2, "extra_trees": extra, "cat_smooth": 10.0,
                "cat_l2": 10.0,
            });
            StartPoint::new(cost, params)
        };
        // Those that were tuned for pytabkit's defaults.
        let tuned = match task {
            TaskKind::Regression => start(6, [0.05, 0.7, 1.0, 0.001], [100, 3], false),
            _ => start(6, [0.04, 0.75, 1.0, 0.001], [50, 40], false),
        };
        vec![
            // LightGBM's defaults.
            start(3, [0.1, 1.0, 1.0, 0.001], [31, 20], false),
            tuned,
            // Small trees for small or noisy data, and random cuts.
            start(4, [0.05, 0.8, 0.7, 1.0], [8, 10], false),
            start(7, [0.05, 0.9, 0.5, 0.1], [64, 5], true),
        ]
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(GradientBoosting::parse(params)?))
    }
}

impl Estimator for GradientBoosting {
    fn tasks(&self) -> &'static [TaskKind] {
        match self.objective {
            Loss::Lambdarank | Loss::RankXendcg => &[TaskKind::Ranking],
            Loss::OneVsAll => &[TaskKind::MultiClass],
            _ => &TaskKind::ALL,
        }
    }

    fn takes(&self, input: MoreInput) -> bool {
        match input {
            MoreInput::Offset => true,
            MoreInput::BaseModel => self.boosting != Combination::RandomForest,
        }
    }

    fn refined(&self, task: Task) -> Task {
        match (task, self.quantile_level.names()) {
            (Task::Regression, Some(levels)) if self.objective == Loss::Quantile => Task::Quantiles { levels },
            (task, _) => task,
        }
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        self.patience() > 0
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        self.fit_with(data, Extras::default())
    }
}

/// What a block of another library asks for that no parameter says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extras {
    pub(super) positive: PositiveWeight,
    /// What second derivatives of a ranking are multiplied by.
    pub(super) ranking_hessian: f64,
}

impl Default for Extras {
    fn default() -> Self {
        Self { positive: PositiveWeight::Same, ranking_hessian: 1.0 }
    }
}

/// What the positive rows of two classes count for on top of their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum PositiveWeight {
    /// As much as others.
    #[default]
    Same,
    /// So many times as much.
    Times(f64),
    /// The rarer class counts as much as the other one in all.
    Balanced,
}

impl PositiveWeight {
    /// The factors of negative and positive rows.
    fn factors(self, labels: &[f64]) -> [f64; 2] {
        match self {
            Self::Same => [1.0, 1.0],
            Self::Times(factor) => [1.0, factor],
            Self::Balanced => {
                let positive = labels.iter().filter(|label| **label == 1.0).count() as f64;
                let ratio = positive / (labels.len() as f64 - positive);
                if ratio > 1.0 { [ratio, 1.0] } else { [1.0, 1.0 / ratio] }
            }
        }
    }
}

impl GradientBoosting {
    /// As [`Estimator::fit`], with what no parameter says.
    ///
    /// The training rows are read twice, once to choose the bins and once to fill them, so that no more than a batch of them
    /// is in memory as anything but bins.
    pub(super) fn fit_with(&self, data: &TrainingData<'_>, extras: Extras) -> Result<FittedLearner, ComponentError> {
        let train_rows = data.train.rows() as u64;
        let validation_rows = data.validation.as_ref().map_or(0, |rows| rows.rows() as u64);
        data.progress.total_rows(2 * train_rows + validation_rows);
        data.progress.phase("choosing bins");
        let mut planner = BinPlanner::new(data.features, train_rows, self.max_bin, data.seed);
        data.train.each_block(|block| planner.observe(block))?;
        let binning = Arc::new(planner.finish());
        data.progress.phase("binning");
        let previous = self.previous(data)?;
        let validation = data.validation.as_ref().map(|rows| binned(rows, &binning, data, previous)).transpose()?;
        let mut train = binned(&data.train, &binning, data, previous)?;
        if *data.task == Task::Binary && extras.positive != PositiveWeight::Same {
            let factors = extras.positive.factors(&train.labels);
            let weights = train.weights.get_or_insert_with(|| vec![1.0; train.labels.len()]);
            for (weight, label) in weights.iter_mut().zip(&train.labels) {
                *weight *= factors[usize::from(*label == 1.0)];
            }
        }

        self.check_labels(data)?;
        let objective = self.objective_for(data.task, &train, extras)?;
        if let Some(metric) = self.metric.filter(|metric| !metric.applies_to(data.task.kind())) {
            let message = format!("`metric: {}` is no metric of the task `{}`", metric.name(), data.task.kind());
            return Err(ComponentError::new(Code::Params, message).with_hint(StopMetric::hint(data.task.kind())));
        }
        let constraints = Constraints::new(self, data.features)?;
        let fitted = boost(self, data, &*objective, &constraints, &train, validation.as_ref(), previous)?;
        let importance = Importance {
            measures: vec![Measure { name: "gain", is_count: false }, Measure { name: "splits", is_count: true }],
            values: fitted.importance.iter().map(|one| vec![one.gain, one.splits as f64]).collect(),
        };
        let title = self.metric_title(&*objective);
        let key = key(&title);
        let train_metrics = Map::from_iter([(key.clone(), json!(fitted.train_metric))]);
        let mut validation_metrics = Map::from_iter(fitted.validation_metric.map(|metric| (key, json!(metric))));
        if let Some(rows) = &validation {
            validation_metrics.extend(self.more_metrics(data.task, &fitted.validation_scores, rows));
        }
        let trees: usize = fitted.sums.iter().map(|sum| sum.trees().len()).sum();
        let curve = curve(&fitted, &title);
        let facts = json!({ "trees": trees, "rounds": fitted.rounds, "best_round": fitted.best_round, "curve": curve });
        let properties = json!({ "trees": trees, "rounds": fitted.rounds, "best_iteration": fitted.best_round });
        Ok(FittedLearner {
            train_metrics,
            validation_metrics,
            facts: object(facts),
            properties: object(properties),
            headline: headline(&fitted, trees, &title),
            warnings: warnings(data.features, &binning, self, &fitted),
            importance: Some(importance),
            learner: self.learner(data.task, fitted)?,
        })
    }
}

/// A metric among the facts of a model: `log_loss` for "log-loss".
fn key(title: &str) -> String {
    title.to_lowercase().replace(['-', ' '], "_").replace('²', "2")
}

/// The rows as bins, with the scores that they start from.
fn binned(
    rows: &SplitRows<'_>,
    binning: &Arc<Binning>,
    data: &TrainingData<'_>,
    previous: &[TreeEnsemble],
) -> Result<LabelledRows, ComponentError> {
    let mut bins = Binned::new(Arc::clone(binning), rows.rows());
    let mut offsets = data.has_offset.then(Vec::new);
    let mut scored: Vec<Vec<f64>> = vec![Vec::with_capacity(rows.rows()); previous.len()];
    let mut out = Vec::new();
    rows.each_block(|block| {
        bins.push(block);
        if let (Some(offsets), Some(column)) = (&mut offsets, block.columns.get(data.features.len())) {
            offsets.extend_from_slice(column);
        }
        for (sum, scored) in previous.iter().zip(&mut scored) {
            sum.scores(block, &mut out);
            scored.extend_from_slice(&out);
        }
    })?;
    if let Some(row) = offsets.iter().flatten().position(|offset| !offset.is_finite()) {
        let message = format!("the offset has no finite value in row {} of the rows of `{}`", row + 1, rows.split);
        return Err(ComponentError::new(Code::LabelValues, message).with_hint(
            "leave such rows out with `where` at the source, or make the expression total with `coalesce`",
        ));
    }
    Ok(LabelledRows {
        data: bins,
        labels: rows.labels().to_vec(),
        weights: rows.weights().map(<[f64]>::to_vec),
        queries: rows.groups().map(|groups| Arc::new(Queries::new(groups))),
        offsets,
        scored: (!previous.is_empty()).then_some(scored),
    })
}

/// Runs the rounds, saying each.
fn boost(
    params: &GradientBoosting,
    data: &TrainingData<'_>,
    objective: &dyn Objective,
    constraints: &Constraints,
    train: &LabelledRows,
    validation: Option<&LabelledRows>,
    previous: &[TreeEnsemble],
) -> Result<Fitted, ComponentError> {
    data.progress.total(u64::from(params.rounds), "rounds");
    let name = params.metric_title(objective);
    let key = key(&name);
    let is_over = || data.watch.is_over();
    let start = Start { seed: data.seed, previous, is_over: Some(&is_over) };
    fit(params, objective, constraints, train, validation, start, |round| {
        data.progress.advance(1);
        let metric =
            round.validation_metric.map_or_else(String::new, |metric| format!(" · validation {name} {metric:.4}"));
        data.progress.phase(&format!("round {} of {}{metric}", round.round, params.rounds));
        if let Some(metric) = round.validation_metric {
            data.watch.report(&key, u64::from(round.round), metric)?;
        }
        data.cancel.check()
    })
}

/// "112 trees, validation log-loss 0.2093, best round 112 of 132".
fn headline(fitted: &Fitted, trees: usize, name: &str) -> String {
    let noun = if trees == 1 { "tree" } else { "trees" };
    match fitted.validation_metric {
        Some(metric) => format!(
            "{trees} {noun}, validation {name} {metric:.4}, best round {} of {}",
            fitted.best_round, fitted.rounds
        ),
        None => format!("{trees} {noun}, training {name} {:.4}", fitted.train_metric),
    }
}

/// The metric after some rounds, the best one among them, for the training report.
fn curve(fitted: &Fitted, metric: &str) -> Value {
    let is_shown = |round: &u32| is_recorded(*round) || *round == fitted.best_round || *round == fitted.rounds;
    let rounds: Vec<u32> = (1..=fitted.rounds).filter(is_shown).collect();
    let validation = |round: &u32| fitted.curve.get(*round as usize - 1).copied();
    let train = |round: &u32| fitted.train_curve.iter().find(|(at, _)| at == round).map(|(_, value)| *value);
    json!({
        "metric": metric,
        "validation": rounds.iter().map(validation).collect::<Vec<_>>(),
        "train": rounds.iter().map(train).collect::<Vec<_>>(),
        "rounds": rounds,
    })
}

fn warnings(features: &[FeatureSpec], binning: &Binning, params: &GradientBoosting, fitted: &Fitted) -> Vec<String> {
    let mut warnings = Vec::new();
    let constant: Vec<String> = binning.constant().map(|at| format!("`{}`", features[at].name)).collect();
    if constant.len() == features.len() {
        warnings.push("no feature varies: the model predicts a constant".to_owned());
    } else if !constant.is_empty() {
        warnings.push(format!("features that never vary and are not used: {}", constant.join(", ")));
    }
    if params.patience() > 0 && fitted.validation_metric.is_some() && fitted.best_round == params.rounds {
        warnings.push("the last round is the best one: more rounds may give a better model".to_owned());
    }
    warnings
}
