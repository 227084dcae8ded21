//! `date_part`: a part of a time.

use serde_json::Value;
use tidemill_core::calendar::DatePart;
use tidemill_core::{ParamIssue, suggest};
use tidemill_model::steps;

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use crate::issues::{issue, one_issue};
use crate::step::{Argument, StepEntry};

pub(super) const DATE_PART: StepEntry = StepEntry {
    name: "date_part",
    about: "A part of a time in UTC, of seconds since 1970 or of a date in text.",
    argument: Argument::Required(schema::<DatePart>),
    parse,
};

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let names = DatePart::ALL.map(DatePart::name);
    let Some(name) = argument.as_str() else {
        return one_issue(format!("`date_part` needs one of {}", names.join(", ")));
    };
    match DatePart::ALL.into_iter().find(|part| part.name() == name) {
        Some(part) => fixed(steps::DatePart { part }),
        None => Err(vec![issue(format!("`{name}` is not a part of a time")).with_hint(match suggest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("parts: {}", names.join(", ")),
        })]),
    }
}
