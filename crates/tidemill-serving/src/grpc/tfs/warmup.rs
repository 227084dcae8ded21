//! Requests that were recorded, as TF Serving records them: answered again to warm a version up.

use prost::{Message, Oneof};

use super::spec::Asked;
use super::{examples, predict};
use crate::grpc::proto::tensorflow::serving::{
    ClassificationRequest, Input, MultiInferenceRequest, PredictRequest, RegressionRequest,
};
use crate::request_error::RequestError;
use crate::tfs::{Method, check_signature};
use crate::versions::LoadedModel;

/// `tensorflow.serving.PredictionLog` of `apis/prediction_log.proto`, requests only.
#[derive(Clone, PartialEq, Message)]
struct PredictionLog {
    #[prost(oneof = "Logged", tags = "2, 3, 4, 6")]
    logged: Option<Logged>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Logged {
    #[prost(message, tag = "2")]
    Classify(ClassifyLog),
    #[prost(message, tag = "3")]
    Regress(RegressLog),
    #[prost(message, tag = "4")]
    MultiInference(MultiInferenceLog),
    #[prost(message, tag = "6")]
    Predict(PredictLog),
}

#[derive(Clone, PartialEq, Message)]
struct ClassifyLog {
    #[prost(message, optional, tag = "1")]
    request: Option<ClassificationRequest>,
}

#[derive(Clone, PartialEq, Message)]
struct RegressLog {
    #[prost(message, optional, tag = "1")]
    request: Option<RegressionRequest>,
}

#[derive(Clone, PartialEq, Message)]
struct MultiInferenceLog {
    #[prost(message, optional, tag = "1")]
    request: Option<MultiInferenceRequest>,
}

#[derive(Clone, PartialEq, Message)]
struct PredictLog {
    #[prost(message, optional, tag = "1")]
    request: Option<PredictRequest>,
}

/// The record of a Predict request.
pub(crate) fn warmup_record(request: &PredictRequest) -> Vec<u8> {
    let logged = Logged::Predict(PredictLog { request: Some(request.clone()) });
    PredictionLog { logged: Some(logged) }.encode_to_vec()
}

/// Answers a recorded request with `model`, whatever model it was recorded for, and forgets the answer.
pub(crate) fn replay(model: &LoadedModel, record: &[u8]) -> Result<(), RequestError> {
    let log = PredictionLog::decode(record)
        .map_err(|error| RequestError::invalid(format!("this is no PredictionLog: {error}")))?;
    match log.logged {
        Some(Logged::Predict(PredictLog { request: Some(mut request) })) => {
            let asked = Asked::of(request.model_spec.take())?;
            let (batch, outputs) = predict::decode(model, &request, &asked.signature)?;
            predict::encode(model, &model.model.predict_tensors(&batch)?, &outputs, &asked.signature).map(drop)
        }
        Some(Logged::Classify(ClassifyLog { request: Some(request) })) => {
            let asked = Asked::of(request.model_spec)?;
            task(model, Method::Classify, &asked.signature, request.input)
        }
        Some(Logged::Regress(RegressLog { request: Some(request) })) => {
            let asked = Asked::of(request.model_spec)?;
            task(model, Method::Regress, &asked.signature, request.input)
        }
        Some(Logged::MultiInference(MultiInferenceLog { request: Some(request) })) => {
            for wanted in request.tasks {
                let method =
                    if wanted.method_name == Method::Regress.name() { Method::Regress } else { Method::Classify };
                let asked = Asked::of(wanted.model_spec)?;
                task(model, method, &asked.signature, request.input.clone())?;
            }
            Ok(())
        }
        _ => Err(RequestError::invalid("it holds no request to predict, classify, regress or infer")),
    }
}

fn task(model: &LoadedModel, method: Method, signature: &str, input: Option<Input>) -> Result<(), RequestError> {
    check_signature(model, method, Some(signature))?;
    let batch = examples::decode(model, &input.unwrap_or_default())?;
    let predictions = model.model.predict_tensors(&batch)?;
    match method {
        Method::Regress => examples::values(&predictions).map(drop),
        _ => examples::classes(&predictions).map(drop),
    }
}
