//! Requests that TF Serving recorded, answered again to warm up a version.

use prost::Message as _;

use super::spec::ModelRequest;
use super::{examples, predict, session};
use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::protocol::Predict;
use crate::protocol::grpc::proto::tensorflow::serving::prediction_log::LogType;
use crate::protocol::grpc::proto::tensorflow::serving::{
    ClassifyLog, Input, MultiInferenceLog, PredictLog, PredictRequest, PredictionLog, RegressLog, SessionRunLog,
};
use crate::protocol::tfs::signature::{Method, check as check_signature};

/// The record of a Predict request.
pub(crate) fn warmup_record(request: PredictRequest) -> Vec<u8> {
    let log = PredictLog { request: Some(request), response: None };
    PredictionLog { log_metadata: None, log_type: Some(LogType::PredictLog(log)) }.encode_to_vec()
}

/// Answers a recorded request, whatever model it was recorded for, and drops the response.
pub(crate) fn replay(target: &TargetSignature, predict: Predict<'_>, record: &[u8]) -> Result<(), RequestError> {
    let log = PredictionLog::decode(record)
        .map_err(|error| RequestError::invalid(format!("the record is not a PredictionLog: {error}")))?;
    match log.log_type {
        Some(LogType::PredictLog(PredictLog { request: Some(request), .. })) => {
            answer_predict(target, predict, request)
        }
        Some(LogType::PredictStreamedLog(log)) if !log.request.is_empty() => {
            log.request.into_iter().try_for_each(|request| answer_predict(target, predict, request))
        }
        Some(LogType::ClassifyLog(ClassifyLog { request: Some(request), .. })) => {
            let asked = ModelRequest::of(request.model_spec)?;
            task(target, predict, Method::Classify, &asked.signature, request.input)
        }
        Some(LogType::RegressLog(RegressLog { request: Some(request), .. })) => {
            let asked = ModelRequest::of(request.model_spec)?;
            task(target, predict, Method::Regress, &asked.signature, request.input)
        }
        Some(LogType::MultiInferenceLog(MultiInferenceLog { request: Some(request), .. })) => {
            for wanted in request.tasks {
                let method =
                    if wanted.method_name == Method::Regress.name() { Method::Regress } else { Method::Classify };
                let asked = ModelRequest::of(wanted.model_spec)?;
                task(target, predict, method, &asked.signature, request.input.clone())?;
            }
            Ok(())
        }
        Some(LogType::SessionRunLog(SessionRunLog { request: Some(request), .. })) => {
            let (batch, fetched) = session::decode(target, &request)?;
            session::encode(target, &predict(&batch)?, &fetched).map(drop)
        }
        _ => Err(RequestError::invalid("it holds no request to predict, classify, regress or infer")),
    }
}

fn answer_predict(
    target: &TargetSignature,
    predict: Predict<'_>,
    mut request: PredictRequest,
) -> Result<(), RequestError> {
    let asked = ModelRequest::of(request.model_spec.take())?;
    let (batch, outputs) = predict::decode(target, &request.encode_to_vec(), &asked.signature)?;
    predict::encode(target, &predict(&batch)?, &outputs, &asked.signature).map(drop)
}

fn task(
    target: &TargetSignature,
    predict: Predict<'_>,
    method: Method,
    signature: &str,
    input: Option<Input>,
) -> Result<(), RequestError> {
    check_signature(target, method, Some(signature))?;
    let batch = examples::decode(target, &input.unwrap_or_default())?;
    let predictions = predict(&batch)?.predictions;
    match method {
        Method::Regress => examples::values(&predictions).map(drop),
        _ => examples::classes(&predictions).map(drop),
    }
}
