//! `GRPCInferenceService`.

use hyper::Response as HttpResponse;
use tidemill_core::TensorView;
use tonic::body::Body;
use tonic::{Request, Response, Status};

use super::infer;
use super::message::Message;
use crate::inference::signature::TargetSignature;
use crate::models::versions::Selector;
use crate::protocol::grpc::body::RequestBody;
use crate::protocol::grpc::call::GrpcCall;
use crate::protocol::grpc::proto::inference::grpc_inference_service_server::GrpcInferenceService;
use crate::protocol::grpc::proto::inference::model_metadata_response::TensorMetadata;
use crate::protocol::grpc::proto::inference::repository_index_response::ModelIndex;
use crate::protocol::grpc::proto::inference::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest,
    ModelReadyResponse, RepositoryIndexRequest, RepositoryIndexResponse, RepositoryModelLoadRequest,
    RepositoryModelLoadResponse, RepositoryModelUnloadRequest, RepositoryModelUnloadResponse, ServerLiveRequest,
    ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest, ServerReadyResponse,
};
use crate::protocol::grpc::unary;
use crate::protocol::oip::rest::{EXTENSIONS, SERVER_NAME, check_load_parameter};
use crate::protocol::operation::Operation;
use crate::protocol::rest::path::selector_of;

#[tonic::async_trait]
impl GrpcInferenceService for GrpcCall {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Result<Response<ServerLiveResponse>, Status> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Result<Response<ServerReadyResponse>, Status> {
        Ok(Response::new(ServerReadyResponse { ready: self.service.is_ready() }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Result<Response<ModelReadyResponse>, Status> {
        let ModelReadyRequest { name, version } = request.into_inner();
        self.set_model(&name);
        // An unknown model is not ready rather than an error: Triton's clients poll until a model is there.
        let ready = self.service.model_is_ready(&name, &selector(&version)).unwrap_or(false);
        Ok(Response::new(ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        Ok(Response::new(ServerMetadataResponse {
            name: SERVER_NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        let ModelMetadataRequest { name, version } = request.into_inner();
        self.set_model(&name);
        let target = self.service.resolve_v2(&name, &selector(&version))?;
        let model = target.signature();
        let snapshot = self.service.models.snapshot();
        let versions = snapshot.available(&name).into_iter().flatten();
        let signature = &model.tensors;
        Ok(Response::new(ModelMetadataResponse {
            name: model.name.clone(),
            versions: versions.map(|version| version.to_string()).collect(),
            platform: model.platform.to_owned(),
            inputs: match &model.graph {
                Some(ports) => ports.inputs.iter().map(port).collect(),
                None => signature.input_tensors().iter().map(tensor).collect(),
            },
            outputs: match &model.graph {
                Some(ports) => ports.outputs.iter().map(port).collect(),
                None => signature.output_tensors().iter().map(tensor).collect(),
            },
        }))
    }

    /// Never called: see [`call_infer`].
    async fn model_infer(&self, _: Request<ModelInferRequest>) -> Result<Response<ModelInferResponse>, Status> {
        Err(Status::unimplemented("requests to infer are answered where they lie"))
    }

    async fn repository_index(
        &self,
        request: Request<RepositoryIndexRequest>,
    ) -> Result<Response<RepositoryIndexResponse>, Status> {
        let entries = self.service.control.index(request.into_inner().ready).into_iter();
        let models = entries.map(|entry| ModelIndex {
            name: entry.name,
            version: entry.version.map(|version| version.to_string()).unwrap_or_default(),
            state: entry.state.to_owned(),
            reason: entry.reason,
        });
        Ok(Response::new(RepositoryIndexResponse { models: models.collect() }))
    }

    async fn repository_model_load(
        &self,
        request: Request<RepositoryModelLoadRequest>,
    ) -> Result<Response<RepositoryModelLoadResponse>, Status> {
        let RepositoryModelLoadRequest { model_name, triton_model_name, parameters } = request.into_inner();
        parameters.keys().try_for_each(|name| check_load_parameter(name))?;
        let model_name = named(triton_model_name, model_name);
        self.service.control.load(&self.caller(), &model_name).await?;
        Ok(Response::new(RepositoryModelLoadResponse { model_name, is_loaded: true }))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Result<Response<RepositoryModelUnloadResponse>, Status> {
        let RepositoryModelUnloadRequest { model_name, triton_model_name } = request.into_inner();
        let model_name = named(triton_model_name, model_name);
        self.service.control.unload(&self.caller(), &model_name).await?;
        Ok(Response::new(RepositoryModelUnloadResponse { model_name, is_unloaded: true }))
    }
}

/// Answers `ModelInfer`. Its messages bypass the generated service, which would build them first.
pub(in crate::protocol) async fn call_infer(
    call: &GrpcCall,
    body: RequestBody,
    bytes_max: usize,
) -> Result<HttpResponse<Body>, Status> {
    let request = unary::message(body, bytes_max).await?;
    let (name, version) = Message::model(&request)?;
    call.set_model(name);
    let target = call.service.resolve_v2(name, &selector(version))?;
    let bytes = call.bytes();
    let decode = move |target: &TargetSignature| infer::decode(target, &request);
    let answer = call.service.infer(&call.context, Operation::Infer, target, bytes, decode, infer::encode).await?;
    Ok(unary::answer(&answer))
}

/// Triton's clients put the name elsewhere than `KServe`'s.
fn named(triton: String, kserve: String) -> String {
    if triton.is_empty() { kserve } else { triton }
}

/// An empty version means any version.
fn selector(version: &str) -> Selector {
    if version.is_empty() { Selector::Latest } else { selector_of(version) }
}

fn port(info: &tidemill_model::TensorInfo) -> TensorMetadata {
    TensorMetadata { name: info.name.clone(), datatype: info.element.oip_name().to_owned(), shape: info.sizes() }
}

fn tensor(spec: &TensorView<'_>) -> TensorMetadata {
    let datatype = spec.datatype.oip_name().to_owned();
    TensorMetadata { name: spec.name.to_owned(), datatype, shape: spec.shape() }
}
