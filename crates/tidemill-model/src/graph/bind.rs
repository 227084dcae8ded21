//! A graph resolved against the columns of a schema.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType as ArrowType, Schema};
use tidemill_core::{DataType, suggest};

use super::TransformGraph;
use crate::{FeatureBlock, ModelError};

/// A transform graph whose columns are resolved: the one executor, for batches and single rows alike.
#[derive(Debug, Clone)]
pub struct BoundGraph {
    graph: TransformGraph,
    /// By input: the column of the schema.
    columns: Vec<usize>,
}

impl BoundGraph {
    pub(super) fn new(graph: TransformGraph, schema: &Schema) -> Result<Self, ModelError> {
        let mut columns = Vec::with_capacity(graph.inputs().len());
        for input in graph.inputs() {
            let user = || {
                let user = graph.definitions().iter().find(|feature| feature.column == input.name);
                user.map_or_else(|| input.name.clone(), |feature| feature.name.clone())
            };
            let Some((index, field)) = schema.column_with_name(&input.name) else {
                let known = schema.fields().iter().map(|field| field.name().as_str());
                return Err(ModelError::ColumnNotFound {
                    feature: user(),
                    column: input.name.clone(),
                    near: suggest(&input.name, known).map(str::to_owned),
                });
            };
            if !accepts(input.datatype, field.data_type()) {
                return Err(ModelError::ColumnType {
                    feature: user(),
                    column: input.name.clone(),
                    expected: input.datatype,
                    actual: type_name(field.data_type()),
                });
            }
            columns.push(index);
        }
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
        let features = self.graph.compiled();
        out.reset(batch.num_rows(), features.len());
        for (at, (feature, column)) in features.iter().zip(&mut out.columns).enumerate() {
            let array = batch.columns().get(self.columns[feature.input]);
            let done = array.is_some_and(|array| feature.run(array, column));
            if !done {
                let definition = &self.graph.definitions()[at];
                return Err(ModelError::ColumnType {
                    feature: definition.name.clone(),
                    column: definition.column.clone(),
                    expected: self.graph.inputs()[feature.input].datatype,
                    actual: array.map_or_else(|| "nothing".to_owned(), |array| type_name(array.data_type())),
                });
            }
        }
        Ok(())
    }
}

/// Whether a column of type `actual` can stand for `expected`. Whole numbers are numbers; a column without any
/// value is anything.
fn accepts(expected: DataType, actual: &ArrowType) -> bool {
    matches!(
        (expected, actual),
        (DataType::Bool, ArrowType::Boolean)
            | (DataType::Int64, ArrowType::Int64)
            | (DataType::Fp64, ArrowType::Float64 | ArrowType::Int64)
            | (DataType::Bytes, ArrowType::Utf8)
            | (_, ArrowType::Null)
    )
}

/// A type as users know it, the Arrow name where it has none.
pub(crate) fn type_name(datatype: &ArrowType) -> String {
    match datatype {
        ArrowType::Boolean => DataType::Bool.oip_name().to_owned(),
        ArrowType::Int64 => DataType::Int64.oip_name().to_owned(),
        ArrowType::Float64 => DataType::Fp64.oip_name().to_owned(),
        ArrowType::Utf8 => DataType::Bytes.oip_name().to_owned(),
        other => other.to_string(),
    }
}
