//! Rows that show an anomaly.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidemill_core::{Anomaly, AnomalyType, Domain, Evidence, FeatureValue, Schema, ValueRule, shortened};

use crate::{BatchReader, DataError};

/// Rows shown for an anomaly.
const ROWS_MAX: usize = 5;

/// The columns to read for [`add_evidence`]; empty when no row can show anything.
pub(crate) fn evidence_columns<'a>(anomalies: &'a [Anomaly], schema: &Schema) -> Vec<&'a str> {
    let columns: BTreeSet<&str> = anomalies
        .iter()
        .filter(|anomaly| Sign::of(anomaly, schema).is_some())
        .map(|anomaly| anomaly.feature.as_str())
        .collect();
    columns.into_iter().collect()
}

/// Adds to each anomaly the first rows of `reader` that show it, at most five. `place` is the file or split they are in.
///
/// Reading stops as soon as every anomaly has its rows.
pub(crate) fn add_evidence(
    anomalies: &mut [Anomaly],
    schema: &Schema,
    place: &str,
    reader: BatchReader,
) -> Result<(), DataError> {
    let columns = reader.schema();
    let mut open: Vec<(&mut Anomaly, Sign, usize)> = anomalies
        .iter_mut()
        .filter_map(|anomaly| {
            let sign = Sign::of(anomaly, schema)?;
            let column = columns.index_of(&anomaly.feature).ok()?;
            Some((anomaly, sign, column))
        })
        .collect();
    let mut before = 0;
    for batch in reader {
        if open.is_empty() {
            break;
        }
        let batch = batch?;
        open.retain_mut(|(anomaly, sign, column)| {
            sign.find(batch.column(*column), ROWS_MAX - anomaly.evidence.len(), |row, value| {
                let row = before + row as u64 + 1;
                anomaly.evidence.push(Evidence { file: place.to_owned(), row, value });
            });
            anomaly.evidence.len() < ROWS_MAX
        });
        before += batch.num_rows() as u64;
    }
    Ok(())
}

/// What a row must look like to show an anomaly.
enum Sign {
    Missing,
    Value(Box<dyn Fn(FeatureValue<'_>) -> bool>),
}

impl Sign {
    /// The sign of an anomaly, if single rows can show it.
    fn of(anomaly: &Anomaly, schema: &Schema) -> Option<Self> {
        use AnomalyType as T;
        let feature = schema.features.get(&anomaly.feature)?;
        let rule = ValueRule::new(feature, schema);
        let kind = anomaly.anomaly_type;
        Some(match kind {
            T::FeatureTypeLowFractionPresent | T::FeatureTypeLowNumberPresent => Self::Missing,
            // A column of another type breaks the rule in every row; those that made it so say more.
            T::UnexpectedDataType => Self::Value(Box::new(move |value| match value {
                FeatureValue::Text(text) => rule.number_in(text).is_none(),
                _ => false,
            })),
            T::CustomValidation if !matches!(feature.domain, Some(Domain::Time { .. })) => return None,
            T::EnumTypeUnexpectedStringValues
            | T::EnumTypeInvalidUtf8
            | T::FloatTypeSmallFloat
            | T::FloatTypeBigFloat
            | T::FloatTypeStringNotFloat
            | T::FloatTypeHasNan
            | T::FloatTypeHasInf
            | T::IntTypeSmallInt
            | T::IntTypeBigInt
            | T::IntTypeNotIntString
            | T::BoolTypeSmallInt
            | T::BoolTypeBigInt
            | T::BoolTypeUnexpectedString
            | T::BoolTypeUnexpectedFloat
            | T::CustomValidation => Self::Value(Box::new(move |value| {
                rule.judge(value).is_some_and(|violation| rule.anomaly_type(violation, value) == kind)
            })),
            _ => return None,
        })
    }

    /// Reports the first `most` rows of `array` that show the anomaly, with what stands there.
    fn find(&self, array: &ArrayRef, most: usize, mut report: impl FnMut(usize, String)) {
        let shows = |value: FeatureValue<'_>| match self {
            Self::Missing => value == FeatureValue::Missing,
            Self::Value(shows) => shows(value),
        };
        let mut found = 0;
        for row in 0..array.len() {
            if found == most {
                break;
            }
            let Some(value) = value_at(array, row) else { break };
            if shows(value) {
                found += 1;
                let shown = if value == FeatureValue::Missing { String::new() } else { shortened(&value.to_string()) };
                report(row, shown);
            }
        }
    }
}

/// The value in a row, for the types that examples have.
fn value_at(array: &ArrayRef, row: usize) -> Option<FeatureValue<'_>> {
    if array.is_null(row) {
        return Some(FeatureValue::Missing);
    }
    Some(match array.data_type() {
        DataType::Int64 => FeatureValue::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => FeatureValue::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => FeatureValue::Text(array.as_string::<i32>().value(row)),
        DataType::Boolean => FeatureValue::Bool(array.as_boolean().value(row)),
        _ => return None,
    })
}
