//! `vocabulary`: a code for each listed value, buckets for others.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::codes::CodesDecoder;
use super::super::mapper::{Codes, MapStep, Position, code_count};
use super::super::run::Decoder;
use super::super::{Keys, Stage};

/// The position of a value in a list; for others a bucket by hash.
///
/// A value not listed gets `size + xxh3_64(value) % oov_buckets`, where the hash is XXH3 with seed 0 of the UTF-8 bytes,
/// for whole numbers of their decimal digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// The values that have a code of their own, in the order of their codes.
    pub values: Keys,
    /// Buckets for all other values. 0: they become missing.
    pub oov_buckets: u32,
}

impl MapStep for Vocabulary {
    fn name(&self) -> &'static str {
        "vocabulary"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.check_keys(stage, &self.values)?;
        Ok(Stage::Code(code_count(self.values.len() as u64 + u64::from(self.oov_buckets))?))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed(f, &self.values, self.oov_buckets)
    }

    fn codes(&self) -> Option<Codes<'_>> {
        Some(Codes::Listed(&self.values, self.oov_buckets))
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        Some((Box::new(CodesDecoder::new(&self.values, self.oov_buckets, at)), 1))
    }
}

/// How many values are listed, and how many buckets others have.
pub(super) fn listed(f: &mut fmt::Formatter<'_>, values: &Keys, oov_buckets: u32) -> fmt::Result {
    match oov_buckets {
        0 => write!(f, " of {}", values.len()),
        _ => write!(f, " of {} and {oov_buckets} for others", values.len()),
    }
}
