//! gRPC: TF Serving's services, the Open Inference Protocol's, health and reflection.
//!
//! Messages into tensors and predictions into messages is all that is done here; what is asked of the models, and how,
//! is REST's too ([`crate::engine`], [`crate::tensor`]).

mod body;
mod call;
mod error;
mod health;
mod in_place;
mod inflating;
mod oip;
pub mod proto;
mod router;
mod tfs;
mod unary;

pub(crate) use router::Router;
pub(crate) use tfs::{Recorded, predict_request, prediction_logs, replay, warmup_record};

/// Decodes a message of one of the methods and answers it.
#[cfg(feature = "fuzzing")]
pub(crate) fn decode_any(model: &crate::versions::LoadedModel, which: u8, message: &[u8]) {
    match which % 3 {
        0 => tfs::predict_bytes(model, message),
        1 => tfs::classify_bytes(model, message),
        _ => oip::infer_bytes(model, message),
    }
}
