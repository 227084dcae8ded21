//! Rows that show an anomaly.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidemill_core::{Anomaly, AnomalyType, Domain, Evidence, FeatureValue, Schema, ValueRule, shortened};

use tidemill_data::{BatchReader, DataError};

/// The columns to read for [`add_evidence`]; empty when no row can show anything.
pub(crate) fn evidence_columns<'a>(anomalies: &'a [Anomaly], schema: &Schema) -> Vec<&'a str> {
    let columns: BTreeSet<&str> = anomalies
        .iter()
        .filter(|anomaly| Sign::of(anomaly, schema).is_some())
        .map(|anomaly| anomaly.feature.as_str())
        .collect();
    columns.into_iter().collect()
}

/// Adds to each anomaly the first rows of `reader` that show it, at most `rows_max`. `place` is the file or split they are in.
///
/// Reading stops as soon as every anomaly has its rows.
pub(crate) fn add_evidence(
    anomalies: &mut [Anomaly],
    schema: &Schema,
    place: &str,
    rows_max: usize,
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
            sign.find(batch.column(*column), rows_max - anomaly.evidence.len(), |row, value| {
                let row = before + row as u64 + 1;
                anomaly.evidence.push(Evidence { file: place.to_owned(), row, value });
            });
            anomaly.evidence.len() < rows_max
        });
        before += batch.num_rows() as u64;
    }
    Ok(())
}

/// What a row must look like to show an anomaly.
enum Sign {
    Missing,
    /// A number of values.
    Count(Box<dyn Fn(u64) -> bool>),
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
            T::FeatureTypeHighNumberValues => {
                let most = feature.value_count?.max?;
                Self::Count(Box::new(move |count| count > most))
            }
            T::FeatureTypeLowNumberValues => {
                let least = feature.value_count?.min?;
                Self::Count(Box::new(move |count| count < least))
            }
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
            | T::MaxImageByteSizeExceeded
            | T::CustomValidation => Self::Value(Box::new(move |value| {
                rule.judge(value).is_some_and(|violation| rule.anomaly_type(violation, value) == kind)
            })),
            _ => return None,
        })
    }

    /// Reports the first `most` rows of `array` that show the anomaly, with what stands there.
    fn find(&self, array: &ArrayRef, most: usize, mut report: impl FnMut(usize, String)) {
        let mut found = 0;
        for row in 0..array.len() {
            if found == most {
                break;
            }
            if let Some(shown) = self.shown(array, row) {
                found += 1;
                report(row, shown);
            }
        }
    }

    /// What stands in a row, if it shows the anomaly: the first such value of a list.
    fn shown(&self, array: &ArrayRef, row: usize) -> Option<String> {
        let list = array.as_list_opt::<i32>();
        match self {
            Self::Missing => array.is_null(row).then(String::new),
            _ if array.is_null(row) => None,
            Self::Count(shows) => {
                let count = list.map_or(1, |list| u64::try_from(list.value_length(row)).unwrap_or(0));
                shows(count).then(|| format!("{count} values"))
            }
            Self::Value(shows) => {
                let of = |values: &ArrayRef, row: usize| {
                    let value = value_at(values, row).filter(|value| shows(*value))?;
                    Some(match value {
                        FeatureValue::Bytes(bytes) => format!("{} bytes", bytes.len()),
                        _ => shortened(&value.to_string()),
                    })
                };
                match list {
                    Some(list) => {
                        let values = list.value(row);
                        (0..values.len()).find_map(|at| of(&values, at))
                    }
                    None => of(array, row),
                }
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
        DataType::Binary => FeatureValue::Bytes(array.as_binary::<i32>().value(row)),
        _ => return None,
    })
}
