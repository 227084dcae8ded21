//! `ModelService`.

use tonic::{Request, Response, Status};

use super::spec::ModelRequest;
use crate::config::model_configs;
use crate::inference::request_error::RequestError;
use crate::models::versions::{VersionState, VersionStatus};
use crate::protocol::grpc::call::GrpcCall;
use crate::protocol::grpc::proto::tensorflow::error::Code;
use crate::protocol::grpc::proto::tensorflow::serving::model_service_server::ModelService;
use crate::protocol::grpc::proto::tensorflow::serving::model_version_status::State;
use crate::protocol::grpc::proto::tensorflow::serving::{
    GetModelStatusRequest, GetModelStatusResponse, ModelVersionStatus, ReloadConfigRequest, ReloadConfigResponse,
    StatusProto,
};

#[tonic::async_trait]
impl ModelService for GrpcCall {
    async fn get_model_status(
        &self,
        request: Request<GetModelStatusRequest>,
    ) -> Result<Response<GetModelStatusResponse>, Status> {
        let asked = ModelRequest::of(request.into_inner().model_spec)?;
        self.set_model(&asked.model);
        let versions = self.service.models.status(&asked.model, &asked.selector);
        let versions = versions.map_err(RequestError::from)?;
        let model_version_status = versions.into_iter().map(version_status).collect();
        Ok(Response::new(GetModelStatusResponse { model_version_status }))
    }

    async fn handle_reload_config_request(
        &self,
        request: Request<ReloadConfigRequest>,
    ) -> Result<Response<ReloadConfigResponse>, Status> {
        let config = request.into_inner().config;
        let config = config.ok_or_else(|| Status::invalid_argument("the request has no `config`"))?;
        let models = model_configs(config).map_err(Status::invalid_argument)?;
        let broken = self.service.control.configure(&self.caller(), models).await?;
        let status = if broken.is_empty() {
            StatusProto { error_code: Code::Ok.into(), error_message: String::new() }
        } else {
            StatusProto { error_code: Code::FailedPrecondition.into(), error_message: broken.join("; ") }
        };
        Ok(Response::new(ReloadConfigResponse { status: Some(status), metric: Vec::new() }))
    }
}

fn version_status(version: VersionStatus) -> ModelVersionStatus {
    let state = match version.state {
        VersionState::Start => State::Start,
        VersionState::Loading => State::Loading,
        VersionState::Available => State::Available,
        VersionState::Unloading => State::Unloading,
        VersionState::End => State::End,
    };
    let failed = version.state == VersionState::End && version.error.is_some();
    let error_code = if failed { Code::Unknown } else { Code::Ok };
    let error_message = version.error.unwrap_or_default();
    ModelVersionStatus {
        version: version.version as i64,
        state: state.into(),
        status: Some(StatusProto { error_code: error_code.into(), error_message }),
    }
}
