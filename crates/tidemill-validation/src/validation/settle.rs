//! Looking at the rows where statistics know too little.

use arrow::array::{ArrayRef, AsArray};
use tidemill_core::{Anomaly, AnomalyType, Feature, Schema, ValueRule};

use super::tally::TextTally;
use crate::statistics::number;
use tidemill_data::{BatchReader, DataError};

/// Decides by reading the column what statistics alone could not: which values lie outside a domain.
///
/// Each `STATS_NOT_AVAILABLE` anomaly of a feature whose domain judges text is replaced by what a full count says,
/// or dropped if all is well. Where examples have weights, `weight` is their column.
pub(crate) fn settle_unknown(
    anomalies: &mut Vec<Anomaly>,
    schema: &Schema,
    weight: Option<&str>,
    read: impl Fn(&[&str]) -> Result<BatchReader, DataError>,
) -> Result<(), DataError> {
    let mut settled = Vec::with_capacity(anomalies.len());
    for anomaly in anomalies.drain(..) {
        let feature = schema.features.get(&anomaly.feature).filter(|feature| feature.domain.is_some());
        match feature {
            Some(feature) if anomaly.anomaly_type == AnomalyType::StatsNotAvailable => {
                let name = anomaly.feature.as_str();
                let columns: Vec<&str> = weight.into_iter().filter(|weight| *weight != name).chain([name]).collect();
                match count(name, feature, schema, weight, read(&columns)?)? {
                    Some(found) => settled.extend(found),
                    None => settled.push(anomaly),
                }
            }
            _ => settled.push(anomaly),
        }
    }
    *anomalies = settled;
    Ok(())
}

/// What a full count says; `None` where the column holds no text.
fn count(
    name: &str,
    feature: &Feature,
    schema: &Schema,
    weight: Option<&str>,
    reader: BatchReader,
) -> Result<Option<Vec<Anomaly>>, DataError> {
    let rule = ValueRule::new(feature, schema);
    let mut tally = TextTally::new(feature, &rule, weight.is_some());
    for batch in reader {
        let batch = batch?;
        let Some(column) = batch.column_by_name(name) else { return Ok(None) };
        let weights = weight.and_then(|weight| batch.column_by_name(weight));
        let weight = |row: usize| weights.map_or(1.0, |weights| number(weights, row).unwrap_or(0.0));
        let mut texts = |column: &ArrayRef, row: &dyn Fn(usize) -> usize| {
            let texts = column.as_string_opt::<i32>()?;
            for (at, text) in texts.iter().enumerate() {
                if let Some(text) = text {
                    tally.add(text, 1, weight(row(at)));
                }
            }
            Some(())
        };
        let done = match column.as_list_opt::<i32>() {
            Some(list) => list
                .iter()
                .enumerate()
                .try_for_each(|(row, values)| values.map_or(Some(()), |values| texts(&values, &|_| row))),
            None => texts(column, &|row| row),
        };
        if done.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(tally.found().into_iter().map(|found| found.of(name)).collect()))
}
