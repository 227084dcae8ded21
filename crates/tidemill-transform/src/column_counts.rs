//! What the first scan counts of columns: missing values, and texts that are not dates.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use tidemill_core::DataType;
use tidemill_model::{Feature, ValueCheck};
use tidemill_validation::stored;

use crate::analyze::Merge;
use crate::config::TransformConfig;
use crate::error::TransformError;
use crate::fit::ColumnKinds;
use crate::steps::Step;

/// What was counted in some rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnCounts {
    /// Missing values by column.
    pub(crate) missing: HashMap<Box<str>, u64>,
    /// By feature that reads dates from text.
    dates: Vec<DateTexts>,
}

/// Texts that a feature reads as dates.
#[derive(Debug, Clone)]
struct DateTexts {
    values: u64,
    unread: u64,
    /// The first text that is not a date.
    example: Option<String>,
}

stored!(ColumnCounts { missing, dates });
stored!(DateTexts { values, unread, example });

impl Merge for ColumnCounts {
    fn merge(&mut self, other: Self) {
        for (column, count) in other.missing {
            *self.missing.entry(column).or_default() += count;
        }
        if self.dates.is_empty() {
            self.dates = other.dates;
            return;
        }
        for (texts, other) in self.dates.iter_mut().zip(other.dates) {
            texts.values += other.values;
            texts.unread += other.unread;
            texts.example = texts.example.take().or(other.example);
        }
    }
}

impl ColumnCounts {
    /// Warnings of texts that are not dates; `features` are those of [`date_features`].
    pub(crate) fn warnings(&self, features: &[Feature]) -> Vec<String> {
        let mut told: Vec<String> = Vec::new();
        let mut warnings = Vec::new();
        for (feature, DateTexts { values, unread, example }) in features.iter().zip(&self.dates) {
            let origin = feature.source.describe();
            if *unread == 0 || told.contains(&origin) {
                continue;
            }
            let example = example.as_deref().unwrap_or_default();
            warnings.push(format!(
                "feature `{}`: {unread} of {values} values of {origin} in the train split are not dates, such as `{example}`; they are missing. Dates are read as `2024-02-29`, `2024/02/29` or `2/29/2024`, with or without a time",
                feature.name
            ));
            told.push(origin);
        }
        warnings
    }
}

/// Counts while a scan goes on.
pub(crate) struct ColumnCounter<'a> {
    datatypes: &'a ColumnKinds,
    features: &'a [Feature],
    missing: HashMap<Box<str>, u64>,
    check: Option<ValueCheck>,
}

impl<'a> ColumnCounter<'a> {
    pub(crate) fn new(datatypes: &'a ColumnKinds, features: &'a [Feature]) -> Self {
        Self { datatypes, features, missing: HashMap::new(), check: None }
    }

    /// Takes in a batch.
    pub(crate) fn update(&mut self, batch: &RecordBatch) -> Result<(), TransformError> {
        for (name, (datatype, _)) in self.datatypes {
            let Some(column) = batch.column_by_name(name) else { continue };
            let mut count = column.null_count() as u64;
            if *datatype == DataType::Fp64
                && let Some(values) = column.as_primitive_opt::<Float64Type>()
            {
                count += values.iter().flatten().filter(|value| value.is_nan()).count() as u64;
            }
            *self.missing.entry(name.as_str().into()).or_default() += count;
        }
        let check = match &mut self.check {
            Some(check) => check,
            none => none.insert(ValueCheck::of_dates(self.features, batch.schema_ref())?),
        };
        check.update(batch)?;
        Ok(())
    }

    pub(crate) fn finish(self) -> ColumnCounts {
        let all = self.check.as_ref().map(ValueCheck::all).into_iter().flatten();
        let dates = all.map(|found| DateTexts {
            values: found.values,
            unread: found.unusable,
            example: found.example.as_ref().map(|example| example.chars().take(60).collect()),
        });
        ColumnCounts { dates: dates.collect(), missing: self.missing }
    }
}

/// The features that read dates from text, up to the step that does. Such a step comes after steps that need no fitting.
pub(crate) fn date_features(config: &TransformConfig, datatypes: &ColumnKinds) -> Vec<Feature> {
    let mut features = Vec::new();
    for feature in config.features.iter().filter(|feature| feature.constants.is_none()) {
        let is_text = |column: &String| datatypes.get(column).is_some_and(|(datatype, _)| *datatype == DataType::Bytes);
        let mut mappers = Vec::new();
        for step in &feature.steps {
            let Step::Fixed(mapper) = step else { break };
            mappers.push(mapper.clone());
            if mapper.reads_dates() {
                if feature.columns().iter().any(is_text) {
                    let (name, source) = (feature.name.clone(), feature.source.clone());
                    features.push(Feature { name, source, mappers });
                }
                break;
            }
        }
    }
    features
}
