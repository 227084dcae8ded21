//! Rows that show an anomaly.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use tidemill_core::{Anomaly, AnomalyType, Evidence, Schema};

use super::text::shortened;
use super::value::ValueRule;
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
    let mut open: Vec<(&mut Anomaly, Sign<'_>, usize)> = anomalies
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
enum Sign<'a> {
    Missing,
    Text(Box<dyn Fn(&str) -> bool + 'a>),
    Number(Box<dyn Fn(f64) -> bool + 'a>),
}

impl<'a> Sign<'a> {
    /// The sign of an anomaly, if single rows can show it.
    fn of(anomaly: &Anomaly, schema: &'a Schema) -> Option<Self> {
        use AnomalyType as T;
        let feature = schema.features.get(&anomaly.feature)?;
        let rule = ValueRule::new(feature, schema);
        Some(match anomaly.anomaly_type {
            T::FeatureTypeLowFractionPresent | T::FeatureTypeLowNumberPresent => Self::Missing,
            T::EnumTypeUnexpectedStringValues => Self::Text(Box::new(move |text| !rule.allows_text(text))),
            T::UnexpectedDataType | T::FloatTypeStringNotFloat | T::IntTypeNotIntString => {
                Self::Text(Box::new(move |text| rule.number_in(text).is_none()))
            }
            T::FloatTypeSmallFloat | T::IntTypeSmallInt => Self::Number(Box::new(move |x| rule.too_small(x))),
            T::FloatTypeBigFloat | T::IntTypeBigInt => Self::Number(Box::new(move |x| rule.too_big(x))),
            T::FloatTypeHasNan => Self::Number(Box::new(f64::is_nan)),
            T::FloatTypeHasInf => Self::Number(Box::new(f64::is_infinite)),
            _ => return None,
        })
    }

    /// Reports the first `most` rows of `array` that show the anomaly, with what stands there.
    fn find(&self, array: &ArrayRef, most: usize, mut report: impl FnMut(usize, String)) {
        let rows: Vec<(usize, String)> = match self {
            Self::Missing => {
                (0..array.len()).filter(|row| array.is_null(*row)).take(most).map(|row| (row, String::new())).collect()
            }
            Self::Text(shows) => {
                let Some(array) = array.as_string_opt::<i32>() else { return };
                let values = array.iter().enumerate().filter_map(|(row, text)| Some((row, text?)));
                values.filter(|(_, text)| shows(text)).take(most).map(|(row, text)| (row, shortened(text))).collect()
            }
            Self::Number(shows) => {
                if let Some(array) = array.as_primitive_opt::<Float64Type>() {
                    let values = array.iter().enumerate().filter_map(|(row, x)| Some((row, x?)));
                    values.filter(|(_, x)| shows(*x)).take(most).map(|(row, x)| (row, x.to_string())).collect()
                } else if let Some(array) = array.as_primitive_opt::<Int64Type>() {
                    let values = array.iter().enumerate().filter_map(|(row, x)| Some((row, x?)));
                    values.filter(|(_, x)| shows(*x as f64)).take(most).map(|(row, x)| (row, x.to_string())).collect()
                } else {
                    return;
                }
            }
        };
        for (row, value) in rows {
            report(row, value);
        }
    }
}
