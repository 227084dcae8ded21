//! Converts batches to the messages they could have come in: for recording requests, and for warming up a version.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, ListArray, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use bytes::Bytes;
use prost::Message as _;
use tidemill_core::TensorGroup;

use super::tensor::tensor as output_tensor;
use crate::inference::request_error::RequestError;
use crate::protocol::grpc::proto::tensorflow::serving::model_spec::VersionChoice;
use crate::protocol::grpc::proto::tensorflow::serving::prediction_log::LogType;
use crate::protocol::grpc::proto::tensorflow::serving::{
    LogMetadata, ModelSpec, PredictLog, PredictRequest, PredictResponse, PredictionLog, SamplingConfig,
};
use crate::protocol::grpc::proto::tensorflow::tensor_shape_proto::Dim;
use crate::protocol::grpc::proto::tensorflow::{DataType as TfType, TensorProto, TensorShapeProto};
use crate::protocol::tensor::{Output, row_width};
use crate::protocol::tfs::signature::DEFAULT as DEFAULT_SIGNATURE;

/// A request with its response, as batches.
#[derive(Debug)]
pub(crate) struct Recorded<'a> {
    pub(crate) model: &'a str,
    pub(crate) version: u64,
    pub(crate) at_secs: u64,
    pub(crate) sample: f64,
    pub(crate) inputs: &'a RecordBatch,
    /// Which inputs are one tensor.
    pub(crate) groups: &'a [TensorGroup],
    pub(crate) outputs: &'a RecordBatch,
    /// The columns that may be recorded, by index. Of a group either all or none.
    pub(crate) wanted_inputs: &'a [usize],
    pub(crate) wanted_outputs: &'a [usize],
}

/// A column as a tensor.
enum Column {
    Tensor(Box<TensorProto>),
    /// No row has a value.
    Absent,
    /// Some rows have one, which a tensor cannot express.
    Ragged,
}

/// The records of a request, as TF Serving logs it: one, or one for each row if rows lack different values. Every call
/// is recorded as an equivalent Predict, whatever method it used.
pub(crate) fn prediction_logs(recorded: &Recorded<'_>) -> Result<Vec<Vec<u8>>, RequestError> {
    let whole = inputs_of(recorded.inputs, recorded.groups, recorded.wanted_inputs);
    if let Some(inputs) = whole {
        return Ok(vec![record(recorded, inputs, recorded.outputs)?]);
    }
    let row = |row: usize| {
        let one = recorded.inputs.slice(row, 1);
        let inputs = inputs_of(&one, recorded.groups, recorded.wanted_inputs).unwrap_or_default();
        record(recorded, inputs, &recorded.outputs.slice(row, 1))
    };
    (0..recorded.inputs.num_rows()).map(row).collect()
}

fn record(
    recorded: &Recorded<'_>,
    inputs: BTreeMap<String, TensorProto>,
    outputs: &RecordBatch,
) -> Result<Vec<u8>, RequestError> {
    let spec = ModelSpec {
        name: recorded.model.to_owned(),
        version_choice: Some(VersionChoice::Version(recorded.version as i64)),
        signature_name: DEFAULT_SIGNATURE.to_owned(),
    };
    let mut answers = BTreeMap::new();
    for (index, (field, column)) in outputs.schema_ref().fields().iter().zip(outputs.columns()).enumerate() {
        if recorded.wanted_outputs.contains(&index) {
            let shape = [outputs.num_rows()].into_iter().chain(row_width(column));
            answers.insert(field.name().clone(), output_tensor(Output::of(column)?, shape));
        }
    }
    let log = PredictLog {
        request: Some(PredictRequest { model_spec: Some(spec.clone()), inputs, ..PredictRequest::default() }),
        response: Some(PredictResponse { model_spec: Some(spec.clone()), outputs: answers }),
    };
    let metadata = LogMetadata {
        model_spec: Some(spec),
        sampling_config: Some(SamplingConfig { sampling_rate: recorded.sample }),
        saved_model_tags: vec!["serve".to_owned()],
        timestamp_secs: recorded.at_secs as i64,
    };
    let log = PredictionLog { log_metadata: Some(metadata), log_type: Some(LogType::PredictLog(log)) };
    Ok(log.encode_to_vec())
}

/// The request to predict `batch`, whose columns at `groups` are one tensor each; `None` if rows lack different values.
/// A missing real number is NaN.
pub(crate) fn predict_request(model: &str, batch: &RecordBatch, groups: &[TensorGroup]) -> Option<PredictRequest> {
    let all: Vec<usize> = (0..batch.num_columns()).collect();
    let inputs = inputs_of(batch, groups, &all)?;
    let model_spec = Some(ModelSpec { name: model.to_owned(), ..ModelSpec::default() });
    Some(PredictRequest { model_spec, inputs, ..PredictRequest::default() })
}

/// A tensor for each input that has values; `None` where one is ragged.
fn inputs_of(batch: &RecordBatch, groups: &[TensorGroup], wanted: &[usize]) -> Option<BTreeMap<String, TensorProto>> {
    let mut inputs = BTreeMap::new();
    let mut at = 0;
    while at < batch.num_columns() {
        let group = groups.iter().find(|group| group.first == at && group.count > 0);
        let columns = at..at + group.map_or(1, |group| group.count);
        at = columns.end;
        if !columns.clone().all(|index| wanted.contains(&index) && index < batch.num_columns()) {
            continue;
        }
        let (name, column) = match group {
            Some(group) => (group.name.clone(), matrix(batch, columns)),
            None => {
                let column = batch.column(columns.start);
                (batch.schema_ref().field(columns.start).name().clone(), values(column, &[column.len()]))
            }
        };
        match column {
            Column::Tensor(tensor) => drop(inputs.insert(name, *tensor)),
            Column::Absent => {}
            Column::Ragged => return None,
        }
    }
    Some(inputs)
}

/// Adjacent columns as one tensor of two dimensions.
fn matrix(batch: &RecordBatch, columns: std::ops::Range<usize>) -> Column {
    let (rows, width) = (batch.num_rows(), columns.len());
    let parts: Vec<&dyn Array> = batch.columns()[columns].iter().map(|column| &**column).collect();
    let order: Vec<(usize, usize)> = (0..rows).flat_map(|row| (0..width).map(move |at| (at, row))).collect();
    // Columns of one tensor have one type.
    interleave(&parts, &order).map_or(Column::Absent, |all| values(&all, &[rows, width]))
}

fn values(column: &dyn Array, shape: &[usize]) -> Column {
    if column.null_count() == column.len() && !column.is_empty() {
        return Column::Absent;
    }
    let dim = shape.iter().map(|size| Dim { size: *size as i64, ..Dim::default() }).collect();
    let shape = TensorShapeProto { dim, ..TensorShapeProto::default() };
    let mut tensor = TensorProto { tensor_shape: Some(shape), ..TensorProto::default() };
    match column.data_type() {
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            tensor.dtype = TfType::DtDouble.into();
            tensor.double_val = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        }
        _ if column.null_count() > 0 => return Column::Ragged,
        DataType::Int64 => {
            tensor.dtype = TfType::DtInt64.into();
            tensor.int64_val = column.as_primitive::<Int64Type>().values().to_vec();
        }
        DataType::Boolean => {
            tensor.dtype = TfType::DtBool.into();
            tensor.bool_val = column.as_boolean().values().iter().collect();
        }
        DataType::Utf8 => {
            tensor.dtype = TfType::DtString.into();
            let values = column.as_string::<i32>().iter().flatten();
            tensor.string_val = values.map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
        }
        DataType::Binary => {
            tensor.dtype = TfType::DtString.into();
            let values = column.as_binary::<i32>().iter().flatten();
            tensor.string_val = values.map(Bytes::copy_from_slice).collect();
        }
        DataType::List(_) => {
            return lists(column.as_list()).map_or(Column::Absent, |tensor| Column::Tensor(Box::new(tensor)));
        }
        // Inputs have no other type.
        _ => return Column::Absent,
    }
    Column::Tensor(Box::new(tensor))
}

/// Pads lists to rows of one length: with NaN or empty text.
fn lists(lists: &ListArray) -> Option<TensorProto> {
    let longest = (0..lists.len()).map(|row| lists.value_length(row)).max().unwrap_or(0);
    let dim = [lists.len() as i64, i64::from(longest)].map(|size| Dim { size, ..Dim::default() }).to_vec();
    let shape = TensorShapeProto { dim, ..TensorShapeProto::default() };
    let mut tensor = TensorProto { tensor_shape: Some(shape), ..TensorProto::default() };
    for row in 0..lists.len() {
        let values = lists.value(row);
        let fill = longest as usize - values.len();
        match values.data_type() {
            DataType::Float64 => {
                let values = values.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN));
                tensor.double_val.extend(values.chain(std::iter::repeat_n(f64::NAN, fill)));
            }
            DataType::Int64 => {
                let values = values.as_primitive::<Int64Type>();
                let values = values.iter().map(|value| value.map_or(f64::NAN, |value| value as f64));
                tensor.double_val.extend(values.chain(std::iter::repeat_n(f64::NAN, fill)));
            }
            DataType::Utf8 => {
                let values = values.as_string::<i32>();
                let bytes = |text: Option<&str>| Bytes::copy_from_slice(text.unwrap_or_default().as_bytes());
                tensor.string_val.extend(values.iter().map(bytes).chain(std::iter::repeat_n(Bytes::new(), fill)));
            }
            _ => return None,
        }
    }
    let is_text = matches!(lists.value_type(), DataType::Utf8);
    tensor.dtype = if is_text { TfType::DtString } else { TfType::DtDouble }.into();
    Some(tensor)
}
