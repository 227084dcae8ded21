//! `hash_buckets`: a code by hash, with or without a key.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::DataType;

use super::super::codes::CodesDecoder;
use super::super::decode::load_integers;
use super::super::mapper::{Codes, MapStep, Position, code_count};
use super::super::run::{Columns, Decoder, Rows};
use super::super::siphash::siphash;
use super::super::table::with_digits;
use super::super::{Keys, Scalar, Stage};

/// `xxh3_64(value) % buckets` for text and whole numbers, hashed as in `vocabulary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashBuckets {
    /// How many, at least 1.
    pub buckets: u32,
}

/// `siphash_2_4(key, value) % buckets` for text and whole numbers (as decimal digits). Without the key nobody can find
/// out which values share a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyedHash {
    /// How many, at least 1.
    pub buckets: u32,
    /// Both halves of the key.
    pub key: [u64; 2],
}

fn output(step: &dyn MapStep, buckets: u32, stage: Stage) -> Result<Stage, String> {
    if buckets == 0 {
        return Err(format!("`{}` needs at least 1 bucket", step.name()));
    }
    match stage {
        Stage::Int | Stage::Text => Ok(Stage::Code(code_count(u64::from(buckets))?)),
        _ => Err(step.does_not_apply(stage)),
    }
}

impl MapStep for HashBuckets {
    fn name(&self) -> &'static str {
        "hash_buckets"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        output(self, self.buckets, stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.buckets)
    }

    fn codes(&self) -> Option<Codes<'_>> {
        Some(Codes::Numbered(0))
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        let none = if at.is_text { Keys::Strings(Vec::new()) } else { Keys::Integers(Vec::new()) };
        Some((Box::new(CodesDecoder::new(&none, self.buckets, at)), 1))
    }
}

impl MapStep for KeyedHash {
    fn name(&self) -> &'static str {
        "keyed_hash"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        output(self, self.buckets, stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.buckets)
    }

    fn codes(&self) -> Option<Codes<'_>> {
        Some(Codes::Numbered(0))
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        let missing = match at.fill() {
            Some(Scalar::Int(value)) if !at.is_text => with_digits(*value, |bytes| self.bucket(bytes)),
            _ => f64::NAN,
        };
        Some((Box::new(KeyedDecoder { hash: self.clone(), missing }), 1))
    }
}

impl KeyedHash {
    fn bucket(&self, bytes: &[u8]) -> f64 {
        (siphash(self.key, bytes) % u64::from(self.buckets)) as f64
    }
}

#[derive(Debug)]
struct KeyedDecoder {
    hash: KeyedHash,
    /// The bucket of a missing value.
    missing: f64,
}

impl Decoder for KeyedDecoder {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        let bucket = |bytes: &[u8]| self.hash.bucket(bytes);
        if rows.source.datatype() == DataType::Int64 {
            let whole = |value| with_digits(value, bucket);
            return rows.raw.is_some_and(|raw| load_integers(raw, self.missing, out.main, whole));
        }
        let Columns { main, indicator, .. } = out;
        rows.texts(indicator.as_deref_mut(), |row, text| {
            main[row] = text.map_or(self.missing, |text| bucket(text.as_bytes()));
        })
    }
}
