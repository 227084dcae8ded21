//! `SessionService`: tensors fed and fetched by name, as in a TensorFlow session.

use arrow::array::RecordBatch;
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::spec::{ModelRequest, response_spec};
use super::{predict, tensor};
use crate::inference::carrier::{carried, is_carrier};
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::protocol::grpc::call::GrpcCall;
use crate::protocol::grpc::proto::tensorflow::NamedTensorProto;
use crate::protocol::grpc::proto::tensorflow::serving::session_service_server::SessionService;
use crate::protocol::grpc::proto::tensorflow::serving::{PredictRequest, SessionRunRequest, SessionRunResponse};
use crate::protocol::operation::Operation;
use crate::protocol::tensor::{Output, row_width};

/// The outputs to return, by index, and the names under which they were requested.
pub(super) type RequestedOutputs = Vec<(usize, String)>;

#[tonic::async_trait]
impl SessionService for GrpcCall {
    async fn session_run(&self, request: Request<SessionRunRequest>) -> Result<Response<SessionRunResponse>, Status> {
        let mut request = request.into_inner();
        let bytes = self.bytes();
        let asked = ModelRequest::of(request.model_spec.take())?;
        let target = self.target_of(&asked)?;
        let decode = move |target: &TargetSignature| decode(target, &request);
        let encode = |target: &TargetSignature, response: &InferenceResponse, fetched: RequestedOutputs| {
            encode(target, response, &fetched)
        };
        let answer = self.service.infer(&self.context, Operation::SessionRun, target, bytes, decode, encode).await?;
        Ok(Response::new(answer))
    }
}

/// Reads the fed tensors into the batch to predict. Inputs and outputs have the names of the signature, or those of
/// their tensors in the metadata: `fare:0`.
pub(super) fn decode(
    target: &TargetSignature,
    request: &SessionRunRequest,
) -> Result<(RecordBatch, RequestedOutputs), RequestError> {
    if request.fetch.is_empty() {
        let message = "Must specify at least one target to fetch or execute.";
        return Err(RequestError::invalid(message));
    }
    let outputs = target.tensors.output_tensors();
    let index = |name: &String| {
        let found = match &target.graph {
            Some(ports) => ports.output(plain(name)),
            None => outputs.iter().position(|output| output.name == plain(name)),
        };
        let unknown = || RequestError::invalid(format!("FetchOutputs {name}: not found in the model"));
        found.map(|index| (index, name.clone())).ok_or_else(unknown)
    };
    let fetched = request.fetch.iter().map(index).collect::<Result<_, _>>()?;
    let mut fed = PredictRequest::default();
    for named in &request.feed {
        let tensor = named.tensor.clone().unwrap_or_default();
        if fed.inputs.insert(plain(&named.name).to_owned(), tensor).is_some() {
            return Err(RequestError::invalid(format!("{} is fed twice", named.name)));
        }
    }
    let (batch, _) = predict::decode(target, &fed.encode_to_vec(), "")?;
    Ok((batch, fetched))
}

/// The name without the output number of the TensorFlow operation.
fn plain(name: &str) -> &str {
    name.strip_suffix(":0").unwrap_or(name)
}

/// Writes the response, in the requested order.
pub(super) fn encode(
    target: &TargetSignature,
    response: &InferenceResponse,
    fetched: &[(usize, String)],
) -> Result<SessionRunResponse, RequestError> {
    let predictions = &response.predictions;
    let model_spec = Some(response_spec(target, response.version, ""));
    let mut message = SessionRunResponse { model_spec, ..SessionRunResponse::default() };
    if let Some(ports) = target.graph.as_ref().filter(|_| is_carrier(predictions)) {
        let tensors = carried(&ports.outputs, predictions, 0)?;
        for (index, name) in fetched {
            let Some(Some(value)) = tensors.get(*index) else { continue };
            let tensor = Some(tensor::tensor_of(value));
            message.tensor.push(NamedTensorProto { name: name.clone(), tensor });
        }
        return Ok(message);
    }
    for (index, name) in fetched {
        let Some(column) = predictions.columns().get(*index) else { continue };
        let shape = [predictions.num_rows()].into_iter().chain(row_width(column));
        let tensor = tensor::tensor(Output::of(column)?, shape);
        message.tensor.push(NamedTensorProto { name: name.clone(), tensor: Some(tensor) });
    }
    Ok(message)
}
