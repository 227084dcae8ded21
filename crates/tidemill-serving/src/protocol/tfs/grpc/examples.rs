//! Classify and regress: rows as TensorFlow's examples.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use tidemill_core::{DataType, RowShape, TensorSpec};
use tidemill_model::{BatchBuilder, InputColumn};

use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::protocol::grpc::proto::tensorflow::feature::Kind;
use crate::protocol::grpc::proto::tensorflow::serving::input::Kind as InputKind;
use crate::protocol::grpc::proto::tensorflow::serving::{
    Class, ClassificationResult, Classifications, Input, Regression, RegressionResult,
};
use crate::protocol::grpc::proto::tensorflow::{Example, Feature};
use crate::protocol::tensor::{Datatype, Scalar, TypedSlice, describe_inputs, push as push_cell};
use crate::protocol::tfs::rest::scores;

/// Reads a list of examples, with or without features shared by all of them.
pub(super) fn decode(target: &TargetSignature, input: &Input) -> Result<RecordBatch, RequestError> {
    let (examples, context) = match &input.kind {
        Some(InputKind::ExampleList(list)) => (&list.examples, None),
        Some(InputKind::ExampleListWithContext(list)) => (&list.examples, list.context.as_ref()),
        None => return Err(RequestError::invalid("Input is empty.")),
    };
    if examples.is_empty() {
        return Err(RequestError::invalid("Input is empty."));
    }
    let none = BTreeMap::new();
    let context = context.map_or(&none, |example| features(example, &none));
    let mut builder = target.batch_builder(examples.len());
    check_features(&builder, 0, context)?;
    for (row, example) in examples.iter().enumerate() {
        let given = features(example, &none);
        check_features(&builder, row, given)?;
        for index in 0..builder.specs().len() {
            let name = &builder.specs()[index].name;
            let feature = match (given.get(name), context.get(name)) {
                (Some(_), Some(_)) => {
                    let message =
                        format!("example {row}: the feature `{name}` is given twice, here and in the context");
                    return Err(RequestError::invalid(message));
                }
                (given, shared) => given.or(shared),
            };
            push(&mut builder, index, feature).map_err(|error| error.at(&format!("example {row}: ")))?;
        }
    }
    Ok(builder.finish(examples.len())?)
}

fn features<'a>(example: &'a Example, none: &'a BTreeMap<String, Feature>) -> &'a BTreeMap<String, Feature> {
    example.features.as_ref().map_or(none, |features| &features.feature)
}

fn check_features(
    builder: &BatchBuilder,
    row: usize,
    features: &BTreeMap<String, Feature>,
) -> Result<(), RequestError> {
    match features.keys().find(|name| builder.index(name).is_none()) {
        Some(unknown) => Err(builder.unknown(row, unknown).into()),
        None => Ok(()),
    }
}

fn push(builder: &mut BatchBuilder, index: usize, feature: Option<&Feature>) -> Result<(), RequestError> {
    let kind = feature.and_then(|feature| feature.kind.as_ref());
    let Some(spec) = builder.specs().get(index) else { return Ok(()) };
    if spec.form == RowShape::List {
        return builder.column(index).map_or(Ok(()), |mut column| push_list(&mut column, kind));
    }
    let cell = cell(spec, kind)?;
    let TensorSpec { name, datatype, optional, .. } = spec;
    if cell == Scalar::Missing && !optional {
        let message =
            format!("Missing named input: {name} ({datatype}). The model takes: {}", describe_inputs(builder));
        return Err(RequestError::invalid(message));
    }
    let name = name.clone();
    let Some(mut column) = builder.column(index) else { return Ok(()) };
    cell.push(&mut column).map_err(|why| RequestError::invalid(format!("feature `{name}`: {why}")))
}

/// All values of a feature as the list of a row.
fn push_list(column: &mut InputColumn<'_>, kind: Option<&Kind>) -> Result<(), RequestError> {
    let name = column.spec().name.clone();
    let Some((list, datatype)) = kind.map(typed) else {
        return column.push_missing().map_err(RequestError::from);
    };
    let within = |error: RequestError| error.at(&format!("feature `{name}`: "));
    list.elements(datatype, |at, cell| push_cell(column, at, &cell)).map_err(within)?;
    column.end_list();
    Ok(())
}

fn typed(kind: &Kind) -> (TypedSlice<'_>, Datatype) {
    match kind {
        Kind::BytesList(list) => (TypedSlice::Texts(&list.value), Datatype::Bytes),
        Kind::FloatList(list) => (TypedSlice::Floats(&list.value), Datatype::Fp32),
        Kind::Int64List(list) => (TypedSlice::Int64s(&list.value), Datatype::Int64),
    }
}

/// The single value of a feature. Examples have no booleans: 0 and 1 stand for them.
fn cell<'a>(spec: &TensorSpec, kind: Option<&'a Kind>) -> Result<Scalar<'a>, RequestError> {
    let Some((list, datatype)) = kind.map(typed) else { return Ok(Scalar::Missing) };
    let name = &spec.name;
    match list.len() {
        0 => Ok(Scalar::Missing),
        1 => match list.cell(0, datatype).map_err(|error| error.at(&format!("feature `{name}`: ")))? {
            Scalar::Integer(value @ 0..=1) if spec.datatype == DataType::Bool => Ok(Scalar::Bool(value == 1)),
            cell => Ok(cell),
        },
        count => Err(RequestError::invalid(format!("feature `{name}`: {count} values are given, and one is expected"))),
    }
}

/// Both classes of a binary model with their probabilities, as in the REST response; TF Serving's scores have 32 bits.
pub(super) fn classes(predictions: &RecordBatch) -> Result<ClassificationResult, RequestError> {
    let class = |label: &str, score: f64| Class { label: label.to_owned(), score: score as f32 };
    let classes = |&score: &f64| Classifications { classes: vec![class("0", 1.0 - score), class("1", score)] };
    Ok(ClassificationResult { classifications: scores(predictions)?.iter().map(classes).collect() })
}

/// The values of a regression model; TF Serving's have 32 bits.
pub(super) fn values(predictions: &RecordBatch) -> Result<RegressionResult, RequestError> {
    let regressions = scores(predictions)?.iter().map(|&value| Regression { value: value as f32 }).collect();
    Ok(RegressionResult { regressions })
}
