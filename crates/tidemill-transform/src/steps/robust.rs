//! `robust`: centred and scaled by quantiles.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Mapper, steps};

use super::Step;
use super::parse::schema;
use super::per_key::{NumberStep, fit_numbers};
use super::quantiles::check_shares;
use crate::analyzer::Summary;
use crate::issues::or_empty;
use crate::step::{Argument, StepEntry};

pub(super) const ROBUST: StepEntry = StepEntry {
    name: "robust",
    about: "(x − median) / distance of the quartiles.",
    argument: Argument::Optional(schema::<Robust>),
    parse,
};

/// (x − median) / distance of two quantiles.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Robust {
    /// Two shares of the train split, by default the quartiles, `[0.25, 0.75]`.
    #[serde(default = "quartiles")]
    pub quantiles: [f64; 2],
}

fn quartiles() -> [f64; 2] {
    [0.25, 0.75]
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let step: Robust = parse_params(&or_empty(argument))?;
    check_shares(step.quantiles)?;
    Ok(vec![step.into()])
}

impl NumberStep for Robust {
    fn summary(&self) -> Summary {
        Summary::quantiles()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Quantiles(quantiles) = summary else { return None };
        let sorted = quantiles.finish();
        let [low, high] = self.quantiles;
        let range = sorted.between(high)? - sorted.between(low)?;
        Some((steps::Robust { median: sorted.median()?, range }.into(), range == 0.0))
    }

    fn empty(&self) -> Mapper {
        steps::Robust { median: 0.0, range: 0.0 }.into()
    }
}

fit_numbers!(Robust);
