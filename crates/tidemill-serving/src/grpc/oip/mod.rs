//! The Open Inference Protocol's `GRPCInferenceService`.

mod contents;
mod infer;
mod service;

#[cfg(feature = "fuzzing")]
pub(super) fn infer_bytes(model: &crate::versions::LoadedModel, message: &[u8]) {
    let Ok(request) = prost::Message::decode(message) else { return };
    if let Ok((batch, reply)) = infer::decode(model, request)
        && let Ok(predictions) = model.model.predict_tensors(&batch)
    {
        drop(infer::encode(model, &predictions, reply));
    }
}
