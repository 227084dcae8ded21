//! Linear models as a learner of the `Trainer`.

use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, Task, TaskKind};
use tidemill_model::{FeatureBlock, LinearModel};

use super::{DesignPlan, LinearLoss, Minimum, minimise};
use crate::learner::{Estimator, FittedLearner, Importance, Judged, Learner, Measure, TrainingData, parse_learner};

/// What scikit-learn calls parameters, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("C", "write `l2`: it is 1 / `C`"),
    ("alpha", "write `l2`"),
    ("lambda", "write `l2`"),
    ("penalty", "the penalty is L2; `l2` is its weight"),
    ("max_iter", "write `max_iterations`"),
    ("iterations", "write `max_iterations`"),
    ("tol", "write `tolerance`"),
    ("random_state", "nothing is random here; leave it out"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
];

/// Memory that the rows may take, in numbers: 8 bytes each.
const NUMBERS_MAX: u64 = 1 << 31;

/// Linear and logistic regression.
#[derive(Debug, Clone, Copy)]
pub struct LinearLearner;

/// Linear regression for an amount, logistic regression for two classes, multinomial logistic regression for several.
///
/// Numbers are scaled to mean 0 and standard deviation 1, a missing one counts as the mean, and each category has a weight.
/// `l2` is scikit-learn's `alpha` of `Ridge` and 1 / `C` of `LogisticRegression`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Linear {
    /// L2 penalty on the weights of scaled features. Intercepts are not penalised.
    pub l2: f64,
    /// Steps of the optimiser at most.
    pub max_iterations: u32,
    /// The optimiser ends when no derivative of the mean loss is larger.
    pub tolerance: f64,
}

impl Default for Linear {
    fn default() -> Self {
        Self { l2: 1.0, max_iterations: 1000, tolerance: 1e-6 }
    }
}

impl Linear {
    fn check(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if !(self.l2 >= 0.0 && self.l2.is_finite()) {
            issues.push(ParamIssue::new(["l2"], "`l2` must be 0 or above"));
        }
        if self.max_iterations == 0 {
            issues.push(ParamIssue::new(["max_iterations"], "`max_iterations` must be 1 or above"));
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            issues.push(ParamIssue::new(["tolerance"], "`tolerance` must be above 0"));
        }
        issues
    }
}

impl Learner for LinearLearner {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Linear>()
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(parse_learner(params, ELSEWHERE, Linear::check)?))
    }
}

impl Estimator for Linear {
    fn tasks(&self) -> &'static [TaskKind] {
        &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression]
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        false
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let rows = data.train.rows();
        if rows as u64 * data.features.len() as u64 > NUMBERS_MAX {
            let message = format!("{rows} rows of {} features are too many for a linear model", data.features.len());
            return Err(ComponentError::new(Code::Params, message).with_hint("give the split a smaller share"));
        }
        data.progress.total_rows(2 * rows as u64);
        data.progress.phase("scaling");
        let refuse = |reason: String| {
            ComponentError::new(Code::Params, reason).with_hint("use `hash_buckets` or another learner")
        };
        let mut plan = DesignPlan::new(data.features).map_err(refuse)?;
        data.train.each_block(|block| plan.observe(block))?;
        let mut design = plan.design(rows);
        data.train.each_block(|block| design.push(block))?;

        // An amount is learned in its own standard deviations: the optimiser's steps and tolerance mean the same whatever
        // its unit.
        let (centre, unit) = match data.task {
            Task::Regression => centre_and_unit(data.train.labels()),
            _ => (0.0, 1.0),
        };
        let scaled: Vec<f64> = data.train.labels().iter().map(|label| (label - centre) / unit).collect();
        let loss = LinearLoss {
            task: data.task,
            design: &design,
            labels: &scaled,
            weights: data.train.weights(),
            l2: self.l2,
        };
        let minimum = self.minimise(&loss, data)?;
        let stride = 1 + design.width();
        let scores: Vec<&[f64]> = minimum.point.chunks(stride).collect();
        let weights: Vec<Vec<f64>> =
            scores.iter().map(|score| score[1..].iter().map(|weight| weight * unit).collect()).collect();
        let (features, shifts) = design.unscaled(&weights);
        let intercepts = scores.iter().zip(shifts).map(|(score, shift)| centre + unit * score[0] + shift).collect();
        let model = LinearModel::new(data.task.clone(), intercepts, features)?;

        let mut warnings = Vec::new();
        if !minimum.converged {
            warnings.push(format!(
                "the weights did not converge in {} steps: give a larger `l2` or more `max_iterations`",
                minimum.iterations
            ));
        }
        let predict = |block: &FeatureBlock| Ok(model.predict(block));
        let judged = Judged::new(&predict, data)?;
        let facts = Map::from_iter([
            ("iterations".to_owned(), json!(minimum.iterations)),
            ("converged".to_owned(), json!(minimum.converged)),
        ]);
        let strengths = design.strengths(&weights);
        Ok(FittedLearner {
            train_metrics: judged.train,
            validation_metrics: judged.validation,
            properties: facts.clone(),
            facts,
            importance: Some(Importance {
                measures: vec![Measure { name: "effect", is_count: false }],
                values: strengths.into_iter().map(|strength| vec![strength]).collect(),
            }),
            headline: format!(
                "{} weights{}, {} steps",
                weights.len() * design.width(),
                judged.headline,
                minimum.iterations
            ),
            warnings,
            learner: tidemill_model::Learner::Linear(model),
        })
    }
}

impl Linear {
    fn minimise(&self, loss: &LinearLoss<'_>, data: &TrainingData<'_>) -> Result<Minimum, ComponentError> {
        let rows = data.train.rows() as u64;
        data.progress.total(u64::from(self.max_iterations), "steps");
        let start = vec![0.0; loss.dimensions()];
        // The optimiser sees the sum of losses, the parameter is about their mean.
        let tolerance = self.tolerance * rows as f64;
        minimise(
            start,
            self.max_iterations,
            tolerance,
            |point, gradient| loss.value(point, gradient),
            |step, value| {
                data.progress.advance(1);
                let mean = value / rows as f64;
                data.progress.phase(&format!("step {step} of {}, loss {mean:.4}", self.max_iterations));
                data.cancel.check()
            },
        )
    }
}

/// Mean and standard deviation; 1 in place of the latter where nothing varies.
pub(crate) fn centre_and_unit(labels: &[f64]) -> (f64, f64) {
    let rows = labels.len().max(1) as f64;
    let mean: f64 = labels.iter().map(|label| label / rows).sum();
    let deviation = labels.iter().map(|label| (label - mean) * ((label - mean) / rows)).sum::<f64>().sqrt();
    (mean, if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 })
}
