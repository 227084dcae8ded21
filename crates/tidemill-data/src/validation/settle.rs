//! Looking at the rows where statistics know too little.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use tidemill_core::{Anomaly, AnomalyType, Schema};

use super::rules::{allowance, unexpected_severity};
use super::text::{grouped, percent, value_list};
use super::value::ValueRule;
use crate::{BatchReader, DataError};

/// Distinct unexpected values that are named with their counts.
const NAMED_MAX: usize = 1000;

/// Decides by reading the column what statistics alone could not: which values lie outside a string domain.
///
/// Each `STATS_NOT_AVAILABLE` anomaly of a feature with a domain of strings is replaced by what a full count says,
/// or dropped if all is well.
pub(crate) fn settle_unknown(
    anomalies: &mut Vec<Anomaly>,
    schema: &Schema,
    read: impl Fn(&str) -> Result<BatchReader, DataError>,
) -> Result<(), DataError> {
    let mut settled = Vec::with_capacity(anomalies.len());
    for anomaly in anomalies.drain(..) {
        let feature = schema.features.get(&anomaly.feature);
        let rule = feature.map(|feature| ValueRule::new(feature, schema)).filter(|rule| rule.allowed.is_some());
        match (feature, rule) {
            (Some(feature), Some(rule)) if anomaly.anomaly_type == AnomalyType::StatsNotAvailable => {
                let tolerated = 1.0 - feature.min_domain_mass.unwrap_or(1.0);
                settled.extend(count_outside(&anomaly.feature, &rule, tolerated, read(&anomaly.feature)?)?);
            }
            _ => settled.push(anomaly),
        }
    }
    *anomalies = settled;
    Ok(())
}

fn count_outside(
    name: &str,
    rule: &ValueRule<'_>,
    tolerated: f64,
    reader: BatchReader,
) -> Result<Option<Anomaly>, DataError> {
    let (mut total, mut outside) = (0u64, 0u64);
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for batch in reader {
        let batch = batch?;
        let Some(column) = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()) else {
            return Ok(None);
        };
        total += (column.len() - column.null_count()) as u64;
        for text in column.iter().flatten().filter(|text| !rule.allows_text(text)) {
            outside += 1;
            if let Some(count) = named.get_mut(text) {
                *count += 1;
            } else if named.len() < NAMED_MAX {
                named.insert(text.to_owned(), 1);
            }
        }
    }
    if outside == 0 {
        return Ok(None);
    }
    let mut listed: Vec<(&str, u64)> = named.iter().map(|(value, count)| (value.as_str(), *count)).collect();
    listed.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0)));
    let share = outside as f64 / total.max(1) as f64;
    let severity = unexpected_severity(share, tolerated);
    Ok(Some(Anomaly {
        feature: name.to_owned(),
        anomaly_type: AnomalyType::EnumTypeUnexpectedStringValues,
        severity,
        short_description: "unexpected values".to_owned(),
        description: format!(
            "`{name}`: {} of {} values ({}) are not in the domain{}: {}",
            grouped(outside),
            grouped(total),
            percent(share),
            allowance(tolerated),
            value_list(&listed)
        ),
        evidence: Vec::new(),
    }))
}
