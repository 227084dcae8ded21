//! Values that steps cannot use: texts that are not dates, and values that were not seen in fitting.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Int64Type, Schema};
use tidemill_core::calendar::Moment;

use super::decode::codes_of;
use super::table::CodeTable;
use super::{BoundSource, Feature, Stage};
use crate::ModelError;

/// Counts the values that steps cannot use: they become missing, or fall into a bucket for unseen values.
#[derive(Debug)]
pub struct ValueCheck {
    checks: Vec<(BoundSource, Wanted, UnusableValues)>,
}

/// The values that a step can use.
#[derive(Debug)]
enum Wanted {
    Dates,
    Listed(CodeTable),
}

/// Values of a feature that a step cannot use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableValues {
    /// The feature.
    pub feature: String,
    /// The source of its values, as in a message: column `started`.
    pub origin: String,
    /// The step.
    pub step: &'static str,
    /// Whether the step reads dates; otherwise it has the list of values seen in training.
    pub reads_dates: bool,
    /// The number of values, without missing ones.
    pub values: u64,
    /// How many of them the step cannot use.
    pub unusable: u64,
    /// The first of these.
    pub example: Option<String>,
}

impl ValueCheck {
    /// Checks for all of `features` over the columns of `schema`.
    pub fn new(features: &[Feature], schema: &Schema) -> Result<Self, ModelError> {
        Self::with(features, schema, |_| true)
    }

    /// As [`new`](Self::new), only for the steps that read dates from text.
    pub fn of_dates(features: &[Feature], schema: &Schema) -> Result<Self, ModelError> {
        Self::with(features, schema, |wanted| matches!(wanted, Wanted::Dates))
    }

    fn with(features: &[Feature], schema: &Schema, is_checked: fn(&Wanted) -> bool) -> Result<Self, ModelError> {
        let mut checks = Vec::new();
        for feature in features {
            for (at, mapper) in feature.mappers.iter().enumerate() {
                let wanted = match mapper.step().keys() {
                    _ if mapper.reads_dates() => Wanted::Dates,
                    Some(keys) => Wanted::Listed(CodeTable::new(keys, 0)),
                    None => continue,
                };
                // Only steps over text and `impute` come before it; the steps after it work on codes.
                let before = Feature { mappers: feature.mappers[..at].to_vec(), ..feature.clone() };
                if is_checked(&wanted) && before.mappers.iter().all(super::steps::Mapper::keeps_values) {
                    let source = before.bind_source(schema)?;
                    if matches!(source.stage(), Stage::Text | Stage::Int) {
                        let found = UnusableValues {
                            feature: feature.name.clone(),
                            origin: feature.source.describe(),
                            step: mapper.name(),
                            reads_dates: mapper.reads_dates(),
                            values: 0,
                            unusable: 0,
                            example: None,
                        };
                        checks.push((source, wanted, found));
                    }
                }
                break;
            }
        }
        Ok(Self { checks })
    }

    /// Whether there is nothing to check.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// Adds a batch of the schema.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), ModelError> {
        for (source, wanted, found) in &mut self.checks {
            let values = source.values(batch)?;
            found.values += (values.len() - values.null_count()) as u64;
            match wanted {
                // Whole numbers are already seconds.
                Wanted::Dates => {
                    let texts = values.as_string_opt::<i32>();
                    for text in texts.iter().flat_map(|texts| texts.iter()).flatten() {
                        if Moment::parse(text).is_none() {
                            found.add(|| text.to_owned());
                        }
                    }
                }
                Wanted::Listed(table) => {
                    let Some(codes) = codes_of(&values, table) else { continue };
                    for row in 0..values.len() {
                        if values.is_valid(row) && codes(row).is_nan() {
                            found.add(|| shown(&values, row));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The findings so far, by check.
    pub fn all(&self) -> impl Iterator<Item = &UnusableValues> {
        self.checks.iter().map(|(_, _, found)| found)
    }

    /// The findings so far, by feature; features without an unusable value are left out.
    pub fn found(&self) -> impl Iterator<Item = &UnusableValues> {
        self.checks.iter().map(|(_, _, found)| found).filter(|found| found.unusable > 0)
    }
}

impl UnusableValues {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.unusable += 1;
        if self.example.is_none() {
            self.example = Some(example());
        }
    }

    /// Adds the findings of later rows.
    pub fn merge(&mut self, other: Self) {
        self.values += other.values;
        self.unusable += other.unusable;
        self.example = self.example.take().or(other.example);
    }
}

fn shown(values: &ArrayRef, row: usize) -> String {
    match values.data_type() {
        ArrowType::Int64 => values.as_primitive::<Int64Type>().value(row).to_string(),
        ArrowType::Utf8 => values.as_string::<i32>().value(row).to_owned(),
        other => other.to_string(),
    }
}

/// For example: feature `hour`: 12 of 100 values of column `started` are not dates that `date_part` reads, such as
/// `31.12.2024`.
impl fmt::Display for UnusableValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { feature, origin, step, reads_dates, values, unusable, example } = self;
        write!(f, "feature `{feature}`: {unusable} of {values} values of {origin} ")?;
        match (*reads_dates, *unusable) {
            (true, 1) => write!(f, "is not a date that `{step}` reads")?,
            (true, _) => write!(f, "are not dates that `{step}` reads")?,
            (false, 1) => f.write_str("was not seen in training")?,
            (false, _) => f.write_str("were not seen in training")?,
        }
        let example = example.as_deref().unwrap_or_default();
        let shown: String = example.chars().take(60).collect();
        let more = if shown.len() < example.len() { "…" } else { "" };
        write!(f, ", such as `{shown}{more}`")
    }
}
