//! `days_since`: a date as a number of days.

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_core::calendar::Moment;
use tidemill_model::steps;

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use crate::issues::{issue, one_issue};
use crate::step::{Argument, StepEntry};

pub(super) const DAYS_SINCE: StepEntry = StepEntry {
    name: "days_since",
    about: "The days from a date, 1970-01-01 unless given, to a time: of seconds since 1970 or of a date in text.",
    argument: Argument::Optional(schema::<String>),
    parse,
};

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let origin = match argument {
        Value::Null => "1970-01-01",
        Value::String(date) => date.as_str(),
        _ => return one_issue("`days_since` needs a date: `days_since: 2020-01-01`"),
    };
    match Moment::parse(origin) {
        Some(moment) => fixed(steps::DaysSince { origin_seconds: moment.seconds }),
        None => Err(vec![issue(format!("`{origin}` is not a date")).with_hint("write a date such as `2020-01-01`")]),
    }
}
