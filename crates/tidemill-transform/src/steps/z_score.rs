//! `z_score`: centred and scaled by mean and standard deviation.

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

pub(super) const Z_SCORE: StepEntry = StepEntry {
    name: "z_score",
    about: "(x − mean) / standard deviation.",
    argument: Argument::Optional(schema::<ZScore>),
    parse,
};

/// (x − mean) / standard deviation.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZScore {
    /// A column: for each of its values the constants are fitted apart.
    pub per: Option<String>,
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    if !argument.is_null() && !argument.is_object() {
        return one_issue("`z_score` takes no argument but `{ per: COLUMN }`");
    }
    Ok(vec![parse_params::<ZScore>(&or_empty(argument))?.into()])
}

impl NumberStep for ZScore {
    fn per(&self) -> Option<&String> {
        self.per.as_ref()
    }

    fn summary(&self) -> Summary {
        Summary::moments()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Moments(moments) = summary else { return None };
        let (mean, std_dev) = (moments.mean()?, moments.std_dev()?);
        Some((steps::ZScore { mean, std_dev }.into(), std_dev == 0.0))
    }

    fn empty(&self) -> Mapper {
        steps::ZScore { mean: 0.0, std_dev: 0.0 }.into()
    }
}

fit_numbers!(ZScore);
