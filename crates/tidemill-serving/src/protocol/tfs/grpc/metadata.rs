//! The signatures of a model, as messages.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::Any;
use tidemill_core::TensorView;
use tidemill_model::Dimension;

use super::spec::response_spec;
use super::tensor::{tf_element, tf_type};
use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::protocol::grpc::proto::tensorflow::serving::{GetModelMetadataResponse, SignatureDefMap};
use crate::protocol::grpc::proto::tensorflow::tensor_info::Encoding;
use crate::protocol::grpc::proto::tensorflow::tensor_shape_proto::Dim;
use crate::protocol::grpc::proto::tensorflow::{SignatureDef, TensorInfo, TensorShapeProto};
use crate::protocol::tfs::signature::{Method, signatures};

/// The only kind of metadata there is.
const FIELD: &str = "signature_def";

/// Checks that a metadata request asks for the one available kind.
pub(super) fn check(fields: &[String]) -> Result<(), RequestError> {
    if fields.is_empty() {
        return Err(RequestError::invalid("GetModelMetadataRequest must specify at least one metadata_field"));
    }
    match fields.iter().find(|field| *field != FIELD) {
        Some(other) => Err(RequestError::invalid(format!("Metadata field {other} is not supported"))),
        None => Ok(()),
    }
}

/// The response to a metadata request.
pub(super) fn metadata(target: &TargetSignature) -> GetModelMetadataResponse {
    let signature = &target.tensors;
    let definition = |(name, method): (&str, Method)| {
        let (inputs, outputs) = match &target.graph {
            Some(ports) if method == Method::Predict => (ports_of(&ports.inputs), ports_of(&ports.outputs)),
            _ => (tensors(&signature.input_tensors()), tensors(&signature.output_tensors())),
        };
        let definition =
            SignatureDef { inputs, outputs, method_name: method.name().to_owned(), defaults: BTreeMap::new() };
        (name.to_owned(), definition)
    };
    let definitions = SignatureDefMap { signature_def: signatures(target).into_iter().map(definition).collect() };
    let any = Any {
        type_url: "type.googleapis.com/tensorflow.serving.SignatureDefMap".to_owned(),
        value: definitions.encode_to_vec(),
    };
    let mut spec = response_spec(target, target.version, "");
    spec.signature_name.clear();
    GetModelMetadataResponse { model_spec: Some(spec), metadata: BTreeMap::from([(FIELD.to_owned(), any)]) }
}

/// The tensors that the file of a model declares.
fn ports_of(infos: &[tidemill_model::TensorInfo]) -> BTreeMap<String, TensorInfo> {
    let name = |dimension: &Dimension| match dimension {
        Dimension::Named(name) => name.clone(),
        Dimension::Fixed(_) | Dimension::Open => String::new(),
    };
    let tensor = |info: &tidemill_model::TensorInfo| {
        let dim = |dimension: &Dimension| Dim { size: dimension.size(), name: name(dimension) };
        let dim = info.shape.iter().flatten().map(dim).collect();
        TensorInfo {
            encoding: Some(Encoding::Name(format!("{}:0", info.name))),
            dtype: tf_element(info.element).into(),
            tensor_shape: Some(TensorShapeProto { dim, unknown_rank: info.shape.is_none() }),
        }
    };
    infos.iter().map(|info| (info.name.clone(), tensor(info))).collect()
}

fn tensors(specs: &[TensorView<'_>]) -> BTreeMap<String, TensorInfo> {
    let dims = |spec: &TensorView<'_>| spec.shape().into_iter().map(|size| Dim { size, name: String::new() }).collect();
    let tensor = |spec: &TensorView<'_>| TensorInfo {
        encoding: Some(Encoding::Name(format!("{}:0", spec.name))),
        dtype: tf_type(spec.datatype).into(),
        tensor_shape: Some(TensorShapeProto { dim: dims(spec), unknown_rank: false }),
    };
    specs.iter().map(|spec| (spec.name.to_owned(), tensor(spec))).collect()
}
