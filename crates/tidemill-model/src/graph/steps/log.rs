//! `log` and `log1p`: natural logarithms.

use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::{MapStep, Missing};
use super::super::run::{NumberOp, each_number};

/// See [`Mapper::Log`](super::Mapper::Log).
pub(super) struct Log;
/// See [`Mapper::Log1p`](super::Mapper::Log1p).
pub(super) struct Log1p;

impl MapStep for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.of_numbers(stage)
    }

    fn missing(&self) -> Missing {
        Missing::Made
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        each_number(|x| if x > 0.0 { x.ln() } else { f64::NAN })
    }
}

impl MapStep for Log1p {
    fn name(&self) -> &'static str {
        "log1p"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.of_numbers(stage)
    }

    fn missing(&self) -> Missing {
        Missing::Made
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        each_number(|x| if x > -1.0 { x.ln_1p() } else { f64::NAN })
    }
}
