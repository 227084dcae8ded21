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
pub(in crate::protocol) fn predict_bytes(model: &crate::models::versions::ServedVersion, message: &[u8]) {
    if let Ok((batch, outputs)) = predict::decode(model, message, "")
        && let Ok(predictions) = model.model.predict_tensors(&batch)
    {
        drop(predict::encode(model, &predictions, &outputs, ""));
    }
}

#[cfg(feature = "fuzzing")]
pub(in crate::protocol) fn classify_bytes(model: &crate::models::versions::ServedVersion, message: &[u8]) {
    let Ok(input) = prost::Message::decode(message) else { return };
    if let Ok(batch) = examples::decode(model, &input)
        && let Ok(predictions) = model.model.predict_tensors(&batch)
    {
        drop(examples::classes(&predictions));
    }
}
