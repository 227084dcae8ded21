//! Looking at the rows where statistics know too little.

use arrow::array::AsArray;
use tidemill_core::{Anomaly, AnomalyType, Feature, Schema, ValueRule};

use super::tally::TextTally;
use crate::{BatchReader, DataError};

/// Decides by reading the column what statistics alone could not: which values lie outside a domain.
///
/// Each `STATS_NOT_AVAILABLE` anomaly of a feature whose domain judges text is replaced by what a full count says,
/// or dropped if all is well.
pub(crate) fn settle_unknown(
    anomalies: &mut Vec<Anomaly>,
    schema: &Schema,
    read: impl Fn(&str) -> Result<BatchReader, DataError>,
) -> Result<(), DataError> {
    let mut settled = Vec::with_capacity(anomalies.len());
    for anomaly in anomalies.drain(..) {
        let feature = schema.features.get(&anomaly.feature).filter(|feature| feature.domain.is_some());
        match feature {
            Some(feature) if anomaly.anomaly_type == AnomalyType::StatsNotAvailable => {
                settled.extend(count(&anomaly.feature, feature, schema, read(&anomaly.feature)?)?);
            }
            _ => settled.push(anomaly),
        }
    }
    *anomalies = settled;
    Ok(())
}

fn count(name: &str, feature: &Feature, schema: &Schema, reader: BatchReader) -> Result<Vec<Anomaly>, DataError> {
    let rule = ValueRule::new(feature, schema);
    let mut tally = TextTally::new(feature, &rule);
    for batch in reader {
        let batch = batch?;
        let Some(column) = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()) else {
            return Ok(Vec::new());
        };
        column.iter().flatten().for_each(|text| tally.add(text, 1));
    }
    Ok(tally.found().into_iter().map(|found| found.of(name)).collect())
}
