//! `missing_indicator`: a column that says which values are missing.

use std::borrow::Cow;

use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::{MapStep, Missing};
use super::super::run::{NumberOp, Numbers, TextOp};

/// See [`Mapper::MissingIndicator`](super::Mapper::MissingIndicator).
pub(super) struct MissingIndicator;

impl MapStep for MissingIndicator {
    fn name(&self) -> &'static str {
        "missing_indicator"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        match stage {
            Stage::Columns | Stage::Code(_) | Stage::Tokens | Stage::Vector(_) | Stage::History | Stage::Binary => {
                Err(self.does_not_apply(stage))
            }
            _ => Ok(stage),
        }
    }

    fn missing(&self) -> Missing {
        Missing::Indicated
    }

    fn text_op(&self) -> Option<Box<dyn TextOp>> {
        Some(Box::new(Indicate))
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        Some(Box::new(Indicate))
    }
}

#[derive(Debug)]
struct Indicate;

impl TextOp for Indicate {
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, was_missing: &mut bool) -> Option<Cow<'a, str>> {
        *was_missing = text.is_none();
        text
    }
}

impl NumberOp for Indicate {
    fn run(&self, numbers: &mut Numbers<'_>) -> bool {
        if let Some(indicator) = &mut numbers.indicator {
            for (indicator, value) in indicator.iter_mut().zip(&*numbers.values) {
                *indicator = f64::from(u8::from(value.is_nan()));
            }
        }
        true
    }
}
