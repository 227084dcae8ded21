//! gRPC clients of a running server.

use bytes::Bytes;
use tidemill_serving::proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use tidemill_serving::proto::inference::model_infer_request::InferInputTensor;
use tidemill_serving::proto::inference::{InferTensorContents, ModelInferRequest};
use tidemill_serving::proto::tensorflow::serving::ModelSpec;
use tidemill_serving::proto::tensorflow::serving::model_service_client::ModelServiceClient;
use tidemill_serving::proto::tensorflow::serving::model_spec::VersionChoice;
use tidemill_serving::proto::tensorflow::serving::prediction_service_client::PredictionServiceClient;
use tidemill_serving::proto::tensorflow::tensor_shape_proto::Dim;
use tidemill_serving::proto::tensorflow::{DataType, TensorProto, TensorShapeProto};
use tonic::transport::{Channel, Endpoint};

use super::Running;

impl Running {
    pub fn endpoint(&self) -> Endpoint {
        let address = self.handle.grpc_addr().unwrap();
        Endpoint::from_shared(format!("http://{address}")).unwrap()
    }

    pub fn channel(&self) -> Channel {
        self.runtime.block_on(self.endpoint().connect()).unwrap()
    }

    pub fn prediction(&self) -> PredictionServiceClient<Channel> {
        PredictionServiceClient::new(self.channel())
    }

    pub fn models(&self) -> ModelServiceClient<Channel> {
        ModelServiceClient::new(self.channel())
    }

    pub fn inference(&self) -> GrpcInferenceServiceClient<Channel> {
        GrpcInferenceServiceClient::new(self.channel())
    }
}

pub fn spec(model: &str) -> ModelSpec {
    ModelSpec { name: model.to_owned(), ..ModelSpec::default() }
}

pub fn spec_version(model: &str, version: i64) -> ModelSpec {
    ModelSpec { version_choice: Some(VersionChoice::Version(version)), ..spec(model) }
}

pub fn spec_label(model: &str, label: &str) -> ModelSpec {
    ModelSpec { version_choice: Some(VersionChoice::VersionLabel(label.to_owned())), ..spec(model) }
}

/// An empty tensor of TensorFlow of this type and shape.
pub fn tf(dtype: DataType, shape: &[i64]) -> TensorProto {
    let dim = shape.iter().map(|&size| Dim { size, name: String::new() }).collect();
    let tensor_shape = Some(TensorShapeProto { dim, unknown_rank: false });
    TensorProto { dtype: dtype.into(), tensor_shape, ..TensorProto::default() }
}

pub fn doubles(values: &[f64]) -> TensorProto {
    TensorProto { double_val: values.to_vec(), ..tf(DataType::DtDouble, &[values.len() as i64]) }
}

pub fn longs(values: &[i64]) -> TensorProto {
    TensorProto { int64_val: values.to_vec(), ..tf(DataType::DtInt64, &[values.len() as i64]) }
}

pub fn texts(values: &[&str]) -> TensorProto {
    TensorProto { string_val: bytes(values), ..tf(DataType::DtString, &[values.len() as i64]) }
}

pub fn bools(values: &[bool]) -> TensorProto {
    TensorProto { bool_val: values.to_vec(), ..tf(DataType::DtBool, &[values.len() as i64]) }
}

pub fn bytes(values: &[&str]) -> Vec<Bytes> {
    values.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

/// An input of the Open Inference Protocol with one column of `rows` rows.
pub fn oip(name: &str, datatype: &str, rows: usize, contents: Option<InferTensorContents>) -> InferInputTensor {
    InferInputTensor {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: vec![rows as i64],
        contents,
        ..InferInputTensor::default()
    }
}

pub fn infer(inputs: Vec<InferInputTensor>) -> ModelInferRequest {
    ModelInferRequest { model_name: super::MODEL.to_owned(), inputs, ..ModelInferRequest::default() }
}

pub fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().copied().map(f64::to_bits).collect()
}
