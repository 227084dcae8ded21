//! TF Serving's `PredictionService`, `ModelService` and `SessionService`.

mod examples;
mod message;
mod metadata;
mod models;
mod predict;
mod prediction;
mod recorded;
mod session;
mod spec;
mod tensor;
mod warmup;

pub(in crate::protocol) use prediction::call_predict;
pub(crate) use recorded::{Recorded, predict_request, prediction_logs};
pub(crate) use warmup::{replay, warmup_record};

#[cfg(feature = "fuzzing")]
pub(in crate::protocol) fn predict_bytes(
    target: &crate::inference::signature::TargetSignature,
    predict: crate::protocol::Predict<'_>,
    message: &[u8],
) {
    if let Ok((batch, outputs)) = predict::decode(target, message, "")
        && let Ok(response) = predict(&batch)
    {
        drop(predict::encode(target, &response, &outputs, ""));
    }
}

#[cfg(feature = "fuzzing")]
pub(in crate::protocol) fn classify_bytes(
    target: &crate::inference::signature::TargetSignature,
    predict: crate::protocol::Predict<'_>,
    message: &[u8],
) {
    let Ok(input) = prost::Message::decode(message) else { return };
    if let Ok(batch) = examples::decode(target, &input)
        && let Ok(response) = predict(&batch)
    {
        drop(examples::classes(&response.predictions));
    }
}
