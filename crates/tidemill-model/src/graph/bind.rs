//! A graph resolved against the columns of a schema.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType as ArrowType, Schema};
use tidemill_core::{DataType, RowShape, TensorSpec};

use super::TransformGraph;
use super::run::{BatchContext, SplitRowNumbers};
use super::steps::{LengthMismatch, list_length_mismatch};
use super::{History, Source};
use crate::{FeatureBlock, MissingColumn, ModelError};

/// A transform graph whose columns are resolved: the only executor, for batches and single rows alike.
#[derive(Debug, Clone)]
pub struct BoundGraph {
    graph: TransformGraph,
    /// By input: the column of the schema.
    columns: Vec<usize>,
}

impl BoundGraph {
    pub(super) fn new(graph: TransformGraph, schema: &Schema) -> Result<Self, ModelError> {
        let user = |input: &TensorSpec| {
            let reads = |name: &String| *name == input.name;
            let user = graph.definitions().iter().find(|feature| feature.columns().iter().any(reads));
            user.map_or_else(|| input.name.clone(), |feature| feature.name.clone())
        };
        let columns = resolve(graph.inputs(), user, schema)?;
        Ok(Self { graph, columns })
    }

    /// The graph it was bound from.
    pub fn graph(&self) -> &TransformGraph {
        &self.graph
    }

    /// Transforms a batch of the schema it was bound to into `out`, whose memory is reused.
    ///
    /// A row gives the same bits alone, in a slice and in any batch.
    pub fn apply(&self, batch: &RecordBatch, out: &mut FeatureBlock) -> Result<(), ModelError> {
        self.run(BatchContext { batch, columns: &self.columns, training: None }, out)
    }

    /// As [`apply`](Self::apply) for `rows` of the split that the graph was fitted on: the features for training.
    ///
    /// Only `target_encode` differs: a row gets the encodings fitted without its fold, so that its own label does not
    /// leak into its features.
    pub fn apply_training(
        &self,
        batch: &RecordBatch,
        rows: SplitRowNumbers<'_>,
        out: &mut FeatureBlock,
    ) -> Result<(), ModelError> {
        self.run(BatchContext { batch, columns: &self.columns, training: Some(rows) }, out)
    }

    fn run(&self, place: BatchContext<'_>, out: &mut FeatureBlock) -> Result<(), ModelError> {
        let batch = place.batch;
        out.reset(batch.num_rows(), self.graph.features().len());
        let mut rest = out.columns.as_mut_slice();
        for (at, feature) in self.graph.compiled().iter().enumerate() {
            let (columns, after) = rest.split_at_mut(feature.outputs);
            rest = after;
            if !feature.run(place, columns) {
                return Err(self.other_type(at, batch));
            }
        }
        Ok(())
    }

    /// The error for a feature whose columns could not be read.
    fn other_type(&self, definition: usize, batch: &RecordBatch) -> ModelError {
        let feature = &self.graph.definitions()[definition];
        let read = feature.columns();
        let inputs = self.graph.inputs().iter().zip(&self.columns).filter(|(input, _)| read.contains(&input.name));
        for (input, column) in inputs {
            let actual = batch.columns().get(*column).map(|array| array.data_type());
            if actual.is_none_or(|actual| !accepts(input, actual)) {
                return ModelError::ColumnType {
                    feature: feature.name.clone(),
                    column: input.name.clone(),
                    expected: input.type_name(),
                    actual: actual.map_or_else(|| "nothing".to_owned(), type_name),
                };
            }
        }
        if let Source::History(history) = &feature.source {
            let column = |name: &String| {
                let input = self.graph.inputs().iter().position(|input| input.name == *name)?;
                batch.columns().get(*self.columns.get(input)?)
            };
            let pair = column(&history.times).zip(column(&history.values));
            if let Some(LengthMismatch { row, times, values }) = pair.and_then(|(a, b)| list_length_mismatch(a, b)) {
                let History { times: of_times, values: of_values, .. } = history.clone();
                return ModelError::Uneven { row, times: (of_times, times), values: (of_values, values) };
            }
        }
        let reason = "the batch has other columns than were bound".to_owned();
        ModelError::Feature { feature: feature.name.clone(), reason }
    }
}

/// The position of each input in `schema`. All missing columns are one error; `user` names the feature that needs an
/// input.
pub(super) fn resolve(
    inputs: &[TensorSpec],
    user: impl Fn(&TensorSpec) -> String,
    schema: &Schema,
) -> Result<Vec<usize>, ModelError> {
    let mut columns = Vec::with_capacity(inputs.len());
    let mut missing = Vec::new();
    for input in inputs {
        let Some((index, field)) = schema.column_with_name(&input.name) else {
            missing.push(MissingColumn::of_feature(user(input), &input.name, schema));
            continue;
        };
        if !accepts(input, field.data_type()) {
            return Err(ModelError::ColumnType {
                feature: user(input),
                column: input.name.clone(),
                expected: input.type_name(),
                actual: type_name(field.data_type()),
            });
        }
        columns.push(index);
    }
    MissingColumn::error_if_any(missing)?;
    Ok(columns)
}

/// Whether a column of type `actual` is valid for `expected`. Whole numbers are valid as numbers; a column of nulls is
/// valid as anything.
fn accepts(expected: &TensorSpec, actual: &ArrowType) -> bool {
    match (expected.form, actual) {
        // Text is valid as bytes; a column of nulls is valid as anything.
        (_, ArrowType::Null) | (RowShape::Binary, ArrowType::Binary | ArrowType::Utf8) => true,
        (RowShape::Value, actual) => holds(expected.datatype, actual),
        (RowShape::List, ArrowType::List(element)) => holds(expected.datatype, element.data_type()),
        _ => false,
    }
}

fn holds(expected: DataType, actual: &ArrowType) -> bool {
    matches!(
        (expected, actual),
        (DataType::Bool, ArrowType::Boolean)
            | (DataType::Int64, ArrowType::Int64)
            | (DataType::Fp64, ArrowType::Float64 | ArrowType::Int64)
            | (DataType::Bytes, ArrowType::Utf8)
            | (_, ArrowType::Null)
    )
}

/// A type in the user's terms, or its Arrow name if it has none.
pub fn type_name(datatype: &ArrowType) -> String {
    match datatype {
        ArrowType::Boolean => DataType::Bool.oip_name().to_owned(),
        ArrowType::Int64 => DataType::Int64.oip_name().to_owned(),
        ArrowType::Float64 => DataType::Fp64.oip_name().to_owned(),
        ArrowType::Utf8 => DataType::Bytes.oip_name().to_owned(),
        ArrowType::List(element) => format!("a list of {}", type_name(element.data_type())),
        ArrowType::Binary => "bytes".to_owned(),
        other => other.to_string(),
    }
}
