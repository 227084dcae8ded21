//! A batch of rows as a Predict request.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use bytes::Bytes;

use crate::grpc::proto::tensorflow::serving::{ModelSpec, PredictRequest};
use crate::grpc::proto::tensorflow::tensor_shape_proto::Dim;
use crate::grpc::proto::tensorflow::{DataType as TfType, TensorProto, TensorShapeProto};

/// The request for `model` with a tensor for each column that has values throughout; a missing real number is NaN.
pub(super) fn predict(model: &str, batch: &RecordBatch) -> PredictRequest {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let inputs: BTreeMap<String, TensorProto> =
        columns.filter_map(|(field, column)| Some((field.name().clone(), tensor(column)?))).collect();
    let model_spec = Some(ModelSpec { name: model.to_owned(), ..ModelSpec::default() });
    PredictRequest { model_spec, inputs, ..PredictRequest::default() }
}

fn tensor(column: &dyn Array) -> Option<TensorProto> {
    let size = Dim { size: column.len() as i64, ..Dim::default() };
    let shape = TensorShapeProto { dim: vec![size], ..TensorShapeProto::default() };
    let mut tensor = TensorProto { tensor_shape: Some(shape), ..TensorProto::default() };
    let missing = column.null_count() > 0;
    match column.data_type() {
        DataType::Float64 if column.null_count() < column.len() => {
            let values = column.as_primitive::<Float64Type>();
            tensor.dtype = TfType::DtDouble.into();
            tensor.double_val = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        }
        DataType::Int64 if !missing => {
            tensor.dtype = TfType::DtInt64.into();
            tensor.int64_val = column.as_primitive::<Int64Type>().values().to_vec();
        }
        DataType::Boolean if !missing => {
            tensor.dtype = TfType::DtBool.into();
            tensor.bool_val = column.as_boolean().values().iter().collect();
        }
        DataType::Utf8 if !missing => {
            tensor.dtype = TfType::DtString.into();
            let values = column.as_string::<i32>().iter().flatten();
            tensor.string_val = values.map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
        }
        _ => return None,
    }
    Some(tensor)
}
