//! Rows in, their features out, as a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use tidemill_data::DataError;
use tidemill_model::{
    BoundGraph, BoundLabel, FeatureBlock, LabelKind, MissingColumn, SplitRowNumbers, TransformGraph, feature_schema,
    input_type,
};

use crate::error::TransformError;

/// Rows that go through the graph at once: one feature may give many columns.
const SLICE_ROWS: usize = 8192;

/// Batches of raw columns into batches of features: codes are whole numbers, everything else real ones, a missing value is
/// null.
#[derive(Debug)]
pub struct FeatureTable {
    bound: BoundGraph,
    features: SchemaRef,
    label: Option<BoundLabel>,
    /// Where columns that are kept stand in a batch.
    kept: Vec<usize>,
    /// Optional inputs that the rows lack.
    absent: Vec<Field>,
    input: SchemaRef,
    output: SchemaRef,
    block: FeatureBlock,
}

impl FeatureTable {
    /// For rows of the columns `input`: the features of `graph`, then its label if `with_label`, then the columns `keep` as
    /// they are.
    pub fn new(
        graph: &TransformGraph,
        input: &Schema,
        with_label: bool,
        keep: &[String],
    ) -> Result<Self, TransformError> {
        let lacking = keep.iter().filter(|name| input.index_of(name).is_err());
        let lacking: Vec<MissingColumn> =
            lacking.map(|name| MissingColumn::of_feature(name.clone(), name, input)).collect();
        MissingColumn::error_if_any(lacking)?;
        let kept: Vec<usize> = keep.iter().filter_map(|name| input.index_of(name).ok()).collect();
        let absent: Vec<Field> = graph
            .inputs()
            .iter()
            .filter(|spec| spec.optional && input.index_of(&spec.name).is_err())
            .map(|spec| Field::new(&spec.name, input_type(spec), true))
            .collect();
        let fields = input.fields().iter().map(|field| field.as_ref().clone()).chain(absent.iter().cloned());
        let input = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let label = if with_label { Some(graph.bind_label(&input)?) } else { None };
        let features = feature_schema(graph.features());
        let mut fields: Vec<Field> = features.fields().iter().map(|field| field.as_ref().clone()).collect();
        if let (Some(bound), Some(spec)) = (&label, graph.label()) {
            let is_text = bound.kind() == LabelKind::Text;
            fields.push(Field::new(&spec.name, if is_text { ArrowType::Utf8 } else { ArrowType::Float64 }, true));
        }
        fields.extend(kept.iter().map(|at| input.field(*at).clone()));
        let twice = |field: &&Field| fields.iter().filter(|other| other.name() == field.name()).count() > 1;
        if let Some(twice) = fields[features.fields().len()..].iter().find(twice) {
            return Err(TransformError::ColumnTwice { column: twice.name().clone() });
        }
        let (bound, output) = (graph.bind(&input)?, Arc::new(Schema::new(fields)));
        Ok(Self { bound, features, label, kept, absent, input, output, block: FeatureBlock::new() })
    }

    /// The columns of the table.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    /// The rows of a batch in parts that are few enough for [`batch`](Self::batch).
    pub fn slices(raw: &RecordBatch) -> Vec<RecordBatch> {
        let starts = (0..raw.num_rows()).step_by(SLICE_ROWS);
        starts.map(|at| raw.slice(at, SLICE_ROWS.min(raw.num_rows() - at))).collect()
    }

    /// The table of a part of the rows.
    ///
    /// `first_row` is the number of its first row in the split that the graph was fitted on: such rows get the features that a
    /// learner is trained on, with target encodings out of fold. `None`: those that serving gives.
    pub fn batch(&mut self, raw: &RecordBatch, first_row: Option<u64>) -> Result<RecordBatch, TransformError> {
        let mut columns: Vec<ArrayRef> = raw.columns().to_vec();
        columns.extend(self.absent.iter().map(|field| new_null_array(field.data_type(), raw.num_rows())));
        let raw = RecordBatch::try_new(Arc::clone(&self.input), columns).map_err(DataError::from)?;
        match first_row {
            Some(first) => self.bound.apply_training(&raw, SplitRowNumbers::From(first), &mut self.block)?,
            None => self.bound.apply(&raw, &mut self.block)?,
        }
        let features = self.block.take_batch(&self.features).map_err(DataError::from)?;
        let mut columns = features.columns().to_vec();
        if let Some(label) = &self.label {
            columns.push(match label.kind() {
                LabelKind::Text => label.array(&raw)?,
                _ => Arc::new(Float64Array::from(label.optional_values(&raw)?)),
            });
        }
        columns.extend(self.kept.iter().map(|at| Arc::clone(raw.column(*at))));
        Ok(RecordBatch::try_new(self.schema(), columns).map_err(DataError::from)?)
    }
}
