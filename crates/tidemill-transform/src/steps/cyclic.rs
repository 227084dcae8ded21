//! `cyclic`: sine and cosine over a period.

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::steps;

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

pub(super) const CYCLIC: StepEntry = StepEntry {
    name: "cyclic",
    about: "Sine and cosine over a period.",
    argument: Argument::Required(schema::<f64>),
    parse,
};

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    match argument.as_f64() {
        Some(period) if period.is_finite() && period > 0.0 => fixed(steps::Cyclic { period }),
        _ => one_issue("`cyclic` needs a period above 0: `cyclic: 24`"),
    }
}
