//! The log as training data: what was asked, and the truth that came later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::Serialize;

use crate::MonitorError;
use crate::config::{LabelSpec, MonitorFile};
use crate::labels::{LabelBook, Rows};
use crate::log::{InferenceLog, Micros, TIME_COLUMN, rfc3339};
use crate::watch::Profile;

/// What joined rows are made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// The monitor whose file says how labels are joined.
    pub monitor: String,
    /// The model that answered.
    pub model: String,
    /// Rows with a label, by version of the model: its answers decided what was seen.
    pub versions: BTreeMap<u64, u64>,
    /// Requests of the period.
    pub requests: u64,
    /// Rows with a label.
    pub rows: u64,
    /// The first and the last request.
    pub period: Option<[String; 2]>,
    /// Labels that became known later than this after the request are left out.
    pub known_within: String,
    /// Of requests with a high answer and of those with a low one, the share that has a label. If they differ, the labels
    /// are chosen by the model that is to learn from them.
    pub labelled_share: [f64; 2],
    /// Files of the log.
    pub files: usize,
    /// Labels of people whose labels looked like poison, which are left out.
    pub left_out: u64,
}

impl Provenance {
    /// What somebody who trains on the rows should know.
    pub fn warnings(&self) -> Vec<String> {
        let [high, low] = self.labelled_share;
        let mut out = Vec::new();
        if self.rows > 0 && (high > 2.0 * low || low > 2.0 * high) {
            out.push(format!(
                "{:.1} % of the requests with a high answer have a label, {:.1} % of the others: the model chooses what it \
                 learns from; let a share of requests be answered at random",
                high * 100.0,
                low * 100.0
            ));
        }
        out
    }
}

/// The rows of a period that have a label, with the inputs as the model saw them. A label counts if it was known at
/// `as_of`, or else within the maturity of labels after the request: nothing that became known later. Each batch goes to
/// `write`.
pub fn export(
    file: &MonitorFile,
    log: &InferenceLog,
    book: &LabelBook,
    profile: &Profile,
    (from, to): (Micros, Micros),
    as_of: Option<Micros>,
    mut write: impl FnMut(RecordBatch) -> Result<(), MonitorError>,
) -> Result<Provenance, MonitorError> {
    let no_labels = || MonitorError::Reference {
        message: "the monitor file has no `labels`".to_owned(),
        hint: Some("`labels: { feedback: true }`, or `labels: { files: …, request_id: … }`".to_owned()),
    };
    let spec: &LabelSpec = file.labels.as_ref().ok_or_else(no_labels)?;
    let no_answer = || MonitorError::Reference { message: "the model has no single answer".to_owned(), hint: None };
    let answer = profile.answer.as_ref().ok_or_else(no_answer)?;
    let middle = profile.estimator.as_ref().map_or(0.5, |estimator| match estimator.task() {
        crate::Task::Binary { threshold } => threshold,
        crate::Task::Regression => profile
            .counts
            .columns
            .iter()
            .zip(&profile.columns)
            .find(|(_, column)| column.name == *answer)
            .and_then(|(counts, _)| counts.moments())
            .map_or(0.0, |(mean, _)| mean),
    });
    let mut done = Provenance {
        monitor: file.monitor.clone(),
        model: file.model.clone(),
        known_within: String::from(spec.maturity),
        ..Provenance::default()
    };
    // The inputs of the reference, in the types that the first file has, so that all files give one table.
    let mut table: Option<(Vec<(String, DataType)>, SchemaRef)> = None;
    let mut shares = [[0u64; 2]; 2];
    let mut ends: Option<(Micros, Micros)> = None;
    let keys: BTreeSet<&String> = spec.keys.iter().collect();
    for each in log.files()? {
        let apart = each.range.is_some_and(|(first, last)| last < from || first >= to);
        if apart || std::fs::metadata(&each.path).map_err(MonitorError::io(&each.path))?.len() == 0 {
            continue;
        }
        done.files += 1;
        for batch in each.read(None, None)? {
            let batch = batch?;
            let (inputs, schema) = table.get_or_insert_with(|| columns_of(profile, &batch, &spec.label));
            let rows = Rows::of(&batch, answer, spec, &each)?;
            let (mut chosen, mut labels) = (Vec::new(), Vec::new());
            for row in 0..batch.num_rows() {
                let Some((time, version, found, key)) = rows.get(row).filter(|(time, ..)| (from..to).contains(time))
                else {
                    continue;
                };
                done.requests += 1;
                let side = usize::from(found < middle);
                shares[side][0] += 1;
                let known = as_of.unwrap_or_else(|| time.saturating_add(spec.maturity.micros()));
                let Some(label) = book.label(&key, known, spec) else { continue };
                // With keys, a label before the request belongs to another one.
                if !keys.is_empty() && label.at != Micros::MIN && label.at < time {
                    continue;
                }
                shares[side][1] += 1;
                *done.versions.entry(version).or_default() += 1;
                let (first, last) = ends.unwrap_or((time, time));
                ends = Some((first.min(time), last.max(time)));
                chosen.push(row as u32);
                labels.push(label.value);
            }
            if chosen.is_empty() {
                continue;
            }
            done.rows += chosen.len() as u64;
            let wrong =
                |error: arrow::error::ArrowError| MonitorError::log(format!("`{}`: {error}", each.path.display()));
            let part = take_record_batch(&batch, &UInt32Array::from(chosen)).map_err(wrong)?;
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
            for (name, of) in inputs.iter() {
                columns.push(match part.column_by_name(name) {
                    Some(column) => cast(column, of).map_err(wrong)?,
                    None => arrow::array::new_null_array(of, part.num_rows()),
                });
            }
            columns.push(Arc::new(Float64Array::from(labels)));
            columns.push(
                part.column_by_name(TIME_COLUMN)
                    .map_or_else(|| arrow::array::new_null_array(&DataType::Utf8, part.num_rows()), Arc::clone),
            );
            write(RecordBatch::try_new(Arc::clone(schema), columns).map_err(wrong)?)?;
        }
    }
    done.period = ends.map(|(first, last)| [rfc3339(first), rfc3339(last)]);
    done.labelled_share = shares.map(|[all, labelled]| labelled as f64 / all.max(1) as f64);
    Ok(done)
}

/// The inputs with their types, and the columns of the table.
fn columns_of(profile: &Profile, first: &RecordBatch, label: &str) -> (Vec<(String, DataType)>, SchemaRef) {
    let input = |field: &Arc<Field>| {
        let found = first.column_by_name(field.name()).filter(|column| column.null_count() < column.len());
        (field.name().clone(), found.map_or_else(|| field.data_type().clone(), |column| column.data_type().clone()))
    };
    let types = profile.types();
    let inputs: Vec<(String, DataType)> =
        types.fields().iter().filter(|field| !field.name().starts_with('_')).map(input).collect();
    let mut fields: Vec<Field> = inputs.iter().map(|(name, of)| Field::new(name, of.clone(), true)).collect();
    fields.push(Field::new(label, DataType::Float64, true));
    fields.push(Field::new(TIME_COLUMN, DataType::Utf8, true));
    (inputs, Arc::new(Schema::new(fields)))
}
