//! `numeric` and `identity`: the value as it is.

use tidemill_model::{Mapper, Stage};

use super::Step;
use super::fixed::plain;
use crate::analyzer::{Analyzer, Summary};
use crate::step::{FitStep, StepEntry, Values};

pub(super) const NUMERIC: StepEntry = plain("numeric", "The value as it is.", |_| Ok(vec![Step::Numeric]));
pub(super) const IDENTITY: StepEntry = plain("identity", "The value as it is.", |_| Ok(vec![Step::Numeric]));

/// See [`Step::Numeric`].
pub(super) struct Numeric;

impl FitStep for Numeric {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        match stage {
            Stage::Text => Err("text is not numeric".to_owned()),
            Stage::Binary => Err("bytes are not numeric".to_owned()),
            Stage::History => Err("a history begins with `lag` or `window`".to_owned()),
            _ => Ok(Vec::new()),
        }
    }

    fn constant(&self, _: Stage) -> Option<Vec<Mapper>> {
        Some(Vec::new())
    }

    fn analyzer(&self, _: &Values) -> Analyzer {
        Analyzer::Summary(Summary::moments())
    }
}
