//! Gradient boosting as a learner of the `Trainer`.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, Task, TaskKind};
use tidemill_model::{ClassTrees, FeatureSpec};

use super::{
    BinPlanner, Binned, Binning, Fitted, GradientBoosting, LabelledRows, LogLoss, Objective, Softmax, SquaredError, fit,
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

    /// Reads the training rows twice, once to choose the bins and once to fill them, so that no more than a batch of them
    /// is in memory as anything but bins.
    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let (train_rows, eval_rows) = (data.train.rows() as u64, data.eval.rows() as u64);
        data.progress.total_rows(2 * train_rows + eval_rows);
        data.progress.phase("choosing bins");
        let mut planner = BinPlanner::new(data.features, train_rows, self.max_bin, data.seed);
        data.train.each_block(|block| planner.observe(block))?;
        let binning = Arc::new(planner.finish());
        data.progress.phase("binning");
        let eval = binned(&data.eval, &binning)?;
        let train = binned(&data.train, &binning)?;

        let objective: Box<dyn Objective> = match data.task {
            Task::Binary => Box::new(LogLoss),
            Task::MultiClass { classes } => Box::new(Softmax::new(classes.len())),
            Task::Regression => Box::new(SquaredError),
            other => return Err(ComponentError::new(Code::Internal, format!("boosting does not learn {other}"))),
        };
        let fitted = boost(self, data, &*objective, &train, &eval)?;
        let importance = Importance {
            measures: vec![Measure { name: "gain", is_count: false }, Measure { name: "splits", is_count: true }],
            values: fitted.importance.iter().map(|one| vec![one.gain, one.splits as f64]).collect(),
        };
        let key = objective.metric_name().to_lowercase().replace('-', "_");
        let train_metrics = Map::from_iter([(key.clone(), json!(fitted.train_metric))]);
        let mut eval_metrics = Map::from_iter(fitted.eval_metric.map(|metric| (key, json!(metric))));
        eval_metrics.extend(class_metrics(data.task, &fitted.eval_scores, data.eval.labels()));
        let trees: usize = fitted.sums.iter().map(|sum| sum.trees().len()).sum();
        let facts = json!({ "trees": trees, "rounds": fitted.rounds, "best_round": fitted.best_round });
        let properties = json!({ "trees": trees, "rounds": fitted.rounds, "best_iteration": fitted.best_round });
        Ok(FittedLearner {
            train_metrics,
            eval_metrics,
            facts: object(facts),
            properties: object(properties),
            headline: headline(&fitted, trees, &*objective),
            warnings: warnings(data.features, &binning, self, &fitted),
            importance: Some(importance),
            learner: learner(data.task, fitted)?,
        })
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
    Ok(LabelledRows { data, labels: rows.labels().to_vec(), weights: None })
}

/// Runs the rounds, saying each.
fn boost(
    params: &GradientBoosting,
    data: &TrainingData<'_>,
    objective: &dyn Objective,
    train: &LabelledRows,
    eval: &LabelledRows,
) -> Result<Fitted, ComponentError> {
    data.progress.total(u64::from(params.rounds), "rounds");
    let name = objective.metric_name();
    fit(params, objective, train, Some(eval), data.seed, |round| {
        data.progress.advance(1);
        let metric = round.eval_metric.map_or_else(String::new, |metric| format!(" · eval {name} {metric:.4}"));
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

/// "112 trees, eval log-loss 0.2093, best round 112 of 132".
fn headline(fitted: &Fitted, trees: usize, objective: &dyn Objective) -> String {
    let metric =
        fitted.eval_metric.map_or_else(String::new, |metric| format!(", eval {} {metric:.4}", objective.metric_name()));
    let noun = if trees == 1 { "tree" } else { "trees" };
    format!("{trees} {noun}{metric}, best round {} of {}", fitted.best_round, fitted.rounds)
}

fn warnings(features: &[FeatureSpec], binning: &Binning, params: &GradientBoosting, fitted: &Fitted) -> Vec<String> {
    let mut warnings = Vec::new();
    let constant: Vec<String> = binning.constant().map(|at| format!("`{}`", features[at].name)).collect();
    if constant.len() == features.len() {
        warnings.push("no feature varies: the model predicts a constant".to_owned());
    } else if !constant.is_empty() {
        warnings.push(format!("features that never vary and are not used: {}", constant.join(", ")));
    }
    if params.early_stopping.is_some() && fitted.best_round == params.rounds {
        warnings.push("the last round is the best one: more rounds may give a better model".to_owned());
    }
    warnings
}
