//! `categorical`: a code for each value seen in fitting.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::codes::CodesDecoder;
use super::super::mapper::{Codes, MapStep, Position, code_count};
use super::super::run::Decoder;
use super::super::{Keys, Stage};
use super::vocabulary::listed;

/// The position of a value in a list of all values seen in fitting. A value not listed becomes missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categorical {
    /// The values in the order of their codes. Absent for buckets and for true and false, which are codes already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Keys>,
}

impl MapStep for Categorical {
    fn name(&self) -> &'static str {
        "categorical"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        match (&self.values, stage) {
            (Some(values), _) => {
                self.check_keys(stage, values)?;
                Ok(Stage::Code(code_count(values.len() as u64)?))
            }
            (None, Stage::Bool) => Ok(Stage::Code(2)),
            (None, Stage::Bucket(size)) => Ok(Stage::Code(size)),
            (None, _) => Err(self.does_not_apply(stage)),
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.as_ref().map_or(Ok(()), |values| listed(f, values, 0))
    }

    fn codes(&self) -> Option<Codes<'_>> {
        self.values.as_ref().map(|values| Codes::Listed(values, 0))
    }

    fn reads_raw(&self, _: bool) -> bool {
        self.values.is_some()
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        Some((Box::new(CodesDecoder::new(self.values.as_ref()?, 0, at)), 1))
    }
}
