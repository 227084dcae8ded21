//! The rows of a job: Parquet for every library, and plain matrices of `NumPy` for Python without one that reads Parquet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError};
use tidemill_data::{DataError, write_table};
use tidemill_model::{FeatureBlock, FeatureSpec, feature_schema};

use super::JobData;
use super::job::io;
use crate::learner::SplitRows;

/// The column of labels.
pub(super) const LABEL: &str = "__label__";
/// The column of weights.
pub(super) const WEIGHT: &str = "__weight__";
/// Batches that may wait to be written.
const WAITING: usize = 2;

/// Writes the rows into `folder`: `rows.parquet` and `features.npy`, `raw.parquet`, `label.npy` and, where there are weights,
/// `weight.npy`. Gives the entry of the job file.
pub(super) fn write(
    folder: &Path,
    features: &[FeatureSpec],
    rows: &SplitRows<'_>,
    data: JobData,
) -> Result<Value, ComponentError> {
    let failed = |error| io("cannot write the rows of the job", error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    column(&folder.join("label.npy"), rows.labels()).map_err(failed)?;
    if let Some(weights) = rows.weights() {
        column(&folder.join("weight.npy"), weights).map_err(failed)?;
    }
    let [raw, parquet] = ["raw.parquet", "rows.parquet"].map(|file| folder.join(file));
    if data.has_raw() {
        write_table(&raw, rows.raw_batches()?)?;
    }
    if data.has_features() {
        write_features(folder, &parquet, features, rows)?;
    }
    Ok(json!({
        "folder": folder,
        "files": if data.has_features() { vec![&parquet] } else { Vec::new() },
        "raw": data.has_raw().then_some(raw),
        "rows": rows.rows(),
        "features": data.has_features().then(|| folder.join("features.npy")),
        "label": folder.join("label.npy"),
        "weight": rows.weights().map(|_| folder.join("weight.npy")),
    }))
}

/// Writes the features as Parquet, with labels and weights, and as a matrix.
fn write_features(
    folder: &Path,
    parquet: &Path,
    features: &[FeatureSpec],
    rows: &SplitRows<'_>,
) -> Result<(), ComponentError> {
    let failed = |error| io("cannot write the rows of the job", error);
    let mut matrix = Matrix::new(&folder.join("features.npy"), rows.rows(), features.len()).map_err(failed)?;
    let plain = feature_schema(features);
    let mut fields: Vec<Arc<Field>> = plain.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(LABEL, DataType::Float64, false)));
    if rows.weights().is_some() {
        fields.push(Arc::new(Field::new(WEIGHT, DataType::Float64, false)));
    }
    let schema = Arc::new(Schema::new(fields));
    let (sender, receiver) = sync_channel::<Result<RecordBatch, DataError>>(WAITING);
    std::thread::scope(|scope| -> Result<(), ComponentError> {
        let writer = scope.spawn(|| write_table(parquet, receiver.into_iter()));
        let mut first = 0;
        let mut trouble: Option<ComponentError> = None;
        let read = rows.each_block(|block| {
            if trouble.is_some() {
                return;
            }
            let batch = matrix.push(block).map_err(failed).and_then(|()| {
                let range = first..first + block.rows;
                let mut columns: Vec<ArrayRef> = block.clone().take_batch(&plain).map_err(arrow)?.columns().to_vec();
                columns.push(Arc::new(Float64Array::from(rows.labels()[range.clone()].to_vec())));
                columns.extend(
                    rows.weights().map(|weights| Arc::new(Float64Array::from(weights[range].to_vec())) as ArrayRef),
                );
                RecordBatch::try_new(Arc::clone(&schema), columns).map_err(arrow)
            });
            first += block.rows;
            match batch {
                // The writer has ended where this fails, and says why.
                Ok(batch) => drop(sender.send(Ok(batch))),
                Err(error) => trouble = Some(error),
            }
        });
        drop(sender);
        let written = writer.join().map_err(|_| ComponentError::new(Code::Internal, "the writer of rows panicked"))?;
        read?;
        trouble.map_or(Ok(()), Err)?;
        written?;
        Ok(())
    })?;
    matrix.finish().map_err(failed)
}

fn arrow(error: arrow::error::ArrowError) -> ComponentError {
    ComponentError {
        source: Some(Box::new(error)),
        ..ComponentError::new(Code::Internal, "rows of features do not fit")
    }
}

/// A matrix of 64-bit floats in `NumPy`'s format, row by row.
struct Matrix(BufWriter<File>);

impl Matrix {
    fn new(path: &Path, rows: usize, columns: usize) -> std::io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        header(&mut file, &format!("({rows}, {columns})"))?;
        Ok(Self(file))
    }

    fn push(&mut self, block: &FeatureBlock) -> std::io::Result<()> {
        for row in 0..block.rows {
            for column in &block.columns {
                self.0.write_all(&column[row].to_le_bytes())?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A column of 64-bit floats in `NumPy`'s format.
fn column(path: &Path, values: &[f64]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    header(&mut file, &format!("({},)", values.len()))?;
    values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
    file.flush()
}

/// The head of a file of format 1.0, whose length is a multiple of 64.
fn header(file: &mut impl Write, shape: &str) -> std::io::Result<()> {
    let mut text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text.push_str(&" ".repeat(length - text.len() - 1));
    text.push('\n');
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(length as u16).to_le_bytes())?;
    file.write_all(text.as_bytes())
}
