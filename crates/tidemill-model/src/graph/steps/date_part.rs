//! `date_part`: a part of a time.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;
use tidemill_core::calendar::{self, seconds_of};

use super::super::Stage;
use super::super::mapper::{Codes, MapStep, Missing, Position};
use super::super::run::{Columns, Decoder, NumberOp, Rows, each_number};

/// A part of a time in UTC: of seconds since 1970, or of text such as `2024-02-29T12:30:00+01:00`.
///
/// Text that is not a date, and years before 1 or after 9999, become missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatePart {
    /// Which part.
    pub part: calendar::DatePart,
}

impl MapStep for DatePart {
    fn name(&self) -> &'static str {
        "date_part"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        match stage {
            Stage::Int | Stage::Float | Stage::Text => Ok(self.part.end().map_or(Stage::Float, Stage::Bucket)),
            _ => Err(self.does_not_apply(stage)),
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.part)
    }

    fn missing(&self) -> Missing {
        Missing::Made
    }

    fn reads_dates(&self) -> bool {
        true
    }

    fn codes(&self) -> Option<Codes<'_>> {
        Some(Codes::Numbered(self.part.first()))
    }

    fn reads_raw(&self, is_text: bool) -> bool {
        is_text
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        if at.is_text { Some((Box::new(TimeDecoder), 0)) } else { None }
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let part = self.part;
        each_number(move |x| part.of(x))
    }
}

/// Text into seconds since 1970.
#[derive(Debug)]
pub(super) struct TimeDecoder;

impl Decoder for TimeDecoder {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        let Columns { main, indicator, .. } = out;
        rows.texts(indicator.as_deref_mut(), |row, text| main[row] = text.map_or(f64::NAN, seconds_of))
    }
}
