//! `power` and `sqrt`.

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{Mapper, steps};

use super::Step;
use super::fixed::{fixed, plain};
use super::parse::schema;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

pub(super) const SQRT: StepEntry = plain("sqrt", "Square root.", |_| fixed(Mapper::Sqrt));
pub(super) const POWER: StepEntry = StepEntry {
    name: "power",
    about: "x to the power of a constant.",
    argument: Argument::Required(schema::<f64>),
    parse,
};

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    match argument.as_f64() {
        Some(exponent) if exponent.is_finite() => fixed(steps::Power { exponent }),
        _ => one_issue("`power` needs an exponent: `power: 2`"),
    }
}
