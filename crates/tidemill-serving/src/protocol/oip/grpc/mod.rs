//! The Open Inference Protocol's `GRPCInferenceService`.

mod contents;
mod infer;
mod message;
mod service;

pub(in crate::protocol) use service::call_infer;

#[cfg(feature = "fuzzing")]
pub(in crate::protocol) fn infer_bytes(
    target: &crate::inference::signature::TargetSignature,
    predict: crate::protocol::Predict<'_>,
    message: &[u8],
) {
    if let Ok((batch, reply)) = infer::decode(target, message)
        && let Ok(response) = predict(&batch)
    {
        drop(infer::encode(target, &response, reply));
    }
}
