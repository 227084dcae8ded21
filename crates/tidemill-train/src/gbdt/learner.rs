//! Gradient boosting as a learner of the `Trainer`.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, Task, TaskKind};
use tidemill_model::{ClassTrees, FeatureSpec};

use super::fit::is_recorded;
use super::{
    AbsoluteError, Amount, BinPlanner, Binned, Binning, Constraints, Fair, Fitted, Gamma, GradientBoosting, Huber,
    LabelledRows, LogLoss, Objective, PercentageError, Poisson, Quantile, Softmax, SquaredError, StopMetric, Tweedie,
    fit,
};
use crate::learner::{Estimator, FittedLearner, Importance, Learner, Measure, SplitRows, TrainingData, class_metrics};

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

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(GradientBoosting::parse(params)?))
    }
}

impl Estimator for GradientBoosting {
    fn tasks(&self) -> &'static [TaskKind] {
        &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression]
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        self.patience() > 0
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        self.fit_with(data, PositiveWeight::default())
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
    /// As [`Estimator::fit`], with a weight of the positive rows.
    ///
    /// The training rows are read twice, once to choose the bins and once to fill them, so that no more than a batch of them
    /// is in memory as anything but bins.
    pub(super) fn fit_with(
        &self,
        data: &TrainingData<'_>,
        positive: PositiveWeight,
    ) -> Result<FittedLearner, ComponentError> {
        let train_rows = data.train.rows() as u64;
        let validation_rows = data.validation.as_ref().map_or(0, |rows| rows.rows() as u64);
        data.progress.total_rows(2 * train_rows + validation_rows);
        data.progress.phase("choosing bins");
        let mut planner = BinPlanner::new(data.features, train_rows, self.max_bin, data.seed);
        data.train.each_block(|block| planner.observe(block))?;
        let binning = Arc::new(planner.finish());
        data.progress.phase("binning");
        let validation = data.validation.as_ref().map(|rows| binned(rows, &binning)).transpose()?;
        let mut train = binned(&data.train, &binning)?;
        if *data.task == Task::Binary && positive != PositiveWeight::Same {
            let factors = positive.factors(&train.labels);
            let weights = train.weights.get_or_insert_with(|| vec![1.0; train.labels.len()]);
            for (weight, label) in weights.iter_mut().zip(&train.labels) {
                *weight *= factors[usize::from(*label == 1.0)];
            }
        }

        let objective = self.objective_for(data.task)?;
        check_labels(&*objective, data)?;
        if let Some(metric) = self.metric.filter(|metric| !metric.applies_to(data.task.kind())) {
            let message = format!("`metric: {}` is no metric of the task `{}`", metric.name(), data.task.kind());
            return Err(ComponentError::new(Code::Params, message).with_hint(StopMetric::hint(data.task.kind())));
        }
        let constraints = Constraints::new(self, data.features)?;
        let fitted = boost(self, data, &*objective, &constraints, &train, validation.as_ref())?;
        let importance = Importance {
            measures: vec![Measure { name: "gain", is_count: false }, Measure { name: "splits", is_count: true }],
            values: fitted.importance.iter().map(|one| vec![one.gain, one.splits as f64]).collect(),
        };
        let key = self.metric_title(&*objective).to_lowercase().replace(['-', ' '], "_").replace('²', "2");
        let train_metrics = Map::from_iter([(key.clone(), json!(fitted.train_metric))]);
        let mut validation_metrics = Map::from_iter(fitted.validation_metric.map(|metric| (key, json!(metric))));
        if let Some(rows) = &data.validation {
            validation_metrics.extend(class_metrics(data.task, &fitted.validation_scores, rows.labels()));
        }
        let trees: usize = fitted.sums.iter().map(|sum| sum.trees().len()).sum();
        let curve = curve(&fitted, self.metric_title(&*objective));
        let facts = json!({ "trees": trees, "rounds": fitted.rounds, "best_round": fitted.best_round, "curve": curve });
        let properties = json!({ "trees": trees, "rounds": fitted.rounds, "best_iteration": fitted.best_round });
        Ok(FittedLearner {
            train_metrics,
            validation_metrics,
            facts: object(facts),
            properties: object(properties),
            headline: headline(&fitted, trees, self.metric_title(&*objective)),
            warnings: warnings(data.features, &binning, self, &fitted),
            importance: Some(importance),
            learner: learner(data.task, fitted)?,
        })
    }
}

impl GradientBoosting {
    /// What is minimised for a task.
    fn objective_for(&self, task: &Task) -> Result<Box<dyn Objective>, ComponentError> {
        let asked = self.objective;
        if asked != Amount::SquaredError && *task != Task::Regression {
            let message =
                format!("`objective` says what is minimised for an amount, and the task is `{}`", task.kind());
            let hint = "leave it out, or write `task: regression` next to `learner`";
            return Err(ComponentError::new(Code::Params, message).with_hint(hint));
        }
        Ok(match (task, asked) {
            (Task::Binary, _) => Box::new(LogLoss),
            (Task::MultiClass { classes }, _) => Box::new(Softmax::new(classes.len())),
            (Task::Regression, Amount::SquaredError) => Box::new(SquaredError),
            (Task::Regression, Amount::AbsoluteError) => Box::new(AbsoluteError),
            (Task::Regression, Amount::PercentageError) => Box::new(PercentageError),
            (Task::Regression, Amount::Huber) => Box::new(Huber { delta: self.huber_delta }),
            (Task::Regression, Amount::Fair) => Box::new(Fair { c: self.fair_c }),
            (Task::Regression, Amount::Quantile) => Box::new(Quantile { level: self.quantile_level }),
            (Task::Regression, Amount::Poisson) => Box::new(Poisson { max_delta_step: self.poisson_max_delta_step }),
            (Task::Regression, Amount::Gamma) => Box::new(Gamma),
            (Task::Regression, Amount::Tweedie) => Box::new(Tweedie { variance_power: self.tweedie_power }),
            (other, _) => return Err(ComponentError::new(Code::Internal, format!("boosting does not learn {other}"))),
        })
    }

    /// What the metric is called that rounds are judged by.
    fn metric_title(&self, objective: &dyn Objective) -> &'static str {
        self.metric.map_or(objective.metric_name(), StopMetric::title)
    }
}

/// Refuses labels that the objective cannot learn.
fn check_labels(objective: &dyn Objective, data: &TrainingData<'_>) -> Result<(), ComponentError> {
    let Some((is_fine, rule)) = objective.label_rule() else { return Ok(()) };
    let rows = std::iter::once(&data.train).chain(&data.validation);
    match rows.flat_map(SplitRows::labels).find(|label| !is_fine(**label)) {
        Some(label) => Err(ComponentError::new(Code::LabelValues, format!("{rule}, and one is {label}"))
            .with_hint("choose another `objective`, or leave such rows out with `where` at the source")),
        None => Ok(()),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(entries) => entries,
        _ => Map::new(),
    }
}

fn binned(rows: &SplitRows<'_>, binning: &Arc<Binning>) -> Result<LabelledRows, ComponentError> {
    let mut data = Binned::new(Arc::clone(binning), rows.rows());
    rows.each_block(|block| data.push(block))?;
    Ok(LabelledRows { data, labels: rows.labels().to_vec(), weights: rows.weights().map(<[f64]>::to_vec) })
}

/// Runs the rounds, saying each.
fn boost(
    params: &GradientBoosting,
    data: &TrainingData<'_>,
    objective: &dyn Objective,
    constraints: &Constraints,
    train: &LabelledRows,
    validation: Option<&LabelledRows>,
) -> Result<Fitted, ComponentError> {
    data.progress.total(u64::from(params.rounds), "rounds");
    let name = params.metric_title(objective);
    fit(params, objective, constraints, train, validation, data.seed, |round| {
        data.progress.advance(1);
        let metric =
            round.validation_metric.map_or_else(String::new, |metric| format!(" · validation {name} {metric:.4}"));
        data.progress.phase(&format!("round {} of {}{metric}", round.round, params.rounds));
        data.cancel.check()
    })
}

fn learner(task: &Task, mut fitted: Fitted) -> Result<tidemill_model::Learner, ComponentError> {
    Ok(match task {
        Task::MultiClass { classes } => {
            tidemill_model::Learner::ClassTrees(ClassTrees::new(classes.clone(), fitted.sums)?)
        }
        _ => tidemill_model::Learner::Trees(fitted.sums.swap_remove(0)),
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
