//! Behaviour tests of a model: what must not change a prediction, which way a change must move it, and what must be predicted
//! for obvious rows.
//!
//! After Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with `CheckList`" (ACL 2020): invariance, directional
//! expectation, minimum functionality. A test takes rows of the judged split, changes some of their values, and compares the
//! predictions.

mod run;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidemill_core::ParamIssue;
use tidemill_model::Expression;

pub(crate) use run::{Probe, run_tests};

/// Rows of a test by default.
const ROWS: u64 = 1_000;
/// Failures that are kept with their rows.
pub(crate) const FAILURES_MAX: usize = 20;

/// A test of the model's behaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BehaviourTest {
    /// What it tests, in words.
    pub name: String,
    /// Which rows: a condition over the columns of the examples. All rows without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#where: Option<String>,
    /// The new values of columns, each an expression over the row: `{ trip_miles: trip_miles * 1.1, payment_type: "'Cash'" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub change: BTreeMap<String, String>,
    /// What must be true of the prediction after the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expected>,
    /// How far a prediction may move the wrong way.
    #[serde(default)]
    pub tolerance: f64,
    /// The least prediction, of the changed rows if something is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The largest prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Of a model of several classes, labels or quantiles: which of its numbers is meant. Without one, `expect: same` is of the
    /// most probable class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The share of rows for which it must hold: 1 is all.
    #[serde(default = "all_rows")]
    pub pass: f64,
    /// Rows to test at most: the first of the split.
    #[serde(default = "default_rows")]
    pub rows: u64,
}

const fn all_rows() -> f64 {
    1.0
}

const fn default_rows() -> u64 {
    ROWS
}

/// What must be true of a prediction after a change, within the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It is the same.
    Same,
    /// It is not lower.
    NotLower,
    /// It is not higher.
    NotHigher,
}

impl BehaviourTest {
    /// Everything that is wrong, under `at`.
    pub(crate) fn issues(&self, at: &[String]) -> Vec<ParamIssue> {
        let path = |keys: &[&str]| at.iter().cloned().chain(keys.iter().map(|&key| key.to_owned())).collect::<Vec<_>>();
        let mut issues = Vec::new();
        if self.expect.is_none() && self.at_least.is_none() && self.at_most.is_none() {
            issues.push(
                ParamIssue::new(at.to_vec(), format!("the test `{}` expects nothing", self.name))
                    .with_hint("write `expect: same`, `not_lower` or `not_higher`, or `at_least` or `at_most`"),
            );
        }
        if self.expect.is_some() && self.change.is_empty() {
            let message = "`expect` compares with the row before a change, and nothing is changed";
            issues.push(ParamIssue::new(path(&["expect"]), message).with_hint("add `change: { COLUMN: EXPRESSION }`"));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            issues.push(ParamIssue::new(path(&["tolerance"]), "a tolerance is a number, 0 or more"));
        }
        if !(self.pass > 0.0 && self.pass <= 1.0) {
            issues.push(ParamIssue::new(path(&["pass"]), "a share of rows is above 0 and at most 1"));
        }
        if self.rows == 0 {
            issues.push(ParamIssue::new(path(&["rows"]), "a test has 1 row at least"));
        }
        if let (Some(low), Some(high)) = (self.at_least, self.at_most)
            && low > high
        {
            issues.push(ParamIssue::new(at.to_vec(), format!("no prediction is at least {low} and at most {high}")));
        }
        let expressions = self.r#where.iter().map(|text| (path(&["where"]), text));
        let changes = self.change.iter().map(|(column, text)| (path(&["change", column]), text));
        for (path, text) in expressions.chain(changes) {
            if let Err(error) = Expression::parse(text) {
                issues.push(ParamIssue::new(path, error.to_string()));
            }
        }
        issues
    }

    /// The columns that it reads and changes.
    pub(crate) fn columns(&self) -> Vec<String> {
        let parsed = self.r#where.iter().chain(self.change.values()).filter_map(|text| Expression::parse(text).ok());
        parsed.flat_map(|expression| expression.columns()).chain(self.change.keys().cloned()).collect()
    }
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BehaviourResult {
    /// The test.
    pub test: BehaviourTest,
    /// Rows that were tested.
    pub rows: u64,
    /// Rows for which it holds.
    pub passed: u64,
    /// Whether it holds for enough rows.
    pub holds: bool,
    /// The first rows for which it does not.
    pub failures: Vec<BehaviourFailure>,
}

/// A row for which a test does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BehaviourFailure {
    /// Its number in the split, from 1.
    pub row: u64,
    /// The prediction for the row as it is.
    pub before: String,
    /// The prediction after the change; the same without one.
    pub after: String,
    /// The values that were changed: `trip_miles 1.2 → 1.32`.
    pub changed: Vec<String>,
}

impl BehaviourResult {
    /// Why the test fails: ``behaviour `longer costs more` holds for 970 of 1,000 rows, and 99 % is asked for; row 17: 0.31 → 0.28
    /// (trip_miles 1.2 → 1.32)``.
    pub fn reason(&self) -> Option<String> {
        if self.holds {
            return None;
        }
        if self.rows == 0 {
            return Some(format!("behaviour `{}` has no rows to test", self.test.name));
        }
        let counted = crate::summary::with_separators;
        let asked = if self.test.pass < 1.0 { format!("{} %", self.test.pass * 100.0) } else { "every row".to_owned() };
        let first = self.failures.first().map_or_else(String::new, |failure| {
            if failure.changed.is_empty() {
                format!("; row {}: {}", failure.row, failure.after)
            } else {
                format!(
                    "; row {}: {} → {} ({})",
                    failure.row,
                    failure.before,
                    failure.after,
                    failure.changed.join(", ")
                )
            }
        });
        Some(format!(
            "behaviour `{}` holds for {} of {} rows, and {asked} is asked for{first}",
            self.test.name,
            counted(self.passed),
            counted(self.rows)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_tests_nothing_is_named() {
        let issues = |yaml: serde_json::Value| -> Vec<String> {
            let test: BehaviourTest = serde_json::from_value(yaml).unwrap();
            test.issues(&["behaviour".into(), "0".into()]).into_iter().map(|issue| issue.message).collect()
        };
        assert_eq!(issues(serde_json::json!({ "name": "x" })), ["the test `x` expects nothing"]);
        assert_eq!(
            issues(serde_json::json!({ "name": "x", "expect": "same", "pass": 2 })),
            [
                "`expect` compares with the row before a change, and nothing is changed",
                "a share of rows is above 0 and at most 1"
            ]
        );
        assert_eq!(issues(serde_json::json!({ "name": "x", "change": { "a": "a *" }, "expect": "same" })).len(), 1);
        assert_eq!(issues(serde_json::json!({ "name": "x", "where": "a > 1", "at_least": 0.5 })), [""; 0]);
    }
}
