//! What validation reads rows for.

use tidemill_core::{Anomaly, Schema};

use super::composed::{composed_anomalies, composed_columns};
use super::evidence::{add_evidence, evidence_columns};
use super::settle::settle_unknown;
use super::validate::finish;
use tidemill_data::{BatchReader, DataError};

/// Reads the rows where statistics do not say enough: columns that must go together, rules that statistics could not
/// decide, and rows that show an anomaly. `found` is what [`validate`](crate::validate) found of the same data.
///
/// `place` is the file or split that evidence names. `known` are the columns of the data, and `read` reads them anew: at least
/// those named; `weight` is the column of the weights, where there are any. Each anomaly gets at most `rows_max` rows. Nothing is read where there is nothing to look for, and reading stops
/// as soon as every anomaly has its rows.
pub fn look_at_rows(
    found: &mut Vec<Anomaly>,
    schema: &Schema,
    place: &str,
    known: &[String],
    weight: Option<&str>,
    rows_max: usize,
    read: impl Fn(&[&str]) -> Result<BatchReader, DataError>,
) -> Result<(), DataError> {
    let there = |columns: Vec<&str>| -> Vec<String> {
        columns.into_iter().filter(|column| known.iter().any(|name| name == column)).map(str::to_owned).collect()
    };
    let weight = weight.filter(|weight| known.iter().any(|name| name == weight));
    settle_unknown(found, schema, weight, &read)?;
    let composed = there(composed_columns(schema));
    if !composed.is_empty() {
        found.extend(composed_anomalies(schema, read(&composed.iter().map(String::as_str).collect::<Vec<_>>())?)?);
        finish(found, schema);
    }
    let columns = there(evidence_columns(found, schema));
    if !columns.is_empty() && rows_max > 0 {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        add_evidence(found, schema, place, rows_max, read(&columns)?)?;
    }
    Ok(())
}
