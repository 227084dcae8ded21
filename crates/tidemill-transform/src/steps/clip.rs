//! `clip`: the nearest value within bounds.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Mapper, steps};

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use super::per_key::{NumberStep, fit_numbers};
use super::quantiles::check_shares;
use crate::analyzer::Summary;
use crate::issues::{issue_at, one_issue};
use crate::step::{Argument, StepEntry};

pub(super) const CLIP: StepEntry = StepEntry {
    name: "clip",
    about: "The nearest value within bounds.",
    argument: Argument::Required(schema::<ClipParams>),
    parse,
};

/// The nearest value within bounds at two shares of the train split.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipQuantiles {
    /// Share below the low bound.
    pub low: f64,
    /// Share below the high bound.
    pub high: f64,
}

/// The nearest value within so many distances of the quartiles beyond them.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipTukey {
    /// How many distances; Tukey used 1.5.
    pub distance: f64,
}

/// Bounds, given or fitted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ClipParams {
    /// Low bound.
    min: Option<f64>,
    /// High bound.
    max: Option<f64>,
    /// Bounds at these shares of the train split: `[0.01, 0.99]`.
    quantiles: Option<[f64; 2]>,
    /// Bounds so many distances of the quartiles beyond them, by Tukey 1.5.
    tukey: Option<f64>,
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    const NEEDS: &str = "`clip` needs `min`, `max`, `quantiles` or `tukey`";
    if argument.is_null() {
        return one_issue(NEEDS);
    }
    match parse_params(argument)? {
        ClipParams { min: None, max: None, quantiles: None, tukey: Some(distance) } => {
            if distance.is_finite() && distance >= 0.0 {
                Ok(vec![ClipTukey { distance }.into()])
            } else {
                issue_at("tukey", "`tukey` is a number that is not negative; Tukey used 1.5")
            }
        }
        ClipParams { tukey: Some(_), .. } => one_issue("`clip` takes one of bounds, `quantiles` and `tukey`"),
        ClipParams { min: None, max: None, quantiles: Some([low, high]), .. } => {
            check_shares([low, high])?;
            Ok(vec![ClipQuantiles { low, high }.into()])
        }
        ClipParams { quantiles: Some(_), .. } => one_issue("`clip` takes either bounds or `quantiles`"),
        ClipParams { min: None, max: None, .. } => one_issue(NEEDS),
        ClipParams { min: Some(min), max: Some(max), .. } if min > max => one_issue("`min` is above `max`"),
        ClipParams { min, max, .. } => fixed(steps::Clip { min, max }),
    }
}

impl NumberStep for ClipQuantiles {
    fn summary(&self) -> Summary {
        Summary::quantiles()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Quantiles(quantiles) = summary else { return None };
        let sorted = quantiles.finish();
        let (min, max) = (sorted.at(self.low)?, sorted.at(self.high));
        Some((steps::Clip { min: Some(min), max }.into(), false))
    }

    fn empty(&self) -> Mapper {
        steps::Clip { min: None, max: None }.into()
    }
}

impl NumberStep for ClipTukey {
    fn summary(&self) -> Summary {
        Summary::quantiles()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Quantiles(quantiles) = summary else { return None };
        let sorted = quantiles.finish();
        let (low, high) = (sorted.between(0.25)?, sorted.between(0.75)?);
        let width = (high - low) * self.distance;
        Some((steps::Clip { min: Some(low - width), max: Some(high + width) }.into(), false))
    }

    fn empty(&self) -> Mapper {
        steps::Clip { min: None, max: None }.into()
    }
}

fit_numbers!(ClipQuantiles);
fit_numbers!(ClipTukey);
