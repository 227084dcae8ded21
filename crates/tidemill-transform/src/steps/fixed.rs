//! Steps that need no fitting: they have no constants, or these stand in the file.

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{Mapper, Stage};

use super::Step;
use crate::analyzer::{Analyzer, Summary};
use crate::issues::one_issue;
use crate::step::{Argument, FitStep, StepEntry, Values};

impl FitStep for Mapper {
    fn dry_run(&self, _: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![self.clone()])
    }

    fn constant(&self, _: Stage) -> Option<Vec<Mapper>> {
        Some(vec![self.clone()])
    }

    fn analyzer(&self, _: &Values) -> Analyzer {
        Analyzer::Summary(Summary::moments())
    }
}

/// A fitted step whose constants stand in the file, checked.
pub(super) fn fixed(mapper: impl Into<Mapper>) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let mapper = mapper.into();
    match mapper.check_constants() {
        Ok(()) => Ok(vec![Step::Fixed(mapper)]),
        Err(reason) => one_issue(reason),
    }
}

/// The entry of a step without an argument.
pub(super) const fn plain(
    name: &'static str,
    about: &'static str,
    parse: fn(&Value) -> Result<Vec<Step>, Vec<ParamIssue>>,
) -> StepEntry {
    StepEntry { name, about, argument: Argument::None, parse }
}
