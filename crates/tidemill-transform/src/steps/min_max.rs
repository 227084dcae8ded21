//! `min_max`: scaled to a range.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Mapper, steps};

use super::Step;
use super::parse::schema;
use super::per_key::{NumberStep, fit_numbers};
use crate::analyzer::Summary;
use crate::issues::{one_issue, or_empty};
use crate::step::{Argument, StepEntry};

pub(super) const MIN_MAX: StepEntry =
    StepEntry { name: "min_max", about: "Scaled to a range.", argument: Argument::Optional(schema::<MinMax>), parse };

/// Scaled so that the smallest and the largest value become these.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MinMax {
    /// What the smallest value becomes.
    #[serde(default)]
    pub output_min: f64,
    /// What the largest value becomes.
    #[serde(default = "one")]
    pub output_max: f64,
    /// A column: for each of its values the bounds are fitted apart.
    pub per: Option<String>,
}

fn one() -> f64 {
    1.0
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let step: MinMax = parse_params(&or_empty(argument))?;
    if step.output_min < step.output_max {
        Ok(vec![step.into()])
    } else {
        one_issue("`output_min` is not below `output_max`")
    }
}

impl MinMax {
    fn between(&self, min: f64, max: f64) -> Mapper {
        steps::MinMax { min, max, output_min: self.output_min, output_max: self.output_max }.into()
    }
}

impl NumberStep for MinMax {
    fn per(&self) -> Option<&String> {
        self.per.as_ref()
    }

    fn summary(&self) -> Summary {
        Summary::range()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Range(range) = summary else { return None };
        range.0.map(|(min, max)| (self.between(min, max), min == max))
    }

    fn empty(&self) -> Mapper {
        self.between(0.0, 1.0)
    }
}

fit_numbers!(MinMax);
