//! Linear models as a learner of the `Trainer`.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, TaskKind};
use tidemill_model::trees::Link;
use tidemill_model::{FeatureBlock, LinearModel};

use super::facts::coefficients;
use super::fit::{Problem, check_labels};
use super::params::{ELSEWHERE, Linear, Strength};
use super::path::follow;
use super::{Design, DesignPlan, Minimum, RowLoss};
use crate::learner::{
    Estimator, FittedLearner, Importance, Judged, Learner, Measure, SplitRows, StartPoint, TrainingData, parse_learner,
};

/// Memory that the rows may take, in bytes.
const BYTES_MAX: u64 = 16 << 30;

/// Linear models of every loss and penalty.
#[derive(Debug, Clone, Copy)]
pub struct LinearLearner;

impl Learner for LinearLearner {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Linear>()
    }

    fn space(&self) -> Option<Value> {
        Some(serde_json::json!({
            "penalty": ["l2", "l1"],
            "alpha": { "float": [1e-4, 1000.0], "log": true },
        }))
    }

    fn starts(&self, _task: TaskKind) -> Vec<StartPoint> {
        let start =
            |cost: u32, penalty: &str| StartPoint::new(cost, serde_json::json!({ "penalty": penalty, "alpha": 1.0 }));
        vec![start(1, "l2"), start(2, "l1")]
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(parse_learner(params, ELSEWHERE, Linear::check)?))
    }
}

/// A model that was found.
struct Found {
    alpha: f64,
    minimum: Minimum,
    /// Where the validation rows chose: the facts, and the words for the step's line.
    path: Option<(Value, String)>,
    warnings: Vec<String>,
}

impl Estimator for Linear {
    fn tasks(&self) -> &'static [TaskKind] {
        &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression]
    }

    fn params(&self) -> Value {
        let alpha = self.l2.map_or(self.alpha, Strength::Given);
        serde_json::to_value(Self { alpha, l2: None, ..self.clone() }).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        self.strength().is_none()
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let loss = self.row_loss(data.task).map_err(|reason| {
            let hint = "leave it out, or write `task: regression` next to `learner`";
            ComponentError::new(Code::Params, reason).with_hint(hint)
        })?;
        for rows in std::iter::once(&data.train).chain(&data.validation) {
            check_labels(loss, data.task, rows.labels())?;
        }
        let plan = self.plan(data)?;
        let design = lay_out(&plan, &data.train)?;
        let problem = Problem::new(self, loss, &design, data.train.labels(), data.train.weights());
        let found = self.find(&problem, &plan, data)?;

        let scaling = problem.scaling();
        let scores: Vec<&[f64]> = found.minimum.point.chunks(1 + design.width()).collect();
        let weights: Vec<Vec<f64>> =
            scores.iter().map(|score| score[1..].iter().map(|weight| weight * scaling.unit).collect()).collect();
        let (features, shifts) = design.unscaled(&weights);
        let intercepts: Vec<f64> =
            scores.iter().zip(shifts).map(|(score, shift)| scaling.centre + scaling.unit * score[0] + shift).collect();
        let strengths = design.strengths(&weights);
        let listed = coefficients(data.train.graph, data.task.classes(), &intercepts, &features, &strengths);
        let mut model = LinearModel::new(data.task.clone(), intercepts, features)?;
        if matches!(loss, RowLoss::Poisson | RowLoss::Gamma | RowLoss::Tweedie(_)) {
            model = model.with_link(Link::Exp)?;
        }
        let judged = Judged::new(&|block: &FeatureBlock| Ok(model.predict(block)), data)?;

        let all = weights.len() * design.width();
        let not_zero = weights.iter().flatten().filter(|weight| **weight != 0.0).count();
        let minimum = &found.minimum;
        let mut facts = Map::from_iter([
            ("iterations".to_owned(), json!(minimum.iterations)),
            ("converged".to_owned(), json!(minimum.converged)),
            ("weights".to_owned(), json!(all)),
            ("weights_not_zero".to_owned(), json!(not_zero)),
        ]);
        if self.strength() != Some(0.0) {
            facts.insert("alpha".to_owned(), json!(found.alpha));
        }
        let properties = facts.clone();
        facts.insert("coefficients".to_owned(), listed);
        let mut chosen = String::new();
        if let Some((path, words)) = found.path {
            facts.insert("path".to_owned(), path);
            chosen = words;
        }
        let zeros = if self.share_of_l1() > 0.0 { format!(", {not_zero} not 0") } else { String::new() };
        Ok(FittedLearner {
            train_metrics: judged.train,
            validation_metrics: judged.validation,
            properties,
            facts,
            importance: Some(Importance {
                measures: vec![Measure { name: "effect", is_count: false }],
                values: strengths.into_iter().map(|strength| vec![strength]).collect(),
            }),
            headline: format!("{all} weights{zeros}{}{chosen}, {} steps", judged.headline, minimum.iterations),
            warnings: found.warnings,
            learner: tidemill_model::Learner::Linear(model),
        })
    }
}

impl Linear {
    /// Looks at the rows once. Rows that take more memory than there may be are an error.
    fn plan(&self, data: &TrainingData<'_>) -> Result<DesignPlan, ComponentError> {
        let with_validation = data.validation.as_ref().filter(|_| self.strength().is_none());
        let rows = (data.train.rows() + with_validation.map_or(0, SplitRows::rows)) as u64;
        data.progress.total_rows(data.train.rows() as u64 + rows);
        data.progress.phase("scaling");
        let refuse = |reason: String| {
            ComponentError::new(Code::Params, reason).with_hint("use `hash_buckets` or another learner")
        };
        let mut plan = DesignPlan::new(data.features).map_err(refuse)?;
        data.train.each_block(|block| plan.observe(block))?;
        let bytes = plan.bytes(rows);
        if bytes > BYTES_MAX {
            let message = format!(
                "{rows} rows of {} features take {} GiB in a linear model, and at most {} are allowed",
                data.features.len(),
                bytes >> 30,
                BYTES_MAX >> 30
            );
            return Err(ComponentError::new(Code::Params, message).with_hint("give the split a smaller share"));
        }
        Ok(plan)
    }

    /// Finds the weights, and the weight of the penalty where the validation rows decide it.
    fn find(&self, problem: &Problem<'_>, plan: &DesignPlan, data: &TrainingData<'_>) -> Result<Found, ComponentError> {
        let mut warnings = Vec::new();
        let mut found = match (self.strength(), &data.validation) {
            (None, Some(rows)) => {
                let aside = lay_out(plan, rows)?;
                let validation = problem.on(&aside, rows.labels(), rows.weights());
                data.progress.total(u64::from(self.alpha_count), "values of alpha");
                let path = follow(problem, &validation, &|at, alpha, loss| {
                    if let Some(loss) = loss {
                        data.progress.advance(1);
                        let name = problem.metric_name();
                        let (number, count) = (at + 1, self.alpha_count);
                        data.progress
                            .phase(&format!("alpha {number} of {count}: {alpha:.3}, validation {name} {loss:.4}"));
                    }
                    data.cancel.check()
                })?;
                if path.ends_at_best() {
                    warnings.push(
                        "the smallest `alpha` tried is the best one: `penalty: none` may give a better model"
                            .to_owned(),
                    );
                }
                let (facts, tried, metric) = (path.facts(), path.len(), path.metric());
                let best = path.into_best();
                let words = format!(", `alpha` {:.4} is the best of {tried} by validation {metric}", best.alpha);
                Found { alpha: best.alpha, minimum: best.minimum, path: Some((facts, words)), warnings }
            }
            (None, None) => {
                let message = "`alpha: auto` needs validation rows to choose on, and none could be kept aside";
                return Err(ComponentError::new(Code::Params, message).with_hint("write a number: `alpha: 1`"));
            }
            (Some(alpha), _) => {
                let most = self.max_iterations;
                data.progress.total(u64::from(most), "steps");
                let minimum = problem.solve(alpha, problem.start(), &mut |step, mean| {
                    data.progress.advance(1);
                    data.progress.phase(&format!("step {step} of {most}, loss {mean:.4}"));
                    data.cancel.check()
                })?;
                Found { alpha, minimum, path: None, warnings }
            }
        };
        if !found.minimum.converged {
            found.warnings.push(format!(
                "the weights did not converge in {} steps: give a larger `alpha` or more `max_iterations`",
                found.minimum.iterations
            ));
        }
        Ok(found)
    }
}

/// Lays out the rows for fitting.
fn lay_out(plan: &DesignPlan, rows: &SplitRows<'_>) -> Result<Design, ComponentError> {
    let mut design = plan.design();
    rows.each_block(|block| design.push(block))?;
    Ok(design)
}
