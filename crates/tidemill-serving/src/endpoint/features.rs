//! Inputs that are looked up by a key, in a Parquet file that is read again when it changes.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches, interleave};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::rows::{internal, push_cell, with_columns};
use super::spec::{FeatureSpec, MissingKey};
use crate::inference::request_error::RequestError;

/// A table of features by key; shared by all models, and kept while the endpoint changes.
#[derive(Debug)]
pub(super) struct FeatureTable {
    name: String,
    spec: FeatureSpec,
    file: PathBuf,
    loaded: ArcSwapOption<Loaded>,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
}

#[derive(Debug)]
struct Loaded {
    modified: Option<(SystemTime, u64)>,
    rows: RecordBatch,
    by_key: HashMap<Vec<u8>, usize>,
}

impl FeatureTable {
    pub(super) fn new(name: &str, spec: &FeatureSpec) -> Self {
        Self {
            name: name.to_owned(),
            spec: spec.clone(),
            file: spec.from.clone(),
            loaded: ArcSwapOption::empty(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    pub(super) fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    pub(super) fn refresh_interval(&self) -> Duration {
        Duration::from_secs(self.spec.refresh_secs)
    }

    /// Rows of the table.
    pub(super) fn rows(&self) -> usize {
        self.loaded.load().as_ref().map_or(0, |loaded| loaded.by_key.len())
    }

    /// Reads the file if it has changed. An unreadable file changes nothing.
    pub(super) fn refresh(&self) -> Result<bool, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("`{}`: {error}", self.file.display());
        let metadata = std::fs::metadata(&self.file).map_err(|error| wrong(&error))?;
        let modified = metadata.modified().ok().map(|time| (time, metadata.len()));
        if modified.is_some() && self.loaded.load().as_ref().is_some_and(|loaded| loaded.modified == modified) {
            return Ok(false);
        }
        let rows = read(&self.file).map_err(|error| wrong(&error))?;
        let keys = rows.column_by_name(&self.spec.key);
        let keys = keys.ok_or_else(|| wrong(&format!("there is no column `{}`", self.spec.key)))?;
        // Keys are compared as text: a client may send `7` where the table has a number.
        let keys = cast(keys, &DataType::Utf8).map_err(|error| wrong(&error))?;
        // Of rows with equal keys, the last one counts.
        let by_key = (0..rows.num_rows()).filter_map(|row| Some((key_of(&keys, row)?, row))).collect();
        self.loaded.store(Some(Arc::new(Loaded { modified, rows, by_key })));
        Ok(true)
    }

    /// The columns besides the key.
    pub(super) fn columns(&self) -> Vec<String> {
        let loaded = self.loaded.load();
        let names = loaded.iter().flat_map(|loaded| loaded.rows.schema_ref().fields());
        names.map(|field| field.name().clone()).filter(|name| *name != self.spec.key).collect()
    }

    /// Rows with the inputs filled in that the request left out.
    pub(super) fn fill(&self, batch: RecordBatch) -> Result<RecordBatch, RequestError> {
        let loaded = self.loaded.load();
        let Some(loaded) = loaded.as_ref() else {
            let message = format!("the table of features `{}` is not loaded", self.name);
            return Err(RequestError::new(hyper::StatusCode::SERVICE_UNAVAILABLE, message));
        };
        let Some(keys) = batch.column_by_name(&self.spec.key) else { return Ok(batch) };
        let keys = cast(keys, &DataType::Utf8).map_err(internal)?;
        let found: Vec<Option<usize>> = (0..batch.num_rows())
            .map(|row| key_of(&keys, row).and_then(|key| loaded.by_key.get(&key).copied()))
            .collect();
        let misses = found.iter().filter(|row| row.is_none()).count();
        self.misses.fetch_add(misses as u64, Ordering::Relaxed);
        self.hits.fetch_add((found.len() - misses) as u64, Ordering::Relaxed);
        if self.spec.on_missing == MissingKey::Reject
            && let Some(row) = found.iter().position(Option::is_none)
        {
            let message =
                format!("row {row}: the table of features `{}` has no row for its key `{}`", self.name, self.spec.key);
            return Err(RequestError::invalid(message));
        }
        let mut columns = batch.columns().to_vec();
        for (at, field) in batch.schema_ref().fields().iter().enumerate() {
            let known = loaded.rows.column_by_name(field.name()).filter(|_| *field.name() != self.spec.key);
            let default = self.spec.default.get(field.name());
            if known.is_none() && default.is_none() || columns[at].null_count() == 0 {
                continue;
            }
            columns[at] = filled(&columns[at], field, known, default, &found)?;
        }
        with_columns(batch.schema(), columns, batch.num_rows())
    }
}

/// A column of the request; where it is missing, the value of the table, or else the default.
fn filled(
    given: &ArrayRef,
    field: &Field,
    known: Option<&ArrayRef>,
    default: Option<&Value>,
    found: &[Option<usize>],
) -> Result<ArrayRef, RequestError> {
    let empty = arrow::array::new_empty_array(field.data_type());
    let known = match known {
        Some(known) => cast(known, field.data_type()).map_err(internal)?,
        None => empty,
    };
    let default = match default {
        Some(value) => default_cell(value, field.data_type()).ok_or_else(|| {
            internal(format!("the default of `{}` does not fit its type {}", field.name(), field.data_type()))
        })?,
        None => arrow::array::new_null_array(field.data_type(), 1),
    };
    let order: Vec<(usize, usize)> = found
        .iter()
        .enumerate()
        .map(|(row, found)| match found {
            _ if given.is_valid(row) => (0, row),
            Some(at) if *at < known.len() => (1, *at),
            _ => (2, 0),
        })
        .collect();
    interleave(&[&**given, &*known, &*default], &order).map_err(internal)
}

fn key_of(keys: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    push_cell(&mut bytes, keys, row);
    keys.is_valid(row).then_some(bytes)
}

fn default_cell(value: &Value, datatype: &DataType) -> Option<ArrayRef> {
    use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray};
    Some(match datatype {
        DataType::Float64 => Arc::new(Float64Array::from(vec![value.as_f64()?])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![value.as_i64()?])),
        DataType::Boolean => Arc::new(BooleanArray::from(vec![value.as_bool()?])),
        DataType::Utf8 => Arc::new(StringArray::from(vec![value.as_str()?])),
        _ => return None,
    })
}

fn read(file: &Path) -> Result<RecordBatch, Box<dyn std::error::Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let schema: SchemaRef = Arc::new(Schema::new(builder.schema().fields().clone()));
    let batches: Result<Vec<RecordBatch>, _> = builder.build()?.collect();
    Ok(concat_batches(&schema, &batches?)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::Float64Type;
    use parquet::arrow::ArrowWriter;
    use serde_json::json;

    use super::*;

    fn write(path: &Path, scores: &[f64]) {
        let ids: Vec<i64> = (0..scores.len() as i64).collect();
        let columns: [(&str, ArrayRef); 2] =
            [("rider", Arc::new(Int64Array::from(ids))), ("score", Arc::new(Float64Array::from(scores.to_vec())))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn table(path: &Path, more: &Value) -> FeatureTable {
        let mut spec = json!({ "key": "rider", "from": path });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        FeatureTable::new("riders", &serde_json::from_value(spec).unwrap())
    }

    fn request(riders: Vec<Option<&str>>, scores: Vec<Option<f64>>) -> RecordBatch {
        let schema =
            Schema::new(vec![Field::new("rider", DataType::Utf8, true), Field::new("score", DataType::Float64, true)]);
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(riders)), Arc::new(Float64Array::from(scores))];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    #[test]
    fn what_the_request_lacks_comes_from_the_table_as_it_is_now() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("riders.parquet");
        write(&path, &[0.5, 0.25]);
        let table = table(&path, &json!({ "on_missing": "use_default", "default": { "score": 9.0 } }));
        assert_eq!(table.refresh(), Ok(true));
        assert_eq!(table.refresh(), Ok(false));
        assert_eq!(table.columns(), ["score"]);
        let filled = || {
            let request = request(vec![Some("1"), Some("0"), Some("7"), None], vec![None, Some(3.0), None, None]);
            let filled = table.fill(request).unwrap();
            filled.column(1).as_primitive::<Float64Type>().values().to_vec()
        };
        assert_eq!(filled(), [0.25, 3.0, 9.0, 9.0]);
        write(&path, &[0.5, 0.75, 1.0]);
        assert_eq!(table.refresh(), Ok(true));
        assert_eq!(filled(), [0.75, 3.0, 9.0, 9.0]);
        // A damaged file changes nothing.
        std::fs::write(&path, b"PAR1").unwrap();
        assert!(table.refresh().unwrap_err().contains("riders.parquet"));
        assert_eq!(filled(), [0.75, 3.0, 9.0, 9.0]);
    }

    #[test]
    fn a_row_without_its_key_can_be_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("riders.parquet");
        write(&path, &[0.5]);
        let table = table(&path, &json!({ "on_missing": "reject" }));
        let unloaded = table.fill(request(vec![Some("0")], vec![None])).unwrap_err();
        assert_eq!(unloaded.status, hyper::StatusCode::SERVICE_UNAVAILABLE);
        table.refresh().unwrap();
        assert!(table.fill(request(vec![Some("0")], vec![None])).is_ok());
        let error = table.fill(request(vec![Some("0"), Some("5")], vec![None, None])).unwrap_err();
        assert!(error.message.starts_with("row 1"), "{}", error.message);
    }
}
