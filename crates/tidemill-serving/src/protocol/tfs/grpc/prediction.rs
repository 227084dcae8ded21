//! `PredictionService`.

use std::sync::Arc;

use hyper::Response as HttpResponse;
use tonic::body::Body;
use tonic::{Request, Response, Status};

use super::message::Message;
use super::spec::{ModelRequest, response_spec};
use super::{examples, metadata, predict};
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::inference::target::Target;
use crate::protocol::grpc::body::RequestBody;
use crate::protocol::grpc::call::GrpcCall;
use crate::protocol::grpc::proto::tensorflow::serving::inference_result::Result as TaskResult;
use crate::protocol::grpc::proto::tensorflow::serving::prediction_service_server::PredictionService;
use crate::protocol::grpc::proto::tensorflow::serving::{
    ClassificationRequest, ClassificationResponse, GetModelMetadataRequest, GetModelMetadataResponse, InferenceResult,
    Input, MultiInferenceRequest, MultiInferenceResponse, PredictRequest, PredictResponse, RegressionRequest,
    RegressionResponse,
};
use crate::protocol::grpc::unary;
use crate::protocol::operation::Operation;
use crate::protocol::tfs::signature::{Method, check as check_signature};

#[tonic::async_trait]
impl PredictionService for GrpcCall {
    /// Never called: see [`call_predict`].
    async fn predict(&self, _: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        Err(Status::unimplemented("requests to predict are answered where they lie"))
    }

    async fn classify(
        &self,
        request: Request<ClassificationRequest>,
    ) -> Result<Response<ClassificationResponse>, Status> {
        let request = request.into_inner();
        let asked = ModelRequest::of(request.model_spec)?;
        let input = Arc::new(request.input.unwrap_or_default());
        let result = self.run_task(Method::Classify, &asked, input).await?;
        let (model_spec, Some(TaskResult::ClassificationResult(result))) = (result.model_spec, result.result) else {
            return Err(Status::internal("classify gave no classes"));
        };
        Ok(Response::new(ClassificationResponse { model_spec, result: Some(result) }))
    }

    async fn regress(&self, request: Request<RegressionRequest>) -> Result<Response<RegressionResponse>, Status> {
        let request = request.into_inner();
        let asked = ModelRequest::of(request.model_spec)?;
        let input = Arc::new(request.input.unwrap_or_default());
        let result = self.run_task(Method::Regress, &asked, input).await?;
        let (model_spec, Some(TaskResult::RegressionResult(result))) = (result.model_spec, result.result) else {
            return Err(Status::internal("regress gave no values"));
        };
        Ok(Response::new(RegressionResponse { model_spec, result: Some(result) }))
    }

    async fn multi_inference(
        &self,
        request: Request<MultiInferenceRequest>,
    ) -> Result<Response<MultiInferenceResponse>, Status> {
        let request = request.into_inner();
        if request.tasks.is_empty() {
            return Err(Status::invalid_argument("Inference request missing tasks"));
        }
        let mut tasks: Vec<(Method, ModelRequest)> = Vec::new();
        for task in request.tasks {
            let asked = ModelRequest::of(task.model_spec)?;
            let method = [Method::Classify, Method::Regress].into_iter().find(|m| m.name() == task.method_name);
            let method = method.ok_or_else(|| {
                Status::invalid_argument(format!("Unsupported signature method_name: {}", task.method_name))
            })?;
            for (_, other) in &tasks {
                if other.model != asked.model {
                    return Err(Status::invalid_argument(
                        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
                    ));
                }
                if other.signature == asked.signature {
                    let signature = &asked.signature;
                    return Err(Status::invalid_argument(format!("Duplicate evaluation of signature: {signature}")));
                }
            }
            tasks.push((method, asked));
        }
        let input = Arc::new(request.input.unwrap_or_default());
        let mut results = Vec::with_capacity(tasks.len());
        for (method, asked) in tasks {
            results.push(self.run_task(method, &asked, Arc::clone(&input)).await?);
        }
        Ok(Response::new(MultiInferenceResponse { results }))
    }

    async fn get_model_metadata(
        &self,
        request: Request<GetModelMetadataRequest>,
    ) -> Result<Response<GetModelMetadataResponse>, Status> {
        let request = request.into_inner();
        let asked = ModelRequest::of(request.model_spec)?;
        metadata::check(&request.metadata_field)?;
        Ok(Response::new(metadata::metadata(self.target_of(&asked)?.signature())))
    }
}

/// Answers `Predict`. Its messages bypass the generated service, which would build them first.
pub(in crate::protocol) async fn call_predict(
    call: &GrpcCall,
    body: RequestBody,
    bytes_max: usize,
) -> Result<HttpResponse<Body>, Status> {
    let request = unary::message(body, bytes_max).await?;
    let asked = ModelRequest::of(Message::model_spec(&request)?)?;
    let target = call.target_of(&asked)?;
    let bytes = call.bytes();
    let decode = move |target: &TargetSignature| {
        let (batch, outputs) = predict::decode(target, &request, &asked.signature)?;
        Ok((batch, (outputs, asked.signature)))
    };
    let encode =
        |target: &TargetSignature, response: &InferenceResponse, (outputs, signature): (Vec<usize>, String)| {
            predict::encode(target, response, &outputs, &signature)
        };
    let answer = call.service.infer(&call.context, Operation::Predict, target, bytes, decode, encode).await?;
    Ok(unary::answer(&answer))
}

impl GrpcCall {
    pub(super) fn target_of(&self, asked: &ModelRequest) -> Result<Arc<dyn Target>, RequestError> {
        self.set_model(&asked.model);
        self.service.resolve(&asked.model, &asked.selector)
    }

    /// Classifies or regresses the examples of `input`.
    async fn run_task(
        &self,
        method: Method,
        asked: &ModelRequest,
        input: Arc<Input>,
    ) -> Result<InferenceResult, RequestError> {
        let target = self.target_of(asked)?;
        let bytes = self.bytes();
        let signature = asked.signature.clone();
        let decode = move |target: &TargetSignature| {
            check_signature(target, method, Some(&signature))?;
            Ok((examples::decode(target, &input)?, signature))
        };
        let encode = move |target: &TargetSignature, response: &InferenceResponse, signature: String| {
            let predictions = &response.predictions;
            let result = match method {
                Method::Regress => TaskResult::RegressionResult(examples::values(predictions)?),
                _ => TaskResult::ClassificationResult(examples::classes(predictions)?),
            };
            Ok(InferenceResult {
                model_spec: Some(response_spec(target, response.version, &signature)),
                result: Some(result),
            })
        };
        let operation = if method == Method::Regress { Operation::Regress } else { Operation::Classify };
        self.service.infer(&self.context, operation, target, bytes, decode, encode).await
    }
}
