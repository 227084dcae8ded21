//! What a `Trainer` step may say in the pipeline file.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::Task;

use crate::gbdt::GradientBoosting;

/// Parameters of a `Trainer` step.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrainerParams {
    /// What is fitted.
    pub(super) learner: LearnerParams,
    /// What the model predicts. By default a label that is true or false, or 0 or 1 everywhere, is binary.
    #[serde(default)]
    pub(super) task: Option<Task>,
    /// Which splits are used for what.
    #[serde(default)]
    pub(super) splits: SplitParams,
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

/// What is fitted: one learner by name, with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LearnerParams {
    /// Trees, each correcting the ones before it.
    GradientBoosting(GradientBoosting),
}

/// Which splits are used for what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SplitParams {
    /// The split learned from.
    pub(super) train: String,
    /// The split that decides when to stop, and that sample rows are taken from.
    pub(super) eval: String,
}

impl Default for SplitParams {
    fn default() -> Self {
        Self { train: "train".to_owned(), eval: "eval".to_owned() }
    }
}

const fn default_seed() -> u64 {
    42
}

impl TrainerParams {
    /// Reads and checks the parameters; every issue points at its place.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        let parsed: Self = parse_params(params)?;
        let issues = parsed.check();
        if issues.is_empty() { Ok(parsed) } else { Err(issues) }
    }

    fn check(&self) -> Vec<ParamIssue> {
        let LearnerParams::GradientBoosting(boosting) = &self.learner;
        let mut issues = boosting.check();
        for issue in &mut issues {
            issue.path.splice(0..0, ["learner".to_owned(), "gradient_boosting".to_owned()]);
        }
        if self.splits.train == self.splits.eval {
            let message = format!("`{}` is both learned from and judged on", self.splits.eval);
            issues.push(ParamIssue::new(["splits", "eval"], message).with_hint("name two different splits"));
        }
        for (key, value) in [("name", &self.name), ("owner", &self.owner)] {
            if value.as_ref().is_some_and(|text| text.trim().is_empty()) {
                issues.push(ParamIssue::new([key], format!("`{key}` is empty")));
            }
        }
        issues
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issues(params: &Value) -> Vec<(String, String)> {
        let issues = TrainerParams::parse(params).unwrap_err();
        issues.into_iter().map(|issue| (issue.path.join("."), issue.message)).collect()
    }

    #[test]
    fn the_example_of_the_documentation_is_fine() {
        let params = json!({ "learner": { "gradient_boosting": { "rounds": 300, "learning_rate": 0.1, "early_stopping": 20 } } });
        let params = TrainerParams::parse(&params).unwrap();
        let LearnerParams::GradientBoosting(boosting) = params.learner;
        assert_eq!((boosting.rounds, boosting.early_stopping, boosting.leaves), (300, Some(20), 31));
        assert_eq!((params.splits.train.as_str(), params.seed), ("train", 42));
    }

    #[test]
    fn issues_point_at_the_parameter() {
        let found = issues(&json!({ "learner": { "gradient_boosting": { "learning_rate": 0, "rounds": 0 } } }));
        let place = |name: &str| format!("learner.gradient_boosting.{name}");
        assert_eq!(found[0], (place("rounds"), "`rounds` must be 1 or above".to_owned()));
        assert_eq!(found[1], (place("learning_rate"), "`learning_rate` must be above 0".to_owned()));

        let found =
            issues(&json!({ "learner": { "gradient_boosting": {} }, "splits": { "eval": "train" }, "name": " " }));
        assert_eq!([&found[0].0, &found[1].0], ["splits.eval", "name"]);

        let misspelt = json!({ "learner": { "gradient_boosting": { "learning_rat": 0.1 } } });
        let issue = TrainerParams::parse(&misspelt).unwrap_err().remove(0);
        assert_eq!(issue.hint.as_deref(), Some("did you mean `learning_rate`?"));
        assert_eq!(issues(&json!({}))[0].1, "missing field `learner`");
    }
}
