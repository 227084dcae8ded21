//! `days_since`: a date as a number of days.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;
use tidemill_core::calendar;

use super::super::Stage;
use super::super::mapper::{MapStep, Missing, Position};
use super::super::run::{Decoder, NumberOp, each_number};
use super::date_part::TimeDecoder;

/// The days from a date to a time, with a fraction for the time of day in whole seconds: of seconds since 1970, or of text such as
/// `2024-02-29`. Text that is not a date, and years before 1 or after 9999, become missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaysSince {
    /// The date that is day 0, in seconds since 1970.
    pub origin_seconds: f64,
}

impl MapStep for DaysSince {
    fn name(&self) -> &'static str {
        "days_since"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        if !calendar::contains(self.origin_seconds) {
            return Err("`origin_seconds` of `days_since` is not in the years 1 to 9999".to_owned());
        }
        match stage {
            Stage::Int | Stage::Float | Stage::Text => Ok(Stage::Float),
            _ => Err(self.does_not_apply(stage)),
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {:.0} s after 1970", self.origin_seconds)
    }

    fn missing(&self) -> Missing {
        Missing::Made
    }

    fn reads_dates(&self) -> bool {
        true
    }

    fn reads_raw(&self, is_text: bool) -> bool {
        is_text
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        if at.is_text { Some((Box::new(TimeDecoder), 0)) } else { None }
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let origin = self.origin_seconds;
        each_number(
            move |x| if calendar::contains(x) { (x.floor() - origin) / calendar::DAY_SECONDS as f64 } else { f64::NAN },
        )
    }
}
