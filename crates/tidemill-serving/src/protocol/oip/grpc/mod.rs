//! The Open Inference Protocol's `GRPCInferenceService`.

mod contents;
mod infer;
mod message;
mod service;

pub(in crate::protocol) use service::call_infer;

#[cfg(feature = "fuzzing")]
pub(in crate::protocol) fn infer_bytes(model: &crate::models::versions::ServedVersion, message: &[u8]) {
    if let Ok((batch, reply)) = infer::decode(model, message)
        && let Ok(predictions) = model.model.predict_tensors(&batch)
    {
        drop(infer::encode(model, &predictions, reply));
    }
}
