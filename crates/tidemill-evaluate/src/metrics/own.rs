//! Metrics that a pipeline file defines: sums over rows, costs of mistakes, formulas over other metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_core::{ParamIssue, TaskKind, suggest};
use tidemill_model::Expression;

use super::{Direction, Metric};

/// A metric of your own: exactly one of `mean`, `sum`, `formula` and `costs`.
///
/// Expressions of rows see the columns of the examples, and
///
/// | name | value |
/// |---|---|
/// | `label` | the label: 0 or 1, a number, or the name of the class |
/// | `prediction` | the probability, the value or the score |
/// | `predicted` | 1 if the row is called positive, else 0; of several classes the most probable one |
/// | `"prediction[CLASS]"`, `"label[NAME]"` | of several classes or labels, one of them |
/// | `weight` | the weight of the row |
///
/// A row for which an expression is null is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnMetric {
    /// Its name, in small letters: `profit_per_trip`. `thresholds` refer to it.
    pub name: String,
    /// The mean over the rows of an expression: `case when predicted = 1 then label * 20 - 5 else 0 end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<String>,
    /// The sum over the rows of an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    /// With `sum`: the sum of another expression, by which it is divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// An expression over other metrics: `5 * recall - "recall@0.3"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// What each outcome costs: the metric is the mean cost of a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
    /// Which values are better: by default the lower ones for costs, and neither otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<Better>,
    /// The unit, shown behind the value: `EUR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it means, in a sentence. Reports show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// What outcomes cost. A negative cost is a gain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Costs {
    /// Of a binary label.
    Binary(BinaryCosts),
    /// Of several classes: by true class, then by predicted class. What is not named costs nothing.
    Classes(BTreeMap<String, BTreeMap<String, f64>>),
}

/// What the four outcomes of a binary label cost. What is not named costs nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BinaryCosts {
    /// A positive that is called positive.
    pub true_positive: f64,
    /// A negative that is called positive.
    pub false_positive: f64,
    /// A negative that is called negative.
    pub true_negative: f64,
    /// A positive that is called negative.
    pub false_negative: f64,
}

/// How a metric follows from the rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Aggregate<'a> {
    Mean(&'a str),
    Sum(&'a str),
    Ratio(&'a str, &'a str),
    Costs,
    Formula(&'a str),
}

const ONE_OF: &str = "write one of `mean`, `sum`, `formula` and `costs`";

impl OwnMetric {
    /// How it is computed; `None` unless exactly one way is given.
    pub(crate) fn aggregate(&self) -> Option<Aggregate<'_>> {
        let Self { mean, sum, over, formula, costs, .. } = self;
        match (mean, sum, over, formula, costs) {
            (Some(mean), None, None, None, None) => Some(Aggregate::Mean(mean)),
            (None, Some(sum), None, None, None) => Some(Aggregate::Sum(sum)),
            (None, Some(sum), Some(over), None, None) => Some(Aggregate::Ratio(sum, over)),
            (None, None, None, Some(formula), None) => Some(Aggregate::Formula(formula)),
            (None, None, None, None, Some(_)) => Some(Aggregate::Costs),
            _ => None,
        }
    }

    /// The expressions over rows, each under its key.
    fn expressions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("mean", &self.mean), ("sum", &self.sum), ("over", &self.over)];
        all.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?)))
    }

    /// The columns that its expressions use, besides what the evaluation gives.
    pub fn columns(&self) -> Vec<String> {
        let parsed = self.expressions().filter_map(|(_, text)| Expression::parse(text).ok());
        let given = |name: &String| {
            matches!(name.as_str(), "label" | "prediction" | "predicted" | "weight")
                || name.starts_with("prediction[")
                || name.starts_with("label[")
        };
        parsed.flat_map(|expression| expression.columns()).filter(|name| !given(name)).collect()
    }

    /// The metrics that its formula names.
    pub(super) fn terms(&self) -> Vec<String> {
        let parsed = self.formula.as_deref().and_then(|text| Expression::parse(text).ok());
        parsed.map(|expression| expression.columns()).unwrap_or_default()
    }

    pub(super) fn direction(&self) -> Direction {
        match (self.better, &self.costs) {
            (Some(Better::Higher), _) => Direction::Higher,
            (Some(Better::Lower), _) | (None, Some(_)) => Direction::Lower,
            (None, None) => Direction::Neutral,
        }
    }

    pub(super) fn applies_to(&self, task: TaskKind) -> bool {
        match &self.costs {
            Some(Costs::Binary(_)) => task == TaskKind::Binary,
            Some(Costs::Classes(_)) => task == TaskKind::MultiClass,
            None => true,
        }
    }

    pub(super) fn title(&self) -> String {
        let name = self.name.replace('_', " ");
        self.unit.as_ref().map_or(name.clone(), |unit| format!("{name} ({unit})"))
    }

    pub(super) fn about(&self) -> String {
        let computed = match self.aggregate() {
            Some(Aggregate::Mean(text)) => format!("Mean over the rows of {text}."),
            Some(Aggregate::Sum(text)) => format!("Sum over the rows of {text}."),
            Some(Aggregate::Ratio(sum, over)) => format!("Sum over the rows of {sum}, divided by the sum of {over}."),
            Some(Aggregate::Formula(text)) => format!("{text}."),
            Some(Aggregate::Costs) => "Mean cost of a row.".to_owned(),
            None => String::new(),
        };
        self.about.as_ref().map_or(computed.clone(), |about| format!("{about} {computed}"))
    }

    /// Everything that is wrong with the definition, under `at`. `others` are all definitions.
    pub(crate) fn issues(&self, at: &[String], others: &[Self]) -> Vec<ParamIssue> {
        let path = |key: &str| at.iter().cloned().chain([key.to_owned()]).collect::<Vec<_>>();
        let mut issues = Vec::new();
        let first_is_letter = self.name.starts_with(|c: char| c.is_ascii_lowercase());
        if !first_is_letter || !self.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            issues.push(
                ParamIssue::new(path("name"), format!("`{}` is not a name for a metric", self.name))
                    .with_hint("write small letters, digits and `_`: `profit_per_trip`"),
            );
        } else if Metric::ALL.iter().any(|metric| metric.name() == self.name) {
            issues.push(ParamIssue::new(path("name"), format!("there is a metric `{}` already", self.name)));
        } else if others.iter().filter(|other| other.name == self.name).count() > 1 {
            issues.push(ParamIssue::new(path("name"), format!("`{}` is defined twice", self.name)));
        }
        if self.aggregate().is_none() {
            let only_over = self.over.is_some() && self.sum.is_none();
            let problem = if only_over {
                "`over` divides a `sum`, and there is none"
            } else {
                "it is not said how it is computed, or in several ways"
            };
            issues.push(ParamIssue::new(at.to_vec(), problem).with_hint(ONE_OF));
        }
        for (key, text) in self.expressions() {
            if let Err(error) = Expression::parse(text) {
                issues.push(ParamIssue::new(path(key), error.to_string()));
            }
        }
        if let Some(formula) = &self.formula {
            match Expression::parse(formula) {
                Err(error) => issues.push(ParamIssue::new(path("formula"), error.to_string())),
                Ok(expression) => issues.extend(Self::formula_issues(&expression, &path("formula"), others)),
            }
        }
        if let Some(wrong) = self.all_costs().into_iter().find(|cost| !cost.is_finite()) {
            issues.push(ParamIssue::new(path("costs"), format!("{wrong} is not a cost: a finite number is required")));
        }
        issues
    }

    fn all_costs(&self) -> Vec<f64> {
        match &self.costs {
            None => Vec::new(),
            Some(Costs::Binary(costs)) => {
                vec![costs.true_positive, costs.false_positive, costs.true_negative, costs.false_negative]
            }
            Some(Costs::Classes(rows)) => rows.values().flat_map(BTreeMap::values).copied().collect(),
        }
    }

    fn formula_issues(expression: &Expression, at: &[String], others: &[Self]) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        for name in expression.columns() {
            let own = others.iter().find(|other| other.name == name);
            if own.is_some_and(|own| own.formula.is_some()) {
                let problem = format!("`{name}` has a formula itself, and a formula takes no other");
                issues.push(ParamIssue::new(at.to_vec(), problem));
            } else if own.is_none()
                && let Err(error) = name.parse::<Metric>()
            {
                let known = Metric::ALL.iter().map(|metric| metric.name());
                let issue = ParamIssue::new(at.to_vec(), error.to_string());
                issues.push(match suggest(&name, known) {
                    Some(near) => issue.with_hint(format!("did you mean `{near}`?")),
                    None => issue.with_hint("a formula is over metrics; `mean` and `sum` are over columns of the rows"),
                });
            }
        }
        issues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(own: &OwnMetric) -> Vec<String> {
        own.issues(&["metrics".into(), "0".into()], std::slice::from_ref(own)).into_iter().map(|i| i.message).collect()
    }

    #[test]
    fn definitions_are_checked_before_anything_runs() {
        let mean =
            |name: &str, text: &str| OwnMetric { name: name.into(), mean: Some(text.into()), ..OwnMetric::default() };
        assert_eq!(problems(&mean("profit", "label * fare")), [""; 0]);
        assert_eq!(problems(&mean("Profit", "label")), ["`Profit` is not a name for a metric"]);
        assert_eq!(problems(&mean("auc", "label")), ["there is a metric `auc` already"]);
        assert_eq!(problems(&mean("profit", "label *")).len(), 1);
        let none = OwnMetric { name: "x".into(), over: Some("fare".into()), ..OwnMetric::default() };
        assert_eq!(problems(&none), ["`over` divides a `sum`, and there is none"]);
        let formula = |text: &str| OwnMetric { name: "x".into(), formula: Some(text.into()), ..OwnMetric::default() };
        assert_eq!(problems(&formula(r#"recall + "recall@0.3""#)), [""; 0]);
        assert_eq!(problems(&formula("recal * 2")), ["`recal` is not a metric"]);
        assert_eq!(mean("p", "label * fare + prediction").columns(), ["fare"]);
    }

    #[test]
    fn costs_are_of_four_outcomes_or_of_classes() {
        let binary: OwnMetric = serde_json::from_str(r#"{"name": "cost", "costs": {"false_positive": 5}}"#).unwrap();
        assert!(matches!(binary.costs, Some(Costs::Binary(costs)) if costs.false_positive == 5.0));
        assert_eq!(binary.direction(), Direction::Lower);
        let classes: OwnMetric = serde_json::from_str(r#"{"name": "cost", "costs": {"a": {"b": 3}}}"#).unwrap();
        assert!(matches!(&classes.costs, Some(Costs::Classes(rows)) if rows["a"]["b"] == 3.0));
        assert!(!classes.applies_to(TaskKind::Binary));
    }
}
