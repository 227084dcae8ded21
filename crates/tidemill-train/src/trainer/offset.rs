//! What the score of each row starts from: an expression over raw columns, which the model needs in requests too.

use arrow::datatypes::{DataType as ArrowType, Schema};
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::{Expression, Feature, ModelError, Source, TransformGraph};

use super::error::TrainError;

/// The name of the feature.
const NAME: &str = "offset";

/// `graph` with the offset `expression` as its last feature. Its columns become inputs that every request has.
pub(super) fn with_offset(
    graph: &TransformGraph,
    expression: &str,
    schema: &Schema,
) -> Result<TransformGraph, TrainError> {
    let wrong = |reason: String| TrainError::Offset { expression: expression.to_owned(), reason };
    let parsed = Expression::parse(expression).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut inputs = Vec::new();
    for column in parsed.columns() {
        let field =
            schema.field_with_name(&column).map_err(|_| wrong(format!("names `{column}`, which is no column")))?;
        let datatype = match field.data_type() {
            ArrowType::Int64 => DataType::Int64,
            ArrowType::Float64 => DataType::Fp64,
            ArrowType::Boolean => DataType::Bool,
            ArrowType::Utf8 => DataType::Bytes,
            other => return Err(wrong(format!("names `{column}`, whose values are of the type {other}"))),
        };
        inputs.push(TensorSpec::new(column, datatype, false));
    }
    if let Some(optional) =
        graph.inputs().iter().find(|input| input.optional && inputs.iter().any(|own| own.name == input.name))
    {
        return Err(wrong(format!("names `{}`, which requests may leave out", optional.name)));
    }
    let feature =
        Feature { name: NAME.to_owned(), source: Source::Expression(expression.to_owned()), mappers: Vec::new() };
    graph.with_feature(feature, inputs).map_err(|error| match error {
        ModelError::Feature { reason, .. } => wrong(reason),
        other => TrainError::Model(other),
    })
}
