//! Looking at the rows where statistics know too little.

use arrow::array::{ArrayRef, AsArray};
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
                match count(&anomaly.feature, feature, schema, read(&anomaly.feature)?)? {
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
    reader: BatchReader,
) -> Result<Option<Vec<Anomaly>>, DataError> {
    let rule = ValueRule::new(feature, schema);
    let mut tally = TextTally::new(feature, &rule);
    for batch in reader {
        let batch = batch?;
        let Some(column) = batch.column_by_name(name) else { return Ok(None) };
        let texts = |column: &ArrayRef, tally: &mut TextTally<'_>| {
            let texts = column.as_string_opt::<i32>()?;
            texts.iter().flatten().for_each(|text| tally.add(text, 1));
            Some(())
        };
        let done = match column.as_list_opt::<i32>() {
            Some(list) => list.iter().flatten().try_for_each(|values| texts(&values, &mut tally)),
            None => texts(column, &mut tally),
        };
        if done.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(tally.found().into_iter().map(|found| found.of(name)).collect()))
}
