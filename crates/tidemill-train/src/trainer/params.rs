//! What a `Trainer` step may say in the pipeline file.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, TaskKind, advise, parse_params};
use tidemill_model::Expression;

use super::asked::AskedTask;
use super::error::TrainError;
use super::rolling::RollingOrigin;
use super::threshold::Threshold;
use super::validation::Validation;
use super::weights::ClassWeights;
use crate::calibration::Method;
use crate::learner::{Estimator, MoreInput, choice_schema, configure};

/// What was written before, or is written elsewhere, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "eval",
        "leave it out: rows for early stopping are kept aside out of the training rows (`validation`), and the \
              `Evaluator` judges a split that the `Trainer` never reads",
    ),
    ("validation_fraction", "write `validation`"),
    ("validation_split", "write `validation`"),
    ("eval_set", "write `validation`"),
    ("sample_weight", "write `weight`, the name of a column"),
    ("weights", "write `weight`, the name of a column, or `class_weights`"),
    ("class_weight", "write `class_weights`"),
    ("init_score", "write `offset`, an expression over columns"),
    ("base_margin", "write `offset`, an expression over columns"),
    ("exposure", "write `offset: ln(COLUMN)`"),
    ("init_model", "write `warm_start`"),
    ("xgb_model", "write `warm_start`"),
    ("base_model", "write `warm_start`, or name a step: `inputs: { base_model: STEP }`"),
    ("group", "write `task: { ranking: { group: COLUMN } }`"),
    ("query", "write `task: { ranking: { group: COLUMN } }`"),
    ("qid", "write `task: { ranking: { group: COLUMN } }`"),
    ("decision_threshold", "write `threshold`"),
    ("calibrate", "write `calibration`"),
    ("backtest", "write `rolling_origin`"),
    ("cross_validation", "write `rolling_origin` for folds by time"),
];

/// Parameters of a `Trainer` step.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainerParams {
    /// What is fitted: one learner by name, with its parameters. It may be left out where the step reads what a `Tuner` found
    /// (`inputs: { hyperparameters: STEP }`); parameters that are written here then take the place of those found.
    #[schemars(schema_with = "choice_schema")]
    #[serde(default)]
    learner: Option<Value>,
    /// What the model predicts. By default it follows from the label: text, whole numbers of few values and any two values
    /// are classes, other numbers are an amount. `{ ranking: { group: COLUMN } }` orders the rows of a query.
    #[serde(default)]
    pub(super) task: Option<AskedTask>,
    /// Which splits are used for what.
    #[serde(default)]
    pub(super) splits: SplitParams,
    /// The rows that decide when to stop: a share of the training rows, which are not learned from, or the name of a split.
    /// By default 0.1, and 0.2 of fewer than 20,000 rows, where the learner needs such rows. They are chosen as the splits
    /// were: by chance within each class, by group where rows are split by group, the newest where they are split by time.
    #[serde(default)]
    pub(super) validation: Option<Validation>,
    /// A column of numbers that say how much each row counts. It is no feature, and requests do not have it.
    #[serde(default)]
    pub(super) weight: Option<String>,
    /// What the score of each row starts from: an expression over columns, such as `ln(exposure)` for counts. It is added to the
    /// log-odds of a class and to the logarithm of a count, and requests must have its columns too.
    #[serde(default)]
    pub(super) offset: Option<String>,
    /// A model whose training is continued: the folder of a package, or a file of LightGBM or XGBoost, seen from the folder of
    /// the project. The model of another step is named under `inputs: { base_model: STEP }` instead.
    #[serde(default)]
    pub(super) warm_start: Option<PathBuf>,
    /// How much the rows of each class count in training: `balanced` makes all classes count the same, and a mapping such as
    /// `{ yes: 5 }` names weights. Probabilities shift with them.
    #[serde(default)]
    pub(super) class_weights: Option<ClassWeights>,
    /// How probabilities are calibrated on the validation rows: `platt`, `isotonic`, `beta` or `temperature`. The calibration is
    /// part of the model. For classes only.
    #[serde(default)]
    pub(super) calibration: Option<Method>,
    /// The probability above which a row is called positive: a number, or how it is chosen on the validation rows, such as
    /// `{ maximize: f1 }`, `{ precision_at_least: 0.9 }`, `{ recall_at_least: 0.9 }` or `{ cost: { false_positive: 1,
    /// false_negative: 5 } }`. It is kept in the package, and the `Evaluator` counts with it. For two classes only.
    #[serde(default)]
    pub(super) threshold: Option<Threshold>,
    /// Judges the learner as it would have forecast, in several folds by time, beside the last value and the last value of
    /// the same season. For amounts only.
    #[serde(default)]
    pub(super) rolling_origin: Option<RollingOrigin>,
    /// The model's name; by default that of the pipeline.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Who answers for the model, for its card.
    #[serde(default)]
    pub(super) owner: Option<String>,
    /// The same seed and data give the same model.
    #[serde(default = "default_seed")]
    pub(super) seed: u64,
}

/// Which splits are used for what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SplitParams {
    /// The split learned from.
    pub(super) train: String,
}

impl Default for SplitParams {
    fn default() -> Self {
        Self { train: "train".to_owned() }
    }
}

const fn default_seed() -> u64 {
    42
}

/// The parameters, checked, with the learner that they name.
pub(crate) struct Configured {
    pub(crate) params: TrainerParams,
    /// None where a `Tuner` chooses it.
    pub(crate) learner: Option<ChosenLearner>,
}

/// A learner with its parameters.
pub(crate) struct ChosenLearner {
    /// The learner's name in the pipeline file.
    pub(crate) name: &'static str,
    pub(crate) estimator: Box<dyn Estimator>,
}

impl TrainerParams {
    /// Reads and checks the parameters; every issue points at its place.
    pub(crate) fn parse(params: &Value) -> Result<Configured, Vec<ParamIssue>> {
        let parsed: Self = parse_params(params).map_err(|mut issues| {
            advise(&mut issues, ELSEWHERE);
            issues
        })?;
        let mut issues = parsed.check();
        match parsed.learner.as_ref().map(|choice| parsed.choose(choice)).transpose() {
            Ok(learner) if issues.is_empty() => Ok(Configured { params: parsed, learner }),
            Ok(_) => Err(issues),
            Err(mut of_learner) => {
                of_learner.append(&mut issues);
                Err(of_learner)
            }
        }
    }

    /// The learner that is written, as it is.
    pub(super) fn written_learner(&self) -> Option<&Value> {
        self.learner.as_ref()
    }

    /// The split that is named as validation rows.
    pub(crate) fn validation_split(&self) -> Option<&str> {
        self.validation.as_ref().and_then(Validation::split)
    }

    /// The seed.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// A parameter that is about the model, and not about how it is learned, if there is one.
    pub(crate) fn of_model(&self) -> Option<&'static str> {
        let set = [
            ("name", self.name.is_some()),
            ("owner", self.owner.is_some()),
            ("calibration", self.calibration.is_some()),
            ("threshold", self.threshold.is_some()),
            ("rolling_origin", self.rolling_origin.is_some()),
            ("warm_start", self.warm_start.is_some()),
        ];
        set.into_iter().find(|(_, is_set)| *is_set).map(|(key, _)| key)
    }

    /// The learner that `choice` names, which must go with the task.
    pub(crate) fn choose(&self, choice: &Value) -> Result<ChosenLearner, Vec<ParamIssue>> {
        let (name, estimator) = configure(choice)?;
        let mut issues = Vec::new();
        let asked = self.task.as_ref();
        match asked.map(AskedTask::kind).filter(|task| !estimator.tasks().contains(task)) {
            Some(task) => issues.push(cannot_learn(name, &*estimator, task)),
            None => issues.extend(asked.and_then(AskedTask::check)),
        }
        for (key, input, is_asked) in [
            ("offset", MoreInput::Offset, self.offset.is_some()),
            ("warm_start", MoreInput::BaseModel, self.warm_start.is_some()),
        ] {
            if is_asked && !estimator.takes(input) {
                issues.push(ParamIssue::new([key], format!("the learner `{name}` has no `{key}` as it is set here")));
            }
        }
        if asked.is_none() && estimator.tasks() == [TaskKind::Ranking] {
            issues.push(
                ParamIssue::new(["task"], "the learner orders the rows of a query, and no column says the query")
                    .with_hint("write `task: { ranking: { group: COLUMN } }` next to `learner`"),
            );
        }
        if issues.is_empty() { Ok(ChosenLearner { name, estimator }) } else { Err(issues) }
    }

    fn check(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if let Some(validation) = &self.validation {
            issues.extend(validation.check(&self.splits.train));
        }
        if let Some(problem) = self.class_weights.as_ref().and_then(ClassWeights::problem) {
            issues.push(ParamIssue::new(["class_weights"], problem));
        }
        if let Some(error) = self.offset.as_ref().and_then(|offset| Expression::parse(offset).err()) {
            issues.push(ParamIssue::new(["offset"], error.to_string()).with_hint("as in `offset: ln(exposure)`"));
        }
        issues.extend(self.threshold.as_ref().and_then(Threshold::check));
        issues.extend(self.rolling_origin.iter().flat_map(RollingOrigin::check));
        if let Some(Err(error)) = self.task.as_ref().map(|task| self.check_task(task.kind())) {
            let key = if let TrainError::NotForTask { param, .. } = &error { *param } else { "task" };
            issues.push(ParamIssue::new([key], error.to_string()));
        }
        for (key, value) in [("name", &self.name), ("owner", &self.owner)] {
            if value.as_ref().is_some_and(|text| text.trim().is_empty()) {
                issues.push(ParamIssue::new([key], format!("`{key}` is empty")));
            }
        }
        issues
    }
}

impl TrainerParams {
    /// Refuses parameters that do not go with the task that the label has.
    pub(super) fn check_task(&self, task: TaskKind) -> Result<(), TrainError> {
        let wrong = |param, wanted| Err(TrainError::NotForTask { param, wanted, task });
        if self.calibration.is_some() && !matches!(task, TaskKind::Binary | TaskKind::MultiClass) {
            return wrong("calibration", "probabilities of classes");
        }
        if self.threshold.is_some() && task != TaskKind::Binary {
            return wrong("threshold", "the probability of one of two classes");
        }
        if self.rolling_origin.is_some() && task != TaskKind::Regression {
            return wrong("rolling_origin", "forecasts of an amount");
        }
        Ok(())
    }

    /// Whether something beside the learner is decided on validation rows.
    pub(super) fn needs_validation(&self) -> bool {
        self.calibration.is_some() || self.threshold.as_ref().is_some_and(Threshold::is_chosen)
    }
}

fn cannot_learn(name: &str, estimator: &dyn Estimator, task: TaskKind) -> ParamIssue {
    let tasks: Vec<String> = estimator.tasks().iter().map(|task| format!("`{task}`")).collect();
    let message = format!("the learner `{name}` cannot learn the task `{task}`, only {}", tasks.join(", "));
    ParamIssue::new(["task"], message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issues(params: &Value) -> Vec<(String, String)> {
        let issues = TrainerParams::parse(params).err().unwrap();
        issues.into_iter().map(|issue| (issue.path.join("."), issue.message)).collect()
    }

    #[test]
    fn the_example_of_the_documentation_is_fine() {
        let params = json!({ "learner": { "gradient_boosting": { "rounds": 300, "learning_rate": 0.1, "early_stopping": 20 } } });
        let configured = TrainerParams::parse(&params).ok().unwrap();
        let boosting = configured.learner.as_ref().unwrap().estimator.params();
        assert_eq!(
            (&boosting["rounds"], &boosting["early_stopping"], &boosting["leaves"]),
            (&json!(300), &json!(20), &json!(31))
        );
        assert_eq!((configured.params.splits.train.as_str(), configured.params.seed), ("train", 42));
        for short in [json!({ "learner": "linear" }), json!({ "learner": { "linear": null } })] {
            assert_eq!(TrainerParams::parse(&short).ok().unwrap().learner.unwrap().name, "linear");
        }
    }

    #[test]
    fn issues_point_at_the_parameter() {
        let found = issues(&json!({ "learner": { "gradient_boosting": { "learning_rate": 0, "rounds": 0 } } }));
        let place = |name: &str| format!("learner.gradient_boosting.{name}");
        assert_eq!(found[0], (place("rounds"), "`rounds` must be 1 or above".to_owned()));
        assert_eq!(found[1], (place("learning_rate"), "`learning_rate` must be above 0".to_owned()));

        let found = issues(&json!({ "learner": { "gradient_boosting": {} }, "validation": "train", "name": " " }));
        assert_eq!([&found[0].0, &found[1].0], ["validation", "name"]);
        let old = json!({ "learner": "linear", "splits": { "eval": "eval" } });
        let issue = TrainerParams::parse(&old).err().unwrap().remove(0);
        assert_eq!(issue.path, ["splits", "eval"]);
        assert!(issue.hint.unwrap().contains("kept aside"));

        let misspelt = json!({ "learner": { "gradient_boosting": { "learning_rat": 0.1 } } });
        let issue = TrainerParams::parse(&misspelt).err().unwrap().remove(0);
        assert_eq!(issue.hint.as_deref(), Some("did you mean `learning_rate`?"));
        assert_eq!(issue.path, ["learner", "gradient_boosting", "learning_rat"]);
        assert!(TrainerParams::parse(&json!({})).ok().unwrap().learner.is_none(), "a `Tuner` may choose it");

        let unknown = TrainerParams::parse(&json!({ "learner": { "gradient_bosting": {} } })).err().unwrap().remove(0);
        assert_eq!(unknown.hint.as_deref(), Some("did you mean `gradient_boosting`?"));
        let two = json!({ "learner": { "linear": {}, "gradient_boosting": {} } });
        assert_eq!(issues(&two)[0].0, "learner");
        let found = issues(&json!({ "learner": "linear", "task": "ranking" }));
        assert_eq!(found[0].0, "task");
        assert!(found[0].1.contains("cannot learn the task `ranking`"), "{found:?}");
    }
}
